"""``halfwave plot NAME``: functions of x and the pictures of the library, as figures or as numbers."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from halfwave.functions import PiecewiseLinear

__all__ = ["plot"]

_PICTURES = ("drelu", "family", "thresholded_relu")
_SUFFIXES = (".png", ".svg", ".pdf", ".json")
_POINTS = 601
_MOST_POINTS = 100_000
_LISTED = 12
"""Kinks and slopes that the terminal lists one by one."""


def plot(
    name: str = typer.Argument(
        help='A function of x, such as relu or "relu(x) - 2*step(x - 1)"; or drelu, family, thresholded_relu.'
    ),
    files: list[Path] | None = typer.Argument(
        None, help="Files to write, told apart by suffix: .png, .svg, .pdf, .json. Default: NAME.png."
    ),
    png: bool = typer.Option(False, "--png", help="Write a PNG file, NAME.png unless FILES has another."),
    svg: bool = typer.Option(False, "--svg", help="Write an SVG file, NAME.svg unless FILES has another."),
    as_json: bool = typer.Option(
        False,
        "--json",
        help="Print points, values and derivatives as JSON, or write them if FILES has a .json.",
    ),
    output: Path | None = typer.Option(None, help="One more file to write."),
    x_range: tuple[float, float] | None = typer.Option(
        None, "--range", metavar="LOW HIGH", help="Ends of the abscissa. Default: around the kinks."
    ),
    points: int = typer.Option(_POINTS, help=f"Points in the JSON, from 2 to {_MOST_POINTS:,}."),
    samples: int = typer.Option(1_000_000, help="Samples drawn from each unit (drelu)."),
    seed: int = typer.Option(0, help="Seed of the samples (drelu)."),
) -> None:
    """A function with its derivative and integral; the family of functions; or sixteen dReLU units and samples.

    halfwave plot "1.2*relu(-1.2*x - 1.2) + relu(0.5*x + 2)" --png out.png --json out.json --range -5 5
    """
    _check_numbers(x_range, points, samples)
    given = [*(files or []), *([output] if output else [])]
    flags = {".png": png, ".svg": svg, ".json": as_json}
    targets, print_json = _targets(name, given, [suffix for suffix, wanted in flags.items() if wanted])
    if name in _PICTURES:
        _check_picture(name, targets, print_json, x_range)
        _write_figure(_picture(name, x_range, samples, seed), targets)
        return
    _write_function(_parsed(name), x_range, points, targets, print_json)


def _check_numbers(x_range: tuple[float, float] | None, points: int, samples: int) -> None:
    if x_range is not None and not (x_range[0] < x_range[1] and math.isfinite(x_range[1] - x_range[0])):
        got = f"{x_range[0]!r} and {x_range[1]!r}"
        raise HalfwaveError(f"--range must be two finite numbers, the lower one first; got {got}")
    if not 2 <= points <= _MOST_POINTS:
        raise HalfwaveError(f"--points must be from 2 to {_MOST_POINTS}; got {points}")
    if samples < 1:
        raise HalfwaveError(f"--samples must be at least 1; got {samples}")


def _targets(name: str, given: Sequence[Path], wanted: Iterable[str]) -> tuple[list[Path], bool]:
    """The files to write, and whether JSON goes to standard output for want of a file."""
    for file in given:
        if file.suffix not in _SUFFIXES:
            raise HalfwaveError(f"a file to write must end in .png, .svg, .pdf or .json; got {file}")
    missing = [suffix for suffix in wanted if suffix not in {file.suffix for file in given}]
    # an expression is no file name, a single word is
    stem = name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else "function"
    targets = [*given, *(Path(f"{stem}{suffix}") for suffix in missing if suffix != ".json")]
    print_json = ".json" in missing
    if not targets and not print_json:
        targets = [Path(f"{stem}.png")]
    return list(dict.fromkeys(targets)), print_json


def _check_picture(
    name: str, targets: Sequence[Path], print_json: bool, x_range: tuple[float, float] | None
) -> None:
    if print_json or any(file.suffix == ".json" for file in targets):
        example = "thresholded_relu(x, 1)" if name == "thresholded_relu" else "relu"
        raise HalfwaveError(
            f'JSON is for one function, which {name} is not; write for example halfwave plot "{example}" --json'
        )
    if x_range is not None and name != "thresholded_relu":
        raise HalfwaveError(
            f"--range is for functions of x; {name} has its own, got {x_range[0]} {x_range[1]}"
        )


def _picture(name: str, x_range: tuple[float, float] | None, samples: int, seed: int) -> Figure:
    from halfwave import plots

    if name == "drelu":
        import torch

        return plots.drelu_grid(samples, torch.Generator().manual_seed(seed))
    return plots.family() if name == "family" else plots.thresholded_forms(x_range=x_range)


def _parsed(expression: str) -> PiecewiseLinear:
    """The function; or the error on its own lines, since the caret must stay below its place."""
    from halfwave.functions import parse

    try:
        return parse(expression)
    except HalfwaveError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


def _write_function(
    f: PiecewiseLinear,
    x_range: tuple[float, float] | None,
    points: int,
    targets: Sequence[Path],
    print_json: bool,
) -> None:
    import numpy as np

    from halfwave import plots
    from halfwave.plots.functions.piecewise import check_range

    ends = check_range(x_range, [f])
    grid = np.linspace(*ends, points)
    if print_json:
        typer.echo(json.dumps(f.curve(grid), allow_nan=False))
    else:
        typer.echo("\n".join(_described(f)))
    figures = [file for file in targets if file.suffix != ".json"]
    if figures:
        _write_figure(plots.function(f, ends), figures, aside=print_json)
    for file in targets:
        if file.suffix == ".json":
            typer.echo(f"numbers: {f.save_curve(file, grid)}", err=print_json)


def _write_figure(figure: Figure, targets: Sequence[Path], aside: bool = False) -> None:
    """Write the figure to all files; the messages go aside where another program may read JSON."""
    from halfwave.plots import save_figure

    for file in targets:
        typer.echo(f"figure: {save_figure(figure, file)}", err=aside)


def _described(f: PiecewiseLinear) -> list[str]:
    """The formula, kinks, jumps and slopes as lines for the terminal."""
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
