"""``halfwave fit DATA --x COLUMN --y COLUMN``: a curve as a sum of ReLUs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from halfwave.cli.common import console
from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from halfwave.fitting import Intervals, ReLUSumFit

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
    from halfwave.datasets import load_columns
    from halfwave.fitting import AutocorrelationWarning, fit_relu_sum

    names = [x, y] if weights is None else [x, y, weights]
    columns = load_columns(data, names, drop_missing)
    options: dict[str, Any] = {
        "criterion": criterion,
        "correlation": correlation,
        "loss": loss,
        "quantile": quantile,
        "min_points": min_points,
        "min_length": min_length,
        "fixed_kinks": _places(fixed_kinks, columns[0]),
        "through": [_point(text, columns[0]) for text in through],
        "flat": flat,
        "monotone": monotone,
        "convex": convex,
        "continuous": continuous,
        "log_axes": log_axes,
    }
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always", AutocorrelationWarning)
        result = fit_relu_sum(
            columns[0],
            columns[1],
            _number(kinks),  # pyright: ignore[reportArgumentType]
            weights=None if weights is None else columns[2],
            max_kinks=max_kinks,
            **options,
        )
    for note in notes:
        typer.echo(f"note: {note.message}", err=True)
    method: Any = None if intervals == "auto" else intervals
    bounds = None if intervals == "none" else result.intervals(level, method)
    described = _described(result, bounds, x, y)
    base = output or Path(f"{data.name.split('.')[0]}_fit")
    files = _write(result, bounds, described, base, (x, y))
    if as_json:
        typer.echo(json.dumps(described, indent=2))
        return
    for line in _lines(result, bounds, x, y):
        console.print(line)
    for label, file in files.items():
        console.print(f"{label}: {file}")


def _number(kinks: str) -> int | str:
    if kinks == "auto":
        return kinks
    try:
        return int(kinks)
    except ValueError:
        raise HalfwaveError(f"--kinks must be a whole number or auto; got {kinks!r}") from None


def _places(text: str | None, x: Any) -> list[Any]:
    """The abscissae in a text such as ``3,7.5`` or, where x is dates, ``2020-01-05``."""
    return [] if text is None else [_place("--fixed-kinks", part, x) for part in text.split(",")]


def _point(text: str, x: Any) -> tuple[Any, float]:
    """The point in a text such as ``0,1.5``."""
    parts = text.split(",")
    if len(parts) != 2:
        raise HalfwaveError(f"--through must be a point X,Y; got {text!r}")
    place = _place("--through", parts[0], x)
    try:
        return place, float(parts[1])
    except ValueError:
        raise HalfwaveError(f"--through must be a point X,Y; got {text!r}") from None


def _place(option: str, text: str, x: Any) -> Any:
    import numpy as np

    try:
        return np.datetime64(text.strip()) if x.dtype.kind == "M" else float(text)
    except ValueError:
        kind = "dates" if x.dtype.kind == "M" else "numbers"
        raise HalfwaveError(f"{option} must be {kind} as x is; got {text!r}") from None


def _write(
    result: ReLUSumFit,
    bounds: Intervals | None,
    described: dict[str, Any],
    base: Path,
    labels: tuple[str, str],
) -> dict[str, Path]:
    from halfwave import plots
    from halfwave.files import write_atomically

    numbers = base.with_name(base.name + ".json")
    write_atomically(numbers, (json.dumps(described, indent=2) + "\n").encode())
    figure = plots.save_figure(plots.fit(result, bounds, labels), base.with_name(base.name + ".png"))
    return {"figure": figure, "numbers": numbers}


def _when(result: ReLUSumFit, place: float) -> float | str:
    """A place on the abscissa: a number, or a date where x was dates."""
    if result.x_unit is None or "since" not in result.x_unit:
        return float(place)
    import numpy as np

    return str(np.datetime64(round(place * 1000), "ms"))


def _described(result: ReLUSumFit, bounds: Intervals | None, x: str, y: str) -> dict[str, Any]:
    """Everything about the fit that a program may want to read."""
    import numpy as np

    places = [
        {"kink": _when(result, float(kink))}
        | ({} if bounds is None else {"interval": [_when(result, float(end)) for end in bounds.kinks[i]]})
        for i, kink in enumerate(result.kinks)
    ]
    slopes = [
        {"slope": float(slope)} | ({} if bounds is None else {"interval": bounds.slopes[i].tolist()})
        for i, slope in enumerate(result.slopes)
    ]
    return {
        "x": x,
        "y": y,
        "points": len(result.x),
        "formula": result.function.formula(),
        "formula_of": list(result.axes.names),
        "relu_sum": None if np.any(result.function.jumps) else result.function.as_relu_sum(),
        "continuous": result.continuous,
        "loss": result.loss,
        "loss_value": result.loss_value,
        "kinks": places,
        "slopes": slopes,
        "sse": result.sse,
        "criterion": result.criterion,
        "intervals": None if bounds is None else {"method": bounds.method, "level": bounds.level},
        "optimal_on_grid": result.certificate.optimal_on_grid,
        "autocorrelation": result.autocorrelation,
        "table": [{"kinks": len(row.kinks), "sse": row.sse, **row.criteria} for row in result.table],
    }


def _lines(result: ReLUSumFit, bounds: Intervals | None, x: str, y: str) -> list[str]:
    """The formula, the kinks with their intervals, and the slopes, for the terminal."""
    unit = "" if result.x_unit is None else f" ({x} in {result.x_unit})"
    lines = [f"{y} = f({x}), {len(result.x):,} points, SSE {result.sse:.6g}{unit}"]
    if result.loss != "squares":
        lines[0] += f", {result.loss} loss {result.loss_value:.6g}"
    lines.append(result.formula(digits=6))
    lines.append(f"{len(result.kinks)} kinks, number chosen by {result.criterion}; {result.certificate}")
    slopes = result.slopes
    head = f"{'kink':>24s}  {'slope before':>14s}  {'slope after':>14s}"
    lines.append(head + ("" if bounds is None else f"  {bounds.level:.0%} interval ({bounds.method})"))
    for i, kink in enumerate(result.kinks):
        line = f"{_short(_when(result, float(kink))):>24s}  {slopes[i]:>14.6g}  {slopes[i + 1]:>14.6g}"
        if bounds is not None:
            low, high = (_short(_when(result, float(end))) for end in bounds.kinks[i])
            line += f"  {low} to {high}"
        lines.append(line)
    return lines


def _short(place: float | str) -> str:
    return place if isinstance(place, str) else f"{place:.6g}"
