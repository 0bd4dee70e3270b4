"""Small runs on disk, and machines whose distributions can be summed up."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halfwave import datasets
from halfwave.explorer.machine.answers import ANSWERS
from halfwave.explorer.session.session import Session
from halfwave.explorer.session.shelf import Shelf
from halfwave.rbm.machine import RBM
from halfwave.rbm.storage import save
from halfwave.runs.configuration import RunConfig
from halfwave.runs.folder import RunFolder
from halfwave.units import UNITS, Unit

BUNDLED = "bundled/digits"
CHAINS = {"seed": 3, "count": 5, "start": "noise", "round": 0, "temperature": 1}


def ask(session: Session, verb: str, name: str = BUNDLED, **payload: Any) -> dict[str, Any]:
    return ANSWERS[f"machine.{verb}"](session, {"name": name, **payload})


def random_unit(name: str, shape: Any, seed: int) -> Unit:
    """A layer with moderate parameters that differ from unit to unit."""
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for key, rule in UNITS[name].parameter_rules.items():
        values = 0.4 * torch.randn(shape, generator=generator, dtype=torch.float64)
        parameters[key] = {"positive": values.exp() + 0.5, "inside (-1, 1)": 0.5 * values.tanh()}.get(
            rule, values
        )
    return UNITS[name].from_parameters(parameters)


def random_machine(visible: str, hidden: str, shape: Any = 4, count: int = 3, scale: float = 0.4) -> RBM:
    """A machine in double precision with weak couplings."""
    layers = random_unit(visible, shape, 1), random_unit(hidden, count, 2)
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(layers[0].size, layers[1].size, generator=generator, dtype=torch.float64)
    return RBM(*layers, scale * weights)


def every_state(unit: Unit) -> torch.Tensor:
    """All configurations of a layer of binary or spin units, ``(states, *shape)``."""
    values = (-1.0, 1.0) if unit.name == "Spin" else (0.0, 1.0)
    states = torch.tensor(list(itertools.product(values, repeat=unit.size)), dtype=unit.dtype)
    return states.reshape(-1, *unit.shape)


def write_run(folder: Path, rbm: RBM, values: np.ndarray, kind: str = "auto", **changes: Any) -> Path:
    """A run folder for a machine and its data, as training leaves it, without the state of the training."""
    source = folder.parent / f"{folder.name}.npy"
    np.save(source, values)
    found = datasets.load(source, kind=kind)
    config = RunConfig(
        **{
            "source": str(source),
            "fingerprint": found.fingerprint,
            "transform": found.transform,
            "image_shape": list(found.image_shape) if found.image_shape else None,
            "visible": rbm.visible.name,
            "visible_shape": list(rbm.visible.shape),
            "hidden": rbm.hidden.name,
            "hidden_shape": list(rbm.hidden.shape),
            "updates": 1,
            "batch_size": 1,
            "chains": 1,
            "steps": 1,
            "optimizer": "Adam",
            "learning_rate": 0.1,
            "schedule": "constant",
            "dtype": str(rbm.visible.dtype).removeprefix("torch."),
            **changes,
        }
    )
    RunFolder.create(folder, config)
    save(rbm, folder / "model.safetensors")
    return folder


def spin_run(folder: Path) -> Path:
    """A small run on spins."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 4)) < 0.5, -1, 1).astype(np.int8)
    return write_run(folder, random_machine("Spin", "DReLU"), values)


def session_of(path: Path | None = None) -> Session:
    return Session(Shelf(path))


def pixels(text: str) -> np.ndarray:
    """The bytes of a picture."""
    return np.frombuffer(base64.b64decode(text), np.uint8)
