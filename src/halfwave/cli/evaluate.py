"""``halfwave evaluate RUN DATA``: likelihood of a trained machine."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from halfwave.cli.common import console, evaluate_and_report, run_data, spell_evaluation

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
    from halfwave.errors import HalfwaveError
    from halfwave.rbm.runs import RunFolder

    for name, value in (("--chains", chains), ("--temperatures", temperatures)):
        if value is not None and value < 2:
            raise HalfwaveError(f"{name} must be at least 2; got {value}")
    if report and data is not None:
        raise HalfwaveError("--report describes the data of the run; leave DATA away")
    folder = RunFolder.open(run)
    machine = folder.load_model()
    dataset = run_data(folder, data)
    values, path = evaluate_and_report(
        folder, machine, dataset, chains=chains, temperatures=temperatures, report=report
    )
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    for line in (dataset.description, *spell_evaluation(values)):
        console.print(line)
    if path is not None:
        console.print(f"report: {path}")
