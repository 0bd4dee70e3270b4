"""Exact sums over all states of a small discrete layer, and the partition function they give."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.units.base import Unit
from halfwave.units.binary import Binary
from halfwave.units.gaussian import Gaussian
from halfwave.units.potts import Potts, one_hot
from halfwave.units.spin import Spin

__all__ = ["enumerate_states", "log_partition_exact", "number_of_states"]

_BLOCK_ELEMENTS = 2**18
"""Elements of the larger layer that one block of states fills: its temporaries then stay in the cache."""


def number_of_states(unit: Unit) -> int:
    """Number of states of a discrete layer: ``2^size``, or ``q^sites`` for Potts.

    Args:
        unit: a Binary, Spin or Potts layer of any shape.

    Raises:
        HalfwaveError: if the layer is continuous.

    >>> number_of_states(Potts((5, 3)))
    243
    """
    return _radix(unit) ** math.prod(unit.noise_shape)


def enumerate_states(unit: Unit, chunk: int = 65536) -> Iterator[Tensor]:
    """All states of a discrete layer, in chunks; the last element (or site) changes slowest.

    Args:
        unit: a Binary, Spin or Potts layer of any shape.
        chunk: largest number of states at a time, at least 1.

    Returns:
        An iterator over tensors ``(≤ chunk, *unit.shape)`` of the layer's dtype.

    Raises:
        HalfwaveError: if the layer is continuous or the chunk is not positive.

    >>> torch.cat(list(enumerate_states(Spin(2), chunk=3)))
    tensor([[-1., -1.],
            [ 1., -1.],
            [-1.,  1.],
            [ 1.,  1.]])
    """
    total = number_of_states(unit)
    if chunk < 1:
        raise HalfwaveError(f"the chunk of states must be at least 1; got {chunk}")
    return _chunks(unit, total, chunk)


def _chunks(unit: Unit, total: int, chunk: int) -> Iterator[Tensor]:
    radix, sites = _radix(unit), math.prod(unit.noise_shape)
    places = torch.tensor([radix**site for site in range(sites)], dtype=torch.int64, device=unit.device)
    for start in range(0, total, chunk):
        numbers = torch.arange(start, min(start + chunk, total), device=unit.device)
        digits = numbers.unsqueeze(-1) // places % radix
        yield _values(unit, digits).reshape(len(numbers), *unit.shape)


def _radix(unit: Unit) -> int:
    if isinstance(unit, Potts):
        return unit.colours
    if isinstance(unit, Binary | Spin):
        return 2
    raise HalfwaveError(
        f"only discrete layers (Binary, Spin, Potts) have states to enumerate; got {unit.name}"
    )


def _values(unit: Unit, digits: Tensor) -> Tensor:
    """Values of the layer from the digits of the states' numbers, ``(states, sites)``."""
    if isinstance(unit, Potts):
        return one_hot(digits, unit.colours, unit.dtype)
    values = digits.to(unit.dtype)
    return 2.0 * values - 1.0 if isinstance(unit, Spin) else values


@torch.no_grad()
def log_partition_exact(rbm: RBM, max_states: int = 2**24) -> float:
    """``log Z = log Σ_v exp(−F(v))``, summed over all states of the discrete layer that has fewer.

    The other layer may be anything. For Gaussian visible with Gaussian hidden units ``Z`` is the integral of a
    normal density with precision ``A = [[Γ_v, −W], [−Wᵀ, Γ_h]]``: ``log Z = ½ bᵀA⁻¹b − ½ log det A + ½ n log 2π``
    with ``b = −θ``, and ``+inf`` if ``A`` is not positive definite. All sums are in double precision.

    Args:
        rbm: the machine.
        max_states: refuse to enumerate more states than this.

    Returns:
        ``log Z`` in nats.

    Raises:
        HalfwaveError: if neither layer is discrete or both have more than ``max_states`` states.

    >>> from halfwave.units import DReLU
    >>> round(log_partition_exact(RBM(Binary(3), DReLU(2))), 4)  # 3 log 2 + log 2π
    3.9173

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, methods.
    """
    machine = copy.deepcopy(rbm).double()
    visible, hidden = machine.visible, machine.hidden
    if isinstance(visible, Gaussian) and isinstance(hidden, Gaussian):
        return _gaussian_log_partition(visible, hidden, machine.weight_matrix)
    layers = [(number_of_states(unit), unit) for unit in (visible, hidden) if unit.discrete]
    if not layers:
        raise HalfwaveError(
            "the exact log Z needs a discrete layer (or two Gaussian ones); got "
            f"{visible.name} × {hidden.name}: use `ais`"
        )
    count, unit = min(layers, key=lambda layer: layer[0])
    if count > max_states:
        raise HalfwaveError(
            f"the exact log Z would need {count:.6g} states, more than max_states = {max_states}: use `ais`"
        )
    free_energy = machine.free_energy if unit is visible else machine.free_energy_h
    return _log_sum(unit, free_energy, _BLOCK_ELEMENTS // max(visible.size, hidden.size))


def _log_sum(unit: Unit, free_energy: Callable[[Tensor], Tensor], chunk: int) -> float:
    """``log Σ exp(−F)`` over all states of a layer."""
    states = enumerate_states(unit, max(chunk, 1))
    return torch.stack([torch.logsumexp(-free_energy(x), 0) for x in states]).logsumexp(0).item()


def _gaussian_log_partition(visible: Gaussian, hidden: Gaussian, matrix: Tensor) -> float:
    precision = torch.diag(torch.cat([visible.gamma.flatten(), hidden.gamma.flatten()]))
    precision[visible.size :, : visible.size] = -matrix.T  # the lower triangle is all that Cholesky reads
    factor, failed = torch.linalg.cholesky_ex(precision)
    if bool(failed):
        return math.inf
    force = -torch.cat([visible.theta.flatten(), hidden.theta.flatten()])
    whitened = torch.linalg.solve_triangular(factor, force.unsqueeze(-1), upper=False)
    quadratic = 0.5 * whitened.square().sum() - factor.diagonal().log().sum()
    return (quadratic + 0.5 * force.numel() * math.log(2.0 * math.pi)).item()
