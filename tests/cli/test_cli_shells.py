"""The command parses, calls and prints: nothing that it does is out of reach for a Python user."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

import halfwave as hw
import halfwave.cli as command
from halfwave import explorer, plots, runs

FOLDER = Path(command.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
MOST_LINES = 130
HEAVY = {"torch", "numpy", "matplotlib", "scipy", "sklearn", "pandas", "PIL", "rich"}
ARITHMETIC = (
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.FloorDiv,
    ast.Mod,
    ast.Pow,
    ast.MatMult,
    ast.LShift,
    ast.RShift,
)
PARTS = {"cli", "errors", "_version"}
"""What the command may reach into; rooms it sees from outside."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_of_the_command_only_parses_calls_and_prints(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    for node in ast.walk(ast.parse(text)):
        for module in imported(node):
            assert module.split(".")[0] not in HEAVY, (file.name, module)
            if module.startswith("halfwave."):
                # a room, or the errors; never a file below a room
                below = module.split(".")[1:]
                assert below[0] in PARTS or len(below) == 1, (file.name, module)
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC)), (file.name, node.lineno)
        assert not isinstance(node, (ast.AugAssign, ast.While)), (file.name, node.lineno)
        if isinstance(node, ast.For):
            printed = [ast.unparse(inner) for inner in node.body]
            allowed = ("typer.echo", "app.command")
            assert all(line.startswith(allowed) for line in printed), (file.name, printed)


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        rooms = [f"halfwave.{alias.name}" for alias in node.names] if node.module == "halfwave" else []
        return [node.module or "", *rooms]
    return []


def test_the_command_starts_without_the_libraries_that_compute() -> None:
    code = "import sys, halfwave.cli; print([m for m in ('torch', 'numpy', 'matplotlib', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# command: (its twin, options of the command under another name there, options that are about printing only)
TWINS: dict[str, tuple[Callable[..., Any], dict[str, str], set[str]]] = {
    "train": (runs.train, {"run": "folder"}, {"context"}),
    "evaluate": (runs.Run.evaluate, {"run": "self"}, {"as_json"}),
    "sample": (runs.Run.save_samples, {"run": "self"}, set()),
    "show": (runs.Run.summary, {"run": "self"}, set()),
    "fit": (runs.fit_table, {}, {"as_json"}),
    "audit": (runs.audit_file, {}, {"as_json"}),
    "plot": (plots.save_picture, {}, set()),
    "explore": (explorer.serve, {"export": "path", "no_browser": "ready"}, set()),
}


def commands() -> dict[str, Callable[..., Any]]:
    return {
        entry.callback.__name__: entry.callback
        for entry in command.app.registered_commands
        if entry.callback is not None
    }


def test_every_command_has_a_twin() -> None:
    assert set(commands()) == set(TWINS)


@pytest.mark.parametrize("name", sorted(set(TWINS) - {"explore"}))
def test_the_twin_has_the_options_of_the_command_with_their_defaults(name: str) -> None:
    twin, renamed, printing = TWINS[name]
    known = inspect.signature(twin).parameters
    for option, parameter in inspect.signature(commands()[name]).parameters.items():
        if option in printing:
            continue
        other = renamed.get(option, option)
        assert other in known, (name, option)
        default = (
            parameter.default.default if isinstance(parameter.default, typer.models.ParameterInfo) else None
        )
        # what the command requires, Python requires; an option that may be repeated starts as an empty list
        required = inspect.Parameter.empty if default is ... else default
        assert known[other].default == (() if required == [] else required), (name, option)


def test_the_explorer_is_served_and_exported_by_two_functions() -> None:
    options = set(inspect.signature(commands()["explore"]).parameters)
    served = set(inspect.signature(explorer.serve).parameters)
    assert options - {"export", "no_browser"} <= served
    assert callable(explorer.export)


def test_options_are_spelled_as_the_caller_writes_them() -> None:
    from halfwave.cli.common import sentence_of

    error = hw.errors.OptionError("`hidden_size` must be at least 1; got 0", "hidden_size")
    assert sentence_of(error) == "--hidden-size must be at least 1; got 0"
    assert sentence_of(hw.HalfwaveError("`updates` must be at least 1")) == "`updates` must be at least 1"
