"""``halfwave train DATA``: train a machine into a run folder."""

from __future__ import annotations

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
from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from halfwave.datasets import Dataset
    from halfwave.rbm.machine import RBM
    from halfwave.rbm.runs import RunConfig, RunFolder
    from halfwave.rbm.train import PCDTrainer

__all__ = ["train"]

_COMPILE_FROM_DRAWS = 2_000_000_000
"""Hidden values computed in a run from which compiling (half a minute) pays."""
_COPIED = (
    "updates", "batch_size", "steps", "optimizer", "learning_rate", "schedule", "seed", "dtype", "metrics_every"
)  # fmt: skip


def train(
    data: str | None = typer.Argument(
        None, help="`digits`, or a .npz, .npy, .csv, .tsv or IDX file (.gz too). Not needed with --resume."
    ),
    run: Path | None = typer.Option(None, help="Run folder, made new. Default: runs/NAME_OF_DATA."),
    resume: bool = typer.Option(False, help="Continue the run in this folder, exactly as if never stopped."),
    hidden: str = typer.Option(
        "DReLU", help="Hidden unit: Binary, Spin, Gaussian, ReLU, DReLU, PReLU, XReLU, NSReLU."
    ),
    hidden_size: int | None = typer.Option(
        None, help="Number of hidden units. Default: one a site, at most 400."
    ),
    visible: str | None = typer.Option(None, help="Visible unit. Default: the one that fits the values."),
    updates: int = typer.Option(20_000, help="Number of parameter updates."),
    batch_size: int = typer.Option(256, help="Samples in a minibatch."),
    chains: int | None = typer.Option(None, help="Persistent chains. Default: the batch size."),
    steps: int = typer.Option(1, help="Gibbs steps of each chain in an update."),
    optimizer: str = typer.Option("Adam", help="Name of a torch.optim class."),
    learning_rate: float = typer.Option(0.01, help="Learning rate at the start."),
    schedule: str = typer.Option(
        "linear", help="Learning rate over the run: constant, cosine, linear, geometric."
    ),
    l1_weights: float = typer.Option(0.0, help="Strength of the penalty λ Σ|w|."),
    l2_weights: float = typer.Option(0.0, help="Strength of the penalty λ/2 Σw²."),
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
    device: str = typer.Option(
        "auto", help="cpu, cuda, or auto: the GPU if there is one and the model is large."
    ),
    compile: str = typer.Option(
        "auto", help="auto, on or off: fuse the element-wise work (needs a C++ compiler)."
    ),
    threads: int | None = typer.Option(None, help="CPU threads. Default: as many as torch chooses."),
    metrics_every: int = typer.Option(200, help="Updates between two rows of metrics.csv."),
    evaluate: bool = typer.Option(True, help="At the end, evaluate the likelihood and write report.html."),
    ais_chains: int = typer.Option(500, help="Annealed chains of the evaluation."),
    ais_temperatures: int = typer.Option(2000, help="Temperatures of the evaluation."),
) -> None:
    """Train a restricted Boltzmann machine on DATA and write it, its metrics and a report to a run folder.

    Ctrl-C saves and stops; --resume goes on from there to exactly the same result.
    """
    values = dict(locals())
    folder, dataset = _resumed(data, run) if resume else _started(data, run, values)
    machine, trainer = _prepare(folder, dataset)
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


def _resumed(data: str | None, run: Path | None) -> tuple[RunFolder, Dataset]:
    from halfwave.rbm.runs import RunFolder

    if run is None and data is None:
        raise HalfwaveError("--resume needs the run folder; give it with --run")
    folder = RunFolder.open(run if run is not None else _default_folder(str(data)))
    dataset = run_data(folder)
    if data is not None and data != folder.config.source:
        raise HalfwaveError(f"the run in {folder.path} is on `{folder.config.source}`, not on `{data}`")
    console.print(dataset.description)
    console.print(f"continuing the run in {folder.path}")
    return folder, dataset


def _started(data: str | None, run: Path | None, options: dict[str, Any]) -> tuple[RunFolder, Dataset]:
    from halfwave import datasets
    from halfwave.rbm.runs import RunFolder

    if data is None:
        raise HalfwaveError("`train` needs DATA: the word digits or a file")
    path = run if run is not None else _default_folder(data)
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
    config = _configure(dataset, options)
    folder = RunFolder(path, config)
    _build(folder, dataset)  # what the machine or the trainer refuses, it refuses before the folder is made
    return RunFolder.create(path, config), dataset


def _default_folder(data: str) -> Path:
    return Path("runs") / Path(data).name.split(".")[0]


