"""Conversions between the parametrisations of the dReLU unit, as methods that all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from halfwave.constraints import first_index
from halfwave.errors import HalfwaveError

if TYPE_CHECKING:
    from halfwave.units.drelu import DReLU
    from halfwave.units.nsrelu import NSReLU
    from halfwave.units.prelu import PReLU
    from halfwave.units.xrelu import XReLU

__all__ = ["Convertible"]


class Convertible:
    """Adds ``to_prelu``, ``to_xrelu`` and ``to_nsrelu`` to a unit that has ``to_drelu``.

    The inverse map is ``γ = 2γ⁺γ⁻/(γ⁺+γ⁻)``, ``η = (γ⁻−γ⁺)/(γ⁺+γ⁻)``, ``ξ = (γ⁻−γ⁺)/(2 min γ±)``,
    ``θ = (θ⁺γ⁻ + θ⁻γ⁺)/(γ⁺+γ⁻)``, ``Δ = γ(θ⁺−θ⁻)/(γ⁺+γ⁻)``.
    """

    def to_drelu(self) -> DReLU:
        """The same unit as (θ⁺, θ⁻, γ⁺, γ⁻)."""
        raise NotImplementedError

    def to_prelu(self) -> PReLU:
        """The same unit as (θ, γ, Δ, η); η must not round to ±1, else `HalfwaveError`."""
        from halfwave.units.prelu import PReLU

        drelu = self.to_drelu()
        total = drelu.gamma_pos + drelu.gamma_neg
        eta = (drelu.gamma_neg - drelu.gamma_pos) / total
        return PReLU.from_parameters({**_common(drelu), "eta": eta})

    def to_xrelu(self) -> XReLU:
        """The same unit as (θ, γ, Δ, ξ)."""
        from halfwave.units.xrelu import XReLU

        drelu = self.to_drelu()
        return XReLU.from_parameters({**_common(drelu), "xi": _xi(drelu)})

    def to_nsrelu(self) -> NSReLU:
        """The same unit as (θ, Δ, ξ); its γ must be 1, else `HalfwaveError`."""
        from halfwave.units.nsrelu import NSReLU

        drelu = self.to_drelu()
        common = _common(drelu)
        gamma = common.pop("gamma")
        tolerance = 16 * torch.finfo(gamma.dtype).eps
        bad = (gamma - 1.0).abs() > tolerance
        if bool(bad.any()):
            index = first_index(bad)
            raise HalfwaveError(
                f"NSReLU has γ = 1 and cannot hold a unit with γ = {gamma[index].item():.6g} at index {index}"
            )
        return NSReLU.from_parameters({**common, "xi": _xi(drelu)})


def _common(drelu: DReLU) -> dict[str, Tensor]:
    """θ, γ and Δ of a dReLU unit; written so that no intermediate overflows."""
    total = drelu.gamma_pos + drelu.gamma_neg
    share_pos, share_neg = drelu.gamma_pos / total, drelu.gamma_neg / total
    gamma = 2.0 * torch.minimum(drelu.gamma_pos, drelu.gamma_neg) * torch.maximum(share_pos, share_neg)
    return {
        "theta": drelu.theta_pos * share_neg + drelu.theta_neg * share_pos,
        "gamma": gamma,
        "delta": gamma * (drelu.theta_pos - drelu.theta_neg) / total,
    }


def _xi(drelu: DReLU) -> Tensor:
    return 0.5 * (drelu.gamma_neg - drelu.gamma_pos) / torch.minimum(drelu.gamma_pos, drelu.gamma_neg)
