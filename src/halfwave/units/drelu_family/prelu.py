"""pReLU units: the dReLU unit as location, curvature, offset and asymmetry in (−1, 1)."""

from __future__ import annotations

from torch import Tensor

from halfwave.units.drelu_family.family import DReLUFamily, drelu_from_asymmetry

__all__ = ["PReLU"]


class PReLU(DReLUFamily):
    """The dReLU unit with parameters (θ, γ, Δ, η): ``γ± = γ/(1 ± η)``, ``θ⁺ = θ + Δ/(1 + η)``,
    ``θ⁻ = θ − Δ/(1 − η)``.

    Args:
        shape: shape of the layer; then θ = Δ = η = 0 and γ = 1, a standard normal.
        theta: location θ, finite.
        gamma: curvature γ, > 0.
        delta: offset Δ, finite; positive makes a dead zone, negative a double well.
        eta: asymmetry η, −1 < η < 1.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if a constraint is broken or the shapes differ.

    >>> import torch
    >>> unit = PReLU(theta=torch.tensor([0.5]), gamma=torch.tensor([2.0]),
    ...              delta=torch.tensor([1.0]), eta=torch.tensor([0.5]))
    >>> unit.to_drelu().gamma_neg
    Parameter containing:
    tensor([4.])

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397; ``mathematics`` page of the documentation.
    """

    parameter_rules = {"theta": "finite", "gamma": "positive", "delta": "finite", "eta": "inside (-1, 1)"}
    parameter_defaults = {"gamma": 1.0}
    input_signs = {"theta": -1.0}
    scale_powers = {"theta": 1, "gamma": 2, "delta": 1}
    theta: Tensor
    gamma: Tensor
    delta: Tensor
    eta: Tensor

    def drelu_parameters(self) -> dict[str, Tensor]:
        return drelu_from_asymmetry(self.theta, self.gamma, self.delta, 1.0 + self.eta, 1.0 - self.eta)

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        gamma = (variance + epsilon).reciprocal()
        self.gamma.data.copy_(gamma)
        self.theta.data.copy_(-gamma * mean)
        self.delta.data.zero_()
        self.eta.data.zero_()
