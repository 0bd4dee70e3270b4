"""Run folders: everything a training run leaves on disk, and its exact continuation.

A folder holds ``config.json`` (how the run was started), ``state.safetensors`` (all that is needed to go on, in one
file and so always consistent), ``model.safetensors`` (the machine alone), ``metrics.csv``, and what evaluation and
report add. Every file is written to a temporary name and renamed; the state is written last, so a run that is
killed at any moment continues from its last state to the same final weights, bit for bit.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from halfwave._version import __version__
from halfwave.errors import HalfwaveError
from halfwave.files import write_atomically
from halfwave.rbm.loading import load
from halfwave.rbm.monitor import Monitor
from halfwave.rbm.storage import FORMAT_VERSION, read_tensors, save, write_tensors
from halfwave.rbm.train import PCDTrainer

__all__ = ["RunConfig", "RunFolder", "drive"]

METRIC_COLUMNS = (
    "update",
    "seconds",
    "updates_per_second",
    "pseudolikelihood_train",
    "pseudolikelihood_held_out",
    "free_energy_gap",
    "reconstruction_error",
)


_STRIDE = 5


@dataclass(frozen=True)
class RunConfig:
    """How a run was started: all that a continued run must repeat. Plain JSON values only."""

    source: str
    fingerprint: str
    transform: dict[str, Any]
    image_shape: list[int] | None
    visible: str
    visible_shape: list[int]
    hidden: str
    hidden_shape: list[int]
    updates: int
    batch_size: int
    chains: int
    steps: int
    optimizer: str
    learning_rate: float
    schedule: str
    regularization: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    dtype: str = "float32"
    device: str = "cpu"
    compile: bool = False
    threads: int = 1
    metrics_every: int = 200
    format: int = FORMAT_VERSION
    version: str = __version__


class RunFolder:
    """One run on disk; make it with `create` or `open`.

    >>> import tempfile
    >>> RunFolder.open(tempfile.mkdtemp() + "/none")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: ...none is not a run folder: it has no config.json
    """

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path = path
        self.config = config
        self.metrics: list[dict[str, float]] = []

    @classmethod
    def create(cls, path: str | Path, config: RunConfig) -> RunFolder:
        """Start a new folder; one that holds anything already is refused and left alone."""
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise HalfwaveError(f"{path} is a file, not a folder for a run")
        if path.is_dir() and any(not entry.name.endswith(".partial") for entry in path.iterdir()):
            raise HalfwaveError(
                f"{path} exists and is not empty; continue it with --resume or give another folder with --run"
            )
        write_atomically(path / "config.json", _json(asdict(config)))
        return cls(path, config)

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Open a folder made by `create`; one of another format version is refused."""
        path = Path(path)
        file = path / "config.json"
        if not file.is_file():
            raise HalfwaveError(f"{path} is not a run folder: it has no config.json")
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            found = values["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise HalfwaveError(f"{file} is not the configuration of a run: {error}") from error
        if found != FORMAT_VERSION:
            raise HalfwaveError(
                f"{path} was written in format {found} by Halfwave {values.get('version', 'unknown')}; "
                f"this version reads format {FORMAT_VERSION}"
            )
        known = {entry.name for entry in fields(RunConfig)}
        if set(values) != known:
            raise HalfwaveError(
                f"{file} must hold exactly the keys of a run; differs in {sorted(set(values) ^ known)}"
            )
        return cls(path, RunConfig(**values))

    @property
    def has_state(self) -> bool:
        """Whether there is a saved state to continue from."""
        return (self.path / "state.safetensors").is_file()

    def checkpoint(self, trainer: PCDTrainer) -> None:
        """Write metrics, machine and, last, the state."""
        write_atomically(self.path / "metrics.csv", _csv(self.metrics))
        save(trainer.rbm, self.path / "model.safetensors")
        tensors, header = trainer.state()
        write_tensors(
            self.path / "state.safetensors",
            tensors,
            {"kind": "state", "trainer": header, "metrics": self.metrics},
        )

    def restore(self, trainer: PCDTrainer) -> None:
        """Bring a fresh trainer to the saved state, and clear what an interrupted write left behind."""
        for leftover in self.path.glob(".*.partial"):
            leftover.unlink(missing_ok=True)
        tensors, header = read_tensors(self.path / "state.safetensors", "state")
        trainer.restore(tensors, header["trainer"])
        self.metrics = header["metrics"]

    def read_metrics(self) -> dict[str, list[float]]:
        """The columns of ``metrics.csv``."""
        file = self.path / "metrics.csv"
        if not file.is_file():
            raise HalfwaveError(f"{self.path} has no metrics.csv yet: the run has not been saved")
        rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
        return {key: [float(row[key]) for row in rows] for key in METRIC_COLUMNS}

    def load_model(self) -> Any:
        """The machine as last saved."""
        if not (self.path / "model.safetensors").is_file():
            raise HalfwaveError(f"{self.path} has no model.safetensors yet: the run has not been saved")
        return load(self.path)

    def load_chains(self) -> torch.Tensor | None:
        """Visible configurations of the persistent chains as last saved; None without a state."""
        if not self.has_state:
            return None
        return read_tensors(self.path / "state.safetensors", "state")[0].get("own.chain_v")

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write one more JSON file into the folder."""
        write_atomically(self.path / name, _json(values))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read a JSON file of the folder; None if it is not there."""
        file = self.path / name
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def drive(
    run: RunFolder,
    trainer: PCDTrainer,
    monitor: Monitor,
    *,
    on_update: Callable[[PCDTrainer, dict[str, float]], None] = lambda trainer, row: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = 15.0,
) -> bool:
    """Train to the end, measuring and saving on the way; returns False if ``stop()`` ended it early.

    Args:
        run: where to save.
        trainer: fresh, or restored by ``run.restore``.
        monitor: measures every ``run.config.metrics_every`` updates.
        on_update: called every few updates with the trainer and the latest row of metrics.
        stop: asked every few updates; when true, the state is saved and training ends.
        checkpoint_seconds: longest time between two saved states.
    """
    clock = _Clock(run.metrics)
    row: dict[str, float] = run.metrics[-1] if run.metrics else {}
    saved = time.monotonic()
    if not run.metrics:
        row = _measure(run, trainer, monitor, clock)
        run.checkpoint(trainer)
    every = run.config.metrics_every
    while trainer.update < run.config.updates:
        # a few updates between two looks at the clock and at the signals, and never past a row of metrics
        trainer.run(
            until=min(trainer.update + _STRIDE, trainer.update // every * every + every, run.config.updates)
        )
        if trainer.update % every == 0 or trainer.update == run.config.updates:
            row = _measure(run, trainer, monitor, clock)
        on_update(trainer, row)
        if stop() or time.monotonic() - saved > checkpoint_seconds:
            run.checkpoint(trainer)
            saved = time.monotonic()
            if stop():
                return trainer.update >= run.config.updates
    run.checkpoint(trainer)
    return True


class _Clock:
    """Seconds spent training, over all sessions of a run, and the speed since the last look."""

    def __init__(self, metrics: list[dict[str, float]]) -> None:
        self.before = metrics[-1]["seconds"] if metrics else 0.0
        self.start = time.monotonic()
        self.last = (self.before, metrics[-1]["update"] if metrics else 0)

    def read(self, update: int) -> tuple[float, float]:
        seconds = self.before + time.monotonic() - self.start
        elapsed, updates = seconds - self.last[0], update - self.last[1]
        self.last = (seconds, update)
        return seconds, updates / elapsed if elapsed > 0 else 0.0


def _measure(run: RunFolder, trainer: PCDTrainer, monitor: Monitor, clock: _Clock) -> dict[str, float]:
    seconds, speed = clock.read(trainer.update)
    row = {"update": trainer.update, "seconds": seconds, "updates_per_second": speed}
    row |= monitor.measure(trainer.rbm, trainer.update)
    run.metrics.append(row)
    return row


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, METRIC_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{row[key]:.8g}" for key in METRIC_COLUMNS} for row in rows)
    return text.getvalue().encode()


def torch_dtype(name: str) -> torch.dtype:
    """The floating dtype of this name."""
    known = {"float32": torch.float32, "float64": torch.float64}
    if name not in known:
        raise HalfwaveError(f"dtype must be float32 or float64; got {name!r}")
    return known[name]
