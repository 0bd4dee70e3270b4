"""Data beside samples of the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, Normalize
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError
from halfwave.plots.machine.layout import as_rows, check_image_shape, draw_mosaic, evenly_spaced
from halfwave.plots.style import DATA, NEUTRAL, as_array, blank, categories, new_figure, style, ticks

__all__ = ["samples"]

_ROWS = 40
"""Samples in a heat map."""


def samples(
    data: Any,
    particles: Any,
    image_shape: Sequence[int] | None = None,
    *,
    categorical: bool = False,
    columns: int = 8,
) -> Figure:
    """Data beside samples: as mosaics of images or as heat maps, and their means site by site.

    Args:
        data: samples ``(n, *shape)``; one-hot ``(n, *sites, colours)`` if categorical. Tensors or arrays.
        particles: samples of the machine, of the same shape but for their number.
        image_shape: ``(height, width)`` if the samples are images.
        categorical: whether the last axis holds the colours of one-hot sites.
        columns: images in a row of the mosaics, at least 1.

    Returns:
        The figure.

    Raises:
        HalfwaveError: if there are no data, the shapes differ, or the image shape does not fit.

    >>> figure = samples(np.zeros((9, 4, 4)), np.ones((9, 4, 4)), image_shape=(4, 4))
    >>> [axes.get_title("left") for axes in figure.axes[:3]]
    ['Data', 'Samples of the machine', 'Mean of each pixel']
    """
    pair = _checked(data, particles, categorical)
    site = "pixel" if image_shape is not None else "site"
    colours = as_array(data).shape[-1] if categorical else 0
    description = (
        f"Left: {'images' if image_shape else 'samples'} from the data. Middle: samples of the machine. Right: mean "
        f"of each {site} in the samples against the data; on the diagonal they agree."
    )
    with style():
        figure = new_figure(8.0, 3.0 if image_shape is not None else 3.6, description)
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.0, 1.0, 0.9))
        look = _look(pair, colours)
        for axes, rows, title in zip((left, middle), pair, ("Data", "Samples of the machine"), strict=True):
            axes.set_title(title)
            if image_shape is not None:
                _draw_mosaic(axes, rows, check_image_shape(image_shape, rows.shape[1]), columns, look)
            else:
                _draw_heat_map(axes, rows, look)
        _colour_bar(figure, left.images[0], [left, middle], pair, colours)
        _draw_means(right, as_array(data), as_array(particles), site, categorical)
    return figure


def _checked(data: Any, particles: Any, categorical: bool) -> tuple[np.ndarray, np.ndarray]:
    if as_array(data).shape[1:] != as_array(particles).shape[1:]:
        shapes = as_array(data).shape, as_array(particles).shape
        raise HalfwaveError(
            f"data and samples must agree but for their number; got {shapes[0]} and {shapes[1]}"
        )
    rows = as_rows(data, categorical), as_rows(particles, categorical)
    if not len(rows[0]) or not len(rows[1]):
        raise HalfwaveError(f"there must be data and samples to draw; got {len(rows[0])} and {len(rows[1])}")
    return rows


def _look(pair: tuple[np.ndarray, np.ndarray], colours: int) -> tuple[Colormap, Normalize]:
    """One colour scale for both: categories, ink on paper for two levels, or a diverging one for real values."""
    if colours:
        return categories(colours), BoundaryNorm(np.arange(colours + 1) - 0.5, colours)
    if _two_levels(pair):
        return matplotlib.colormaps["gray_r"], Normalize(
            min(x.min() for x in pair), max(x.max() for x in pair)
        )
    # set by the data: a machine that diverged saturates; and by most of them: an outlier would wash out the rest
    finite = np.abs(pair[0][np.isfinite(pair[0])])
    reach = (float(np.quantile(finite, 0.995)) if finite.size else 0.0) or 1.0
    return matplotlib.colormaps["RdBu_r"], Normalize(-reach, reach)


def _two_levels(pair: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.isin(x, (0.0, 1.0)).all() or np.isin(x, (-1.0, 1.0)).all() for x in pair)


def _draw_mosaic(
    axes: Axes, rows: np.ndarray, shape: tuple[int, int], columns: int, look: tuple[Colormap, Normalize]
) -> None:
    if columns < 1:
        raise HalfwaveError(f"`columns` must be at least 1; got {columns}")
    columns = min(columns, len(rows))
    down = max(1, round(columns * shape[1] / shape[0]))
    images = evenly_spaced(rows, columns * down).reshape(-1, *shape)
    draw_mosaic(axes, images, columns, *look)


def _draw_heat_map(axes: Axes, rows: np.ndarray, look: tuple[Colormap, Normalize]) -> None:
    axes.grid(False)
    axes.set_xlabel("site")
    axes.set_ylabel("sample")
    shown = evenly_spaced(rows, _ROWS)
    # samples have no natural numbers, and the rows are a choice among many
    axes.set_yticks([])
    axes.xaxis.set_major_locator(ticks(6, integer=True))
    axes.set_box_aspect(1.0)
    axes.set_anchor("N")
    axes.imshow(shown, cmap=look[0], norm=look[1], interpolation="nearest", aspect="auto")


def _colour_bar(
    figure: Figure, image: ScalarMappable, axes: list[Axes], pair: tuple[np.ndarray, np.ndarray], colours: int
) -> None:
    if not colours and _two_levels(pair):
        return
    options: dict[str, Any] = {"label": "colour" if colours else "value", "location": "bottom"}
    if colours:
        options["ticks"] = range(0, colours, max(1, math.ceil(colours / 11)))
    else:
        options["extend"] = "both"
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=30, pad=0.03, **options)
    bar.minorticks_off()


def _draw_means(axes: Axes, data: np.ndarray, particles: np.ndarray, site: str, categorical: bool) -> None:
    means = tuple(x.mean(0, dtype=np.float64).ravel() for x in (data, particles))
    axes.set_title("Frequency of each colour" if categorical else f"Mean of each {site}")
    axes.set_box_aspect(1.0)
    axes.set_anchor("N")
    if not all(np.isfinite(x).all() for x in means):
        return blank(axes, "some values are not finite")
    low, high = min(x.min() for x in means), max(x.max() for x in means)
    pad = 0.05 * (high - low) or 0.05
    limits = (low - pad, high + pad)
    axes.plot(limits, limits, color=NEUTRAL, linewidth=1.0, zorder=1)
    many = len(means[0]) > 500
    axes.scatter(*means, s=8 if many else 18, color=DATA, alpha=0.35 if many else 0.6, linewidth=0, zorder=2)
    axes.set(xlim=limits, ylim=limits, xlabel="in the data", ylabel="in the samples")
    axes.xaxis.set_major_locator(ticks(5))
    axes.yaxis.set_major_locator(ticks(5))
    axes.set(xlim=limits, ylim=limits)
    return None
