"""Run folders: everything a training run leaves on disk.

A folder holds ``config.json`` (how the run was started), ``state.safetensors`` (all that is needed to go on, in one
file and so always consistent), ``model.safetensors`` (the machine alone), ``metrics.csv``, and what evaluation and
report add. Every file is written to a temporary name and renamed; the state is written last, so a run that is
killed at any moment continues from its last state to the same final weights, bit for bit.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch

from halfwave.errors import HalfwaveError, OptionError
from halfwave.files import write_atomically
from halfwave.rbm.loading import load
from halfwave.rbm.machine import RBM
from halfwave.rbm.storage import FORMAT_VERSION, read_tensors, save, write_tensors
from halfwave.rbm.train import PCDTrainer
from halfwave.runs.configuration import RunConfig

__all__ = ["METRIC_COLUMNS", "RunFolder"]

METRIC_COLUMNS = (
    "update",
    "seconds",
    "updates_per_second",
    "pseudolikelihood_train",
    "pseudolikelihood_held_out",
    "free_energy_gap",
    "reconstruction_error",
)


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
            raise OptionError(
                f"{path} exists and is not empty; continue it with `resume=True` or give another folder with `folder`",
                "resume=True",
                "folder",
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

    def reconfigure(self, config: RunConfig) -> None:
        """Write another configuration in place of the one that the run was started with."""
        write_atomically(self.path / "config.json", _json(asdict(config)))
        self.config = config

    @property
    def updates_done(self) -> int:
        """Updates that the saved state has behind it; 0 without one."""
        if not self.has_state:
            return 0
        return read_tensors(self.path / "state.safetensors", "state")[1]["trainer"]["update"]

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

    def load_model(self) -> RBM:
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


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _csv(rows: list[dict[str, float]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, METRIC_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{row[key]:.8g}" for key in METRIC_COLUMNS} for row in rows)
    return text.getvalue().encode()
