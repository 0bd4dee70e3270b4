"""A piecewise-linear function with its derivative and its antiderivative, and several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.plots.functions.piecewise import (
    Range,
    Vector,
    arrow_scale,
    check_range,
    corners,
    draw_masses,
    draw_pieces,
    fit_height,
    heading,
    in_view,
    mark_kinks,
    marked,
    origin,
)
from halfwave.plots.numerals import short
from halfwave.plots.style import COLOURS, DASHES, DATA, MODEL, new_figure, style, ticks

__all__ = ["antiderivative_panel", "compare", "derivative_panel", "function", "function_panel"]

_LINES = (*COLOURS[:6], COLOURS[7])
"""The palette without its yellow, which is too pale for a line on white."""
_INTEGRAL = COLOURS[2]


def function(
    f: PiecewiseLinear,
    x_range: tuple[float, float] | None = None,
    points: int = 400,
    title: str | None = None,
) -> Figure:
    """A function, its derivative and its antiderivative one above the other, the kinks marked in all three.

    Lines run exactly from kink to kink. At a jump a filled circle is the value, an open one the limit from the
    right; in the derivative an arrow is a point mass, labelled with the height of the jump. The antiderivative is
    zero at 0, or at the end of the range nearest to it.

    Args:
        f: the function.
        x_range: lower and upper end of what is drawn; around the kinks by default.
        points: of the curve of the antiderivative, besides those at its kinks; at least 2.
        title: of the figure; the formula by default.

    Returns:
        The figure, with three axes.

    Raises:
        HalfwaveError: if f is not a `PiecewiseLinear`, the range is not two increasing finite numbers, or there
            are fewer than two points.

    >>> from halfwave.functions import relu
    >>> figure = function(relu(), x_range=(-1.0, 2.0))
    >>> figure.axes[0].lines[0].get_xydata().tolist()
    [[-1.0, 0.0], [0.0, 0.0], [2.0, 2.0]]
    """
    (f,) = _checked([f])
    ends = check_range(x_range, [f])
    if points < 2:
        raise HalfwaveError(f"`points` must be at least 2; got {points}")
    words = heading(f) if title is None else title
    description = f"Three panels: the function {words}, its derivative and its antiderivative."
    with style():
        figure = new_figure(6.0, 6.4, description)
        upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(1.35, 1.0, 1.0))
        function_panel(upper, f, ends)
        derivative_panel(middle, f, ends)
        antiderivative_panel(lower, f, ends, points)
        _name_kinks(upper, f, ends)
        upper.set_ylabel("f(x)")
        middle.set_ylabel("derivative  f′(x)")
        lower.set_ylabel(f"integral from {short(origin(ends))} to x")
        lower.set_xlabel("x")
        figure.suptitle(words, x=0.01, ha="left", fontsize=11)
        figure.align_ylabels()
    return figure


def compare(
    functions: Sequence[PiecewiseLinear],
    labels: Sequence[str] | None = None,
    x_range: tuple[float, float] | None = None,
) -> Figure:
    """Several functions on the same axes, and their derivatives below.

    Colours are told apart by people who see them differently, and dashes show lines that coincide.

    Args:
        functions: what to draw, at least 1 and at most 28.
        labels: one for each; the formulas by default.
        x_range: lower and upper end of what is drawn; around all kinks by default.

    Returns:
        The figure, with two axes.

    Raises:
        HalfwaveError: if there are no functions or too many, one of them is not a `PiecewiseLinear`, the labels do
            not match, or the range is not two increasing finite numbers.

    >>> from halfwave.functions import leaky_relu, relu
    >>> figure = compare([relu(), leaky_relu(0.1)], labels=["ReLU", "leaky"])
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['ReLU', 'leaky']
    """
    chosen = _checked(functions)
    names = [heading(f, 60) for f in chosen] if labels is None else list(labels)
    if len(names) != len(chosen):
        raise HalfwaveError(f"there must be one label for each of {len(chosen)} functions; got {len(names)}")
    ends = check_range(x_range, chosen)
    with style():
        figure = new_figure(6.0, 5.4, f"Functions, and below their derivatives: {'; '.join(names)}.")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1.0))
        scale = arrow_scale(chosen, ends)
        tips = [np.zeros(0)]
        for k, (f, name) in enumerate(zip(chosen, names, strict=True)):
            look = _look(k, len(chosen))
            draw_pieces(upper, f, ends, label=name, **look)
            draw_pieces(lower, f.derivative(), ends, **look)
            tips.append(draw_masses(lower, f, ends, scale, look["colour"]))
        fit_height(upper, *(corners(f, ends)[1] for f in chosen))
        fit_height(lower, *(corners(f.derivative(), ends)[1] for f in chosen), *tips)
        upper.set(ylabel="f(x)", xlim=ends)
        lower.set(ylabel="derivative  f′(x)", xlabel="x")
        longest = max(len(line) for name in names for line in name.split("\n"))
        handles = upper.get_legend_handles_labels()[0]
        figure.legend(handles=handles, loc="outside lower center", ncols=max(1, min(4, 76 // (longest + 8))))
        figure.align_ylabels()
    return figure


def function_panel(axes: Axes, f: PiecewiseLinear, x_range: Range, colour: str = DATA) -> Axes:
    """Draw a function with its kinks.

    Args:
        axes: where to draw.
        f: the function.
        x_range: lower and upper end.
        colour: of the line.

    Returns:
        The same axes.

    >>> from halfwave.functions import relu
    >>> axes = function_panel(new_figure(2, 2, "a rectifier").subplots(), relu(), (-1.0, 1.0))
    >>> [float(limit) for limit in axes.get_xlim()]
    [-1.0, 1.0]
    """
    draw_pieces(axes, f, x_range, colour=colour)
    mark_kinks(axes, f, x_range, heights=f.pieces.left_values())
    fit_height(axes, corners(f, x_range)[1], _limits(f, x_range))
    axes.set_xlim(x_range)
    axes.yaxis.set_major_locator(ticks(5))
    return axes


def derivative_panel(axes: Axes, f: PiecewiseLinear, x_range: Range, colour: str = MODEL) -> Axes:
    """Draw the derivative of a function, with an arrow for the point mass at each jump; arguments as above.

    >>> from halfwave.functions import step
    >>> axes = new_figure(2, 2, "a derivative").subplots()
    >>> [text.get_text() for text in derivative_panel(axes, step(), (-1.0, 1.0)).texts]
    ['', 'mass 1']
    """
    derivative = f.derivative()
    draw_pieces(axes, derivative, x_range, colour=colour)
    tips = draw_masses(axes, f, x_range, arrow_scale([f], x_range), colour)
    mark_kinks(axes, f, x_range)
    fit_height(axes, corners(derivative, x_range)[1], _limits(derivative, x_range), tips)
    axes.set_xlim(x_range)
    axes.yaxis.set_major_locator(ticks(4))
    return axes


def antiderivative_panel(
    axes: Axes, f: PiecewiseLinear, x_range: Range, points: int = 400, colour: str = _INTEGRAL
) -> Axes:
    """Draw the antiderivative of a function that is zero at 0, or at the end of the range nearest to it.

    Args:
        axes: where to draw.
        f: the function.
        x_range: lower and upper end.
        points: of the curve, besides those at the kinks.
        colour: of the curve.

    Returns:
        The same axes.

    >>> from halfwave.functions import relu
    >>> axes = antiderivative_panel(new_figure(2, 2, "a parabola").subplots(), relu(), (-2.0, 2.0), points=3)
    >>> axes.lines[0].get_ydata().tolist()
    [0.0, 0.0, 2.0]
    """
    integral = f.antiderivative(at=origin(x_range))
    inside = f.kinks[(f.kinks > x_range[0]) & (f.kinks < x_range[1])]
    x = np.union1d(np.linspace(*x_range, points), inside)
    axes.plot(x, integral(x), color=colour)
    mark_kinks(axes, f, x_range)
    fit_height(axes, integral(x))
    axes.set_xlim(x_range)
    axes.yaxis.set_major_locator(ticks(4))
    return axes


def _checked(functions: Sequence[Any]) -> list[PiecewiseLinear]:
    if not 1 <= len(functions) <= len(_LINES) * len(DASHES):
        raise HalfwaveError(f"the number of functions must be from 1 to 28; got {len(functions)}")
    for f in functions:
        if not isinstance(f, PiecewiseLinear):
            raise HalfwaveError(f"only a PiecewiseLinear can be drawn as a function; got {f!r}")
    return list(functions)


def _look(place: int, count: int) -> dict[str, Any]:
    """Colour and dashes that no other of 28 lines has; later lines are thinner, to leave earlier ones visible."""
    colour, dashes = _LINES[place % len(_LINES)], DASHES[place % len(DASHES)]
    return {"colour": colour, "dashes": dashes, "linewidth": 1.4 + 1.4 * (1.0 - (place + 1) / count)}


def _limits(f: PiecewiseLinear, x_range: Range) -> Vector:
    """Both sides of the jumps in view; one on the very edge has a side that no line reaches."""
    here = in_view(f, x_range)
    return np.concatenate((f.pieces.left_values()[here], f.pieces.right_values()[here]))


def _name_kinks(axes: Axes, f: PiecewiseLinear, x_range: Range) -> None:
    """Write the abscissae of the kinks above the panel, as many as fit."""
    last, room = -np.inf, 0.085 * (x_range[1] - x_range[0])
    for kink in f.kinks[marked(f, x_range)].tolist():
        if kink - last < room:
            continue
        last = kink
        place = {"textcoords": "offset points", "xycoords": axes.get_xaxis_transform()}
        look = {"ha": "center", "va": "bottom", "fontsize": 8.0, "color": "#4B5563", "annotation_clip": False}
        axes.annotate(short(kink), (kink, 1.0), (0, 2), **place, **look)
