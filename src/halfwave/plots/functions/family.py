"""The catalogue of functions as small multiples, and the three functions that are called thresholded ReLU."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from halfwave import functions as catalogue
from halfwave.functions import PiecewiseLinear
from halfwave.plots.functions.function import antiderivative_panel, derivative_panel, function_panel
from halfwave.plots.functions.piecewise import check_range, draw_masses, draw_pieces, origin
from halfwave.plots.numerals import short
from halfwave.plots.style import DATA, MODEL, new_figure, style, ticks

__all__ = ["CATALOGUE", "family", "thresholded_forms"]

CATALOGUE: Mapping[str, PiecewiseLinear] = MappingProxyType(
    {
        "relu": catalogue.relu(),
        "rectified_linear": catalogue.rectified_linear(-1.2, 1.2),
        "double_relu": catalogue.double_relu(1.0, 0.0, -0.5, -0.5),
        "leaky_relu": catalogue.leaky_relu(0.2),
        'thresholded_relu "subtract"': catalogue.thresholded_relu(1.0, "subtract"),
        'thresholded_relu "keep"': catalogue.thresholded_relu(1.0, "keep"),
        'thresholded_relu "floor"': catalogue.thresholded_relu(1.0, "floor"),
        "clipped_relu": catalogue.clipped_relu(2.0),
        "soft_threshold": catalogue.soft_threshold(1.0),
        "hard_threshold": catalogue.hard_threshold(1.0),
        "two_sided_relu": catalogue.two_sided_relu(1.0, -1.0, 0.7, 1.5),
        "hard_tanh": catalogue.hard_tanh(),
        "absolute": catalogue.absolute(),
        "step": catalogue.step(),
    }
)
"""The functions that `family` draws, by the names of their makers in `halfwave.functions`."""

_RANGE = (-3.0, 3.0)
_COLUMNS = 5
_HEIGHTS = (-2.4, 3.4)
_SLOPES = (-1.7, 2.3)
_ARROW = 1.8
"""Length of the arrow of a point mass 1 in `family`, clear of the slope 1 that often begins there."""
_FORMS: tuple[tuple[Literal["subtract", "keep", "floor"], str], ...] = (
    ("subtract", "(x − T)⁺"),
    ("keep", "x · 1[x > T]"),
    ("floor", "max(x, T)"),
)


def family() -> Figure:
    """Every function of the catalogue with its derivative, all on the same scales.

    Returns:
        The figure; two axes for each function of `CATALOGUE`, in its order, and one for the legend.

    >>> figure = family()
    >>> [axes.get_title("left") for axes in figure.axes[:2]]
    ['relu', 'rectified_linear']
    """
    rows = -(-len(CATALOGUE) // _COLUMNS)
    description = (
        f"Small panels with {len(CATALOGUE)} functions and below each its derivative: {', '.join(CATALOGUE)}."
    )
    with style():
        figure = new_figure(10.0, 2.5 * rows, description)
        grid = figure.subplots(2 * rows, _COLUMNS, squeeze=False, height_ratios=[1.6, 1.0] * rows)
        for place in range(rows * _COLUMNS):
            row, column = 2 * (place // _COLUMNS), place % _COLUMNS
            upper, lower = grid[row, column], grid[row + 1, column]
            if place >= len(CATALOGUE):
                _empty(upper, lower)
                continue
            name = list(CATALOGUE)[place]
            _draw_cell(upper, lower, CATALOGUE[name])
            upper.set_title(name, fontsize=8.5)
            upper.tick_params(labelbottom=False, labelleft=column == 0)
            lower.tick_params(labelleft=column == 0)
        _draw_legend(grid[-2, -1])
        for axes, word in zip(grid[:, 0], ["f(x)", "f′(x)"] * rows, strict=True):
            axes.set_ylabel(word)
        figure.align_ylabels(grid[:, 0])
    return figure


def thresholded_forms(threshold: float = 1.0, x_range: tuple[float, float] | None = None) -> Figure:
    """The three functions called thresholded ReLU, with their derivatives and antiderivatives, side by side.

    Args:
        threshold: T; finite.
        x_range: lower and upper end of what is drawn; around 0 and T by default.

    Returns:
        The figure, with three axes for each form.

    Raises:
        HalfwaveError: if the threshold is not finite, or the range is not two increasing finite numbers.

    >>> [axes.get_title("left") for axes in thresholded_forms(0.5).axes[:3]]
    ['subtract:  (x − T)⁺', 'keep:  x · 1[x > T]', 'floor:  max(x, T)']
    """
    forms = [catalogue.thresholded_relu(threshold, form) for form, _ in _FORMS]
    reach = max(3.0, 2.0 * abs(threshold))
    ends = check_range((-reach, reach) if x_range is None else x_range, forms)
    description = (
        f"The three forms of the thresholded ReLU at T = {short(threshold)}: values, derivatives, integrals."
    )
    with style():
        figure = new_figure(9.0, 6.4, description)
        grid = figure.subplots(3, 3, sharex=True, sharey="row", height_ratios=(1.35, 1.0, 1.0))
        limits = np.empty((3, 3, 2))
        for column, (f, (form, formula)) in enumerate(zip(forms, _FORMS, strict=True)):
            grid[0, column].set_title(f"{form}:  {formula}")
            for row, draw in enumerate((function_panel, derivative_panel, antiderivative_panel)):
                limits[row, column] = draw(grid[row, column], f, ends).get_ylim()
            grid[2, column].set_xlabel("x")
            # labels on both edges of a panel would meet those of its neighbours
            grid[2, column].xaxis.set_major_locator(ticks(4))
        for row, word in enumerate(
            ("f(x)", "derivative  f′(x)", f"integral from {short(origin(ends))} to x")
        ):
            grid[row, 0].set(ylabel=word, ylim=(limits[row, :, 0].min(), limits[row, :, 1].max()))
        figure.suptitle(f"Thresholded ReLU, T = {short(threshold)}", x=0.01, ha="left", fontsize=11)
        figure.align_ylabels(grid[:, 0])
    return figure


def _draw_cell(upper: Axes, lower: Axes, f: PiecewiseLinear) -> None:
    draw_pieces(upper, f, _RANGE, colour=DATA)
    draw_pieces(lower, f.derivative(), _RANGE, colour=MODEL)
    draw_masses(lower, f, _RANGE, _ARROW, words="")
    for axes, heights in ((upper, _HEIGHTS), (lower, _SLOPES)):
        axes.axhline(0.0, color="#B4BAC4", linewidth=0.8, zorder=1)
        axes.set(xlim=_RANGE, ylim=heights)
        axes.set_xticks([-2, 0, 2])
        axes.set_yticks([-2, 0, 2])


def _empty(*several: Axes) -> None:
    for axes in several:
        axes.set_axis_off()


def _draw_legend(axes: Axes) -> None:
    dot = {"linestyle": "none", "marker": "o", "markersize": 4.5, "color": DATA}
    handles = [
        Line2D([], [], color=DATA, label="function"),
        Line2D([], [], color=MODEL, label="derivative"),
        Line2D([], [], label="value at a jump", **dot),
        Line2D([], [], label="limit from the right", markerfacecolor="white", **dot),
        Line2D([], [], linestyle="none", marker="$\\uparrow$", markersize=9, color=MODEL, label="point mass"),
    ]
    axes.legend(handles=handles, loc="upper left", borderaxespad=0.0)
