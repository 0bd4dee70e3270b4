"""``halfwave fit DATA --x COLUMN --y COLUMN``: a curve as a sum of ReLUs."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from halfwave.cli.common import print_lines, print_notes
from halfwave.errors import HalfwaveError

__all__ = ["fit"]


def fit(
    data: Path = typer.Argument(help="Table: .csv, .tsv, .txt (or .gz of these), .npz or .parquet."),
    x: str = typer.Option(..., "--x", help="Column of the abscissa: its name, or its number from 1."),
    y: str = typer.Option(..., "--y", help="Column of the ordinate."),
    weights: str | None = typer.Option(None, help="Column of weights."),
    kinks: str = typer.Option("auto", help="Number of kinks, or auto."),
    max_kinks: int = typer.Option(12, help="Most kinks that auto tries."),
    criterion: str = typer.Option("bic", help="Choice of auto: bic, bic3, wbic or cross_validation."),
    correlation: str = typer.Option(
        "warn", help="Where neighbouring residuals are correlated: warn, correct (fewer kinks) or ignore."
    ),
    loss: str = typer.Option("squares", help="squares, huber or tukey (robust), or quantile."),
    quantile: float = typer.Option(0.5, help="Which quantile, inside (0, 1), with --loss quantile."),
    min_points: int = typer.Option(3, help="Different x that a segment needs."),
    min_length: float = typer.Option(0.0, help="Shortest segment, in units of x."),
    fixed_kinks: str | None = typer.Option(None, help="Kinks that the fit must have, such as 3,7.5."),
    through: list[str] = typer.Option([], help="Point X,Y that the fit must pass through; may be repeated."),
    flat: str = typer.Option("none", help="End pieces of slope 0: none, first, last or both."),
    monotone: str | None = typer.Option(None, help="increasing or decreasing."),
    convex: str | None = typer.Option(None, help="convex or concave."),
    continuous: bool = typer.Option(True, "--continuous/--discontinuous", help="Whether pieces must meet."),
    log_axes: str = typer.Option("none", help="Axes to take logarithms of: none, x, y or both."),
    level: float = typer.Option(0.95, help="Coverage of the intervals."),
    intervals: str = typer.Option(
        "auto",
        help="Intervals of kinks: profile, delta, bootstrap or none; auto is profile, bootstrap for quantiles.",
    ),
    drop_missing: bool = typer.Option(False, help="Leave out rows with a missing value."),
    output: Path | None = typer.Option(
        None, help="Files to write, without suffix: OUTPUT.png and OUTPUT.json. Default: NAME_fit."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the result as JSON instead of the table."),
) -> None:
    """Fit a sum of ReLUs to two columns: the formula, kinks with intervals, a figure and JSON.

    halfwave fit data.csv --x year --y flow --kinks auto
    """
    from halfwave import runs

    done = runs.fit_table(
        data,
        x,
        y,
        weights=weights,
        kinks=_number(kinks),
        max_kinks=max_kinks,
        criterion=criterion,
        correlation=correlation,
        loss=loss,
        quantile=quantile,
        min_points=min_points,
        min_length=min_length,
        fixed_kinks=None if fixed_kinks is None else fixed_kinks.split(","),
        through=[text.split(",") for text in through],
        flat=flat,
        monotone=monotone,
        convex=convex,
        continuous=continuous,
        log_axes=log_axes,
        level=level,
        intervals=intervals,
        drop_missing=drop_missing,
        output=output,
    )
    print_notes(done.notes)
    if as_json:
        typer.echo(json.dumps(done.numbers, indent=2))
        return
    print_lines([*done.lines, f"figure: {done.figure}", f"numbers: {done.file}"])


def _number(kinks: str) -> int | str:
    if kinks == "auto":
        return kinks
    try:
        return int(kinks)
    except ValueError:
        raise HalfwaveError(f"--kinks must be a whole number or auto; got {kinks!r}") from None
