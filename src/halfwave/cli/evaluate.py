"""``halfwave evaluate RUN DATA``: likelihood of a trained machine."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from halfwave.cli.common import print_lines

__all__ = ["evaluate"]


def evaluate(
    run: Path = typer.Argument(help="Run folder."),
    data: str | None = typer.Argument(
        None, help="Data, treated as in training. Default: the data of the run."
    ),
    chains: int = typer.Option(500, help="Annealed chains."),
    temperatures: int | None = typer.Option(
        None, help="Temperatures of the annealing. Default: 2000, or 10 a visible value if more."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the numbers as JSON."),
    report: bool = typer.Option(False, help="Also write report.html anew (for the data of the run)."),
) -> None:
    """Log-likelihood of the machine in RUN with bounds on log Z, pseudolikelihood and reconstruction error."""
    from halfwave import runs

    values = runs.open(run).evaluate(data, chains=chains, temperatures=temperatures, report=report)
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    print_lines(values.lines)
    if values.report is not None:
        typer.echo(f"report: {values.report}")
