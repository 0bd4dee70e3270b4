"""``halfwave plot NAME``: functions of x and the pictures of the library, as figures or as numbers."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from halfwave.cli.common import print_lines
from halfwave.errors import HalfwaveError

__all__ = ["plot"]


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
    points: int = typer.Option(601, help="Points in the JSON, from 2 to 100,000."),
    samples: int = typer.Option(1_000_000, help="Samples drawn from each unit (drelu)."),
    seed: int = typer.Option(0, help="Seed of the samples (drelu)."),
) -> None:
    """A function with its derivative and integral; the family of functions; or sixteen dReLU units and samples.

    halfwave plot "1.2*relu(-1.2*x - 1.2) + relu(0.5*x + 2)" --png out.png --json out.json --range -5 5
    """
    from halfwave import plots

    try:
        saved = plots.save_picture(
            name,
            files,
            png=png,
            svg=svg,
            as_json=as_json,
            output=output,
            x_range=x_range,
            points=points,
            samples=samples,
            seed=seed,
        )
    except HalfwaveError as error:
        if "\n" not in str(error):
            raise
        # an error in an expression keeps its lines, since the caret must stay below its place
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error
    # messages go aside where another program may read JSON
    aside = saved.curve is not None
    if aside:
        typer.echo(json.dumps(saved.curve, allow_nan=False))
    else:
        print_lines(saved.lines)
    for file in saved.figures:
        typer.echo(f"figure: {file}", err=aside)
    for file in saved.numbers:
        typer.echo(f"numbers: {file}", err=aside)
