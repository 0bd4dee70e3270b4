"""Machines without couplings that lie close to a given machine: where annealing starts."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.annealing import anneal
from halfwave.rbm.likelihood.path import AnnealingPath, native
from halfwave.rbm.machine import RBM

__all__ = ["independent_reference"]

_CHAINS = 256
_STEPS = 100


@torch.no_grad()
def independent_reference(
    rbm: RBM,
    v: Tensor | None = None,
    mean_v: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> RBM:
    """The machine without couplings that is closest to ``rbm``, as a start for annealing.

    Its visible units have the mean ``m`` (and variance) of the machine's; its hidden units are the machine's own,
    with fields shifted by the mean input: ``g + Wᵀm``, ``θ − Wᵀm``. Units of the dReLU family become `DReLU`.

    Args:
        rbm: the machine.
        v: samples of the machine to take the mean from, ``(samples, *visible.shape)``. If neither these nor
            ``mean_v`` are given, 256 chains are annealed in 100 steps.
        mean_v: the mean itself, ``visible.shape``.
        generator: for the Gibbs steps.

    Returns:
        A machine with zero weights.

    Raises:
        HalfwaveError: if ``v`` or ``mean_v`` has another shape or is not finite.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(3), DReLU(2), torch.ones(3, 2))
    >>> independent_reference(machine, mean_v=torch.full((3,), 0.5)).hidden.theta_pos
    Parameter containing:
    tensor([-1.5000, -1.5000])

    Source: Salakhutdinov and Murray, ICML 2008, section 4.1 (the "base-rate" model).
    """
    mean, variance = _visible_moments(rbm, v, mean_v, generator)
    visible, hidden = native(rbm.visible), native(rbm.hidden)
    visible.initialize_from_moments(mean, variance)
    hidden.absorb_inputs(rbm.inputs_h_from_v(mean))
    return RBM(visible, hidden)


def _visible_moments(
    rbm: RBM, v: Tensor | None, mean_v: Tensor | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Mean and variance of the visible units, each ``visible.shape``."""
    visible = rbm.visible
    if mean_v is not None:
        mean = visible.check_inputs(mean_v, "mean_v")
        if tuple(mean.shape) != visible.shape or not bool(mean.isfinite().all()):
            raise HalfwaveError(
                f"mean_v must be finite and have shape {visible.shape}; got {mean} of shape {tuple(mean.shape)}"
            )
        return mean, rbm.var_v_from_h(rbm.mean_h_from_v(mean))
    v, weights = (v, None) if v is not None else _annealed_samples(rbm, generator)
    # one more half step and the conditional moments given h: less noise, and no mean at the edge of its range
    h = rbm.sample_h_from_v(v.reshape(-1, *visible.shape), generator)
    weights = torch.ones(len(h)) if weights is None else weights
    weights = (weights / weights.sum()).to(h)
    means, variances = rbm.mean_v_from_h(h), rbm.var_v_from_h(h)
    mean = torch.tensordot(weights, means, dims=1)
    return mean, torch.tensordot(weights, variances + (means - mean).square(), dims=1)


def _annealed_samples(rbm: RBM, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Chains annealed to the machine from itself without couplings, and their weights.

    Plain Gibbs chains would fill the modes by their basins of attraction; the weights know better. They are
    flattened until a quarter of the chains count, lest one chain of a large machine stand for all.
    """
    path = AnnealingPath(RBM(native(rbm.visible), native(rbm.hidden)), rbm)
    betas = torch.linspace(0.0, 1.0, _STEPS + 1, dtype=torch.float64).tolist()
    v, log_weights = anneal(path, path.sample_start(_CHAINS, generator), betas, generator)
    weights = log_weights.softmax(0)
    while weights.square().sum() * _CHAINS > 4.0:
        log_weights = 0.5 * log_weights
        weights = log_weights.softmax(0)
    return v, weights
