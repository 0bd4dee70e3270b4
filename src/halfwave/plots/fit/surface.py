"""A function of two variables as a map: values in colour, contour lines, creases, and the data it was fitted to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import finite_vector
from halfwave.plots.style import new_figure, style, ticks

if TYPE_CHECKING:
    from halfwave.fitting.several_variables.max_affine_function import MaxAffine

__all__ = ["creases", "surface", "surface_panel"]

_GRID = 241
"""Points along each axis on which values are computed."""
_BANDS = 12
_SHOWN = 2000
"""Data drawn at most: more would hide the map."""
_COLOURS = "cividis"

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Range = tuple[float, float]
Data = tuple[npt.ArrayLike, npt.ArrayLike]
Function = Callable[[Matrix], Any]


def surface(
    function: Function,
    x_range: Range,
    y_range: Range,
    data: Data | None = None,
    labels: tuple[str, str, str] = ("x", "y", "f"),
) -> Figure:
    """The values of a function of two variables in colour, its contour lines and its creases.

    Args:
        function: an explicit function of two variables, whose creases are drawn exactly, or any other callable
            from points (n, 2) to values (n,), of which no creases are known.
        x_range: lower and upper end of the first variable.
        y_range: lower and upper end of the second variable.
        data: points (n, 2) and values (n,), drawn as dots on the same colour scale: a dot that vanishes in the map
            is fitted well.
        labels: of both variables and of the values.

    Returns:
        The figure; its axes are the map and the colour bar.

    Raises:
        HalfwaveError: if a range is not two finite numbers, the lower one first; if the function is not one of two
            variables or has values that are not finite; if points and values do not match.

    >>> from halfwave.fitting.several_variables.max_affine_function import MaxAffine
    >>> figure = surface(MaxAffine([[0, 0], [1, 0], [0, 1]], [0, 0, 0]), (-1, 1), (-1, 1))
    >>> len(figure.axes[0].collections[1].get_segments())
    3
    """
    with style():
        figure = new_figure(5.6, 4.5, f"A map of a function of {labels[0]} and {labels[1]}.")
        axes = figure.add_subplot()
        filled = surface_panel(axes, function, x_range, y_range, data)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        bar = figure.colorbar(filled, ax=axes, label=labels[2], ticks=ticks(6), spacing="proportional")
        bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def surface_panel(
    axes: Axes,
    function: Function,
    x_range: Range,
    y_range: Range,
    data: Data | None = None,
    value_range: Range | None = None,
) -> QuadContourSet:
    """The map of `surface` on given axes.

    Args:
        axes: where to draw.
        function, x_range, y_range, data: as in `surface`.
        value_range: lower and upper end of the colour scale; by default it holds all values and data.

    Returns:
        The filled contours, for a colour bar.

    Raises:
        HalfwaveError: as in `surface`.

    >>> axes = new_figure(2, 2, "a plane").subplots()
    >>> surface_panel(axes, lambda points: points.sum(axis=1), (0, 1), (0, 1)).get_clim()
    (0.0, 2.0)
    """
    x_range, y_range = _ends("x_range", x_range), _ends("y_range", y_range)
    x, y = np.linspace(*x_range, _GRID), np.linspace(*y_range, _GRID)
    values = _values(function, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)).reshape(_GRID, _GRID)
    points, heights = (np.empty((0, 2)), np.empty(0)) if data is None else _checked(data)
    low, high = _scale(values, heights) if value_range is None else _ends("value_range", value_range)

    levels = np.asarray(ticks(_BANDS).tick_values(low, high))
    # bands beyond the values would only be longer names for the same colours
    inner = levels[(levels > low) & (levels < high)]
    options: dict[str, Any] = {"vmin": low, "vmax": high, "cmap": _COLOURS}
    filled = axes.contourf(
        x, y, values, np.concatenate(([low], inner, [high])), extend="neither", zorder=0.5, **options
    )
    filled.set_edgecolor("face")  # otherwise hairlines of paper show between bands in PDF and SVG
    # white with a dark rim is seen on both ends of the colour scale
    rim = [Stroke(linewidth=2.8, foreground="#374151"), Normal()]
    look = {"linewidths": 1.4, "colors": "white", "zorder": 2, "label": "creases", "path_effects": rim}
    axes.add_collection(LineCollection(list(creases(function, x_range, y_range)), **look))
    shown = _evenly(len(points))
    axes.scatter(
        *points[shown].T,
        c=heights[shown],
        s=float(np.clip(4000 / max(len(shown), 1), 7.0, 26.0)),
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
        label="data",
        **options,
    )
    axes.set(xlim=x_range, ylim=y_range)
    axes.grid(False)
    return filled


def creases(function: Any, x_range: Range, y_range: Range) -> Matrix:
    """Where the gradient of an explicit function of two variables changes, as segments inside a rectangle.

    Args:
        function: a `HingeSum`, `MaxAffine`, `DifferenceOfMaxAffine` or `AdditiveFunction` of two variables; of
            anything else no creases are known.
        x_range: lower and upper end of the first variable.
        y_range: lower and upper end of the second variable.

    Returns:
        Both ends of each segment (segments, 2, 2), exact up to rounding.

    >>> from halfwave.fitting.several_variables.hinge_sum import HingeSum
    >>> creases(HingeSum([[2, 0]], [-1]), (0, 1), (0, 1)).tolist()
    [[[0.5, 0.0], [0.5, 1.0]]]
    """
    # Fits need scipy and torch's checks, maps of other functions do not.
    from halfwave.fitting.several_variables.additive_function import AdditiveFunction
    from halfwave.fitting.several_variables.hinge_sum import HingeSum
    from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine

    box = np.array([[1.0, 0.0, -x_range[0]], [-1.0, 0.0, x_range[1]]])
    box = np.vstack((box, [[0.0, 1.0, -y_range[0]], [0.0, -1.0, y_range[1]]]))
    match function:
        case HingeSum():
            forms = np.column_stack((function.slopes, function.intercepts))
            found = [_inside(form, box) for form in forms]
        case MaxAffine():
            found = _ridges(function, box)
        case DifferenceOfMaxAffine():
            found = _ridges(function.convex, box) + _ridges(function.subtracted, box)
        case AdditiveFunction():
            axis = np.eye(2)
            forms = [np.append(axis[j], -kink) for j, f in enumerate(function.functions) for kink in f.kinks]
            found = [_inside(form, box) for form in forms]
        case _:
            found = []
    segments = np.array([segment for segment in found if segment is not None]).reshape(-1, 2, 2)
    return segments[_bends(function, segments)]


def _bends(function: Any, segments: Matrix) -> npt.NDArray[np.bool_]:
    """Whether gradient or value change across each segment: bends of two terms may cancel."""
    if not len(segments):
        return np.zeros(0, dtype=bool)
    along = segments[:, 1] - segments[:, 0]
    # no round share of the way: there other creases cross
    middle = segments[:, 0] + 0.4371 * along
    aside = 1e-6 * np.column_stack((-along[:, 1], along[:, 0]))
    here, there = middle - aside, middle + aside
    slope, other = function.gradient(here), function.gradient(there)
    steepest = np.abs(np.stack((slope, other))).max(axis=(0, 2))
    bend = np.abs(slope - other).max(axis=1) > 1e-9 * steepest
    jump = np.abs(function(here) - function(there)) > 1e-3 * steepest * np.linalg.norm(along, axis=1)
    return bend | jump


def _ridges(function: MaxAffine, box: Matrix) -> list[Matrix | None]:
    """Where two pieces are equal and no other one is larger."""
    forms = np.column_stack((function.slopes, function.intercepts))
    found = []
    for i, j in combinations(range(len(forms)), 2):
        others = np.delete(forms, [i, j], axis=0)
        found.append(_inside(forms[i] - forms[j], np.vstack((box, forms[i] - others))))
    return found


def _inside(form: Vector, limits: Matrix) -> Matrix | None:
    """The part of the line ``form · (x, y, 1) = 0`` where ``limits · (x, y, 1) ≥ 0``, or None."""
    steepness = float(form[:2] @ form[:2])
    if steepness == 0:
        return None
    start = np.append(-form[2] / steepness * form[:2], 1.0)
    step = np.array([-form[1], form[0], 0.0]) / np.sqrt(steepness)
    rise, level = limits @ step, limits @ start
    # what is parallel to the line either holds on all of it or nowhere
    size = np.abs(limits) @ np.maximum(np.abs(start), 1.0)
    parallel = np.abs(rise) <= 1e-14 * np.abs(limits[:, :2]).sum(axis=1)
    if (level[parallel] < -1e-12 * size[parallel]).any():
        return None
    ends = -level[~parallel] / rise[~parallel]
    up = rise[~parallel] > 0
    first, last = ends[up].max(initial=-np.inf), ends[~up].min(initial=np.inf)
    if not last - first > 1e-12 * max(1.0, abs(first), abs(last)):
        return None
    return np.stack((start + first * step, start + last * step))[:, :2]


def _values(function: Function, points: Matrix) -> Vector:
    features = getattr(function, "features", 2)
    if features != 2:
        raise HalfwaveError(f"`function` of surface must be one of 2 variables; got one of {features}")
    return finite_vector("`function` of surface at the points of the map", function(points), len(points))


def _scale(values: Matrix, heights: Vector) -> Range:
    """From the lowest to the highest, or around them if they are equal."""
    low = float(min(values.min(), heights.min(initial=np.inf)))
    high = float(max(values.max(), heights.max(initial=-np.inf)))
    # what rounding alone makes of a constant is not worth a scale of its own
    flat = high - low <= 1e-12 * max(abs(low), abs(high))
    return (low - 0.5, high + 0.5) if flat else (low, high)


def _checked(data: Data) -> tuple[Matrix, Vector]:
    from halfwave.fitting.several_variables.explicit_function import finite_matrix

    points = finite_matrix("the points in `data` of surface", data[0], 2)
    return points, finite_vector("the values in `data` of surface", data[1], len(points))


def _evenly(count: int) -> npt.NDArray[np.intp]:
    """Indices of the data to draw: all, or a fixed random choice."""
    if count <= _SHOWN:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, _SHOWN, replace=False))


def _ends(name: str, ends: Any) -> Range:
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        low = high = np.nan
    if not (low < high and np.isfinite(high - low)):
        raise HalfwaveError(f"`{name}` must be two finite numbers, the lower one first; got {ends!r}")
    return low, high
