"""What the tests notice: small faults put into the library one at a time, each against the tests of its room.

Draws mutants at random, evenly over six rooms, and puts each into a copy of the tree, where the doctests of its
file and the tests of its room run until the first one fails. A mutant that no test notices survives: it changes
nothing that can be seen, or a test is missing. Run it from the repository root, for an hour or two:

    python scripts/mutants.py --write mutants.json                       # draw 120, run them, keep the results
    python scripts/mutants.py --read mutants.json --write after.json     # the same ones in a changed tree

A mutant is known by its function, its statement and what is changed, and so found again after files have moved. When
it is read with a result, the test that noticed it runs first, and all others only if that one passes or is gone.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import difflib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

ROOMS = ("functions", "units", "rbm", "fitting", "nn", "audit")
PACKAGE = Path("src/halfwave")
SECONDS, TEST_SECONDS = 1800, 120  # longest run of one mutant and of one test: what hangs counts as noticed
PYTEST = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"--timeout={TEST_SECONDS}"]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*_cache")
DECLARED = ("annotation", "returns", "decorator_list", "bases")
# fmt: off
OPERATORS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.And: (ast.Or,), ast.Or: (ast.And,), ast.Add: (ast.Sub,), ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Div,), ast.Mod: (ast.Mult,), ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,),
}
# fmt: on


@dataclass(frozen=True)
class Mutant:
    """One change: where it was found, what it is, and what became of it."""

    room: str
    file: str
    function: str
    line: int
    statement: str
    change: str
    ordinal: int = 0  # where the function has the same change of the same statement several times
    result: str = "drawn"
    killer: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Site:
    """A mutant and the edit that makes it: a range of bytes of the file and the new text."""

    mutant: Mutant
    span: slice
    text: str


@dataclass(frozen=True)
class Place:
    """Where a node stands; indices are bounds of slices too, and outside functions ``|`` joins types."""

    function: str = ""
    statement: str = ""
    is_index: bool = False
    in_function: bool = False


def changes(node: Any, place: Place) -> Iterator[tuple[Any, str]]:
    """Which part to replace, and the new text, for all faults of one node."""
    match node:
        case ast.Compare():
            for position, operator in enumerate(node.ops):
                for other in OPERATORS[type(operator)]:
                    changed = copy.deepcopy(node)
                    changed.ops[position] = other()
                    yield node, f"({ast.unparse(changed)})"
        case ast.BinOp(op=ast.BitOr()) if not place.in_function:
            return
        case ast.BinOp() | ast.BoolOp() | ast.AugAssign():
            for other in OPERATORS.get(type(node.op), ()):
                changed = copy.copy(node)
                changed.op = other()
                text = ast.unparse(changed)
                yield node, text if isinstance(node, ast.stmt) else f"({text})"
            if isinstance(node, ast.stmt):
                yield node, "pass"
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool() | int() | float() as number):
            yield node, repr(not number if isinstance(number, bool) else number + 1)
            if place.is_index:
                yield node, f"({number - 1!r})"
        case ast.Break() | ast.Continue():
            yield node, "continue" if isinstance(node, ast.Break) else "break"
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield value, "None"
        case ast.For():
            yield node.iter, "[]"


def header(statement: Any) -> str:
    """The text of a statement without the statements inside it, as written by `ast.unparse`."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return f"def {statement.name}"
    bare = copy.copy(statement)
    for field in {"body", "orelse", "finalbody", "handlers", "cases"} & set(bare._fields):
        setattr(bare, field, [ast.Pass()] if field == "body" else [])
    return ast.unparse(bare).removesuffix("\n    pass")


def is_left_alone(node: ast.AST) -> bool:
    """Whether a node is no code that runs: wording of messages, names for import, types for the checker."""
    match node:
        case ast.JoinedStr() | ast.Raise() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass" | "cast" | "TypeVar")):
            return True
    return False


def walk(node: ast.AST, place: Place) -> Iterator[tuple[ast.AST, Place]]:
    """All nodes that may be changed, each with its place."""
    if is_left_alone(node):
        return
    if isinstance(node, ast.stmt):
        place = replace(place, statement=header(node))
    yield node, place
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        name = f"{place.function}.{node.name}".lstrip(".")
        place = replace(place, function=name, in_function=not isinstance(node, ast.ClassDef))
    for field, value in ast.iter_fields(node):
        keeps_index = place.is_index and isinstance(node, ast.Tuple | ast.Slice | ast.UnaryOp)
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and field not in DECLARED:
                yield from walk(child, replace(place, is_index=field == "slice" or keeps_index))


def sites(tree: Path, file: Path) -> list[Site]:
    """Every possible mutant of a file."""
    source = (tree / file).read_bytes()
    starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
    seen: Counter[tuple[str, str, str]] = Counter()
    room, found = file.relative_to(PACKAGE).parts[0], []
    for node, place in walk(ast.parse(source), Place()):
        for part, text in changes(node, place):
            change = f"{ast.unparse(part)} → {text}"
            key = (place.function, place.statement, change)
            mutant = Mutant(room, str(file), place.function, part.lineno, place.statement, change, seen[key])
            seen[key] += 1
            start, end = starts[part.lineno - 1], starts[part.end_lineno - 1]
            found.append(Site(mutant, slice(start + part.col_offset, end + part.end_col_offset), text))
    return found


def all_sites(tree: Path, room: str) -> list[Site]:
    """Every possible mutant of a room; an ``__init__.py`` only names what a folder offers."""
    files = sorted((tree / PACKAGE).glob(f"{room}/**/*.py"))
    return [
        site for file in files if file.name != "__init__.py" for site in sites(tree, file.relative_to(tree))
    ]


