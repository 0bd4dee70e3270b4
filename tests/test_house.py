"""The house: which room stands on which, folders without circles, folders that can be seen at a glance."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = SOURCE / "halfwave"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
MOST_FILES = 16

FLOORS = (
    ("cli",),
    ("explorer",),
    ("runs",),
    ("plots",),
    ("fitting", "audit", "rbm"),
    ("units", "nn", "datasets"),
    ("functions",),
)
"""The rooms, the highest first: a room imports only from lower floors."""
TOP = {"halfwave", "halfwave.__main__"}
"""The face of the package, which hands on what the rooms offer, and the command's door; nothing imports them."""


def imports_of(module: str) -> Iterator[str]:
    """The modules of the package that one imports, anywhere in it: inside functions, for types, and by their names."""
    if (
        module == "halfwave.explorer.server.answers"
    ):  # which loads the rooms of the page when they are first asked
        names = [name for modules in importlib.import_module(module).ROOMS.values() for name in modules]
        yield from (f"halfwave.explorer.{name}" for name in names)
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            parent = node.module or ""
            for name in node.names:
                full = f"{parent}.{name.name}"
                if full in MODULES or parent in MODULES:
                    yield full if full in MODULES else parent


IMPORTS = {module: set(imports_of(module)) - {module} for module in MODULES}


def room_of(module: str) -> str:
    """The room of a module; of what lies beside the rooms, its own name."""
    return module.split(".")[1] if "." in module else module


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of a graph, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def entries_of(folder: str) -> dict[str, set[str]]:
    """The files and folders directly in a folder, each with those that it imports from."""
    entries: dict[str, set[str]] = {}
    for module in MODULES:
        if not module.startswith(f"{folder}."):
            continue
        entry = ".".join(module.split(".")[: folder.count(".") + 2])
        found = entries.setdefault(entry, set())
        for needed in IMPORTS[module]:
            if needed.startswith(f"{folder}."):
                other = ".".join(needed.split(".")[: folder.count(".") + 2])
                if other != entry:
                    found.add(other)
    return entries


FOLDERS = sorted({module.rpartition(".")[0] for module in MODULES if "." in module} | {"halfwave"})


def test_every_room_has_its_floor() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == {room for floor in FLOORS for room in floor}


def test_arrows_between_rooms_run_down() -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    up = [
        f"{module} -> {needed}"
        for module, found in IMPORTS.items()
        for needed in found
        if room_of(module) in floor
        and room_of(needed) in floor
        and room_of(module) != room_of(needed)
        and floor[room_of(needed)] <= floor[room_of(module)]
    ]
    assert up == []


def test_nothing_imports_the_top() -> None:
    assert [f"{m} -> {n}" for m, found in IMPORTS.items() for n in found if n in TOP and m not in TOP] == []


def test_what_all_rooms_share_imports_no_room() -> None:
    rooms = {room for floor in FLOORS for room in floor}
    shared = [module for module in MODULES if module not in TOP and room_of(module) not in rooms]
    assert shared
    assert [f"{m} -> {n}" for m in shared for n in IMPORTS[m] if room_of(n) in rooms] == []


def test_no_circle_of_files() -> None:
    assert circle(IMPORTS) == []


def test_no_circle_in_the_page() -> None:
    """The modules of the page, and the folders that they lie in."""
    static = PACKAGE / "explorer" / "static"
    files: dict[str, set[str]] = {}
    for path in static.rglob("*.js"):
        found = re.findall(r'from "(\.[^"]+)"', path.read_text(encoding="utf-8"))
        targets = {(path.parent / name).resolve().relative_to(static.resolve()).as_posix() for name in found}
        files[path.relative_to(static).as_posix()] = targets
    assert {target for targets in files.values() for target in targets} <= set(files)
    folders: dict[str, set[str]] = {}
    for name, targets in files.items():
        entry = name.partition("/")[0]
        folders.setdefault(entry, set()).update({t.partition("/")[0] for t in targets} - {entry})
    assert circle(files) == []
    assert circle(folders) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_circle_inside_a_folder(folder: str) -> None:
    """Files and folders that lie side by side: arrows run one way."""
    assert circle(entries_of(folder)) == []


def test_folders_can_be_seen_at_a_glance() -> None:
    source = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    tests = [path for path in Path(__file__).parent.rglob("*.py") if "__pycache__" not in path.parts]
    crowded = {
        str(folder): n for folder, n in Counter(p.parent for p in source + tests).items() if n > MOST_FILES
    }
    assert crowded == {}


def test_names_do_not_repeat_their_folder() -> None:
    """``reviving/plan.py`` and not ``reviving/reviving_plan.py``; three files of one prefix are a folder."""
    repeated, prefixes = [], Counter()
    for module in MODULES:
        parent, _, name = module.rpartition(".")
        if name.startswith(f"{parent.rpartition('.')[2]}_"):
            repeated.append(module)
        if "_" in name.strip("_"):
            prefixes[f"{parent}.{name.partition('_')[0]}"] += 1
    assert repeated == []
    assert [prefix for prefix, number in prefixes.items() if number > 2] == []


def test_every_folder_says_what_it_is() -> None:
    """What enters, what leaves, which file to read first."""
    for folder in FOLDERS:
        text = ast.get_docstring(ast.parse(MODULES[folder].read_text(encoding="utf-8"))) or ""
        assert len(text) > 40, folder
