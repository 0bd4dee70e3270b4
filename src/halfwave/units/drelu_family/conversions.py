"""Conversions between the parametrisations of the dReLU unit, as methods that all of them share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from halfwave.constraints import first_index
from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit

__all__ = ["Convertible"]

_FORMS: dict[str, Any] = {}
"""The units of the family by their names."""


class Convertible:
    """Adds ``to_prelu``, ``to_xrelu`` and ``to_nsrelu`` to a unit that has ``to_drelu``.

    The inverse map is ``γ = 2γ⁺γ⁻/(γ⁺+γ⁻)``, ``η = (γ⁻−γ⁺)/(γ⁺+γ⁻)``, ``ξ = (γ⁻−γ⁺)/(2 min γ±)``,
    ``θ = (θ⁺γ⁻ + θ⁻γ⁺)/(γ⁺+γ⁻)``, ``Δ = γ(θ⁺−θ⁻)/(γ⁺+γ⁻)``.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Keep every unit of the family by its name, so that none needs to import the others."""
        super().__init_subclass__(**options)
        _FORMS.setdefault(cls.__name__, cls)

    def to_drelu(self) -> Unit:
        """The same unit as (θ⁺, θ⁻, γ⁺, γ⁻)."""
        raise NotImplementedError

    def to_prelu(self) -> Unit:
        """The same unit as a `PReLU` (θ, γ, Δ, η); η must not round to ±1, else `HalfwaveError`."""
        sides = self._sides()
        _, _, gamma_pos, gamma_neg = sides
        eta = (gamma_neg - gamma_pos) / (gamma_pos + gamma_neg)
        return _FORMS["PReLU"].from_parameters({**_common(*sides), "eta": eta})

    def to_xrelu(self) -> Unit:
        """The same unit as an `XReLU` (θ, γ, Δ, ξ)."""
        sides = self._sides()
        return _FORMS["XReLU"].from_parameters({**_common(*sides), "xi": _xi(*sides[2:])})

    def to_nsrelu(self) -> Unit:
        """The same unit as an `NSReLU` (θ, Δ, ξ); its γ must be 1, else `HalfwaveError`."""
        sides = self._sides()
        common = _common(*sides)
        gamma = common.pop("gamma")
        tolerance = 16 * torch.finfo(gamma.dtype).eps
        bad = (gamma - 1.0).abs() > tolerance
        if bool(bad.any()):
            index = first_index(bad)
            raise HalfwaveError(
                f"NSReLU has γ = 1 and cannot hold a unit with γ = {gamma[index].item():.6g} at index {index}"
            )
        return _FORMS["NSReLU"].from_parameters({**common, "xi": _xi(*sides[2:])})

    def _sides(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """θ⁺, θ⁻, γ⁺ and γ⁻ of the equivalent dReLU unit."""
        drelu = self.to_drelu()
        theta_pos, theta_neg = drelu.get_parameter("theta_pos"), drelu.get_parameter("theta_neg")
        return theta_pos, theta_neg, drelu.get_parameter("gamma_pos"), drelu.get_parameter("gamma_neg")


def _common(theta_pos: Tensor, theta_neg: Tensor, gamma_pos: Tensor, gamma_neg: Tensor) -> dict[str, Tensor]:
    """θ, γ and Δ of a dReLU unit; written so that no intermediate overflows."""
    total = gamma_pos + gamma_neg
    share_pos, share_neg = gamma_pos / total, gamma_neg / total
    gamma = 2.0 * torch.minimum(gamma_pos, gamma_neg) * torch.maximum(share_pos, share_neg)
    return {
        "theta": theta_pos * share_neg + theta_neg * share_pos,
        "gamma": gamma,
        "delta": gamma * (theta_pos - theta_neg) / total,
    }


def _xi(gamma_pos: Tensor, gamma_neg: Tensor) -> Tensor:
    return 0.5 * (gamma_neg - gamma_pos) / torch.minimum(gamma_pos, gamma_neg)
