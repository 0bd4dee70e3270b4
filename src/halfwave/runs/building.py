"""From a configuration to a trainer with its machine, before the first update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from halfwave.datasets import Dataset
from halfwave.rbm import RBM, initialize
from halfwave.rbm.train import PCDTrainer, Regularization
from halfwave.runs.configuration import RunConfig, check_device, torch_dtype
from halfwave.units import unit_type

__all__ = ["build", "tensors", "using_threads"]

_CHECKED = 4096
"""Samples that are looked at before a machine is made; the trainer looks at all of them."""


def build(config: RunConfig, dataset: Dataset) -> PCDTrainer:
    """The trainer of a run, with the initial machine as its ``rbm``.

    Raises:
        HalfwaveError: if the data do not fit the units, or the trainer refuses an option.
    """
    check_device(config.device)
    options: dict[str, Any] = {"dtype": torch_dtype(config.dtype), "device": config.device}
    samples, _ = tensors(dataset, **options)
    visible = unit_type(config.visible)(tuple(config.visible_shape), **options)
    machine = RBM(visible, unit_type(config.hidden)(tuple(config.hidden_shape), **options))
    visible.check_values(samples[:_CHECKED], "data")
    generator = torch.Generator(config.device).manual_seed(config.seed)
    initialize(machine, samples, generator=generator)
    return PCDTrainer(
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


def tensors(dataset: Dataset, dtype: torch.dtype, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Training and held-out samples as tensors ``(n, *visible.shape)``."""
    options: dict[str, Any] = {"dtype": dtype, "device": device}
    return torch.as_tensor(dataset.train, **options), torch.as_tensor(dataset.held_out, **options)


@contextmanager
def using_threads(count: int) -> Iterator[None]:
    """Let torch use this many CPU threads, on which the last bits of sums depend, and set it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
