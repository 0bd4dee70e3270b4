"""dReLU units: real values, each side of zero with its own curvature and threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from halfwave.functions import PiecewiseLinear, two_sided_relu
from halfwave.units.base import Unit
from halfwave.units.conversions import Convertible
from halfwave.units.noise import excess_from_uniform, uniform
from halfwave.units.tails import (
    Tail,
    excess_log_density,
    excess_mean,
    excess_variance,
    greater,
    log_add_exp,
    log_mills,
    tail,
)

__all__ = ["DReLU"]


class Sides(NamedTuple):
    """The two sides of a dReLU unit given its inputs, element by element (computed by `DReLU.sides`)."""

    threshold_pos: Tensor
    threshold_neg: Tensor
    tail_pos: Tail
    tail_neg: Tail
    log_odds: Tensor
    """Γ⁺ − Γ⁻."""
    prob_pos: Tensor
    prob_neg: Tensor


class DReLU(Convertible, Unit):
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
    (tensor([2.0533]), tensor([2.]))

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
    theta_pos: Tensor
    theta_neg: Tensor
    gamma_pos: Tensor
    gamma_neg: Tensor

    def to_drelu(self) -> DReLU:
        """The same unit as (θ⁺, θ⁻, γ⁺, γ⁻): a copy."""
        return DReLU(**{key: value.detach() for key, value in self.named_parameters()})

    def _thresholds(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Standard deviations of both sides and how far each lies beyond its threshold, in these units."""
        std_pos, std_neg = self.gamma_pos.rsqrt(), self.gamma_neg.rsqrt()
        return std_pos, std_neg, (self.theta_pos - inputs) * std_pos, (inputs - self.theta_neg) * std_neg

    def sides(self, inputs: Tensor) -> Sides:
        """Thresholds, tails and probabilities of both sides; all moments and samples follow from them."""
        std_pos, std_neg, a_pos, a_neg = self._thresholds(inputs)
        pos, neg = tail(a_pos), tail(a_neg)
        # Γ⁺ − Γ⁻; the difference of squares as a product keeps what a difference of exponents would lose
        well_pos, well_neg = torch.relu(-a_pos), torch.relu(-a_neg)
        exponent = (well_pos - well_neg) * (well_pos + well_neg) * 0.5
        log_odds = exponent + torch.log(pos.scale / neg.scale * (std_pos / std_neg))
        return Sides(a_pos, a_neg, pos, neg, log_odds, torch.sigmoid(log_odds), torch.sigmoid(-log_odds))

    def _differentiable(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Probabilities, means of |x| and variances of both sides, as differentiable expressions."""
        std_pos, std_neg, a_pos, a_neg = self._thresholds(inputs)
        log_odds = log_mills(a_pos) + std_pos.log() - log_mills(a_neg) - std_neg.log()
        means = std_pos * excess_mean(a_pos), std_neg * excess_mean(a_neg)
        variances = std_pos.square() * excess_variance(a_pos), std_neg.square() * excess_variance(a_neg)
        return torch.sigmoid(log_odds), torch.sigmoid(-log_odds), *means, *variances

    def _parts(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Probabilities, means of |x| and variances of both sides."""
        if torch.is_grad_enabled() and self._tracked(inputs):
            return self._differentiable(inputs)
        return self._moments(self.sides(inputs))

    def _moments(self, sides: Sides) -> tuple[Tensor, ...]:
        std_pos, std_neg = self.gamma_pos.rsqrt(), self.gamma_neg.rsqrt()
        return (
            sides.prob_pos,
            sides.prob_neg,
            std_pos * sides.tail_pos.mean,
            std_neg * sides.tail_neg.mean,
            std_pos * std_pos * sides.tail_pos.variance,
            std_neg * std_neg * sides.tail_neg.variance,
        )

    def energies(self, x: Tensor) -> Tensor:
        x = self.convert(x)
        pos, neg = x.clamp(min=0.0), x.clamp(max=0.0)
        return pos * (0.5 * self.gamma_pos * pos + self.theta_pos) + neg * (
            0.5 * self.gamma_neg * neg + self.theta_neg
        )

    def cgfs(self, inputs: Tensor) -> Tensor:
        std_pos, std_neg, a_pos, a_neg = self._thresholds(inputs)
        return log_add_exp(log_mills(a_pos) + std_pos.log(), log_mills(a_neg) + std_neg.log())

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        x = self.convert(x)
        if torch.is_grad_enabled() and (x.requires_grad or self._tracked(inputs)):
            return super().log_probs(x, inputs)
        # I x − U − Γ would cancel far out; the normal density of the side that holds x does not
        sides = self.sides(inputs)
        negative = greater(-x, 0.0)
        a = torch.lerp(sides.threshold_pos, sides.threshold_neg, negative)
        scale = torch.lerp(sides.tail_pos.scale, sides.tail_neg.scale, negative)
        log_odds = torch.lerp(sides.log_odds, -sides.log_odds, negative)
        root = torch.lerp(self.gamma_pos.sqrt(), self.gamma_neg.sqrt(), negative)
        side = torch.nn.functional.logsigmoid(log_odds)
        return side + root.log() + excess_log_density(x.abs() * root, a, scale)

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        prob_pos, prob_neg, mean_pos, mean_neg, _, _ = self._parts(inputs)
        return prob_pos * mean_pos - prob_neg * mean_neg

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        # law of total variance: a sum of positive terms, nothing cancels
        prob_pos, prob_neg, mean_pos, mean_neg, var_pos, var_neg = self._parts(inputs)
        between = prob_pos * prob_neg * (mean_pos + mean_neg).square()
        return prob_pos * var_pos + prob_neg * var_neg + between

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        prob_pos, prob_neg, mean_pos, mean_neg, _, _ = self._parts(inputs)
        return prob_pos * mean_pos + prob_neg * mean_neg

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        pos = torch.relu(inputs - self.theta_pos)
        neg = -torch.relu(self.theta_neg - inputs)
        # compared in standard deviations: the squares could overflow
        positive_wins = pos * self.gamma_pos.rsqrt() >= -neg * self.gamma_neg.rsqrt()
        return torch.where(positive_wins, pos / self.gamma_pos, neg / self.gamma_neg)

    def draw_noise(self, batch_shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Two uniform numbers a unit, ``(2, *batch, *shape)``: one for the side, one for the magnitude."""
        return uniform((2, *batch_shape, *self.shape), generator, self.dtype, self.device)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return self._sample(self.sides(inputs), noise)

    def _sample(self, sides: Sides, noise: Tensor) -> Tensor:
        negative = greater(noise[0], sides.prob_pos)
        chosen = [torch.lerp(p, n, negative) for p, n in zip(sides.tail_pos, sides.tail_neg, strict=True)]
        threshold = torch.lerp(sides.threshold_pos, sides.threshold_neg, negative)
        std = torch.lerp(self.gamma_pos.rsqrt(), -self.gamma_neg.rsqrt(), negative)
        return std * excess_from_uniform(threshold, Tail(*chosen), noise[1])

    def sample_with_statistics(self, inputs: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        sides = self.sides(inputs)
        return self._sample(sides, noise), self._expected(self._moments(sides))

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        x = self.convert(x)
        pos, neg = x.clamp(min=0.0), x.clamp(max=0.0)
        return {"x_pos": pos, "x_neg": neg, "x_pos_squared": pos * pos, "x_neg_squared": neg * neg}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        """The four half-moments ``E x⁺, E x⁻, E (x⁺)², E (x⁻)²``, each ``(*batch, *shape)``."""
        return self._expected(self._parts(inputs))

    @staticmethod
    def _expected(parts: tuple[Tensor, ...]) -> dict[str, Tensor]:
        prob_pos, prob_neg, mean_pos, mean_neg, var_pos, var_neg = parts
        return {
            "x_pos": prob_pos * mean_pos,
            "x_neg": -prob_neg * mean_neg,
            "x_pos_squared": prob_pos * (var_pos + mean_pos * mean_pos),
            "x_neg_squared": prob_neg * (var_neg + mean_neg * mean_neg),
        }

    def mean_from_statistics(self, statistics: Mapping[str, Tensor]) -> Tensor:
        return statistics["x_pos"] + statistics["x_neg"]

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            "theta_pos": moments["x_pos"],
            "theta_neg": moments["x_neg"],
            "gamma_pos": 0.5 * moments["x_pos_squared"],
            "gamma_neg": 0.5 * moments["x_neg_squared"],
        }

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        gamma = (variance + epsilon).reciprocal()
        for key in ("gamma_pos", "gamma_neg"):
            self.get_parameter(key).data.copy_(gamma)
        for key in ("theta_pos", "theta_neg"):
            self.get_parameter(key).data.copy_(-gamma * mean)

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        """The mode of one unit: two rectified linear functions, with a jump if ``θ⁺ < θ⁻``."""
        return two_sided_relu(**{key: value[index].item() for key, value in self.named_parameters()})
