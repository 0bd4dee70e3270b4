"""Networks from exported programs (``.pt2``), loaded without running anything but torch's operators."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.export.unflatten import InterpreterModule, UnflattenedModule

from halfwave.audit.files.archive_checks import check_archive, tensors_only
from halfwave.audit.files.inputs import ModelInput
from halfwave.audit.rectifiers.modules import WHOLE
from halfwave.errors import HalfwaveError

__all__ = ["ExportedNetwork", "load_exported", "refuse_pickles"]

_OWN = tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in WHOLE)
"""Halfwave's activations, as programs name the type of a module."""

_PICKLES = (
    ".pt",
    ".pth",
    ".bin",
    ".ckpt",
    ".pkl",
    ".pickle",
    ".joblib",
    ".dill",
    ".ptl",
    ".torchscript",
    ".jit",
)


def refuse_pickles(path: Path) -> None:
    """`HalfwaveError` for a file that only unpickling could read.

    >>> refuse_pickles(Path("model.pth"))
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: model.pth is not read: a .pth file is unpickled, which runs any code that is in \
it; export the model with torch.export.save(torch.export.export(model.eval(), (x,)), "model.pt2")
    """
    if path.suffix.lower() in _PICKLES:
        raise HalfwaveError(
            f"{path} is not read: a {path.suffix} file is unpickled, which runs any code that is in it; export the "
            'model with torch.export.save(torch.export.export(model.eval(), (x,)), "model.pt2")'
        )


def load_exported(path: str | Path) -> ExportedNetwork:
    """The network in a file of ``torch.export.save``, with the modules that it was exported from.

    Only plain networks are loaded: operators, tensors, and arguments in tuples, lists and dictionaries. Files that
    hold pickled objects, compiled libraries or anything that torch would evaluate are refused before torch reads them.

    Args:
        path: of the .pt2 file.

    Returns:
        A module whose ``forward`` takes the arguments of the program by place or name; `halfwave.audit.audit` takes
        it as any other. Its attribute ``inputs`` lists the arguments with their shapes and types.

    Raises:
        HalfwaveError: if the file cannot be read or holds more than a network.

    >>> import tempfile, torch
    >>> from torch import nn
    >>> path = tempfile.mkdtemp() + "/model.pt2"
    >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    >>> torch.export.save(torch.export.export(model, (torch.zeros(5, 3),)), path)
    >>> network = load_exported(path)
    >>> network.inputs[0].shape, network(torch.zeros(5, 3)).shape
    ((5, 3), torch.Size([5, 2]))
    """
    path = Path(path)
    refuse_pickles(path)
    try:
        with path.open("rb") as file:
            program = _program(file, path)
    except OSError as error:
        raise HalfwaveError(f"cannot read {path}: {error.strerror or error}") from error
    return ExportedNetwork(program)


def _program(file: Any, path: Path) -> Any:
    try:
        from torch.export.pt2_archive._package import PT2ArchiveReader, load_pt2
    except ImportError as error:
        raise HalfwaveError("exported programs are read with torch 2.8 or newer") from error
    try:
        check_archive(PT2ArchiveReader(file))
        file.seek(0)
        with tensors_only():
            return load_pt2(file).exported_programs["model"]
    except HalfwaveError as error:
        raise HalfwaveError(f"{path} is not loaded: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can fail anywhere in torch
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise HalfwaveError(
            f"{path} is no exported program that this torch can read; pickles and TorchScript archives are not read "
            "under any name, for they would run code; write it with torch.export.save "
            f"({type(error).__name__}: {reason})"
        ) from error


class ExportedNetwork(UnflattenedModule):
    """The modules of an exported program, called with its inputs by place or name; `load_exported` makes it."""

    def __init__(self, program: Any) -> None:
        inputs = _inputs(program)
        places, named = program.call_spec.in_spec.children()
        names: list[str] = list(named.context or ())
        if places.num_leaves != places.num_children or len(names) + places.num_children != len(inputs):
            raise HalfwaveError(
                "the arguments of an exported program must be tensors, one by one; this one takes lists, "
                f"dictionaries or numbers: {' '.join(str(program.call_spec.in_spec).split())}"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own, about its own containers
            super().__init__(program)
        for part in self.modules():
            if str(getattr(part, "_ty", "")).startswith((_Activation.__module__, *_OWN)):
                part.__class__ = _Activation
        self.forward = _by_name(super().forward, [entry.name for entry in inputs], names)
        self._taken = inputs

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """What the network takes."""
        return self._taken


def _by_name(original: Any, names: list[str], keywords: list[str]) -> Any:
    """A forward whose arguments all have names, as the audit needs to tell inputs from targets."""
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    signature, places = inspect.Signature(parameters), len(names) - len(keywords)

    def forward(*args: Any, **kwargs: Any) -> Any:
        values = list(signature.bind(*args, **kwargs).arguments.values())
        return original(*values[:places], **dict(zip(keywords, values[places:], strict=True)))

    forward.__signature__ = signature  # pyright: ignore[reportFunctionMemberAccess]
    return forward


class _Activation(InterpreterModule):
    """A module of a program that was nothing but an activation, so that its layer is called after it alone."""

    __module__ = "torch.nn.modules.activation"  # by which the audit knows activations


def _inputs(program: Any) -> tuple[ModelInput, ...]:
    wanted = set(program.graph_signature.user_inputs)
    found = []
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in wanted and isinstance(value, Tensor):
            shape = tuple(size if isinstance(size, int) else None for size in value.shape)
            found.append(ModelInput(node.name, shape, str(value.dtype).removeprefix("torch.")))
    return tuple(found)
