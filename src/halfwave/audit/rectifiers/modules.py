"""Halfwave's own activations as rectifiers; those of torch are seen as the functions they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from halfwave.audit.rectifiers.rectifier import Rectifier
from halfwave.nn import (
    ClippedReLU,
    HardTanh,
    HardThreshold,
    LeakyReLU,
    PiecewiseLinearActivation,
    RectifiedLinear,
    SoftThreshold,
    ThresholdedReLU,
    TwoSidedReLU,
    UnitMean,
)

__all__ = ["WHOLE", "is_activation", "rectifier_of_module"]


def _thresholded(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    threshold = module.laid("threshold", x)
    lowest = float(torch.as_tensor(threshold).min())
    # below its threshold form "floor" gives T, and form "keep" of a negative T falls from T to 0
    zero = module.form == "subtract" or (module.form == "keep" and lowest >= 0)
    rises = module.form != "keep" or lowest >= 0
    return x, Rectifier("thresholded_relu", "rectifier", threshold, zero_when_silent=zero, increasing=rises)


def _rectified_linear(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    # Its own input is m x + b: the kink is at 0 whatever the sign of m.
    m = module.laid("m", x)
    rises = bool((torch.as_tensor(m) >= 0).all())
    return m * x + module.laid("b", x), Rectifier(
        "rectified_linear", "rectifier", zero_when_silent=True, increasing=rises
    )


def _leaky(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    rises = bool((torch.as_tensor(module.slope) >= 0).all())
    return x, Rectifier("leaky_relu", "leaky", increasing=rises)


def _clipped(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    return x, Rectifier("clipped_relu", "clipped", 0.0, module.size("ceiling", x))


def _hard_tanh(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    return x, Rectifier("hard_tanh", "clipped", module.laid("low", x), module.laid("high", x))


def _shrink(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    half = module.size("threshold", x)
    return x, Rectifier("shrink", "two-sided", -half, half, zero_when_silent=True)


def _two_sided(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    pair = (torch.as_tensor(module.laid(name, x)) for name in ("theta_neg", "theta_pos"))
    neg, pos = (value.detach() for value in pair)
    # A double well jumps between its sides somewhere between its thresholds and is never silent for long.
    lower, upper = torch.minimum(neg, pos), torch.maximum(neg, pos)
    return x, Rectifier("two_sided_relu", "two-sided", lower, upper, bool((neg <= pos).all()))


def _piecewise(module: Any, x: Tensor) -> tuple[Tensor, Rectifier] | None:
    function = module.function
    kinks, slopes = list(function.kinks), list(function.slopes)
    if not kinks:
        return None
    if len(kinks) == 1:
        kind = "rectifier" if slopes[0] == 0 else "leaky"
        return x, Rectifier("piecewise_linear", kind, float(kinks[0]), increasing=False)
    flat_ends = slopes[0] == 0 and slopes[-1] == 0
    kind = "clipped" if flat_ends else "two-sided"
    if not flat_ends and any(slopes[1:-1]):  # it answers everywhere
        kind = "soft"
    return x, Rectifier("piecewise_linear", kind, float(kinks[0]), float(kinks[-1]), increasing=False)


def _unit_mean(module: Any, x: Tensor) -> tuple[Tensor, Rectifier]:
    return x, Rectifier("unit_mean", "soft", increasing=True)


WHOLE: dict[type[nn.Module], Callable[[Any, Tensor], tuple[Tensor, Rectifier] | None]] = {
    ThresholdedReLU: _thresholded,
    RectifiedLinear: _rectified_linear,
    LeakyReLU: _leaky,
    ClippedReLU: _clipped,
    HardTanh: _hard_tanh,
    SoftThreshold: _shrink,
    HardThreshold: _shrink,
    TwoSidedReLU: _two_sided,
    PiecewiseLinearActivation: _piecewise,
    UnitMean: _unit_mean,
}
"""Modules that are judged as a whole, whatever they call inside."""


def is_activation(module: nn.Module) -> bool:
    """Whether a module is nothing but an activation, so that its own name is the layer's.

    >>> is_activation(nn.ReLU()), is_activation(nn.Sequential(nn.ReLU()))
    (True, False)
    """
    return type(module) in WHOLE or type(module).__module__ == "torch.nn.modules.activation"


def rectifier_of_module(module: nn.Module, x: Any) -> tuple[Tensor, Rectifier] | None:
    """What a module of `WHOLE` rectifies and how, or None where the input is none or it has no kink."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim == 0:
        return None
    with torch.no_grad():
        return WHOLE[type(module)](module, x)
