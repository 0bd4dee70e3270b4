"""From a name or an expression to files: functions of x and the pictures of the library, as figures or numbers."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError, OptionError
from halfwave.functions import PiecewiseLinear, parse
from halfwave.plots.functions.family import family, thresholded_forms
from halfwave.plots.functions.function import function
from halfwave.plots.functions.piecewise import check_range
from halfwave.plots.style import save_figure

__all__ = ["SavedPicture", "save_picture"]

_PICTURES = ("drelu", "family", "thresholded_relu")
_SUFFIXES = (".png", ".svg", ".pdf", ".json")
_MOST_POINTS = 100_000
_LISTED = 12
"""Kinks and slopes that a sentence lists one by one."""

Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class SavedPicture:
    """Files that were written of a function or of a picture.

    >>> SavedPicture(None, (), (), None).lines
    []
    """

    function: PiecewiseLinear | None
    """The function; None for the pictures."""
    figures: tuple[Path, ...]
    """Figures that were written."""
    numbers: tuple[Path, ...]
    """Files of points, values and derivatives that were written."""
    curve: dict[str, list[float]] | None
    """Points, values and derivatives, if they were asked for and no file for them was given."""

    @property
    def lines(self) -> list[str]:
        """The formula, kinks, jumps and slopes of the function."""
        return [] if self.function is None else _described(self.function)


def save_picture(
    name: str,
    files: Sequence[str | os.PathLike[str]] | None = None,
    *,
    png: bool = False,
    svg: bool = False,
    as_json: bool = False,
    output: str | os.PathLike[str] | None = None,
    x_range: Range | None = None,
    points: int = 601,
    samples: int = 1_000_000,
    seed: int = 0,
) -> SavedPicture:
    """Draw a function of x with its derivative and integral, or a picture of the library, and write it to files.

    Args:
        name: a function of x, such as ``relu`` or ``relu(x) - 2*step(x - 1)``; or a picture: ``drelu`` (sixteen
            units and samples of them), ``family`` (the functions) or ``thresholded_relu`` (its three forms).
        files: to write, told apart by suffix: .png, .svg, .pdf, .json; by default NAME.png.
        png, svg: write such a figure, NAME.png or NAME.svg unless ``files`` has another.
        as_json: give points, values and derivatives as ``curve``, unless ``files`` has a .json for them.
        output: one more file to write.
        x_range: ends of the abscissa; by default around the kinks.
        points: in the JSON, from 2 to 100,000.
        samples: drawn from each unit (``drelu``).
        seed: of the samples (``drelu``).

    Returns:
        The function, and what was written.

    Raises:
        HalfwaveError: if the expression is none, an option is out of its range or does not go with the picture, or a
            file cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> saved = save_picture("relu(x - 1)", [folder / "relu.svg"], as_json=True, x_range=(0, 2), points=3)
    >>> [file.name for file in saved.figures], saved.curve["y"]
    (['relu.svg'], [0.0, 0.0, 1.0])
    """
    _check_numbers(x_range, points, samples)
    given = [Path(file) for file in (*(files or ()), *(() if output is None else (output,)))]
    flags = {".png": png, ".svg": svg, ".json": as_json}
    targets, give_curve = _targets(name, given, [suffix for suffix, wanted in flags.items() if wanted])
    figures = tuple(file for file in targets if file.suffix != ".json")
    numbers = tuple(file for file in targets if file.suffix == ".json")
    if name in _PICTURES:
        _check_picture(name, give_curve or bool(numbers), x_range)
        _write(_picture(name, x_range, samples, seed), figures)
        return SavedPicture(None, figures, (), None)
    f = parse(name)
    ends = check_range(x_range, [f])
    grid = np.linspace(*ends, points)
    if figures:
        _write(function(f, ends), figures)
    for file in numbers:
        f.save_curve(file, grid)
    return SavedPicture(f, figures, numbers, f.curve(grid) if give_curve else None)


def _check_numbers(x_range: Range | None, points: int, samples: int) -> None:
    if x_range is not None and not (x_range[0] < x_range[1] and math.isfinite(x_range[1] - x_range[0])):
        got = f"{x_range[0]!r} and {x_range[1]!r}"
        raise OptionError(f"`x_range` must be two finite numbers, the lower one first; got {got}", "x_range")
    if not 2 <= points <= _MOST_POINTS:
        raise OptionError(f"`points` must be from 2 to {_MOST_POINTS}; got {points}", "points")
    if samples < 1:
        raise OptionError(f"`samples` must be at least 1; got {samples}", "samples")


def _targets(name: str, given: Sequence[Path], wanted: Iterable[str]) -> tuple[list[Path], bool]:
    """The files to write, and whether the numbers are asked for without a file."""
    for file in given:
        if file.suffix not in _SUFFIXES:
            raise HalfwaveError(f"a file to write must end in .png, .svg, .pdf or .json; got {file}")
    missing = [suffix for suffix in wanted if suffix not in {file.suffix for file in given}]
    # an expression is no file name, a single word is
    stem = name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "function"
    targets = [*given, *(Path(f"{stem}{suffix}") for suffix in missing if suffix != ".json")]
    give_curve = ".json" in missing
    if not targets and not give_curve:
        targets = [Path(f"{stem}.png")]
    return list(dict.fromkeys(targets)), give_curve


def _check_picture(name: str, has_numbers: bool, x_range: Range | None) -> None:
    if has_numbers:
        example = "thresholded_relu(x, 1)" if name == "thresholded_relu" else "relu"
        raise HalfwaveError(
            f'JSON is for one function, which {name} is not; write for example halfwave plot "{example}" --json'
        )
    if x_range is not None and name != "thresholded_relu":
        raise OptionError(
            f"`x_range` is for functions of x; {name} has its own, got {x_range[0]} {x_range[1]}", "x_range"
        )


def _picture(name: str, x_range: Range | None, samples: int, seed: int) -> Figure:
    if name == "drelu":
        import torch  # for this picture alone

        from halfwave.plots.units.drelu import drelu_grid

        return drelu_grid(samples, torch.Generator().manual_seed(seed))
    return family() if name == "family" else thresholded_forms(x_range=x_range)


def _write(figure: Figure, files: Sequence[Path]) -> None:
    for file in files:
        save_figure(figure, file)


def _described(f: PiecewiseLinear) -> list[str]:
    """The formula, kinks, jumps and slopes as lines."""
    jumps = [f"{jump:g} at {kink:g}" for kink, jump in f.point_masses()]
    formula = (
        f.formula(digits=6) if len(f.kinks) <= _LISTED else f"piecewise linear with {len(f.kinks)} kinks"
    )
    return [
        f"f(x) = {formula}",
        f"kinks: {_listed([f'{kink:g}' for kink in f.kinks])}",
        f"jumps: {_listed(jumps)}",
        f"slopes: {_listed([f'{slope:g}' for slope in f.slopes])}",
    ]


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED
    return (", ".join(words[:_LISTED]) or "none") + (f", and {more} more" if more > 0 else "")
