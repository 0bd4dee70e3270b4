"""``halfwave train DATA``: train a machine into a run folder."""

from __future__ import annotations

import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from halfwave.cli.common import (
    console,
    evaluate_and_report,
    progress_bar,
    run_data,
    spell_evaluation,
    tensors,
)
from halfwave.cli.prepare import build, configure, full_source
from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from halfwave.datasets import Dataset
    from halfwave.rbm.runs import RunFolder
    from halfwave.rbm.train import PCDTrainer

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
    options = {
        key: value for key, value in locals().items() if key not in ("context", "data", "run", "resume")
    }
    given = {key: options[key] for key in options if _is_given(context, key)}
    from halfwave.rbm.runs import RunFolder

    path = _folder(data, run)
    continued = resume and (data is None or (path / "config.json").exists())
    folder, dataset = _resumed(data, path, given) if continued else _started(data, path, options)
    machine, trainer = build(folder.config, dataset)
    # what data, machine or trainer refuse, they have refused by now: no folder is made in vain
    _announce(folder if continued else RunFolder.create(path, folder.config))
    if folder.has_state:
        folder.restore(trainer)
    if not _train(folder, dataset, trainer):
        console.print(f"stopped and saved at update {trainer.update:,}; continue with:")
        console.print(f"  halfwave train --resume --run {folder.path}")
        raise typer.Exit(130)
    console.print(
        f"trained {trainer.update:,} updates; the machine is in {folder.path / 'model.safetensors'}"
    )
    if evaluate:
        results, report = evaluate_and_report(
            folder, machine, dataset, chains=ais_chains, temperatures=ais_temperatures
        )
        for line in spell_evaluation(results):
            console.print(line)
        console.print(f"report: {report}")


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether the user wrote this option on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _folder(data: str | None, run: Path | None) -> Path:
    """The run folder: the one given, or one named after the data."""
    if run is not None:
        return run
    if data is None:
        raise HalfwaveError("`train` needs DATA, the word digits or a file; or --resume with --run FOLDER")
    return Path("runs") / Path(data).name.split(".")[0]


def _resumed(data: str | None, path: Path, given: dict[str, Any]) -> tuple[RunFolder, Dataset]:
    """The run in a folder and its data; options that contradict how it was started are refused."""
    from halfwave.rbm.runs import RunFolder

    folder = RunFolder.open(path)
    config = folder.config
    own = {**vars(config), **config.regularization, "hidden_size": config.hidden_shape[0]}
    for key, value in given.items():
        if key in own and key not in ("compile", "device") and str(own[key]).lower() != str(value).lower():
            raise HalfwaveError(
                f"the run in {path} was started with --{key.replace('_', '-')} {own[key]} and continues with it; "
                f"got {value}"
            )
    if data is not None and full_source(data) != config.source:
        raise HalfwaveError(f"the run in {path} is on `{config.source}`, not on `{data}`")
    dataset = run_data(folder)
    console.print(dataset.description)
    console.print(f"continuing the run in {path}")
    return folder, dataset


def _started(data: str | None, path: Path, options: dict[str, Any]) -> tuple[RunFolder, Dataset]:
    """A new run, not yet on disk, and its data."""
    from halfwave import datasets
    from halfwave.rbm.runs import RunFolder

    if data is None:
        raise HalfwaveError(f"`train` needs DATA, the word digits or a file, to start a run in {path}")
    if (path / "config.json").exists():
        raise HalfwaveError(
            f"{path} already holds a run; continue it with --resume or give another folder with --run"
        )
    dataset = datasets.load(
        data,
        kind=options["kind"],
        threshold=options["threshold"],
        binarise="stochastic" if options["stochastic"] else "auto",
        held_out=options["held_out"],
        seed=options["seed"],
        colours=options["colours"],
    )
    for sentence in (dataset.description, *dataset.notes):
        console.print(sentence)
    return RunFolder(path, configure(dataset, options)), dataset


def _default_folder(data: str) -> Path:
    return Path("runs") / Path(data).name.split(".")[0]


def _announce(folder: RunFolder) -> None:
    config = folder.config
    console.print(
        f"{config.visible} {_times(config.visible_shape)} with {config.hidden_shape[0]} {config.hidden} hidden units, "
        f"{config.updates:,} updates of {config.batch_size} samples and {config.chains} chains"
        f"{', compiled' if config.compile else ''}; results go to {folder.path}"
    )


def _times(shape: list[int]) -> str:
    return " × ".join(str(size) for size in shape)


def _train(folder: RunFolder, dataset: Dataset, trainer: PCDTrainer) -> bool:
    from halfwave.rbm.monitor import Monitor
    from halfwave.rbm.runs import drive

    monitor = Monitor(*tensors(dataset, folder.config), seed=folder.config.seed)
    with (
        _stop_on_signal() as stopped,
        progress_bar("training", trainer.updates, trainer.update) as show,
    ):
        return drive(
            folder,
            trainer,
            monitor,
            on_update=lambda now, row: show(now.update, _spell(row)),
            stop=lambda: bool(stopped),
        )


def _spell(row: dict[str, float]) -> str:
    """The latest metrics, short enough for a line of 80 characters."""
    parts = [("log-pl", "pseudolikelihood_train", ".3f"), ("gap", "free_energy_gap", ".2f")]
    parts += [("error", "reconstruction_error", ".3f")]
    shown = [f"{label} {row[key]:{form}}" for label, key, form in parts if not math.isnan(row[key])]
    return " ".join([*shown, f"{row['updates_per_second']:.0f}/s"])


@contextmanager
def _stop_on_signal() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask for a stop after the current update; a second Ctrl-C stops at once."""
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