def _configure(dataset: Dataset, options: dict[str, Any]) -> RunConfig:

    from halfwave.rbm.runs import RunConfig
    from halfwave.units import unit_type

    sites = 1
    for size in dataset.site_shape:
        sites *= size
    hidden_size = options["hidden_size"] or max(1, min(400, sites))
    if options["hidden_size"] is not None and options["hidden_size"] < 1:
        raise HalfwaveError(f"--hidden-size must be at least 1; got {options['hidden_size']}")
    hidden = unit_type(options["hidden"]).__name__
    if hidden == "Potts":
        raise HalfwaveError(
            "--hidden Potts is not offered by the command: its layer needs a number of colours"
        )
    device = _device(options["device"])
    return RunConfig(
        source=str(Path(dataset.source).absolute()) if Path(dataset.source).exists() else dataset.source,
        fingerprint=dataset.fingerprint,
        transform=dataset.transform,
        image_shape=list(dataset.image_shape) if dataset.image_shape else None,
        visible=unit_type(options["visible"] or dataset.visible_unit).__name__,
        visible_shape=list(dataset.train.shape[1:]),
        hidden=hidden,
        hidden_shape=[hidden_size],
        chains=options["chains"] if options["chains"] is not None else options["batch_size"],
        regularization={
            key: options[key] for key in ("l1_weights", "l2_weights", "l2l1_weights", "l2_fields")
        },
        compile=_decide_compile(options, hidden_size, device),
        threads=options["threads"] or _threads(options["batch_size"] * max(sites, hidden_size)),
        device=device,
        **{key: options[key] for key in _COPIED},
    )


def _threads(values: int) -> int:
    """Small layers are slower on several threads, which wait for each other more than they compute."""
    import torch

    return torch.get_num_threads() if values > 65_536 else 1


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise HalfwaveError(f"--device must be auto, cpu or cuda; got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise HalfwaveError("--device cuda needs an NVIDIA GPU that torch can use; none was found")
    return name


def _decide_compile(options: dict[str, Any], hidden_size: int, device: str) -> bool:
    import torch

    from halfwave.rbm.train.phases import can_compile

    choice = options["compile"]
    if choice not in ("auto", "on", "off"):
        raise HalfwaveError(f"--compile must be auto, on or off; got {choice!r}")
    if choice != "auto":
        return choice == "on"
    draws = options["updates"] * options["batch_size"] * hidden_size
    return draws >= _COMPILE_FROM_DRAWS and can_compile(torch.device(device))


def _build(folder: RunFolder, dataset: Dataset) -> tuple[RBM, PCDTrainer]:
    """Machine and trainer of a run, before its first update."""
    import torch

    from halfwave.rbm import RBM, initialize
    from halfwave.rbm.runs import torch_dtype
    from halfwave.rbm.train import PCDTrainer, Regularization
    from halfwave.units import unit_type

    config = folder.config
    torch.set_num_threads(config.threads)
    samples, _ = tensors(dataset, config)
    options: dict[str, Any] = {"dtype": torch_dtype(config.dtype), "device": config.device}
    visible = unit_type(config.visible)(tuple(config.visible_shape), **options)
    machine = RBM(visible, unit_type(config.hidden)(tuple(config.hidden_shape), **options))
    visible.check_values(samples[:4096], "data")
    generator = torch.Generator(config.device).manual_seed(config.seed)
    initialize(machine, samples, generator=generator)
    trainer = PCDTrainer(
        machine,
        samples,
        updates=config.updates,
        batch_size=config.batch_size,
        chains=config.chains,
        steps=config.steps,
        optimizer=config.optimizer,
        learning_rate=config.learning_rate,
        schedule=config.schedule,
        regularization=Regularization(**config.regularization),
        compile=config.compile,
        seed=config.seed,
    )
    return machine, trainer


def _prepare(folder: RunFolder, dataset: Dataset) -> tuple[RBM, PCDTrainer]:
    machine, trainer = _build(folder, dataset)
    if folder.has_state:
        folder.restore(trainer)
    config = folder.config
    console.print(
        f"{config.visible} {_times(config.visible_shape)} with {config.hidden_shape[0]} {config.hidden} hidden units, "
        f"{config.updates:,} updates of {config.batch_size} samples and {config.chains} chains"
        f"{', compiled' if config.compile else ''}; results go to {folder.path}"
    )
    return machine, trainer


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
            on_update=lambda now, row: show(now.update, _spell(row)) if now.update % 10 == 0 else None,
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
