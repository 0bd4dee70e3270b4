"""How the command spells what the library says."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from halfwave.errors import OptionError

__all__ = ["fail", "print_lines", "print_notes", "sentence_of"]

_SPELLINGS = {
    "data": "DATA",
    "folder": "--run",
    "folder=FOLDER": "--run FOLDER",
    "resume=True": "--resume",
    "x_range": "--range",
}


def sentence_of(error: Exception) -> str:
    """What is wrong, with options as they stand on the command line."""
    return error.spelled(_spelled) if isinstance(error, OptionError) else str(error)


def _spelled(option: str) -> str:
    return _SPELLINGS.get(option, f"--{option.replace('_', '-')}")


def fail(sentence: str) -> None:
    """Print an error as one sentence and exit with status 2."""
    typer.echo(f"error: {' '.join(sentence.split())}", err=True)
    raise SystemExit(2)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output."""
    for line in lines:
        typer.echo(line)


def print_notes(notes: Iterable[str]) -> None:
    """Print what deserves a look on standard error."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)
