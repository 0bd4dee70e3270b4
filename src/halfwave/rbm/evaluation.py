"""One table of numbers that says how good a trained machine is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.initialize import data_moments
from halfwave.rbm.likelihood import log_partition_exact, log_partition_sandwich
from halfwave.rbm.likelihood.enumeration import number_of_states
from halfwave.rbm.likelihood.reference import independent_reference
from halfwave.rbm.machine import RBM
from halfwave.rbm.pseudolikelihood import log_pseudolikelihood

__all__ = ["evaluate"]

_MOST_STATES = 2**16
_REFERENCE_SAMPLES = 2000
_PSEUDOLIKELIHOOD_SAMPLES = 1000


@torch.no_grad()
def evaluate(
    rbm: RBM,
    train: Tensor,
    held_out: Tensor,
    *,
    chains: int = 500,
    temperatures: int = 2000,
    equilibration_steps: int = 1000,
    start: Tensor | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Likelihoods, their error bars and the usual monitors of a machine, in nats per sample unless said.

    The partition function is enumerated where a layer is small, else bounded from both sides by forward and
    reverse annealed importance sampling, and estimated in between by Bennett's acceptance ratio.

    Args:
        rbm: the machine.
        train, held_out: samples ``(n, *visible.shape)``; ``held_out`` may be empty.
        chains, temperatures: size of the annealing runs.
        equilibration_steps: Gibbs steps before the reverse runs start.
        start: samples of the machine to start the reverse runs from (persistent chains, say).
        seed: of the generator.
        progress: called with (done, total).

    Returns:
        A dictionary of plain numbers, strings and None (where the machine does not have a quantity).
    """
    generator = torch.Generator(train.device).manual_seed(seed)
    partition = _partition(rbm, train, chains, temperatures, equilibration_steps, start, generator, progress)
    log_partition = partition["log_partition"]
    result = dict(partition)
    for name, samples in (("train", train), ("held_out", held_out)):
        result |= _likelihood(rbm, samples, log_partition, name)
        result[f"independent_{name}"] = _independent(rbm, train, samples)
        result[f"pseudolikelihood_{name}"] = _pseudolikelihood(rbm, samples)
        result[f"reconstruction_error_{name}"] = _mean(
            samples, lambda v: rbm.reconstruction_error(v, 1, generator)
        )
        result[f"samples_{name}"] = len(samples)
    result["free_energy_gap"] = None
    if len(held_out):
        result["free_energy_gap"] = _require(_mean(held_out, rbm.free_energy)) - _require(
            _mean(train, rbm.free_energy)
        )
    return result


def _partition(
    rbm: RBM,
    train: Tensor,
    chains: int,
    temperatures: int,
    equilibration_steps: int,
    start: Tensor | None,
    generator: torch.Generator,
    progress: Callable[[int, int], None] | None,
) -> dict[str, Any]:
    """Bounds on log Z, by enumeration where that is cheap."""
    sizes = [number_of_states(unit) for unit in (rbm.visible, rbm.hidden) if unit.discrete]
    if sizes and min(sizes) <= _MOST_STATES:
        exact = log_partition_exact(rbm)
        return {
            "method": "enumeration",
            "log_partition": exact,
            "log_partition_error": 0.0,
            "log_partition_lower": exact,
            "log_partition_lower_error": 0.0,
            "log_partition_upper": exact,
            "log_partition_upper_error": 0.0,
            "sandwich_width": 0.0,
            "chains": None,
            "temperatures": None,
        }
    # the means of the data are those of a trained machine, without a run to find them
    some = train[:: max(1, len(train) // _REFERENCE_SAMPLES)][:_REFERENCE_SAMPLES]
    bounds = log_partition_sandwich(
        rbm,
        samples=start,
        chains=chains,
        betas=temperatures,
        reference=independent_reference(rbm, some, generator=generator),
        equilibration_steps=equilibration_steps,
        generator=generator,
        progress=progress,
    )
    return {
        "method": "annealed importance sampling",
        "log_partition": bounds.estimate,
        "log_partition_error": bounds.estimate_error,
        "log_partition_lower": bounds.lower,
        "log_partition_lower_error": bounds.lower_error,
        "log_partition_upper": bounds.upper,
        "log_partition_upper_error": bounds.upper_error,
        "sandwich_width": bounds.width,
        "chains": chains,
        "temperatures": temperatures,
    }


def _slices(samples: Tensor) -> list[Tensor]:
    return [samples[start : start + 2048] for start in range(0, len(samples), 2048)]


def _mean(samples: Tensor, function: Callable[[Tensor], Tensor]) -> float | None:
    if not len(samples):
        return None
    return sum(float(function(part).sum(dtype=torch.float64)) for part in _slices(samples)) / len(samples)


def _require(value: float | None) -> float:
    assert value is not None
    return value


def _likelihood(rbm: RBM, samples: Tensor, log_partition: float, name: str) -> dict[str, float | None]:
    if not len(samples):
        return {f"{name}_log_likelihood": None, f"{name}_standard_error": None}
    values = torch.cat([-rbm.free_energy(part) for part in _slices(samples)]).double() - log_partition
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
    return {f"{name}_log_likelihood": float(values.mean()), f"{name}_standard_error": error}


def _independent(rbm: RBM, train: Tensor, samples: Tensor) -> float | None:
    """Log-likelihood of independent units with the means (and variances) of the training data."""
    unit = type(rbm.visible)(rbm.visible.shape, dtype=train.dtype, device=train.device)
    mean, variance = data_moments(train)
    # half a count on either side keeps a column that never varies from being impossible
    unit.initialize_from_moments(mean.to(train.dtype), variance.to(train.dtype), 0.5 / (len(train) + 1))
    zero = torch.zeros((), dtype=train.dtype, device=train.device).expand(unit.shape)
    return _mean(samples, lambda v: unit.log_prob(v, zero))


def _pseudolikelihood(rbm: RBM, samples: Tensor) -> float | None:
    few = samples[:: max(1, len(samples) // _PSEUDOLIKELIHOOD_SAMPLES)][:_PSEUDOLIKELIHOOD_SAMPLES]
    try:
        return _mean(few, lambda v: log_pseudolikelihood(rbm, v))
    except HalfwaveError:  # this pair of units has none
        return None
