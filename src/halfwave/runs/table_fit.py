"""From two columns of a table to a fit, its figure and its numbers on disk."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halfwave import plots
from halfwave.datasets import load_columns
from halfwave.errors import OptionError
from halfwave.files import write_atomically
from halfwave.fitting import AutocorrelationWarning, Intervals, ReLUSumFit, fit_relu_sum

__all__ = ["TableFit", "fit_table"]


@dataclass(frozen=True, eq=False)
class TableFit:
    """A fit of two columns of a table, and the files that hold it; as text, its formula, kinks and slopes.

    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "line.csv"
    >>> _ = table.write_text("x,y\\n" + "\\n".join(f"{x},{2 * x}" for x in range(9)))
    >>> print(fit_table(table, "x", "y", kinks=0, output=table.with_suffix("")).lines[1])
    f(x) = 2*x
    """

    fit: ReLUSumFit
    """The fit."""
    intervals: Intervals | None
    """Of its kinks and slopes, if they were asked for."""
    numbers: dict[str, Any]
    """All of it as plain values, as they stand in `file`."""
    figure: Path
    """The figure."""
    file: Path
    """The numbers as JSON."""
    notes: tuple[str, ...]
    """What deserves a look, such as correlated residuals."""

    @property
    def lines(self) -> list[str]:
        """The formula, the kinks with their intervals, and the slopes."""
        return _lines(self.fit, self.intervals, self.numbers["x"], self.numbers["y"])

    def __str__(self) -> str:
        return "\n".join([*(f"note: {note}" for note in self.notes), *self.lines])


def fit_table(
    data: str | os.PathLike[str],
    x: str,
    y: str,
    *,
    weights: str | None = None,
    kinks: Any = "auto",
    max_kinks: int = 12,
    criterion: Any = "bic",
    correlation: Any = "warn",
    loss: Any = "squares",
    quantile: float = 0.5,
    min_points: int = 3,
    min_length: float = 0.0,
    fixed_kinks: Sequence[Any] | None = None,
    through: Sequence[Sequence[Any]] = (),
    flat: Any = "none",
    monotone: Any = None,
    convex: Any = None,
    continuous: bool = True,
    log_axes: Any = "none",
    level: float = 0.95,
    intervals: str = "auto",
    drop_missing: bool = False,
    output: str | os.PathLike[str] | None = None,
) -> TableFit:
    """Fit a sum of ReLUs to two columns of a table, and write its figure and its numbers.

    Args:
        data: a .csv, .tsv or .txt file (or .gz of these), an .npz or a .parquet one.
        x, y, weights: columns, by their names or their numbers from 1.
        kinks, max_kinks, criterion, correlation, loss, quantile, min_points, min_length, flat, monotone, convex,
            continuous, log_axes: as for `halfwave.fitting.fit_relu_sum`.
        fixed_kinks: kinks that the fit must have; where x holds dates, dates or their text.
        through: points (x, y) that the fit must pass through, likewise.
        level: coverage of the intervals.
        intervals: of the kinks: "profile", "delta", "bootstrap" or "none"; "auto" is the first, or the third for
            quantiles.
        drop_missing: leave out rows with a missing value.
        output: path without suffix of the files ``OUTPUT.png`` and ``OUTPUT.json``; by default ``NAME_fit`` here.

    Returns:
        The fit, and where it is.

    Raises:
        HalfwaveError: if the table or a column cannot be read, as `halfwave.fitting.fit_relu_sum`, or if a file
            cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> rows = [f"{x / 10},{abs(x / 10 - 2)}" for x in range(40)]
    >>> _ = (folder / "bend.csv").write_text("x,y\\n" + "\\n".join(rows))
    >>> done = fit_table(folder / "bend.csv", "x", "y", kinks=1, intervals="none", output=folder / "bend")
    >>> done.fit.kinks.round(6), done.figure.name, done.file.name
    (array([2.]), 'bend.png', 'bend.json')
    """
    columns = load_columns(data, [x, y] if weights is None else [x, y, weights], drop_missing)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AutocorrelationWarning)
        fit = fit_relu_sum(
            columns[0],
            columns[1],
            kinks,
            weights=None if weights is None else columns[2],
            max_kinks=max_kinks,
            criterion=criterion,
            correlation=correlation,
            loss=loss,
            quantile=quantile,
            min_points=min_points,
            min_length=min_length,
            fixed_kinks=[_place("fixed_kinks", place, columns[0]) for place in fixed_kinks or ()],
            through=[_point(point, columns[0]) for point in through],
            flat=flat,
            monotone=monotone,
            convex=convex,
            continuous=continuous,
            log_axes=log_axes,
        )
    method: Any = None if intervals == "auto" else intervals
    bounds = None if intervals == "none" else fit.intervals(level, method)
    numbers = _described(fit, bounds, x, y)
    base = Path(f"{Path(data).name.split('.')[0]}_fit") if output is None else Path(output)
    file = base.with_name(base.name + ".json")
    write_atomically(file, (json.dumps(numbers, indent=2) + "\n").encode())
    figure = plots.save_figure(plots.fit(fit, bounds, (x, y)), base.with_name(base.name + ".png"))
    return TableFit(fit, bounds, numbers, figure, file, tuple(str(note.message) for note in caught))


def _point(point: Sequence[Any], x: np.ndarray) -> tuple[Any, float]:
    if len(point) != 2:
        raise OptionError(f"`through` must be a point X,Y; got {_told(point)}", "through")
    place = _place("through", point[0], x)
    try:
        return place, float(point[1])
    except (TypeError, ValueError):
        raise OptionError(f"`through` must be a point X,Y; got {_told(point)}", "through") from None


def _place(option: str, place: Any, x: np.ndarray) -> Any:
    """A place on the abscissa: a number, or a date where x is dates."""
    try:
        if x.dtype.kind != "M":
            return float(place)
        return np.datetime64(place.strip() if isinstance(place, str) else place)
    except (TypeError, ValueError):
        kind = "dates" if x.dtype.kind == "M" else "numbers"
        raise OptionError(f"`{option}` must be {kind} as x is; got {place!r}", option) from None


def _told(point: Sequence[Any]) -> str:
    return repr(",".join(str(part) for part in point))


def _described(result: ReLUSumFit, bounds: Intervals | None, x: str, y: str) -> dict[str, Any]:
    """Everything about the fit that a program may want to read."""
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


def _when(result: ReLUSumFit, place: float) -> float | str:
    """A place on the abscissa: a number, or a date where x was dates."""
    if result.x_unit is None or "since" not in result.x_unit:
        return float(place)
    return str(np.datetime64(round(place * 1000), "ms"))


def _short(place: float | str) -> str:
    return place if isinstance(place, str) else f"{place:.6g}"
