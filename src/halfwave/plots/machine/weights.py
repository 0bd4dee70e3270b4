"""What each hidden unit looks at: its weights, most important units first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError
from halfwave.plots.machine.layout import check_image_shape, draw_mosaic
from halfwave.plots.style import DATA, as_array, new_figure, style, ticks

__all__ = ["features"]

_COLUMNS = 12
_POTTS_COUNT = 8
_SCALE = "weight · std(h)"


def features(
    weights: Any,
    order: Any,
    importance: Any,
    image_shape: Sequence[int] | None = None,
    *,
    colours: int = 1,
    count: int = 48,
) -> Figure:
    """Weights of the hidden units in a given order, with a bar for the importance of each.

    Images are drawn as a mosaic, other samples as rows of a heat map, Potts layers as one heat map of colours by
    sites for each unit. All share one colour scale, symmetric about zero. Draws what
    `halfwave.rbm.features.standardised_weights`, `feature_importance` and `order_by_importance` return.

    Args:
        weights: ``(visible.size, hidden.size)``.
        order: positions of hidden units, most important first, ``(hidden.size,)``.
        importance: of every hidden unit, ``(hidden.size,)``.
        image_shape: ``(height, width)`` if the samples are images with one number a pixel.
        colours: number of colours of a Potts layer, whose sites then have this many weights each.
        count: most hidden units to draw; 8 of a Potts layer.

    Returns:
        The figure.

    Raises:
        HalfwaveError: if the shapes do not fit each other.

    >>> figure = features(np.eye(4), [2, 0, 1, 3], [1.0, 0.5, 2.0, 0.1], image_shape=(2, 2))
    >>> figure.axes[0].get_title("left")
    'Weights of the 4 hidden units, the most important first'
    """
    matrix, ranks, heights = _checked(weights, order, importance, colours)
    chosen = ranks[: min(count, _POTTS_COUNT) if colours > 1 else count]
    images = matrix[:, chosen].T
    reach = float(np.abs(images).max()) or 1.0
    look = {"cmap": matplotlib.colormaps["RdBu_r"], "norm": Normalize(-reach, reach)}
    with style():
        if colours > 1:
            return _potts(images.reshape(len(chosen), -1, colours), chosen, heights, look)
        if image_shape is None:
            return _rows(images, chosen, heights, look)
        shape = check_image_shape(image_shape, matrix.shape[0])
        return _images(images.reshape(-1, *shape), ranks, heights, look)


def _checked(
    weights: Any, order: Any, importance: Any, colours: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    matrix, ranks, heights = as_array(weights), as_array(order), as_array(importance)
    if matrix.ndim != 2 or ranks.shape != heights.shape or ranks.shape != matrix.shape[1:] or not matrix.size:
        raise HalfwaveError(
            "weights must be (visible, hidden) with one importance and one place in the order for each hidden unit; "
            f"got {matrix.shape}, {heights.shape} and {ranks.shape}"
        )
    if colours < 1 or len(matrix) % colours:
        raise HalfwaveError(f"`colours` must divide the {len(matrix)} visible elements; got {colours}")
    return matrix, ranks, heights


def _heading(shown: int, total: int) -> str:
    if total == 1:
        return "Weights of the only hidden unit"
    if shown == total:
        return f"Weights of the {total} hidden units, the most important first"
    return f"Weights of the {shown} most important of {total} hidden units"


def _images(images: np.ndarray, ranks: np.ndarray, heights: np.ndarray, look: dict[str, Any]) -> Figure:
    shown, columns = len(images), min(_COLUMNS, len(images))
    rows = -(-shown // columns)
    height, width = images.shape[1:]
    tall = min(7.0, 7.0 * rows * height / (columns * width))
    figure = new_figure(8.0, tall + 2.3, _description("as images", shown))
    top, bottom = figure.subplots(2, 1, height_ratios=(tall, 1.2))
    top.set_title(f"{_heading(shown, len(ranks))}, row by row" if rows > 1 else _heading(shown, len(ranks)))
    picture = draw_mosaic(top, images, columns, look["cmap"], look["norm"])
    figure.colorbar(picture, ax=top, label=_SCALE, pad=0.02, aspect=30)
    places = np.arange(1, len(ranks) + 1)
    bars = bottom.bar(places, heights[ranks], width=0.8, color=DATA, linewidth=0)
    for bar in bars[shown:]:
        bar.set_alpha(0.35)
    bottom.grid(False, axis="x")
    bottom.margins(x=0.01)
    bottom.set_xlabel("rank of the hidden unit" + ("" if shown == len(ranks) else " (pale: not drawn above)"))
    bottom.set_title("Importance  ‖W‖ · std(h)")
    return figure


def _rows(rows: np.ndarray, chosen: np.ndarray, heights: np.ndarray, look: dict[str, Any]) -> Figure:
    shown = len(rows)
    figure = new_figure(8.0, min(8.0, 1.9 + 0.16 * shown), _description("as rows of a heat map", shown))
    left, right = figure.subplots(1, 2, width_ratios=(4.0, 1.2), sharey=True)
    picture = left.imshow(rows, aspect="auto", interpolation="nearest", **look)
    left.grid(False)
    left.set_title(_heading(shown, len(heights)))
    left.set(xlabel="site", ylabel="hidden unit")
    left.xaxis.set_major_locator(ticks(8, integer=True))
    every = range(0, shown, max(1, shown // 16))
    left.set_yticks(every, [str(chosen[place]) for place in every])
    figure.colorbar(picture, ax=[left, right], label=_SCALE, location="bottom", aspect=40, shrink=0.7)
    right.barh(np.arange(shown), heights[chosen], height=0.7, color=DATA, linewidth=0)
    right.grid(False, axis="y")
    right.tick_params(left=False)
    right.set_title("‖W‖ · std(h)")
    right.set_xlabel("importance")
    return figure


def _potts(images: np.ndarray, chosen: np.ndarray, heights: np.ndarray, look: dict[str, Any]) -> Figure:
    columns, shown = 2, len(images)
    rows = -(-shown // columns)
    figure = new_figure(8.0, 1.5 * rows + 1.2, _description("as heat maps of colours by sites", shown))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for place, axes in enumerate(grid.flat):
        if place >= shown:
            axes.set_axis_off()
            continue
        axes.imshow(images[place].T, aspect="auto", interpolation="nearest", **look)
        axes.grid(False)
        _name(axes, int(chosen[place]), float(heights[chosen[place]]))
    for axes in grid[-1]:
        axes.set_xlabel("site")
        axes.xaxis.set_major_locator(ticks(8, integer=True))
    for axes in grid[:, 0]:
        axes.set_ylabel("colour")
    figure.suptitle(_heading(shown, len(heights)), x=0.01, ha="left", fontsize=9.5)
    figure.colorbar(grid[0, 0].images[0], ax=grid, label=_SCALE, location="bottom", aspect=40, shrink=0.7)
    return figure


def _name(axes: Axes, unit: int, importance: float) -> None:
    axes.set_title(f"hidden unit {unit}: importance {importance:.2f}", fontsize=8.5)


def _description(form: str, shown: int) -> str:
    return (
        f"Weights of {shown} hidden units {form}, red where the unit raises the visible unit and blue where it lowers "
        "it, with the importance of each hidden unit."
    )
