"""The mean of a random unit as an activation: smooth, with exact derivatives, sharp as the temperature falls."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import positive_number
from halfwave.nn.parameters import check_input, rule

__all__ = ["UnitMean"]

_SCALE_FREE = ("eta", "xi")
"""Parameters that are ratios of curvatures: a temperature leaves them alone."""


_LARGE = 1e15
"""Inputs beyond this, of either sign, have the limits of the mean for means."""


class _Mean(nn.Module):
    """The mean as a module's forward, whose parameters can be replaced by expressions of others."""

    def __init__(self, unit: Any) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, x: Tensor, temperature: float) -> Tensor:
        inputs = self.unit.check_inputs(x)
        mean = self.unit.mean_from_inputs(rule(_Bounded, _BoundedForward).apply(inputs) / temperature)
        # A mean that grows with its input is infinite where the input is; one that levels off has its limit.
        if self.unit.discrete:
            return mean
        grows = torch.isinf(inputs) & (mean.abs() > 1.0)
        return mean + torch.where(grows, inputs, torch.zeros_like(inputs)).detach()


class _Bounded(torch.autograd.Function):
    """Infinite inputs made finite; derivatives pass, since the mean is a straight line out there."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.where(torch.isinf(x), torch.sign(x) * _LARGE, x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


class _BoundedForward(_Bounded):
    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Tensor:
        return tangents[0].clone()


class UnitMean(nn.Module):
    """The mean ``⟨h⟩`` of a random unit with input x at temperature t, density ``∝ exp((x h − U(h))/t)``.

    At t = 1 it is ``unit.mean_from_inputs(x)``; as t → 0 it becomes the mode, for a dReLU `TwoSidedReLU`. Its
    derivative in x is ``Var h / t``, computed without differences; so is the one in every parameter.

    Args:
        unit: a unit of `halfwave.units`; its shape must be the trailing dimensions of the input.
        temperature: t, positive.
        learnable: whether the unit's parameters are learnt, from a copy: positive ones as logarithms, η as its
            inverse hyperbolic tangent, the others as they are. If not, the module follows the unit.

    Raises:
        HalfwaveError: if ``unit`` is not a unit or the temperature is not positive.

    >>> from halfwave.units import DReLU
    >>> unit = DReLU(theta_pos=torch.ones(1), theta_neg=-torch.ones(1),
    ...              gamma_pos=torch.ones(1), gamma_neg=torch.ones(1))
    >>> [round(UnitMean(unit, temperature=t)(torch.tensor([[3.0]])).item(), 3) for t in (1.0, 0.1, 0.001)]
    [2.026, 2.0, 2.0]

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 4.
    """

    def __init__(self, unit: Any, temperature: float = 1.0, learnable: bool = False) -> None:
        super().__init__()
        rules: Any = getattr(unit, "parameter_rules", None)
        if rules is None or not hasattr(unit, "mean_from_inputs"):
            raise HalfwaveError(f"UnitMean takes a unit of halfwave.units; got {type(unit).__name__}")
        self.temperature = positive_number("`temperature` of UnitMean", temperature)
        if self.temperature != 1 and "xi" in rules and "gamma" not in rules:
            unit = unit.to_xrelu()  # γ is fixed to 1 in this parametrisation, and a temperature scales it
            rules = unit.parameter_rules
        self.learnable = bool(learnable)
        if not learnable:
            self.mean = _Mean(unit)
            return
        # A copy that only knows the formulas; a tuple hides it from the state, which is `raw` alone.
        self._formulas = (_Mean(copy.deepcopy(unit)),)
        self.raw = nn.ParameterDict(
            {
                name: nn.Parameter(_to_raw(value.detach().clone(), rules[name]))
                for name, value in unit.named_parameters()
            }
        )

    def _mean(self) -> _Mean:
        return self._formulas[0] if self.learnable else self.mean

    @property
    def unit(self) -> Any:
        """The unit as it is now: the one given, or a new one with the learnt parameters."""
        own = self._mean().unit
        if not self.learnable:
            return own
        return type(own).from_parameters(
            {name: value.detach() for name, value in self._parameters_now().items()}
        )

    def _parameters_now(self) -> dict[str, Tensor]:
        own = self._mean().unit
        if not self.learnable:
            return dict(own.named_parameters())
        return {name: _from_raw(self.raw[name], rule) for name, rule in own.parameter_rules.items()}

    def forward(self, x: Tensor) -> Tensor:
        """Means of the units with inputs x (*batch, *unit shape), of the same shape and dtype."""
        check_input(x, "UnitMean")
        t, mean = self.temperature, self._mean()
        if t == 1.0 and not self.learnable:
            return mean(x, t).to(x.dtype)
        cold = {
            f"unit.{name}": value if name in _SCALE_FREE else value / t
            for name, value in self._parameters_now().items()
        }
        return torch.func.functional_call(mean, cold, (x, t)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"temperature={self.temperature!r}" + (", learnable=True" if self.learnable else "")


def _to_raw(value: Tensor, rule: str) -> Tensor:
    if rule == "positive":
        return value.log()
    return value.atanh() if rule == "inside (-1, 1)" else value.clone()


def _from_raw(raw: Tensor, rule: str) -> Tensor:
    if rule == "positive":
        return raw.exp()
    return raw.tanh() if rule == "inside (-1, 1)" else raw
