"""The mean of a random unit as an activation: smooth, with exact derivatives, sharp as the temperature falls."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from halfwave.errors import HalfwaveError

__all__ = ["UnitMean"]

_SCALE_FREE = ("eta", "xi")
"""Parameters that are ratios of curvatures: a temperature leaves them alone."""


class _Mean(nn.Module):
    """The mean as a module's forward, whose parameters can be replaced by expressions of others."""

    def __init__(self, unit: Any) -> None:
        super().__init__()
        self.unit = unit

    def forward(self, inputs: Tensor) -> Tensor:
        return self.unit.mean_from_inputs(inputs)


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
        if not isinstance(temperature, (int, float)) or not (math.isfinite(temperature) and temperature > 0):
            raise HalfwaveError(f"`temperature` of UnitMean must be positive; got {temperature!r}")
        if temperature != 1 and "xi" in rules and "gamma" not in rules:
            unit = unit.to_xrelu()  # γ is fixed to 1 in this parametrisation, and a temperature scales it
            rules = unit.parameter_rules
        self.temperature = float(temperature)
        self.learnable = bool(learnable)
        self.mean = _Mean(unit)
        if learnable:
            self.raw = nn.ParameterDict(
                {
                    name: nn.Parameter(_to_raw(value.detach(), rules[name]))
                    for name, value in unit.named_parameters()
                }
            )

    @property
    def unit(self) -> Any:
        """The unit as it is now: the one given, or a new one with the learnt parameters."""
        own = self.mean.unit
        if not self.learnable:
            return own
        return type(own).from_parameters(
            {name: value.detach() for name, value in self._parameters_now().items()}
        )

    def _parameters_now(self) -> dict[str, Tensor]:
        own = self.mean.unit
        if not self.learnable:
            return dict(own.named_parameters())
        return {name: _from_raw(self.raw[name], rule) for name, rule in own.parameter_rules.items()}

    def forward(self, x: Tensor) -> Tensor:
        """Means of the units with inputs x (*batch, *unit shape), of the same shape and dtype."""
        inputs, t = self.mean.unit.check_inputs(x), self.temperature
        if t == 1.0 and not self.learnable:
            return self.mean(inputs).to(x.dtype)
        cold = {
            f"unit.{name}": value if name in _SCALE_FREE else value / t
            for name, value in self._parameters_now().items()
        }
        return torch.func.functional_call(self.mean, cold, (inputs / t,)).to(x.dtype)

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
