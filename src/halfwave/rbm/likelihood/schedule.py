"""Where to put the temperatures of an annealing run."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.annealing import annealing_steps, check_weights
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.rbm.likelihood.reference import independent_reference
from halfwave.rbm.machine import RBM

__all__ = ["check_betas", "choose_betas", "place_betas"]

_PILOT_STEPS = 100
_UNIFORM_SHARE = 0.1
"""Share of the temperatures spread evenly, so that what the pilot failed to see is not skipped."""


def check_betas(betas: Tensor) -> list[float]:
    """The schedule as floats if it increases from 0 to 1, else `HalfwaveError`.

    >>> check_betas(torch.tensor([0.0, 0.5, 1.0]))
    [0.0, 0.5, 1.0]
    """
    values = [float(beta) for beta in betas.flatten()]
    if len(values) < 2 or values[0] != 0.0 or values[-1] != 1.0:
        raise HalfwaveError(f"betas must start at 0 and end at 1; got {values[:1]} … {values[-1:]}")
    for index, (low, high) in enumerate(pairwise(values), 1):
        if not low < high:
            raise HalfwaveError(f"betas must increase; got {high:.6g} after {low:.6g} at index {index}")
    return values


def choose_betas(
    rbm: RBM,
    count: int,
    *,
    reference: RBM | None = None,
    chains: int = 100,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A schedule of ``count`` temperatures from 0 to 1 whose steps contribute equally to the variance of log Z.

    The variance of the log weights is about ``Σ (β_k − β_{k−1})² Var_β(dF/dβ)``, which for a given number of
    steps is least if all terms are equal. Short pilot runs measure the terms; the temperatures are then placed
    at equal distances in ``∫ √Var dβ``, apart from a tenth of them that are spread evenly.

    Args:
        rbm: the machine.
        count: number of temperatures, at least 2.
        reference: the machine at β = 0; `independent_reference` if None.
        chains: of the pilot runs.
        generator: for the pilot runs.

    Returns:
        ``(count,)``, increasing, double precision.

    Raises:
        HalfwaveError: if there are fewer than 2 temperatures or chains.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(4), DReLU(2), torch.ones(4, 2))
    >>> choose_betas(machine, 5, generator=torch.Generator().manual_seed(0)).shape
    torch.Size([5])

    Source: Grosse, Maddison, Salakhutdinov, NIPS 2013, section 4 (geometry of annealing paths).
    """
    if chains < 2:
        raise HalfwaveError(f"the pilot runs need at least 2 chains; got {chains}")
    start = reference or independent_reference(rbm, generator=generator)
    return place_betas(AnnealingPath(start, rbm), count, chains, generator)


@torch.no_grad()
def place_betas(path: AnnealingPath, count: int, chains: int, generator: torch.Generator | None) -> Tensor:
    """The same for a path; see `choose_betas`."""
    if count < 2:
        raise HalfwaveError(f"annealing needs at least 2 temperatures; got {count}")
    grid = np.linspace(0.0, 1.0, min(count, _PILOT_STEPS) + 1)
    for size in (len(grid), count):  # the second pilot run resolves what the first one found steep
        grid = _equal_distances(grid, _cumulated_length(path, grid, chains, generator), size)
    return torch.from_numpy(grid)


def _cumulated_length(
    path: AnnealingPath, grid: np.ndarray, chains: int, generator: torch.Generator | None
) -> np.ndarray:
    """``∫ √Var dβ`` from 0 to each point of the grid: the summed deviations of the log-weight increments."""
    v = path.sample_start(chains, generator)
    deviations = [
        check_weights(increments).std().item()
        for _, increments in annealing_steps(path, v, grid.tolist(), generator)
    ]
    return np.concatenate([[0.0], np.cumsum(deviations)])


def _equal_distances(grid: np.ndarray, length: np.ndarray, count: int) -> np.ndarray:
    """``count`` temperatures at equal distances in the cumulated length, with the even share mixed in."""
    if length[-1] == 0.0:
        return np.linspace(0.0, 1.0, count)
    mixed = (1.0 - _UNIFORM_SHARE) * length / length[-1] + _UNIFORM_SHARE * grid
    betas = np.interp(np.linspace(0.0, 1.0, count), mixed, grid)
    betas[0], betas[-1] = 0.0, 1.0
    return betas
