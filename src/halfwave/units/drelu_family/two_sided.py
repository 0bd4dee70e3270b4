"""The formulas of a dReLU unit, whether its four parameters are given or computed from others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from halfwave.units.numerics.noise import as_uniform, excess_from_uniform
from halfwave.units.numerics.side import side_cgf, side_mean, side_variance
from halfwave.units.numerics.tails import Tail, excess_log_density, greater, log_add_exp, tail

__all__ = ["Sides", "TwoSided"]


class Sides(NamedTuple):
    """The two sides of a dReLU unit given its inputs, element by element (computed by `TwoSided.sides`)."""

    threshold_pos: Tensor
    threshold_neg: Tensor
    tail_pos: Tail
    tail_neg: Tail
    log_odds: Tensor
    """Γ⁺ − Γ⁻."""
    prob_pos: Tensor
    prob_neg: Tensor


class TwoSided:
    """A dReLU layer with these thresholds θ± and curvatures γ±, tensors of one shape.

    `DReLU` inherits its formulas from here. The other parametrisations make one of their own θ± and γ±, in the
    middle of a computation: a plain object, so that autograd and ``torch.compile`` see through it.
    """

    theta_pos: Tensor
    theta_neg: Tensor
    gamma_pos: Tensor
    gamma_neg: Tensor

    @classmethod
    def of(cls, parameters: Mapping[str, Tensor]) -> TwoSided:
        """The formulas for these parameters themselves, unchecked and with their autograd graph."""
        layer = TwoSided()
        layer.theta_pos, layer.theta_neg = parameters["theta_pos"], parameters["theta_neg"]
        layer.gamma_pos, layer.gamma_neg = parameters["gamma_pos"], parameters["gamma_neg"]
        return layer

    def convert(self, x: Tensor) -> Tensor:
        """Values in the layer's dtype (booleans and integers become floats)."""
        return x if x.dtype == self.theta_pos.dtype else x.to(self.theta_pos.dtype)

    def _tracked(self, inputs: Tensor) -> bool:
        """Whether autograd follows the inputs or a parameter."""
        parameters = (self.theta_pos, self.theta_neg, self.gamma_pos, self.gamma_neg)
        return inputs.requires_grad or any(p.requires_grad for p in parameters)

    def _thresholds(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Standard deviations of both sides and how far each lies beyond its threshold, in these units."""
        std_pos, std_neg = self.gamma_pos.rsqrt(), self.gamma_neg.rsqrt()
        return std_pos, std_neg, (self.theta_pos - inputs) * std_pos, (inputs - self.theta_neg) * std_neg

    def _drives(self, inputs: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """What drives ``|x|`` on the positive and on the negative side, with the curvature there."""
        return (inputs - self.theta_pos, self.gamma_pos), (self.theta_neg - inputs, self.gamma_neg)

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
        pos, neg = self._drives(inputs)
        log_odds = side_cgf(*pos) - side_cgf(*neg)
        means, variances = (side_mean(*pos), side_mean(*neg)), (side_variance(*pos), side_variance(*neg))
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
        pos, neg = self._drives(inputs)
        return log_add_exp(side_cgf(*pos), side_cgf(*neg))

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        x = self.convert(x)
        if torch.is_grad_enabled() and (x.requires_grad or self._tracked(inputs)):
            return inputs * x - self.energies(x) - self.cgfs(inputs)
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

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return self._sample(self.sides(inputs), noise)

    def _sample(self, sides: Sides, noise: Tensor) -> Tensor:
        negative = greater(as_uniform(noise[0]), sides.prob_pos)
        chosen = [torch.lerp(p, n, negative) for p, n in zip(sides.tail_pos, sides.tail_neg, strict=True)]
        threshold = torch.lerp(sides.threshold_pos, sides.threshold_neg, negative)
        std = torch.lerp(self.gamma_pos.rsqrt(), -self.gamma_neg.rsqrt(), negative)
        return std * excess_from_uniform(threshold, Tail(*chosen), as_uniform(noise[1]))

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
