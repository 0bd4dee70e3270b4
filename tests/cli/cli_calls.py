"""One call of the command, and what a call with bad input must look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from halfwave.cli import main


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of one call."""
    status = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    output, errors = capsys.readouterr()
    return status, output, errors


def failed(answer: tuple[int, str, str], *words: str) -> None:
    """One sentence with these words, exit status 2, no traceback."""
    status, _, errors = answer
    assert status == 2, errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, errors
    for word in words:
        assert word in lines[0], lines[0]
