"""ReLU units, values x ≥ 0: a Gaussian cut at zero."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from halfwave.functions import PiecewiseLinear, rectified_linear
from halfwave.units.base import Unit
from halfwave.units.numerics.noise import as_uniform, excess_from_uniform
from halfwave.units.numerics.side import side_cgf, side_mean, side_variance
from halfwave.units.numerics.tails import excess_log_density, tail

__all__ = ["ReLU"]


class ReLU(Unit):
    """Non-negative units with potential ``U(x) = γ x²/2 + θ x`` for ``x ≥ 0``, infinite below.

    With ``t = I − θ``: ``Γ = log erfcx(−t/√(2γ)) + ½ log(π/2γ)``; given the inputs the unit is a normal of
    location ``t/γ`` and scale ``γ^(−1/2)`` truncated to ``x ≥ 0``; the mode is ``max(0, t)/γ``.

    Args:
        shape: shape of the layer; then θ = 0 and γ = 1.
        theta: threshold θ, finite.
        gamma: curvature γ, > 0, same shape.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if γ is not positive or the shapes differ.

    >>> ReLU(theta=torch.tensor([0.0]), gamma=torch.tensor([1.0])).mean_from_inputs(torch.tensor([0.0]))
    tensor([0.7979])

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, methods.
    """

    parameter_rules = {"theta": "finite", "gamma": "positive"}
    input_signs = {"theta": -1.0}
    scale_powers = {"theta": 1, "gamma": 2}
    parameter_defaults = {"gamma": 1.0}
    statistic_names = ("x", "x_squared")
    value_rule = "at least 0"
    theta: Tensor
    gamma: Tensor

    def _threshold(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Standard deviation of the untruncated normal and the threshold in units of it."""
        std = self.gamma.rsqrt()
        return std, (self.theta - inputs) * std

    def energies(self, x: Tensor) -> Tensor:
        x = self.convert(x)
        energy = x * (0.5 * self.gamma * x + self.theta)
        return torch.where(x < 0, torch.inf, energy)

    def cgfs(self, inputs: Tensor) -> Tensor:
        return side_cgf(inputs - self.theta, self.gamma)

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        x = self.convert(x)
        if torch.is_grad_enabled() and (x.requires_grad or self._tracked(inputs)):
            return super().log_probs(x, inputs)
        # I x − U − Γ would cancel far out; the truncated normal density does not
        root, a = self.gamma.sqrt(), self._threshold(inputs)[1]
        inside = root.log() + excess_log_density(x * root, a, tail(a).scale)
        return torch.where(x < 0, -torch.inf, inside)

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return side_mean(inputs - self.theta, self.gamma)

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        return side_variance(inputs - self.theta, self.gamma)

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        return torch.relu(inputs - self.theta) / self.gamma

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        return self.mean_from_inputs(inputs)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        std, a = self._threshold(inputs)
        return std * excess_from_uniform(a, tail(a), as_uniform(noise))

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        x = self.convert(x)
        return {"x": x, "x_squared": x * x}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        mean = self.mean_from_inputs(inputs)
        return {"x": mean, "x_squared": mean * mean + self.var_from_inputs(inputs)}

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"theta": moments["x"], "gamma": 0.5 * moments["x_squared"]}

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        """Match the mean and variance as far as a truncated normal can (its std never exceeds its mean)."""
        ratio = (variance / (mean * mean).clamp(min=epsilon)).clamp(epsilon, 0.98)
        low, high = torch.full_like(ratio, -1e3), torch.full_like(ratio, 30.0)
        for _ in range(60):  # the squared ratio of std to mean of the excess increases with the threshold
            middle = 0.5 * (low + high)
            values = tail(middle)
            above = values.variance / (values.mean * values.mean) > ratio
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        std = mean.clamp(min=epsilon**0.5) / tail(low).mean
        self.gamma.data.copy_(std.square().reciprocal())
        self.theta.data.copy_(low / std)

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        """``max(0, x − θ)/γ`` of one unit as an exact function."""
        place = self.check_index(index)
        theta, gamma = self.theta[place].item(), self.gamma[place].item()
        return rectified_linear(1.0 / gamma, -theta / gamma)
