"""The look of all figures: quiet, legible, and told apart by people who see colours differently.

Figures are plain `matplotlib.figure.Figure` objects: no pyplot, no display, no global state.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from halfwave.errors import HalfwaveError
from halfwave.files import write_atomically

__all__ = [
    "COLOURS",
    "DASHES",
    "DATA",
    "MODEL",
    "NEUTRAL",
    "as_array",
    "blank",
    "categories",
    "new_figure",
    "png",
    "style",
    "ticks",
]

DATA = "#0072B2"
"""Blue: data, training data first."""
MODEL = "#D55E00"
"""Vermilion: what the machine makes, and held-out data."""
NEUTRAL = "#6B7280"
"""Grey: baselines and notes."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
"""The palette of Okabe and Ito, which stays distinct under all common colour-vision deficiencies."""
DASHES = ("-", (0, (5, 2)), (0, (2, 1.2)), (0, (7, 2, 1.5, 2)))
"""Line patterns, so that curves that coincide are seen to."""

_RULES: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 6.0,
    "axes.labelsize": 9.0,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#8A8F98",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-3, 5),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E5E7EB",
    "grid.linewidth": 0.6,
    "xtick.color": "#8A8F98",
    "ytick.color": "#8A8F98",
    "xtick.labelcolor": "#333333",
    "ytick.labelcolor": "#333333",
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "figure.dpi": 100.0,
    "svg.hashsalt": "halfwave",
}

_NO_DATE: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
"""Metadata of each format that would make the same figure a different file every time."""


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the library; the settings outside are untouched, whatever happens inside.

    >>> import matplotlib
    >>> with style():
    ...     inside = matplotlib.rcParams["axes.spines.top"]
    >>> inside, matplotlib.rcParams["axes.spines.top"]
    (False, True)
    """
    with matplotlib.style.context(["default", _RULES]):
        yield


def new_figure(width: float, height: float, description: str) -> Figure:
    """An empty figure of this size in inches; its label is the description for those who cannot see it."""
    figure = Figure(figsize=(width, height), layout="compressed")
    FigureCanvasAgg(figure)
    figure.set_label(description)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG (200 pixels an inch), SVG or PDF, whole or not at all; missing folders are made.

    Args:
        figure: any figure.
        path: of the file; its suffix is .png, .svg or .pdf.

    Returns:
        The path.

    Raises:
        HalfwaveError: if the suffix is another one or the file cannot be written.

    >>> import tempfile
    >>> save_figure(new_figure(1.0, 1.0, "nothing"), tempfile.mkdtemp() + "/figure.svg").suffix
    '.svg'
    """
    path = Path(path)
    if path.suffix not in _NO_DATE:
        raise HalfwaveError(f"a figure is written as {', '.join(_NO_DATE)}; got `{path.name}`")
    write_atomically(path, _rendered(figure, path.suffix[1:], 200.0))
    return path


def png(figure: Figure, scale: float = 2.0) -> bytes:
    """The figure as a PNG file with ``scale`` times 100 pixels an inch, the same bytes every time.

    >>> png(new_figure(1.0, 1.0, "nothing"))[1:4]
    b'PNG'
    """
    return _rendered(figure, "png", 100.0 * scale)


def _rendered(figure: Figure, form: str, resolution: float) -> bytes:
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format=form, dpi=resolution, metadata=_NO_DATE[f".{form}"])
    return buffer.getvalue()


def as_array(values: Any) -> np.ndarray:
    """A tensor or anything array-like as a NumPy array on the host."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def categories(count: int) -> ListedColormap:
    """A colour for each of ``count`` categories: the palette if it suffices, else steps of viridis."""
    if count <= len(COLOURS):
        return ListedColormap(list(COLOURS[:count]))
    return ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.0, 1.0, count)))


def ticks(count: int, integer: bool = False) -> MaxNLocator:
    """About ``count`` round places for ticks; whole numbers only, if asked for, even where there is but one."""
    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10], integer=integer, min_n_ticks=1 if integer else 2)


def blank(axes: Axes, message: str) -> None:
    """Say in the middle of otherwise empty axes why there is nothing to see."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, message, ha="center", va="center", color=NEUTRAL, transform=axes.transAxes, wrap=True)
