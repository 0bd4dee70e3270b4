"""How a run is started: its configuration, and the options from which one is made."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from halfwave._version import __version__
from halfwave.datasets import Dataset
from halfwave.errors import HalfwaveError, OptionError
from halfwave.rbm.storage import FORMAT_VERSION
from halfwave.rbm.train.phases import can_compile
from halfwave.units import unit_type

__all__ = ["RunConfig", "check_device", "configure", "torch_dtype"]

_COMPILE_FROM_DRAWS = 1_000_000_000
"""Hidden values computed in a run from which compiling (half a minute) pays."""
_ONE_THREAD_VALUES = 65_536
"""Values of a layer in a minibatch up to which threads wait for each other more than they compute."""
_COPIED = (
    "updates", "batch_size", "steps", "optimizer", "learning_rate", "schedule", "seed", "dtype", "metrics_every"
)  # fmt: skip
_PENALTIES = ("l1_weights", "l2_weights", "l2l1_weights", "l2_fields")


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


def configure(dataset: Dataset, source: str, options: Mapping[str, Any]) -> RunConfig:
    """The configuration of a new run.

    Args:
        dataset: what it is trained on.
        source: where the data are found again, see `halfwave.runs.sources`.
        options: those of `halfwave.runs.train`, by name.

    Raises:
        HalfwaveError: if an option is out of its range.
    """
    for key in ("hidden_size", "metrics_every", "threads"):
        if options[key] is not None and options[key] < 1:
            raise OptionError(f"`{key}` must be at least 1; got {options[key]}", key)
    sites = math.prod(dataset.site_shape)
    hidden_size = options["hidden_size"] if options["hidden_size"] is not None else min(400, sites)
    hidden = unit_type(options["hidden"]).__name__
    if hidden == "Potts":
        raise OptionError("`hidden` Potts is not offered: its layer needs a number of colours", "hidden")
    device = _device(options["device"])
    return RunConfig(
        source=source,
        fingerprint=dataset.fingerprint,
        transform=dataset.transform,
        image_shape=list(dataset.image_shape) if dataset.image_shape else None,
        visible=unit_type(options["visible"] or dataset.visible_unit).__name__,
        visible_shape=list(dataset.train.shape[1:]),
        hidden=hidden,
        hidden_shape=[hidden_size],
        chains=options["chains"] if options["chains"] is not None else options["batch_size"],
        regularization={key: options[key] for key in _PENALTIES},
        compile=_decide_compile(options, hidden_size, device),
        threads=options["threads"] or _threads(options["batch_size"] * max(sites, hidden_size)),
        device=device,
        **{key: options[key] for key in _COPIED},
    )


def _threads(values: int) -> int:
    """Small layers are slower on several threads."""
    return torch.get_num_threads() if values > _ONE_THREAD_VALUES else 1


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise OptionError(f"`device` must be auto, cpu or cuda; got {name!r}", "device")
    check_device(name)
    return name


def check_device(name: str) -> None:
    """Raise `HalfwaveError` where this machine has no such device.

    >>> check_device("cpu")
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("`device` cuda needs an NVIDIA GPU that torch can use; none was found", "device")


def _decide_compile(options: Mapping[str, Any], hidden_size: int, device: str) -> bool:
    choice = options["compile"]
    if choice not in ("auto", "on", "off"):
        raise OptionError(f"`compile` must be auto, on or off; got {choice!r}", "compile")
    if choice != "auto":
        return choice == "on"
    draws = options["updates"] * options["batch_size"] * hidden_size
    return draws >= _COMPILE_FROM_DRAWS and can_compile(torch.device(device))


def torch_dtype(name: str) -> torch.dtype:
    """The floating dtype of this name."""
    known = {"float32": torch.float32, "float64": torch.float64}
    if name not in known:
        raise HalfwaveError(f"dtype must be float32 or float64; got {name!r}")
    return known[name]
