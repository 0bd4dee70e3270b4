"""Arrays arranged for drawing: samples as mosaics of images, or as rows of a heat map."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from halfwave.errors import HalfwaveError
from halfwave.plots.style import as_array

__all__ = ["as_rows", "check_image_shape", "draw_mosaic", "evenly_spaced", "mosaic"]

_GAP = "#D9DCE1"


def check_image_shape(image_shape: Any, sites: int) -> tuple[int, int]:
    """``(height, width)`` if they multiply to the number of sites, else `HalfwaveError`.

    >>> check_image_shape([8, 8], 64)
    (8, 8)
    """
    shape = tuple(int(size) for size in image_shape)
    if len(shape) != 2 or shape[0] * shape[1] != sites or min(shape) < 1:
        raise HalfwaveError(f"image_shape must be (height, width) with product {sites}; got {shape}")
    return shape[0], shape[1]


def as_rows(values: Any, categorical: bool = False) -> np.ndarray:
    """Samples ``(n, *shape)`` as rows ``(n, sites)``; one-hot samples ``(n, *sites, colours)`` as colour indices.

    >>> as_rows(np.eye(3)[None], categorical=True)
    array([[0, 1, 2]])
    """
    array = as_array(values)
    if array.ndim < 2 or (categorical and array.ndim < 3):
        raise HalfwaveError(f"samples must have shape (samples, …, sites); got {array.shape}")
    if categorical:
        array = array.argmax(-1)
    return array.reshape(len(array), math.prod(array.shape[1:]))


def evenly_spaced(values: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` rows, evenly spaced: data may be sorted, and a random choice would not repeat.

    >>> evenly_spaced(np.arange(10), 3)
    array([0, 4, 9])
    """
    if len(values) <= count:
        return values
    return values[np.linspace(0, len(values) - 1, count).astype(int)]


def draw_mosaic(
    axes: Axes, images: np.ndarray, columns: int, colour_map: Colormap, norm: Normalize
) -> AxesImage:
    """Draw images ``(n, height, width)`` side by side, row by row, on one colour scale, parted by grey lines.

    Args:
        axes: where to draw; they lose their frame.
        images: what to draw.
        columns: images in a row, at least 1.
        colour_map, norm: the colour scale.

    Returns:
        The drawn image, for a colour bar.

    >>> from matplotlib import colormaps
    >>> from halfwave.plots.style import new_figure
    >>> axes = new_figure(1, 1, "three images").subplots()
    >>> draw_mosaic(axes, np.zeros((3, 2, 2)), 2, colormaps["gray"], Normalize(0, 1)).get_array().shape
    (5, 5)
    """
    count, height, width = images.shape
    gap = max(1, round(0.04 * max(height, width)))
    canvas = mosaic(images, columns, gap)
    axes.set_axis_off()
    axes.set_anchor("N")
    scale = colour_map.with_extremes(bad=_GAP)
    picture = axes.imshow(canvas, cmap=scale, norm=norm, interpolation="nearest")
    if count % columns:
        # the places of the last row that hold no image are paper, not gap
        left, top = count % columns * (width + gap) - gap - 0.5, canvas.shape[0] - height - 0.5
        size = canvas.shape[1] - left, height + 1
        axes.add_patch(Rectangle((left, top), *size, color="white", linewidth=0))
    return picture


def mosaic(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Images ``(n, height, width)`` side by side, row by row, with lines of NaN between them.

    >>> mosaic(np.zeros((3, 2, 2)), columns=2).shape
    (5, 5)
    """
    count, height, width = images.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for k, image in enumerate(images):
        top, left = k // columns * (height + gap), k % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas
