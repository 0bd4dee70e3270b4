"""A starting point for training, from the data."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.rbm.machine import RBM

__all__ = ["data_moments", "initialize"]


def data_moments(data: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Weighted mean and variance of each visible unit over the samples ``(n, *shape)``.

    Computed in double precision in slices, so that a large data set needs little memory.
    """
    share = torch.full((len(data),), 1.0 / len(data), dtype=torch.float64, device=data.device)
    if weights is not None:
        share = weights.to(share) / weights.sum(dtype=torch.float64)
    mean = torch.zeros(data.shape[1:], dtype=torch.float64, device=data.device)
    square = torch.zeros_like(mean)
    for start in range(0, len(data), 4096):
        rows = data[start : start + 4096].to(torch.float64)
        part = share[start : start + 4096]
        mean += torch.tensordot(part, rows, dims=1)
        square += torch.tensordot(part, rows * rows, dims=1)
    return mean, (square - mean * mean).clamp_(min=0.0)


def initialize(
    rbm: RBM,
    data: Tensor,
    *,
    weights: Tensor | None = None,
    scale: float = 0.1,
    epsilon: float = 1e-4,
    generator: torch.Generator | None = None,
) -> RBM:
    """Set the parameters of a machine from the data, in place, and return it.

    The visible units take the mean and variance of each column, the hidden units are reset to their defaults, and
    the weights are normal with standard deviation ``scale / √(Σ_i var(v_i))``, so that the inputs of the hidden
    units vary by ``scale``.

    Args:
        rbm: the machine.
        data: samples ``(n, *visible.shape)``.
        weights: importance of each sample ``(n,)``, positive; equal if absent.
        scale: standard deviation of the hidden inputs.
        epsilon: keeps fields finite where a column is constant.
        generator: source of random numbers.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = initialize(RBM(Binary(2), DReLU(3)), torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
    >>> machine.visible.mean_from_inputs(torch.zeros(2))
    tensor([0.5000, 0.9999])

    Source: Hinton, "A practical guide to training restricted Boltzmann machines" (2012), §8.
    """
    data = rbm.visible.check_inputs(data, "data")
    mean, variance = data_moments(data, weights)
    rbm.visible.initialize_from_moments(mean.to(data.dtype), variance.to(data.dtype), epsilon)
    fresh = type(rbm.hidden)(rbm.hidden.shape, dtype=rbm.hidden.dtype, device=rbm.hidden.device)
    rbm.hidden.load_state_dict(fresh.state_dict())
    spread = scale / float(variance.sum().clamp(min=epsilon).sqrt())
    rbm.weights.data.normal_(0.0, spread, generator=generator)
    return rbm
