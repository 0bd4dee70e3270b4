"""``halfwave show RUN``: what is in a run folder."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["show"]


def show(run: Path = typer.Argument(help="Run folder.")) -> None:
    """Summary of RUN: the machine, how it was trained, how far it came, how good it is, where the files are."""
    from halfwave import runs

    typer.echo(runs.open(run).summary())