def draw(tree: Path, count: int, seed: int) -> list[Site]:
    """Mutants at random, as many in each room."""
    rooms = [(random.Random(f"{seed} {room}"), all_sites(tree, room)) for room in ROOMS]
    return [site for chance, possible in rooms for site in chance.sample(possible, count // len(ROOMS))]


def find(mutant: Mutant, candidates: Sequence[Site]) -> Site | None:
    """A mutant in another tree: the same function, statement and change, if possible in its room, at a similar path.

    If the function has another name now, the statement and the change must be there exactly once.
    """
    text, name = (mutant.statement, mutant.change), (mutant.function, mutant.ordinal)
    same = [site for site in candidates if (site.mutant.statement, site.mutant.change) == text]
    named = [site for site in same if (site.mutant.function, site.mutant.ordinal) == name]
    if not named:
        return same[0] if len(same) == 1 else None
    named = [site for site in named if site.mutant.room == mutant.room] or named
    return max(named, key=lambda site: difflib.SequenceMatcher(a=site.mutant.file, b=mutant.file).ratio())


def run_tests(tree: Path, arguments: Sequence[str]) -> tuple[str, str]:
    """What became of the mutant in a tree, and the first test that failed."""
    shutil.rmtree(tree / ".hypothesis", ignore_errors=True)  # failures of other mutants are not tried again
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        command = [sys.executable, "-m", "pytest", *PYTEST, *arguments]
        process = subprocess.Popen(command, cwd=tree, env=environment, stdout=output, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(SECONDS)
        code = process.returncode
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it started
        output.seek(0)
        first = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", output.read(), re.MULTILINE)
    if code in (0, 4, 5):  # 4: a test named is not there; 5: no test
        return ("survived" if code == 0 else "no test"), ""
    return "killed", first[1] if first else "hangs" if code is None else f"ended with {code}"


def attempts(tree: Path, site: Site, before: Mutant, contexts: dict[str, list[str]]) -> Iterator[list[str]]:
    """Sets of tests to try: the one that noticed it before, others of this name, then all of the room."""
    path, _, name = before.killer.partition("::")
    if (tree / path).is_file():
        yield [before.killer]
    name = name.partition("[")[0]
    heading = re.compile(rf"^def {re.escape(name)}\(", re.MULTILINE)
    files = [file for file in (tree / "tests").rglob("test_*.py") if heading.search(file.read_text())]
    if files:
        yield [f"{file.relative_to(tree)}::{name}" for file in files]
    rooms = dict.fromkeys([f"tests/{before.room}", f"tests/{site.mutant.room}"])
    there = [room for room in rooms if (tree / room).is_dir()]
    yield [site.mutant.file, *contexts.get(f"{site.mutant.file}:{site.mutant.line}", there)]


def judge(tree: Path, site: Site, tries: Iterator[list[str]], options: Sequence[str]) -> Mutant:
    """Put a mutant into the copy, run sets of tests until one notices it, and take it out again."""
    path, start = tree / site.mutant.file, perf_counter()
    original = path.read_bytes()
    path.write_bytes(original[: site.span.start] + site.text.encode() + original[site.span.stop :])
    result, killer = "drawn", ""
    try:
        while result != "killed" and (tests := next(tries, None)):
            result, killer = run_tests(tree, [*options, *tests])
    finally:
        path.write_bytes(original)
    return replace(site.mutant, result=result, killer=killer, seconds=round(perf_counter() - start, 1))


def line(mutant: Mutant) -> str:
    """File, line, function, what was changed, and what became of it."""
    where = f"{mutant.file}:{mutant.line} {mutant.function or '(module)'}"
    return f"{where}: {mutant.change}\n    {mutant.result} {mutant.killer}"


def main() -> None:
    """Draw or read mutants, run them, print and keep what became of them."""
    parser = argparse.ArgumentParser(formatter_class=argparse.RawTextHelpFormatter, description=__doc__)
    parser.add_argument("--tree", type=Path, default=Path(), help="the library; only a copy is changed")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("--read", type=Path, help="mutants kept earlier, to be found again in this tree")
    parser.add_argument("--write", type=Path, help="where to keep mutants and results")
    parser.add_argument("--contexts", type=Path, help='tests that run a line: {"file:line": [test, …]}')
    parser.add_argument("--list", action="store_true", help="run no test")
    parser.add_argument("options", nargs="*", help="for pytest, after --")
    given = parser.parse_args()
    contexts = json.loads(given.contexts.read_text()) if given.contexts else {}
    copied = Path(tempfile.mkdtemp(prefix="mutants-")) / "tree"
    shutil.copytree(given.tree, copied, ignore=NOT_COPIED)
    if given.read:
        drawn = [Mutant(**kept) for kept in json.loads(given.read.read_text())]
        candidates = all_sites(copied, "*")
    else:
        candidates = draw(copied, given.count, given.seed)
        drawn = [site.mutant for site in candidates]
    done: list[Mutant] = []
    for mutant in drawn:
        if (site := find(mutant, candidates)) is None:
            done.append(replace(mutant, result="not found", killer=""))
        else:
            tries = iter(()) if given.list else attempts(copied, site, mutant, contexts)
            done.append(judge(copied, site, tries, given.options))
        print(line(done[-1]), flush=True)
        if given.write:
            given.write.write_text(json.dumps([asdict(one) for one in done], indent=1, ensure_ascii=False))
    for room in ROOMS:
        results = [after.result for before, after in zip(drawn, done, strict=True) if before.room == room]
        print(f"{room}:", dict(Counter(results)))
    shutil.rmtree(copied.parent)


if __name__ == "__main__":
    main()
