"""A fit by gradient as it learns, as a film."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from halfwave.errors import HalfwaveError
from halfwave.plots.numerals import short
from halfwave.plots.style import DATA, MODEL, NEUTRAL, new_figure, style

if TYPE_CHECKING:
    from halfwave.fitting import ReLUSumFit
    from halfwave.fitting.gradient import GradientPath

__all__ = ["gradient_animation"]

_MILLISECONDS = 90
"""Each frame is shown for so long,"""
_PAUSE = 2500
"""and the last one for so long."""
_DASHES = (0, (5, 2))
_NAMES = {"adam": "Adam", "lbfgs": "L-BFGS"}

Vector = npt.NDArray[np.float64]


def gradient_animation(
    path: GradientPath, x: npt.ArrayLike, y: npt.ArrayLike, best: ReLUSumFit | None = None, frames: int = 50
) -> bytes:
    """A fit by gradient at more and more steps, each as many times the one before, and its loss up to there.

    Args:
        path: what `halfwave.fitting.gradient.fit_by_gradient` returned.
        x: the abscissae (n,).
        y: the ordinates (n,).
        best: the optimal fit with as many kinks, for comparison.
        frames: at most so many; at least 2.

    Returns:
        A GIF file that repeats, for `halfwave.files.write_atomically`.

    Raises:
        HalfwaveError: if there are fewer than 2 frames.

    >>> from halfwave.fitting.gradient import fit_by_gradient
    >>> x = np.linspace(-1, 1, 20)
    >>> gradient_animation(fit_by_gradient(x, np.abs(x), 2, steps=5), x, np.abs(x), frames=3)[:6]
    b'GIF89a'
    """
    if frames < 2:
        raise HalfwaveError(f"`frames` of gradient_animation must be at least 2; got {frames!r}")
    steps = np.unique(np.geomspace(1, len(path), frames).round().astype(int) - 1)
    with style():
        film = _Film(path, np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), best)
        pictures = [film.frame(int(step)) for step in steps]
    palette = _palette(pictures[-1])
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    buffer = io.BytesIO()
    indexed[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=indexed[1:],
        duration=[_MILLISECONDS] * (len(indexed) - 1) + [_PAUSE],
        loop=0,
        optimize=True,
    )
    return buffer.getvalue()


def _palette(picture: Image.Image) -> Image.Image:
    """A picture that holds 128 colours for all frames, so that they do not flicker, one of them white."""
    palette = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    # Pillow looks colours up in coarse steps: what is nearly white must be white, or paper turns grey.
    colours[colours.min(axis=1) > 245] = 255
    palette.putpalette(colours.astype(np.uint8).tobytes())
    return palette


class _Film:
    """One figure whose two moving curves are set anew for each frame."""

    def __init__(self, path: GradientPath, x: Vector, y: Vector, best: ReLUSumFit | None) -> None:
        self.path = path
        self.grid = np.linspace(x.min(), x.max(), 601)
        self.figure: Figure = new_figure(9.0, 3.8, "A fit by gradient at more and more steps, and its loss.")
        functions, loss = self.figure.subplots(1, 2, width_ratios=(1.6, 1.0))
        functions.scatter(x, y, s=8, color=NEUTRAL, alpha=0.5, linewidths=0)
        if best is not None:
            optimum = best.sse / len(best.x)
            functions.plot(
                self.grid, best.function(self.grid), color=MODEL, linestyle=_DASHES, label="optimum"
            )
            loss.axhline(optimum, color=MODEL, linestyle=_DASHES, label=f"optimum, {short(optimum)}")
        (self.function,) = functions.plot([], [], color=DATA, label=_NAMES[path.optimizer])
        (self.loss,) = loss.plot([], [], color=DATA, label=_NAMES[path.optimizer])
        (self.now,) = loss.plot([], [], "o", color=DATA, markersize=5)
        margin = 0.15 * float(np.ptp(y)) or 1.0
        functions.set(
            xlabel="x", ylabel="y", ylim=(float(y.min()) - margin, float(y.max()) + margin), title=" "
        )
        # the whole path sets the scale, so that it does not move
        lowest = min(path.losses.min(), path.losses.max() if best is None else best.sse / len(best.x))
        loss.set(
            xscale="log",
            yscale="log",
            xlim=(1, len(path)),
            ylim=(max(lowest, 1e-12 * path.losses.max()) / 1.3, path.losses.max() * 1.3),
            xlabel="step + 1",
            ylabel="mean squared error",
        )
        functions.legend(loc="upper left")
        loss.legend(loc="upper right")
        self.axes = functions

    def frame(self, step: int) -> Image.Image:
        """The picture at a step."""
        self.function.set_data(self.grid, self.path.function_at(step)(self.grid))
        self.loss.set_data(np.arange(1, step + 2), self.path.losses[: step + 1])
        self.now.set_data([step + 1], [self.path.losses[step]])
        self.axes.set_title(f"step {step:,}: mean squared error {short(float(self.path.losses[step]))}")
        canvas = self.figure.canvas
        assert isinstance(canvas, FigureCanvasAgg)
        canvas.draw()
        # Places found once are kept: axes must not jump about.
        self.figure.set_layout_engine("none")
        return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
