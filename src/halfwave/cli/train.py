"""``halfwave train DATA``: train a machine into a run folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

__all__ = ["train"]


def train(
    context: typer.Context,
    data: str | None = typer.Argument(
        None, help="`digits`, or a .npz, .npy, .csv, .tsv or IDX file (.gz too). Not needed with --resume."
    ),
    run: Path | None = typer.Option(None, help="Run folder, made new. Default: runs/NAME_OF_DATA."),
    resume: bool = typer.Option(
        False, help="Continue the run exactly as if never stopped; start it if there is none."
    ),
    hidden: str = typer.Option(
        "DReLU", help="Hidden unit: Binary, Spin, Gaussian, ReLU, DReLU, PReLU, XReLU, NSReLU."
    ),
    hidden_size: int | None = typer.Option(
        None, help="Number of hidden units. Default: one a site, at most 400."
    ),
    visible: str | None = typer.Option(None, help="Visible unit. Default: the one that fits the values."),
    updates: int = typer.Option(12_000, help="Number of parameter updates."),
    batch_size: int = typer.Option(256, help="Samples in a minibatch."),
    chains: int | None = typer.Option(None, help="Persistent chains. Default: the batch size."),
    steps: int = typer.Option(1, help="Gibbs steps of each chain in an update."),
    optimizer: str = typer.Option("Adam", help="Name of a torch.optim class."),
    learning_rate: float = typer.Option(0.01, help="Learning rate at the start."),
    schedule: str = typer.Option(
        "linear", help="Learning rate over the run: constant, cosine, linear, geometric."
    ),
    l1_weights: float = typer.Option(0.0, help="Strength of the penalty λ Σ|w|."),
    l2_weights: float = typer.Option(0.001, help="Strength of the penalty λ/2 Σw²."),
    l2l1_weights: float = typer.Option(0.0, help="Strength of the penalty λ/2N Σ(Σ|w|)²."),
    l2_fields: float = typer.Option(0.0, help="Strength of the penalty λ/2 Σg² on the visible fields."),
    kind: str = typer.Option(
        "auto", help="What the values are: auto, binary, spin, grey, categorical, real."
    ),
    threshold: float | None = typer.Option(None, help="Grey level from which a value becomes 1."),
    stochastic: bool = typer.Option(False, help="Binarise grey levels at random instead of at a threshold."),
    colours: int | None = typer.Option(None, help="Number of categories of categorical data."),
    held_out: float = typer.Option(
        0.15, help="Fraction held out, unless the file has its own held-out part."
    ),
    seed: int = typer.Option(0, help="Seed of everything random in the run."),
    dtype: str = typer.Option("float32", help="float32 or float64."),
    device: str = typer.Option("auto", help="cpu, cuda, or auto: the GPU if there is one."),
    compile: str = typer.Option(
        "auto", help="auto, on or off: fuse the element-wise work (needs a C++ compiler)."
    ),
    threads: int | None = typer.Option(None, help="CPU threads. Default: as many as torch chooses."),
    metrics_every: int = typer.Option(200, help="Updates between two rows of metrics.csv."),
    evaluate: bool = typer.Option(True, help="At the end, evaluate the likelihood and write report.html."),
    ais_chains: int = typer.Option(500, help="Annealed chains of the evaluation."),
    ais_temperatures: int | None = typer.Option(
        None, help="Its temperatures. Default: 2000, or 10 a visible value."
    ),
) -> None:
    """Train a restricted Boltzmann machine on DATA and write it, its metrics and a report to a run folder.

    Ctrl-C saves and stops; --resume goes on from there to exactly the same result.
    """
    options = {key: value for key, value in locals().items() if key not in ("context", "run")}
    from halfwave import runs

    with _sigterm_interrupts():
        done = runs.train(folder=run, insist=[key for key in options if _is_given(context, key)], **options)
    if not done.finished:
        raise typer.Exit(130)


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the user wrote this option on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM, by which a computer that shuts down ends programs, do what Ctrl-C does: save and stop."""

    def interrupt(number: int, frame: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
