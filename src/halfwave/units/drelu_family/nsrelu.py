"""nsReLU units: the xReLU unit with its scale fixed."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.units.drelu_family.family import DReLUFamily, drelu_from_asymmetry
from halfwave.units.drelu_family.xrelu import one_plus_minus_eta

__all__ = ["NSReLU"]


class NSReLU(DReLUFamily):
    """The dReLU unit with parameters (θ, Δ, ξ): an xReLU with ``γ = 1``, which fixes the scale of the unit.

    Args:
        shape: shape of the layer; then θ = Δ = ξ = 0, a standard normal.
        theta: location θ, finite.
        delta: offset Δ, finite; positive makes a dead zone, negative a double well.
        xi: asymmetry ξ, finite, unbounded.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if a constraint is broken or the shapes differ.

    >>> import torch
    >>> unit = NSReLU(theta=torch.tensor([0.5]), delta=torch.tensor([1.0]), xi=torch.tensor([1.0]))
    >>> unit.to_xrelu().gamma
    Parameter containing:
    tensor([1.])

    Source: RestrictedBoltzmannMachines.jl; ``mathematics`` page of the documentation.
    """

    parameter_rules = {"theta": "finite", "delta": "finite", "xi": "finite"}
    input_signs = {"theta": -1.0}
    theta: Tensor
    delta: Tensor
    xi: Tensor

    def drelu_parameters(self) -> dict[str, Tensor]:
        gamma = torch.ones_like(self.theta)
        return drelu_from_asymmetry(self.theta, gamma, self.delta, *one_plus_minus_eta(self.xi))

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        """Matches the mean; the variance at zero input is 1 by definition of the unit."""
        self.theta.data.copy_(-mean)
        self.delta.data.zero_()
        self.xi.data.zero_()
