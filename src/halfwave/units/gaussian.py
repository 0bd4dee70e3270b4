"""Gaussian units, any real value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from halfwave.functions import PiecewiseLinear
from halfwave.units.base import Unit
from halfwave.units.drelu_family.conversions import Convertible
from halfwave.units.drelu_family.drelu import DReLU

__all__ = ["Gaussian"]


class Gaussian(Convertible, Unit):
    """Real units with potential ``U(x) = γ x²/2 + θ x``.

    With ``t = I − θ``: ``Γ = t²/(2γ) + ½ log(2π/γ)``, mean and mode ``t/γ``, variance ``1/γ``.

    Args:
        shape: shape of the layer; then θ = 0 and γ = 1.
        theta: threshold θ, finite.
        gamma: curvature γ (inverse variance), > 0, same shape.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if γ is not positive or the shapes differ.

    >>> Gaussian(theta=torch.tensor([1.0]), gamma=torch.tensor([4.0])).mean_from_inputs(torch.tensor([3.0]))
    tensor([0.5000])

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 3.
    """

    parameter_rules = {"theta": "finite", "gamma": "positive"}
    input_signs = {"theta": -1.0}
    scale_powers = {"theta": 1, "gamma": 2}
    parameter_defaults = {"gamma": 1.0}
    statistic_names = ("x", "x_squared")
    theta: Tensor
    gamma: Tensor

    def to_drelu(self) -> DReLU:
        """The same unit as a dReLU with equal sides."""
        return DReLU(theta_pos=self.theta, theta_neg=self.theta, gamma_pos=self.gamma, gamma_neg=self.gamma)

    def energies(self, x: Tensor) -> Tensor:
        x = self.convert(x)
        return x * (0.5 * self.gamma * x + self.theta)

    def cgfs(self, inputs: Tensor) -> Tensor:
        t = inputs - self.theta
        return 0.5 * t * (t / self.gamma) + 0.5 * (math.log(2.0 * math.pi) - self.gamma.log())

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        # the square around the mean: I x − U − Γ would cancel far out
        deviation = self.convert(x) * self.gamma.sqrt() - (inputs - self.theta) * self.gamma.rsqrt()
        return 0.5 * (self.gamma.log() - math.log(2.0 * math.pi)) - 0.5 * deviation.square()

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return (inputs - self.theta) / self.gamma

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        return self.gamma.reciprocal().expand(torch.broadcast_shapes(inputs.shape, self.shape)).clone()

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        return self.mean_from_inputs(inputs)

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        mean, std = self.mean_from_inputs(inputs), self.gamma.rsqrt()
        z = mean / std
        density = math.sqrt(2.0 / math.pi) * torch.exp(-0.5 * z * z)
        return std * (density + z * torch.erf(z / math.sqrt(2.0)))

    def draw_noise(self, batch_shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(
            (*batch_shape, *self.shape), generator=generator, dtype=self.dtype, device=self.device
        )

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return torch.addcmul(self.mean_from_inputs(inputs), noise, self.gamma.rsqrt())

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        x = self.convert(x)
        return {"x": x, "x_squared": x * x}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        mean = self.mean_from_inputs(inputs)
        return {"x": mean, "x_squared": mean * mean + self.gamma.reciprocal()}

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"theta": moments["x"], "gamma": 0.5 * moments["x_squared"]}

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        gamma = (variance + epsilon).reciprocal()
        self.gamma.data.copy_(gamma)
        self.theta.data.copy_(-gamma * mean)

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        """``(x − θ)/γ`` of one unit as an exact function."""
        place = self.check_index(index)
        gamma = self.gamma[place].item()
        return PiecewiseLinear(kinks=[], slopes=[1.0 / gamma], intercepts=[-self.theta[place].item() / gamma])
