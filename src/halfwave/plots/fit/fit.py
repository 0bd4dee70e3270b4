"""A fitted sum of ReLUs: data and fit, kinks with their intervals, residuals, and the choice of their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halfwave.plots.numerals import short
from halfwave.plots.style import COLOURS, DATA, MODEL, NEUTRAL, new_figure, style, ticks

if TYPE_CHECKING:
    from halfwave.fitting import Intervals, ReLUSumFit

__all__ = ["fit", "gradient_path"]

_SHOWN = 5000
"""Points drawn at most: more would only be a block of ink."""
_MARKED = 15
"""Kinks up to which each has a line of its own."""
_CRITERIA = {
    "bic": "BIC",
    "bic3": "BIC3",
    "wbic": "weighted BIC",
    "cross_validation": "cross-validated error",
}
_LOSSES = {
    "squares": "sum of squares",
    "huber": "Huber's loss",
    "tukey": "Tukey's loss",
    "quantile": "check loss",
}

Vector = npt.NDArray[Any]


def fit(
    result: ReLUSumFit, intervals: Intervals | None = None, labels: tuple[str, str] = ("x", "y")
) -> Figure:
    """The data with the fitted function, its kinks and their intervals, the residuals, and criterion against K.

    Args:
        result: what `halfwave.fitting.fit_relu_sum` returned.
        intervals: what ``result.intervals()`` returned; drawn as bands.
        labels: of abscissa and ordinate.

    Returns:
        The figure; its axes are data, residuals, and the criterion against the number of kinks.

    >>> from halfwave.fitting import fit_relu_sum
    >>> x = np.linspace(0, 4, 40)
    >>> [axes.get_ylabel() for axes in fit(fit_relu_sum(x, np.abs(x - 2), kinks=1)).axes]
    ['y', 'residual', 'sum of squares']
    """
    with style():
        figure = new_figure(
            9.5, 5.2, f"Data of {len(result.x)} points and a fit with {len(result.kinks)} kinks."
        )
        places = figure.add_gridspec(2, 2, width_ratios=(2.4, 1.0), height_ratios=(2.6, 1.0))
        data = figure.add_subplot(places[0, 0])
        residuals = figure.add_subplot(places[1, 0], sharex=data)
        _draw_data(data, result, intervals)
        _draw_residuals(residuals, result, intervals)
        _draw_choice(figure.add_subplot(places[:, 1]), result)
        data.set(ylabel=labels[1], title=_heading(result))
        data.tick_params(labelbottom=False)
        residuals.set(xlabel=labels[0], ylabel="residual" + (" of logarithm" if result.axes.log_y else ""))
        if result.axes.log_x:
            data.set_xscale("log")
        if result.axes.log_y:
            data.set_yscale("log")
        figure.align_ylabels([data, residuals])
    return figure


def _heading(result: ReLUSumFit) -> str:
    count = len(result.kinks)
    what = f"{count} {'kink' if result.continuous else 'jump'}{'' if count == 1 else 's'}"
    return f"{len(result.x):,} points, {what}, {_goodness(result)}"


def _goodness(result: ReLUSumFit) -> str:
    if result.loss == "quantile":
        return f"check loss {short(result.loss_value)}"
    weights = np.ones_like(result.y) if result.weights is None else result.weights
    heights = result.axes.y_to(result.y, "`y`")
    centre = np.average(heights, weights=weights)
    total = float((weights * (heights - centre) ** 2).sum()) or 1.0
    return f"R² = {1 - result.sse / total:.4f}"


def _abscissa(result: ReLUSumFit, x: Vector) -> Vector:
    """Numbers as they are, times as dates."""
    if result.x_unit is None or "since" not in result.x_unit:
        return x
    return (np.asarray(x) * 1e6).astype("int64").astype("datetime64[us]")


def _some(result: ReLUSumFit) -> Vector:
    """Indices of the points to draw: all, or a fixed random choice that keeps the extremes of the residuals."""
    if len(result.x) <= _SHOWN:
        return np.arange(len(result.x))
    chosen = np.random.default_rng(0).choice(len(result.x), _SHOWN, replace=False)
    far = np.argpartition(np.abs(result.residuals), -20)[-20:]
    return np.unique(np.concatenate((chosen, far)))


def _draw_points(axes: Axes, result: ReLUSumFit, heights: Vector) -> None:
    some = _some(result)
    size = float(np.clip(2500 / len(some), 1.5, 16.0))
    axes.scatter(
        _abscissa(result, result.x[some]),
        heights[some],
        s=size,
        color=DATA,
        alpha=0.55,
        linewidths=0,
        zorder=2,
    )


def _draw_kinks(axes: Axes, result: ReLUSumFit, intervals: Intervals | None) -> None:
    if intervals is not None:
        for low, high in intervals.kinks:
            axes.axvspan(
                *_abscissa(result, np.array([low, high])), color=MODEL, alpha=0.13, linewidth=0, zorder=0
            )
    few = len(result.kinks) <= _MARKED
    for kink in _abscissa(result, result.kinks) if few else ():
        axes.axvline(kink, color=NEUTRAL, linewidth=0.9, linestyle=":", zorder=1)


def _draw_data(axes: Axes, result: ReLUSumFit, intervals: Intervals | None) -> None:
    _draw_kinks(axes, result, intervals)
    _draw_points(axes, result, result.y)
    x, heights = _corners(result)
    axes.plot(_abscissa(result, x), heights, color=MODEL, zorder=3)
    at_kinks = result.predict(result.kinks)
    axes.plot(_abscissa(result, result.kinks), at_kinks, "o", color=MODEL, markersize=4, zorder=4)
    if intervals is not None:  # a bar for each kink: bands alone run into each other
        low, high = (_abscissa(result, ends) for ends in intervals.kinks.T)
        axes.hlines(at_kinks, low, high, color=MODEL, linewidth=1.2, zorder=3)
        for ends in (low, high):
            axes.plot(ends, at_kinks, "|", color=MODEL, markersize=7, zorder=3)


def _corners(result: ReLUSumFit) -> tuple[Vector, Vector]:
    """The corners of the fit's graph, each piece's two ends; where pieces do not meet, NaN between them."""
    x = np.concatenate(([result.x.min()], result.kinks, [result.x.max()]))
    if result.continuous:
        return x, result.predict(x)
    left, right = np.nextafter(x[:-1], np.inf), x[1:]
    gap = np.full(len(left), np.nan)
    places = np.stack((left, right, right)).T.ravel()
    return places, np.stack((result.predict(left), result.predict(right), gap)).T.ravel()


def _draw_residuals(axes: Axes, result: ReLUSumFit, intervals: Intervals | None) -> None:
    _draw_kinks(axes, result, intervals)
    axes.axhline(0.0, color=MODEL, linewidth=1.2, zorder=3)
    _draw_points(axes, result, result.residuals)


def _draw_choice(axes: Axes, result: ReLUSumFit) -> None:
    """The criterion that chose, or the sum of squares where the number of kinks was given."""
    rows = result.table
    counts = np.array([len(row.kinks) for row in rows])
    name = result.criterion
    chosen = name in rows[0].criteria
    values = np.array([row.criteria[name] if chosen else row.loss_value for row in rows])
    axes.plot(counts, values, "o-", color=COLOURS[2], markersize=4)
    here = counts == len(result.kinks)
    axes.plot(
        counts[here],
        values[here],
        "o",
        color=MODEL,
        markersize=8,
        markerfacecolor="none",
        markeredgewidth=1.8,
    )
    if not chosen and (values > 0).all() and values.max() > 20 * values.min():
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(ticks(6, integer=True))
    title = f"chosen: {len(result.kinks)}" if chosen else f"asked for: {len(result.kinks)}"
    axes.set(
        xlabel="number of kinks",
        ylabel=_CRITERIA.get(name, name) if chosen else _LOSSES[result.loss],
        title=title,
    )


def gradient_path(path: Any, x: Vector, y: Vector, best: ReLUSumFit | None = None, steps: int = 5) -> Figure:
    """How a fit by gradient learnt: the function at some steps, and the loss against the step, beside the optimum.

    Args:
        path: what `halfwave.fitting.fit_by_gradient` returned.
        x: the abscissae (n,).
        y: the ordinates (n,).
        best: the optimal fit with as many kinks, for comparison.
        steps: number of functions drawn, spread evenly in the logarithm of the step.

    Returns:
        The figure; its axes are the functions and the loss.
    """
    at = np.unique(np.geomspace(1, len(path), steps).astype(int) - 1)
    grid = np.linspace(np.min(x), np.max(x), 601)
    with style():
        figure = new_figure(9.5, 4.0, f"A fit by gradient at {len(at)} of {len(path)} steps, and its loss.")
        functions, loss = figure.subplots(1, 2, width_ratios=(1.6, 1.0))
        functions.scatter(x, y, s=8, color=NEUTRAL, alpha=0.4, linewidths=0)
        shades = np.linspace(0.25, 1.0, len(at))
        for step, shade in zip(at, shades, strict=True):
            function = path.function_at(int(step))
            functions.plot(grid, function(grid), color=DATA, alpha=float(shade), label=f"step {step:,}")
        loss.plot(
            np.arange(1, len(path) + 1),
            path.losses,
            color=DATA,
            label={"adam": "Adam", "lbfgs": "L-BFGS"}[path.optimizer],
        )
        if best is not None:
            optimum = best.sse / len(best.x)
            functions.plot(grid, best.function(grid), color=MODEL, label="optimum", linestyle=(0, (5, 2)))
            loss.axhline(optimum, color=MODEL, linestyle=(0, (5, 2)), label=f"optimum, {short(optimum)}")
        loss.set(xscale="log", yscale="log", xlabel="step + 1", ylabel="mean squared error")
        functions.set(xlabel="x", ylabel="y")
        functions.set_ylim(*_room(y))
        functions.legend()
        loss.legend()
    return figure


def _room(y: Vector) -> tuple[float, float]:
    low, high = float(np.min(y)), float(np.max(y))
    margin = 0.15 * (high - low) or 1.0
    return low - margin, high + margin
