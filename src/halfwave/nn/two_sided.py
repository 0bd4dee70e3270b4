"""The mode of a dReLU unit as an activation: a dead zone, and a slope of its own on each side of it."""

from __future__ import annotations

from typing import Any, Self, Unpack

import torch
from torch import Tensor

from halfwave.nn.elementwise import two_sided_relu
from halfwave.nn.module import Activation, ChannelOptions

__all__ = ["TwoSidedReLU"]


class TwoSidedReLU(Activation):
    """``(x − θ⁺)⁺/γ⁺ + (x − θ⁻)⁻/γ⁻``: the most probable value of a dReLU unit whose input is x.

    With ``θ⁻ ≤ θ⁺`` inputs between the thresholds give 0; with ``θ⁺ < θ⁻`` it jumps, see
    `halfwave.nn.functional.two_sided_relu`. `UnitMean` is its smooth relative at finite temperature.

    Learnt curvatures are kept as their logarithms (``log_gamma_pos``, ``log_gamma_neg``) and stay positive.

    Args:
        theta_pos: θ⁺, a finite number or a tensor (one value a channel, or any shape that broadcasts).
        theta_neg: θ⁻, likewise.
        gamma_pos: γ⁺ > 0, the inverse slope on the positive side, likewise.
        gamma_neg: γ⁻ > 0, the inverse slope on the negative side, likewise.
        options: as of `halfwave.nn.Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if a threshold is not finite, a curvature not positive, or a shape does not fit.

    >>> TwoSidedReLU(theta_pos=1.0, theta_neg=-1.0, gamma_neg=2.0)(torch.tensor([-3.0, 0.0, 3.0]))
    tensor([-1.,  0.,  2.])

    Source: the potential of Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 4.
    """

    def __init__(
        self,
        theta_pos: float | Tensor = 0.5,
        theta_neg: float | Tensor = -0.5,
        gamma_pos: float | Tensor = 1.0,
        gamma_neg: float | Tensor = 1.0,
        **options: Unpack[ChannelOptions],
    ) -> None:
        values = {
            "theta_pos": theta_pos,
            "theta_neg": theta_neg,
            "gamma_pos": gamma_pos,
            "gamma_neg": gamma_neg,
        }
        super().__init__(values, {"gamma_pos": "positive", "gamma_neg": "positive"}, **options)
        if self.learnable:
            for name in ("gamma_pos", "gamma_neg"):
                gamma = self._parameters.pop(name)
                assert gamma is not None
                self.register_parameter(f"log_{name}", torch.nn.Parameter(gamma.detach().log()))

    @classmethod
    def from_unit(cls, unit: Any, *, channel_dim: int = -1, learnable: bool = False) -> Self:
        """The mode of a dReLU unit (any of its parametrisations) of shape (units,).

        >>> from halfwave.units import DReLU
        >>> TwoSidedReLU.from_unit(DReLU(3))(torch.tensor([[-1.0, 0.0, 2.0]]))
        tensor([[-1.,  0.,  2.]])
        """
        parameters = dict(unit.to_drelu().named_parameters())
        return cls(**parameters, channel_dim=channel_dim, learnable=learnable)

    def __getattr__(self, name: str) -> Any:
        if name in ("gamma_pos", "gamma_neg") and f"log_{name}" in self.__dict__.get("_parameters", {}):
            return self._parameters[f"log_{name}"].exp()  # pyright: ignore[reportOptionalMemberAccess]
        return super().__getattr__(name)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return two_sided_relu(x, *(self.laid(name, x) for name in self.parameter_names))
