"""xReLU units: the dReLU unit as location, curvature, offset and an unbounded asymmetry."""

from __future__ import annotations

from torch import Tensor

from halfwave.units.drelu_family.family import DReLUFamily, drelu_from_asymmetry

__all__ = ["XReLU", "one_plus_minus_eta"]


class XReLU(DReLUFamily):
    """The dReLU unit with parameters (θ, γ, Δ, ξ): a pReLU with ``η = ξ/(1 + |ξ|)``.

    Args:
        shape: shape of the layer; then θ = Δ = ξ = 0 and γ = 1, a standard normal.
        theta: location θ, finite.
        gamma: curvature γ, > 0.
        delta: offset Δ, finite; positive makes a dead zone, negative a double well.
        xi: asymmetry ξ, finite, unbounded.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if a constraint is broken or the shapes differ.

    >>> import torch
    >>> unit = XReLU(theta=torch.tensor([0.5]), gamma=torch.tensor([2.0]),
    ...              delta=torch.tensor([1.0]), xi=torch.tensor([1.0]))
    >>> unit.to_prelu().eta
    Parameter containing:
    tensor([0.5000])

    Source: RestrictedBoltzmannMachines.jl; ``mathematics`` page of the documentation.
    """

    parameter_rules = {"theta": "finite", "gamma": "positive", "delta": "finite", "xi": "finite"}
    parameter_defaults = {"gamma": 1.0}
    input_signs = {"theta": -1.0}
    scale_powers = {"theta": 1, "gamma": 2, "delta": 1}
    theta: Tensor
    gamma: Tensor
    delta: Tensor
    xi: Tensor

    def drelu_parameters(self) -> dict[str, Tensor]:
        return drelu_from_asymmetry(self.theta, self.gamma, self.delta, *one_plus_minus_eta(self.xi))

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        gamma = (variance + epsilon).reciprocal()
        self.gamma.data.copy_(gamma)
        self.theta.data.copy_(-gamma * mean)
        self.delta.data.zero_()
        self.xi.data.zero_()


def one_plus_minus_eta(xi: Tensor) -> tuple[Tensor, Tensor]:
    """``1 + η`` and ``1 − η`` for ``η = ξ/(1 + |ξ|)`` without the cancellation of ``1 − |η|``."""
    # 2ξ⁺ is written as ξ + |ξ|, whose autograd derivative is right at ξ = 0 too.
    size = xi.abs()
    return (1.0 + (size + xi)) / (1.0 + size), (1.0 + (size - xi)) / (1.0 + size)
