"""From the options of ``halfwave train`` to a configuration, a machine and a trainer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from halfwave.cli.common import tensors
from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from halfwave.datasets import Dataset
    from halfwave.rbm.machine import RBM
    from halfwave.rbm.runs import RunConfig
    from halfwave.rbm.train import PCDTrainer

__all__ = ["build", "configure", "full_source"]

_COMPILE_FROM_DRAWS = 1_000_000_000
"""Hidden values computed in a run from which compiling (half a minute) pays."""
_COPIED = (
    "updates", "batch_size", "steps", "optimizer", "learning_rate", "schedule", "seed", "dtype", "metrics_every"
)  # fmt: skip


def full_source(source: str) -> str:
    """A file by its absolute path, so that a run can be continued from any folder; a word as it is."""
    return source if source == "digits" else str(Path(source).absolute())


def configure(dataset: Dataset, options: Mapping[str, Any]) -> RunConfig:
    """The configuration of a new run from the data and the options of the command."""
    from halfwave.rbm.runs import RunConfig
    from halfwave.units import unit_type

    for key in ("hidden_size", "metrics_every", "threads"):
        if options[key] is not None and options[key] < 1:
            raise HalfwaveError(f"--{key.replace('_', '-')} must be at least 1; got {options[key]}")
    sites = math.prod(dataset.site_shape)
    hidden_size = options["hidden_size"] if options["hidden_size"] is not None else min(400, sites)
    hidden = unit_type(options["hidden"]).__name__
    if hidden == "Potts":
        raise HalfwaveError(
            "--hidden Potts is not offered by the command: its layer needs a number of colours"
        )
    device = _device(options["device"])
    return RunConfig(
        source=full_source(dataset.source),
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


def _decide_compile(options: Mapping[str, Any], hidden_size: int, device: str) -> bool:
    import torch

    from halfwave.rbm.train.phases import can_compile

    choice = options["compile"]
    if choice not in ("auto", "on", "off"):
        raise HalfwaveError(f"--compile must be auto, on or off; got {choice!r}")
    if choice != "auto":
        return choice == "on"
    draws = options["updates"] * options["batch_size"] * hidden_size
    return draws >= _COMPILE_FROM_DRAWS and can_compile(torch.device(device))


def build(config: RunConfig, dataset: Dataset) -> tuple[RBM, PCDTrainer]:
    """Machine and trainer of a run, before its first update."""
    import torch

    from halfwave.rbm import RBM, initialize
    from halfwave.rbm.runs import torch_dtype
    from halfwave.rbm.train import PCDTrainer, Regularization
    from halfwave.units import unit_type

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
