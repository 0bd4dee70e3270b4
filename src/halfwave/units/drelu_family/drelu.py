"""dReLU units: real values, each side of zero with its own curvature and threshold."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from halfwave.functions import PiecewiseLinear, two_sided_relu
from halfwave.units.base import Unit
from halfwave.units.drelu_family.conversions import Convertible
from halfwave.units.drelu_family.two_sided import TwoSided
from halfwave.units.numerics.noise import random_words

__all__ = ["DReLU"]


class DReLU(Convertible, TwoSided, Unit):
    """Real units with potential ``U(x) = γ⁺(x⁺)²/2 + θ⁺x⁺ + γ⁻(x⁻)²/2 + θ⁻x⁻``, ``x⁺ = max(0, x)``,
    ``x⁻ = min(0, x)``.

    With ``t± = I − θ±``: ``Γ± = log erfcx(∓t±/√(2γ±)) + ½ log(π/2γ±)`` and ``Γ = log(e^Γ⁺ + e^Γ⁻)``. The
    positive side has probability ``σ(Γ⁺ − Γ⁻)``; given the side, ``|x|`` is a normal of location ``±t±/γ±`` and
    scale ``γ±^(−1/2)`` truncated to ``[0, ∞)``. ``θ⁻ < θ⁺`` is a dead zone, ``θ⁺ < θ⁻`` a double well.

    Args:
        shape: shape of the layer; then θ± = 0 and γ± = 1, a standard normal.
        theta_pos, theta_neg: thresholds θ⁺ and θ⁻, finite, all four of the same shape.
        gamma_pos, gamma_neg: curvatures γ⁺ and γ⁻, > 0.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if a curvature is not positive, a threshold is not finite, or the shapes differ.

    >>> unit = DReLU(theta_pos=torch.tensor([3.0]), theta_neg=torch.tensor([-3.0]),
    ...              gamma_pos=torch.tensor([1.0]), gamma_neg=torch.tensor([0.5]))
    >>> unit.mean_from_inputs(torch.tensor([5.0])), unit.mode_from_inputs(torch.tensor([5.0]))
    (tensor([2.0404]), tensor([2.]))

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 4.
    """

    parameter_rules = {
        "theta_pos": "finite",
        "theta_neg": "finite",
        "gamma_pos": "positive",
        "gamma_neg": "positive",
    }
    parameter_defaults = {"gamma_pos": 1.0, "gamma_neg": 1.0}
    input_signs = {"theta_pos": -1.0, "theta_neg": -1.0}
    scale_powers = {"theta_pos": 1, "theta_neg": 1, "gamma_pos": 2, "gamma_neg": 2}
    statistic_names = ("x_pos", "x_neg", "x_pos_squared", "x_neg_squared")

    def to_drelu(self) -> DReLU:
        """The same unit as (θ⁺, θ⁻, γ⁺, γ⁻): a copy."""
        return DReLU.from_parameters({key: value.detach() for key, value in self.named_parameters()})

    def draw_noise(self, batch_shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Random words ``(2, *batch, *shape)``: one number a unit for the side, one for the magnitude."""
        return random_words((2, *batch_shape, *self.shape), generator, self.dtype, self.device)

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        gamma = (variance + epsilon).reciprocal()
        for key in ("gamma_pos", "gamma_neg"):
            self.get_parameter(key).data.copy_(gamma)
        for key in ("theta_pos", "theta_neg"):
            self.get_parameter(key).data.copy_(-gamma * mean)

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        """The mode of one unit: two rectified linear functions, with a jump if ``θ⁺ < θ⁻``."""
        place = self.check_index(index)
        return two_sided_relu(**{key: value[place].item() for key, value in self.named_parameters()})
