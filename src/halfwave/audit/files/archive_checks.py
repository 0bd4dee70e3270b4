"""Refuses archives of exported programs that could make their reader run something else than the network.

``torch.export.load`` unpickles sample inputs and custom objects without restriction, loads compiled libraries,
evaluates size expressions as Python, and writes the names in the file into the source of the module it makes. Here
everything that it would trust is compared with what ``torch.export.save`` writes for a plain network, before torch
sees it, and ``torch.load`` is held to tensors.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from halfwave.errors import HalfwaveError

__all__ = ["check_archive", "tensors_only"]

_KNOWN_FILES = re.compile(
    r"(models/model\.json|data/(weights|constants|sample_inputs)/[\w.]+|extra/.*|archive_format|archive_version|"
    r"byteorder|version|\.data/\w+|\.format_version|\.storage_alignment)"
)
# of the functions that a program can name, those that compute with tensors and sizes and do nothing else
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|torchvision)\.(?!(from_file|save|load)\b)\w+(\.\w+)?|math\.\w+|torch\._?sym_\w+|"
    r"torch\.ops\.higher_order\.(cond|while_loop|scan|map_impl|wrap_with_set_grad_enabled|wrap_with_autocast)|"
    r"_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|xor|not_|lshift|rshift|"
    r"getitem)"
)
_NAME = re.compile(r"[\w.@-]*", re.ASCII)
_WORDS = re.compile(r"'[\w.]*'|\d+\.\d+(e[+-]?\d+)?|[A-Za-z_]\w*|\d+|[-+*/%(),<>=&|~! ]")
_FUNCTIONS = frozenset(
    {
        *("Symbol", "Integer", "Float", "Rational", "true", "false", "True", "False", "oo", "int_oo"),
        *("positive", "nonnegative", "negative", "nonpositive", "integer", "even", "odd", "zero", "nonzero"),
        *("real", "finite", "evaluate", "precision", "Add", "Mul", "Pow", "Mod", "Abs", "Max", "Min"),
        *("floor", "ceiling", "Piecewise", "ITE", "And", "Or", "Not", "Eq", "Ne", "Lt", "Le", "Gt", "Ge"),
        *("Equality", "Unequality", "GreaterThan", "LessThan", "StrictGreaterThan", "StrictLessThan"),
        *("FloorDiv", "CleanDiv", "CeilDiv", "IntTrueDiv", "FloatTrueDiv", "PythonMod", "ModularIndexing"),
        *("CeilToInt", "FloorToInt", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat"),
        *("Where", "LShift", "RShift", "PowByNatural", "FloatPow", "Identity"),
        *("IsNonOverlappingAndDenseIndicator",),
    }
)
"""What sizes are written with: classes of sympy and torch, and the assumptions about symbols."""
_SYMBOL = re.compile(r"z?[suf]+\d+")
_CONTAINERS = frozenset(
    {
        *(None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"),
        *("torch.fx.immutable_collections.immutable_list", "torch.fx.immutable_collections.immutable_dict"),
    }
)
# text that torch hands on as a value, and never as a part of a program
_TEXT = frozenset({"as_string", "as_strings", "guards_code", "torch_version"})


@contextmanager
def tensors_only() -> Iterator[None]:
    """``torch.load`` builds tensors and plain containers only, whatever it is asked for."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def check_archive(reader: Any) -> None:
    """Look through an archive before anything of it is trusted.

    Args:
        reader: torch's own reader of archives, so that both see the same file.

    Raises:
        HalfwaveError: if there is more in it than a network and its tensors.
    """
    files = list(reader.get_file_names())
    for file in files:
        if _KNOWN_FILES.fullmatch(file) is None:
            _refuse(f"the part {file!r}, which is not read (compiled code is not run)")
    if "models/model.json" not in files:
        _refuse('no program named "model"')
    for kind in ("weights", "constants"):
        config = f"data/{kind}/model_{kind}_config.json"
        if config in files:
            _check_payload(json.loads(reader.read_string(config)))
    _check_program(json.loads(reader.read_string("models/model.json")))


def _refuse(what: str) -> None:
    raise HalfwaveError(f"an exported program must hold a network and its tensors only; this one has {what}")


def _check_payload(config: Any) -> None:
    """Weights and constants must be tensors: other objects are pickled."""
    for name, entry in config["config"].items():
        path = str(entry["path_name"])
        if not path.startswith(("weight_", "tensor_")):
            _refuse(f"a constant that is no tensor, {name!r}, and reading it would run code")


def _check_program(value: Any, key: str = "") -> None:
    """Every text in the program must be of the kind that its place asks for."""
    if isinstance(value, dict):
        for name, part in value.items():
            if _NAME.fullmatch(name) is None:
                _refuse(f"the name {name!r}")
            if name == "metadata":
                _check_module_path(part.get("nn_module_stack", ""))
            elif name not in _TEXT:
                _check_program(part, name)
    elif isinstance(value, list):
        for part in value:
            _check_program(part, key)
    elif isinstance(value, str):
        _check_text(value, key)


def _check_text(text: str, key: str) -> None:
    if key in ("target", "as_operator"):
        if _OPERATOR.fullmatch(text) is None:
            _refuse(f"the function {text!r}, which is none of torch's operators on tensors")
    elif key == "expr_str":
        _check_expression(text)
    elif key in ("in_spec", "out_spec"):
        _check_structure(json.loads(text) if text else [])
    elif _NAME.fullmatch(text) is None:
        _refuse(f"the name {text!r}")


def _check_module_path(text: str) -> None:
    """Paths of modules become attribute names, written between double quotes."""
    if re.search(r'["\\\n\r]', text):
        _refuse(f"the module path {text!r}")


def _check_expression(text: str) -> None:
    """Sizes are arithmetic of symbols; torch evaluates them as Python."""
    place = 0
    while place < len(text):
        word = _WORDS.match(text, place)
        if word is None:
            _refuse(f"the size {text!r}")
            return
        found = word.group()
        if found.isidentifier() and found not in _FUNCTIONS and _SYMBOL.fullmatch(found) is None:
            _refuse(f"the size {text!r}")
        place = word.end()


def _check_structure(specification: Any) -> None:
    """Arguments are tuples, lists and dictionaries of tensors; other containers would be imported by name."""
    if isinstance(specification, list):
        for part in specification:
            _check_structure(part)
    elif isinstance(specification, dict):
        if specification.get("type") not in _CONTAINERS:
            _refuse(f"arguments or results in a {specification.get('type')!r}")
        context = specification.get("context")
        keys = json.loads(context) if isinstance(context, str) else context
        if not isinstance(keys, (list, type(None))) or any(
            _NAME.fullmatch(str(key)) is None for key in keys or ()
        ):
            _refuse(f"arguments or results named {context!r}")
        _check_structure(specification.get("children_spec", []))
