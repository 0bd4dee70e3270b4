"""The public surface: names, import cost, rules between folders."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import halfwave as hw

SOURCE = Path(hw.__file__).parent
ROOMS = ("audit", "datasets", "explorer", "fitting", "functions", "nn", "plots", "rbm", "runs", "units")


def test_import_is_light() -> None:
    code = (
        "import sys, time; before = time.process_time(); import halfwave; spent = time.process_time() - before;"
        "print(int(any(m in sys.modules for m in ('torch', 'numpy', 'matplotlib', 'sklearn'))), spent)"
    )
    heavy, spent = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert heavy == "0"
    # processor time of a few imports of our own; the promise is 0.2 s
    assert float(spent) < 0.2


@pytest.mark.parametrize("room", ROOMS)
def test_all_is_sorted_and_complete(room: str) -> None:
    module = importlib.import_module(f"halfwave.{room}")
    for name in module.__all__:
        assert hasattr(module, name), name
    assert len(set(module.__all__)) == len(module.__all__)


def imports(file: Path) -> set[str]:
    """Rooms of halfwave that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("halfwave."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "halfwave":
            found |= {alias.name for alias in node.names} & {*ROOMS, "cli"}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("halfwave.")}
    return found


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("functions", set()),
        ("datasets", set()),
        ("fitting", {"nn", "functions"}),
        ("audit", {"nn", "units", "functions"}),
        ("runs", {"plots", "rbm", "fitting", "audit", "units", "functions", "datasets"}),
        ("explorer", {"runs", "rbm", "fitting", "units", "nn", "functions", "datasets"}),
        ("units", {"functions"}),
        ("nn", {"functions"}),
        ("rbm", {"units", "functions"}),
        ("plots", {"rbm", "fitting", "audit", "units", "nn", "functions", "datasets"}),
    ],
)
def test_arrows_point_one_way(room: str, allowed: set[str]) -> None:
    for file in (SOURCE / room).rglob("*.py"):
        reached = imports(file) & {*ROOMS, "cli"}
        assert reached <= allowed | {room}, (file.name, reached)


def test_functions_and_datasets_do_not_need_torch() -> None:
    code = "import sys, halfwave.functions, halfwave.datasets; print(int('torch' in sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "0\n"
    )


def public_functions() -> list[tuple[str, ast.AST]]:
    """Public functions, classes and methods that users call, with where they are."""
    found: list[tuple[str, ast.AST]] = []
    for file in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body:
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            if not any(isinstance(d, ast.Name) and d.id == "overload" for d in node.decorator_list):
                found.append((f"{file.relative_to(SOURCE)}:{node.name}", node))
    return found


@pytest.mark.parametrize(("place", "node"), public_functions(), ids=lambda x: x if isinstance(x, str) else "")
def test_public_objects_have_docstrings(place: str, node: ast.AST) -> None:
    assert ast.get_docstring(node), place  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", sorted(hw.units.UNITS))
def test_units_document_formula_arguments_errors_example_and_source(name: str) -> None:
    text = hw.units.UNITS[name].__doc__ or ""
    for part in ("Args:", "Raises:", ">>>", "Source:", "``"):
        assert part in text, (name, part)
