"""The element-wise halves of one update: everything between two matrix products.

Pure functions of a unit, its inputs and random numbers; eager torch runs them as they are, ``torch.compile``
fuses each into one kernel.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from halfwave.units.base import Unit

__all__ = ["Phases", "can_compile", "compile_phases", "data_phase", "hidden_phase", "visible_phase"]

Moments = dict[str, Tensor]


def _average(statistics: Moments, weights: Tensor | None) -> Moments:
    """Mean over the batch, each sample multiplied by its weight."""
    if weights is None:
        return {key: value.mean(0) for key, value in statistics.items()}
    return {key: (value * _as_column(weights, value)).mean(0) for key, value in statistics.items()}


def _as_column(weights: Tensor, values: Tensor) -> Tensor:
    return weights.view(-1, *(1 for _ in values.shape[1:]))


def data_phase(unit: Unit, inputs: Tensor, offset: Tensor, weights: Tensor | None) -> tuple[Tensor, Moments]:
    """Centred expected hidden values ``(batch, *shape)``, weighted, and the averaged expected statistics."""
    statistics = unit.statistics_from_inputs(inputs)
    centred = unit.mean_from_statistics(statistics) - offset
    if weights is not None:
        centred = centred * _as_column(weights, centred)
    return centred, _average(statistics, weights)


def hidden_phase(unit: Unit, inputs: Tensor, noise: Tensor, offset: Tensor) -> tuple[Tensor, Tensor, Moments]:
    """Hidden samples, centred expected hidden values and averaged expected statistics of the chains."""
    sample, statistics = unit.sample_with_statistics(inputs, noise)
    return sample, unit.mean_from_statistics(statistics) - offset, _average(statistics, None)


def visible_phase(unit: Unit, inputs: Tensor, noise: Tensor) -> tuple[Tensor, Moments]:
    """Visible samples and averaged expected statistics of the chains."""
    sample, statistics = unit.sample_with_statistics(inputs, noise)
    return sample, _average(statistics, None)


class Phases(NamedTuple):
    """The three phases as plain or compiled functions."""

    data: Callable[..., Any] = data_phase
    hidden: Callable[..., Any] = hidden_phase
    visible: Callable[..., Any] = visible_phase


def can_compile(device: torch.device) -> bool:
    """Whether ``torch.compile`` can make kernels for this device here: a C++ compiler, or a GPU."""
    if device.type == "cuda":
        return True
    return any(shutil.which(name) for name in ("g++", "c++", "clang++"))


def compile_phases() -> Phases:
    """The phases through ``torch.compile``, one graph each, for fixed shapes."""
    options: dict[str, Any] = {"fullgraph": True, "dynamic": False}
    return Phases(*(torch.compile(phase, **options) for phase in (data_phase, hidden_phase, visible_phase)))
