"""What a page asks about a dReLU unit: its parameters, input and temperature, checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.payloads import number
from halfwave.functions import PiecewiseLinear
from halfwave.units import DReLU
from halfwave.units.drelu_family.two_sided import Sides

__all__ = ["PARAMETERS", "UnitQuestion", "driven_unit", "unit_at_temperature", "window_of"]

PARAMETERS = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
LARGEST = 1e6
SMALLEST = 1e-4
"""Curvatures and temperatures lie between it and `LARGEST`; thresholds and inputs within ± `LARGEST`."""


@dataclass(frozen=True, eq=False)
class UnitQuestion:
    """A dReLU unit at a temperature T, whose density is ``exp((I x − U(x))/T)`` up to its norm.

    That is the density of the unit with parameters θ±/T and γ±/T at the input I/T: `unit` and `drive`.

    Args:
        plain: the unit at temperature 1, in double precision; its energies are U.
        unit: the unit with θ±/T and γ±/T.
        temperature: T.
        input: I.
        drive: I/T.
    """

    plain: DReLU
    unit: DReLU
    temperature: float
    input: float
    drive: Tensor

    @cached_property
    def mode_function(self) -> PiecewiseLinear:
        """The mode as a function of the input I, the same at every temperature."""
        return self.plain.mode_function()

    @cached_property
    def sides(self) -> Sides:
        """Both sides of the density at the input I."""
        return self.unit.sides(self.drive)


def unit_at_temperature(payload: Mapping[str, Any]) -> UnitQuestion:
    """The unit that a payload describes by `theta_pos`, …, `gamma_neg` and `temperature`, at the input 0.

    Raises:
        HalfwaveError: if a number is missing, not finite, or out of its range.

    >>> asked = {"theta_pos": 1, "theta_neg": -1, "gamma_pos": 2, "gamma_neg": 2, "temperature": 0.5}
    >>> unit_at_temperature(asked).unit.gamma_pos.item()
    4.0
    """
    temperature = _within(payload, "temperature", SMALLEST)
    values = {key: _within(payload, key, SMALLEST if key[0] == "g" else -LARGEST) for key in PARAMETERS}
    return UnitQuestion(
        plain=_unit(values),
        unit=_unit({key: value / temperature for key, value in values.items()}),
        temperature=temperature,
        input=0.0,
        drive=torch.tensor(0.0, dtype=torch.float64),
    )


def driven_unit(payload: Mapping[str, Any]) -> UnitQuestion:
    """The unit that a payload describes, at its `input`.

    Raises:
        HalfwaveError: if a number is missing, not finite, or out of its range.

    >>> unit = {"theta_pos": 1, "theta_neg": -1, "gamma_pos": 2, "gamma_neg": 2}
    >>> driven_unit({**unit, "temperature": 0.5, "input": 3}).drive.item()
    6.0
    """
    asked = unit_at_temperature(payload)
    given = _within(payload, "input", -LARGEST)
    drive = torch.tensor(given / asked.temperature, dtype=torch.float64)
    return UnitQuestion(asked.plain, asked.unit, asked.temperature, given, drive)


def window_of(payload: Mapping[str, Any], length: int) -> list[float] | None:
    """`window`, pairs of a lower and an upper end; None where the page leaves the choice to us.

    Raises:
        HalfwaveError: if it is no list of so many numbers, or the ends of a pair do not increase.

    >>> window_of({"window": [-1, 2]}, 2)
    [-1.0, 2.0]
    """
    window = payload.get("window")
    if window is None:
        return None
    if not isinstance(window, list) or len(window) != length:
        raise HalfwaveError(f"`window` must be null or a list of {length} numbers")
    ends = [number({"end": end}, "end") for end in window]
    if any(
        low >= high or max(-low, high) > 10 * LARGEST for low, high in zip(ends[::2], ends[1::2], strict=True)
    ):
        raise HalfwaveError(f"the ends of `window` must increase, within ±{10 * LARGEST:g}; got {ends}")
    return ends


def _unit(values: Mapping[str, float]) -> DReLU:
    return DReLU.from_parameters({k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()})


def _within(payload: Mapping[str, Any], name: str, low: float) -> float:
    value = number(payload, name)
    if not low <= value <= LARGEST:
        raise HalfwaveError(f"`{name}` must be from {low:g} to {LARGEST:g} here; got {value:g}")
    return value
