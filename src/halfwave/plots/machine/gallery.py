"""All hidden units at a glance: what each receives from the data, and how its values are distributed."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from halfwave.plots.style import COLOURS, DATA, NEUTRAL, new_figure, style
from halfwave.rbm.profiles import HiddenProfiles

__all__ = ["hidden_gallery"]

_INPUTS = "#C3C9D2"
_CELL = (2.35, 1.5)
"""Width and height of a cell; each of its two small panels is 1 wide and 1 high."""


def hidden_gallery(profiles: HiddenProfiles, columns: int | None = None) -> Figure:
    """Every hidden unit in a small cell: the histogram of its inputs, and beside it the density of its values.

    Left in each cell, the inputs ``I = Wᵀv`` over the data; right, the exact density of ``h`` averaged over the
    data (bars of probabilities if the units are discrete). A thin line marks zero. No panel has a scale of its own:
    shapes are to be compared, numbers are in `hidden_units`.

    Args:
        profiles: what `halfwave.rbm.features.hidden_profiles` returns, in the order to draw.
        columns: cells in a row; chosen for a readable page if absent.

    Returns:
        The figure.

    >>> import torch
    >>> from halfwave.rbm.features import hidden_profiles
    >>> from halfwave.rbm.machine import RBM
    >>> from halfwave.units import Binary, DReLU
    >>> figure = hidden_gallery(hidden_profiles(RBM(Binary(3), DReLU(5)), torch.ones(9, 3), range(5)))
    >>> len(figure.axes[0].collections[0].get_paths())  # one polygon of inputs a unit
    5
    """
    count = len(profiles.indices)
    columns = columns or min(count, 8 if count <= 80 else 16)
    rows = math.ceil(count / columns)
    with style():
        width = max(5.0, 1.02 * columns if columns <= 8 else 0.64 * columns)
        height = width * rows * _CELL[1] / (columns * _CELL[0]) + 0.6
        figure = new_figure(width, height, _description(count))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(-0.1, columns * _CELL[0]), ylim=(-rows * _CELL[1], 0.45))
        origins = [(_CELL[0] * (k % columns), -_CELL[1] * (k // columns) - 1.0) for k in range(count)]
        _draw_inputs(axes, profiles, origins)
        _draw_values(axes, profiles, origins)
        for (x, y), index in zip(origins, profiles.indices, strict=True):
            size = 7 if columns <= 8 else 5
            axes.text(x, y + 1.05, str(index), fontsize=size, color=NEUTRAL, verticalalignment="bottom")
        figure.legend(handles=_handles(), loc="outside lower center", ncols=2)
    return figure


def _draw_inputs(axes: Axes, profiles: HiddenProfiles, origins: list[tuple[float, float]]) -> None:
    """Histograms as step polygons, scaled to their cells."""
    polygons, zeros = [], []
    for row, (x, y) in enumerate(origins):
        edges, heights = profiles.edges[row], profiles.input_density[row]
        place = _to_unit(edges, edges[0], edges[-1])
        steps = np.repeat(place, 2)
        tall = np.concatenate(([0.0], np.repeat(heights / heights.max(), 2), [0.0]))
        polygons.append(np.column_stack((x + steps, y + tall)))
        zeros += _zero_line(edges[0], edges[-1], x, y)
    axes.add_collection(PolyCollection(polygons, facecolors=_INPUTS, linewidths=0))
    axes.add_collection(LineCollection(zeros, colors=NEUTRAL, linewidths=0.5))


def _draw_values(axes: Axes, profiles: HiddenProfiles, origins: list[tuple[float, float]]) -> None:
    """Densities as filled curves, or probabilities as bars, beside the histograms."""
    polygons, zeros = [], []
    for row, (x, y) in enumerate(origins):
        values, heights = profiles.values[row], profiles.marginal[row]
        low, high = float(values[0]), float(values[-1])
        if profiles.discrete:
            polygons += _bars(heights, x + 1.15, y)
            continue
        place = _to_unit(values, low, high)
        outline = np.column_stack((x + 1.15 + place, y + heights / heights.max()))
        polygons.append(np.vstack(([x + 1.15, y], outline, [x + 2.15, y])))
        zeros += _zero_line(low, high, x + 1.15, y)
    axes.add_collection(PolyCollection(polygons, facecolors=COLOURS[5], edgecolors=DATA, linewidths=0.6))
    axes.add_collection(LineCollection(zeros, colors=NEUTRAL, linewidths=0.5))


def _bars(heights: np.ndarray, x: float, y: float) -> list[np.ndarray]:
    """Two bars whose height is the probability."""
    corners = []
    for place, height in zip((0.15, 0.6), heights, strict=True):
        left, right = x + place, x + place + 0.3
        corners.append(np.array([[left, y], [left, y + height], [right, y + height], [right, y]]))
    return corners


def _to_unit(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values - low) / (high - low) if high > low else np.full(values.shape, 0.5)


def _zero_line(low: float, high: float, x: float, y: float) -> list[list[tuple[float, float]]]:
    """A vertical line at zero, if zero is inside the range."""
    if not low < 0.0 < high:
        return []
    place = x - low / (high - low)
    return [[(place, y), (place, y + 1.0)]]


def _handles() -> list[Patch]:
    return [
        Patch(facecolor=_INPUTS, label="inputs over the data"),
        Patch(facecolor=COLOURS[5], edgecolor=DATA, label="density of h over the data (line: zero)"),
    ]


def _description(count: int) -> str:
    return (
        f"All {count} hidden units, the most important first. In each cell, left, the histogram of the inputs over the "
        "data and, right, the density of the values of the unit."
    )
