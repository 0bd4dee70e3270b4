"""Piecewise-linear functions on axes: exact corners, jumps that stay open, arrows for point masses."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.plots.numerals import short
from halfwave.plots.style import MODEL, NEUTRAL

__all__ = [
    "arrow_scale",
    "check_range",
    "corners",
    "default_range",
    "draw_masses",
    "draw_pieces",
    "fit_height",
    "heading",
    "in_view",
    "mark_kinks",
    "marked",
    "origin",
]

Vector = npt.NDArray[np.float64]
Range = tuple[float, float]

_MANY = 40
"""Kinks in view beyond which marks would only be clutter."""
_HEADROOM = 1.35
"""Length of the longest arrow over the steepest slope in view, so that tips stay clear of the lines."""


def default_range(functions: Sequence[PiecewiseLinear]) -> Range:
    """A range that shows all kinks and, on either side of them, what the functions do from there on.

    >>> from halfwave.functions import clipped_relu, relu
    >>> default_range([relu()]), default_range([relu(), clipped_relu(6.0)])
    ((-3.0, 3.0), (-4.5, 10.5))
    """
    kinks = np.concatenate([f.kinks for f in functions])
    if not kinks.size:
        return -3.0, 3.0
    low, high = float(kinks.min()), float(kinks.max())
    # the outer pieces run on for about as long as one between two kinks
    share = max(0.2, 1.5 / len(np.unique(kinks)))
    reach = share * (high - low) or max(3.0, 1.5 * abs(low))
    return low - reach, high + reach


def check_range(x_range: Any, functions: Sequence[PiecewiseLinear]) -> Range:
    """``(low, high)`` as floats, the default one for None, or `HalfwaveError`.

    >>> from halfwave.functions import relu
    >>> check_range((2, 1), [relu()])
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: `x_range` must be two finite numbers, the lower one first; got (2, 1)
    """
    chosen = default_range(functions) if x_range is None else x_range
    try:
        low, high = (float(end) for end in chosen)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (low < high and np.isfinite(high - low)):
        raise HalfwaveError(
            f"`x_range` must be two finite numbers, the lower one first; got {chosen!r}"
        ) from None
    for f in functions:
        _check_heights(corners(f, (low, high))[1], f, (low, high))
    return low, high


def corners(f: PiecewiseLinear, x_range: Range) -> tuple[Vector, Vector]:
    """Where the graph of f turns on the range, ends included, with NaN between the two sides of a jump.

    Args:
        f: the function.
        x_range: lower and upper end.

    Returns:
        Abscissae and ordinates (n,): straight lines between them are the graph, to the last bit.

    >>> from halfwave.functions import relu, step
    >>> [part.tolist() for part in corners(relu(), (-1.0, 2.0))]
    [[-1.0, 0.0, 2.0], [0.0, 0.0, 2.0]]
    >>> [part.tolist() for part in corners(step(), (-1.0, 1.0))]
    [[-1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, nan, 1.0, 1.0]]
    """
    low, high = x_range
    pieces = f.pieces
    inside = (f.kinks > low) & (f.kinks < high)
    left, right, jumps = pieces.left_values()[inside], pieces.right_values()[inside], f.jumps[inside] != 0
    heights = np.stack((left, np.full_like(left, np.nan), right), axis=-1)
    kept = np.stack((np.ones_like(jumps), jumps, jumps), axis=-1)
    # a jump at the lower end lies outside: the range starts on its right side
    first = pieces.line(np.searchsorted(f.kinks, [low], side="right"), np.array([low]))
    x = np.concatenate(([low], np.repeat(f.kinks[inside], 3)[kept.ravel()], [high]))
    return x, np.concatenate((first, heights[kept], [f(high)]))


def draw_pieces(
    axes: Axes,
    f: PiecewiseLinear,
    x_range: Range,
    *,
    colour: str,
    dashes: Any = "-",
    label: str = "",
    **options: Any,
) -> Line2D:
    """Draw f as one broken line, a filled circle at the value it has at a jump and an open one at the other.

    Args:
        axes: where to draw.
        f: the function.
        x_range: lower and upper end.
        colour: of the line and the circles.
        dashes: Matplotlib line style.
        label: for a legend.
        options: further ones of `Axes.plot`.

    Returns:
        The line.

    >>> from halfwave.functions import step
    >>> from halfwave.plots.style import new_figure
    >>> axes = new_figure(2, 2, "a step").subplots()
    >>> draw_pieces(axes, step(), (-1.0, 1.0), colour="black").get_xdata().tolist()
    [-1.0, 0.0, 0.0, 0.0, 1.0]
    """
    (line,) = axes.plot(*corners(f, x_range), color=colour, linestyle=dashes, label=label, **options)
    here = marked(f, x_range) & (f.jumps != 0)
    look = {"linestyle": "none", "marker": "o", "markersize": 4.5, "color": colour, "zorder": 4}
    axes.plot(f.kinks[here], f.pieces.left_values()[here], label="_value", **look)
    axes.plot(f.kinks[here], f.pieces.right_values()[here], label="_limit", markerfacecolor="white", **look)
    return line


def arrow_scale(functions: Sequence[PiecewiseLinear], x_range: Range) -> float:
    """Length of an arrow for each unit of mass: the longest one overtops the steepest slope in view.

    A mass has the unit of the ordinate and a slope has not, so no common scale is the true one.

    >>> from halfwave.functions import thresholded_relu
    >>> arrow_scale([thresholded_relu(2.0, form="keep")], (-1.0, 5.0))
    0.675
    """
    masses = [f.jumps[in_view(f, x_range)] for f in functions]
    largest = max((float(np.abs(mass).max(initial=0.0)) for mass in masses), default=0.0)
    slopes = [np.abs(corners(f.derivative(), x_range)[1]) for f in functions]
    steepest = max(float(np.nanmax(slope)) for slope in slopes)
    return _HEADROOM * (steepest or 1.0) / largest if largest else 0.0


def draw_masses(
    axes: Axes, f: PiecewiseLinear, x_range: Range, scale: float, colour: str = MODEL, words: str = "mass "
) -> Vector:
    """Draw the point masses of the derivative as arrows from zero, with the mass beside the tip.

    Args:
        axes: where the derivative is drawn.
        f: the function, whose jumps the masses are.
        x_range: lower and upper end; masses outside are left out.
        scale: length of an arrow for each unit of mass, as `arrow_scale` gives it.
        colour: of arrows and numbers.
        words: before each number.

    Returns:
        The heights of the tips (n,), for the limits of the axes.

    >>> from halfwave.functions import step
    >>> from halfwave.plots.style import new_figure
    >>> axes = new_figure(2, 2, "the derivative of a step").subplots()
    >>> draw_masses(axes, step(height=-2.0), (-1.0, 1.0), 0.5), axes.texts[-1].get_text()
    (array([-1.]), 'mass −2')
    """
    here = marked(f, x_range) & (f.jumps != 0)
    tips = scale * f.jumps[here]
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 0.0, "shrinkB": 0.0}
    for at, mass, tip in zip(f.kinks[here].tolist(), f.jumps[here].tolist(), tips.tolist(), strict=True):
        axes.annotate("", (at, tip), (at, 0.0), arrowprops=arrow)
        far_right = at > x_range[0] + 0.75 * (x_range[1] - x_range[0])
        look = {"ha": "right" if far_right else "left", "va": "center", "color": colour, "fontsize": 8.0}
        offset = (-6 if far_right else 6, -3 if tip > 0 else 3)
        axes.annotate(f"{words}{short(mass)}", (at, tip), offset, textcoords="offset points", **look)
    return tips


def origin(x_range: Range) -> float:
    """Where the antiderivative on a range is zero: at 0, or at the end nearest to it.

    >>> origin((-1.0, 2.0)), origin((3.0, 4.0))
    (0.0, 3.0)
    """
    return min(max(0.0, x_range[0]), x_range[1])


def in_view(f: PiecewiseLinear, x_range: Range) -> npt.NDArray[np.bool_]:
    """Whether each kink (k,) lies on the range, ends included."""
    return (f.kinks >= x_range[0]) & (f.kinks <= x_range[1])


def marked(f: PiecewiseLinear, x_range: Range) -> npt.NDArray[np.bool_]:
    """Whether each kink (k,) gets a mark: those in view, or none where they are so many that marks hide lines.

    >>> from halfwave.functions import from_points, hard_tanh
    >>> marked(hard_tanh(), (0.0, 5.0)), marked(from_points(range(50), [0, 1] * 25), (0.0, 49.0)).tolist().count(True)
    (array([False,  True]), 0)
    """
    here = in_view(f, x_range)
    return here if here.sum() <= _MANY else np.zeros_like(here)


def mark_kinks(axes: Axes, f: PiecewiseLinear, x_range: Range, heights: Vector | None = None) -> None:
    """Mark the kinks in view by dotted lines, and those without a jump by dots at these heights (k,).

    >>> from halfwave.functions import relu
    >>> from halfwave.plots.style import new_figure
    >>> axes = new_figure(2, 2, "a rectifier").subplots()
    >>> mark_kinks(axes, relu(), (-1.0, 1.0), heights=relu()(relu().kinks))
    >>> axes.lines[0].get_xydata().tolist()
    [[0.0, 0.0]]
    """
    here = marked(f, x_range)
    look = {"linestyle": (0, (1, 2)), "color": NEUTRAL, "linewidth": 0.8, "zorder": 1}
    axes.vlines(f.kinks[here], 0.0, 1.0, transform=axes.get_xaxis_transform(), **look)
    if heights is not None:
        smooth = here & (f.jumps == 0)
        axes.plot(f.kinks[smooth], heights[smooth], "o", markersize=3.5, color="#333333", label="_kinks")


def fit_height(axes: Axes, *heights: Vector) -> None:
    """Limits of the ordinate around all heights and zero's line if that is among them, NaN left out.

    >>> from halfwave.plots.style import new_figure
    >>> axes = new_figure(2, 2, "nothing").subplots()
    >>> fit_height(axes, np.array([0.0, np.nan, 10.0]))
    >>> [float(limit) for limit in axes.get_ylim()]
    [-1.0, 11.0]
    """
    every = np.concatenate(heights)
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    # what rounding alone makes of a constant is not worth a scale of its own
    flat = high - low <= 1e-12 * max(abs(low), abs(high))
    pad = max(1.0, 0.5 * abs(high)) if flat else 0.1 * (high - low)
    axes.set_ylim(low - pad, high + pad)
    if low - pad < 0.0 < high + pad:
        axes.axhline(0.0, color="#B4BAC4", linewidth=0.8, zorder=1)


def heading(f: PiecewiseLinear, width: int = 70) -> str:
    """The formula in at most three lines, or how many kinks there are if it is longer.

    >>> from halfwave.functions import from_points, relu
    >>> heading(relu())
    'relu(x)'
    >>> heading(from_points(np.arange(99), np.arange(99) % 2))
    'piecewise linear, with 97 kinks from 1 to 97'
    """
    lines = _wrapped(f.formula(digits=4), width) if len(f.kinks) <= _MANY else []
    if 0 < len(lines) <= 3:
        return "\n".join(lines)
    return f"piecewise linear, with {len(f.kinks)} kinks from {short(f.kinks[0])} to {short(f.kinks[-1])}"


def _wrapped(formula: str, width: int) -> list[str]:
    """Lines that end between terms: spaces inside brackets and behind signs do not break."""
    joined = re.sub(r"\([^()]*\)", lambda match: match[0].replace(" ", "\u00a0"), formula)
    lines = textwrap.wrap(re.sub(r"([-+]) ", "\\1\u00a0", joined), width, break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _check_heights(heights: Vector, f: PiecewiseLinear, x_range: Range) -> None:
    """Matplotlib cannot place ticks among numbers near the largest float."""
    largest = max(float(np.nanmax(np.abs(heights))), *(abs(end) for end in x_range))
    if not largest < 1e150:
        raise HalfwaveError(
            f"values up to {largest:.3g} on {x_range} cannot be drawn; choose a smaller `x_range` for {f!r}"
        )
