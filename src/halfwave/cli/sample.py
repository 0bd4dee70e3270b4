"""``halfwave sample RUN``: draw from a trained machine."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["sample"]


def sample(
    run: Path = typer.Argument(help="Run folder."),
    count: int = typer.Option(100, help="Number of samples."),
    steps: int = typer.Option(1000, help="Gibbs steps of each chain."),
    seed: int = typer.Option(0, help="Seed of the chains."),
    start: str = typer.Option("chains", help="Where chains start: chains (those of training), data, random."),
    output: Path | None = typer.Option(None, help="File to write, .npy or .npz. Default: RUN/samples.npy."),
    means: bool = typer.Option(False, help="Write E[v|h] of the last step instead of the samples."),
    figure: bool = typer.Option(True, help="Also draw the samples beside the output file (.png)."),
) -> None:
    """Samples of the machine in RUN as an array (count, *shape), and as a picture."""
    from halfwave import runs

    saved = runs.open(run).save_samples(
        output, count=count, steps=steps, start=start, means=means, seed=seed, figure=figure
    )
    typer.echo(f"{count} samples after {steps} Gibbs steps: {saved.file}")
    if saved.picture is not None:
        typer.echo(f"picture: {saved.picture}")
