"""``halfwave plot NAME``: figures of the library."""

from __future__ import annotations

from pathlib import Path

import typer

from halfwave.cli.common import console
from halfwave.errors import HalfwaveError

__all__ = ["plot"]


def plot(
    name: str = typer.Argument(help="What to plot: drelu."),
    output: Path = typer.Option(Path("drelu.png"), help="File to write: .png, .svg or .pdf."),
    samples: int = typer.Option(1_000_000, help="Samples drawn from each unit."),
    seed: int = typer.Option(0, help="Seed of the samples."),
) -> None:
    """The dReLU picture: sixteen units, a million samples from each, and their exact densities."""
    import torch

    if name != "drelu":
        raise HalfwaveError(f"unknown figure {name!r}; the figures are drelu")
    if samples < 1:
        raise HalfwaveError(f"--samples must be at least 1; got {samples}")
    if output.suffix not in (".png", ".svg", ".pdf"):
        raise HalfwaveError(f"--output must end in .png, .svg or .pdf; got {output}")
    from halfwave.plots import drelu_grid, save_figure

    save_figure(drelu_grid(samples, torch.Generator().manual_seed(seed)), output)
    console.print(f"figure: {output}")
