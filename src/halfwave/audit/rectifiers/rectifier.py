"""What a rectifier is to the audit: where its kinks are, and on which side of them it answers to its input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

__all__ = ["Kind", "Rectifier"]

Kind = Literal["rectifier", "leaky", "clipped", "two-sided", "soft"]


@dataclass(frozen=True, slots=True, eq=False)
class Rectifier:
    """One activation with kinks, as it was called.

    | kind | kinks | the unit fires where | without gradient |
    |---|---|---|---|
    | "rectifier" (ReLU, Threshold) | ``lower`` | ``x > lower`` | ``x ≤ lower`` |
    | "leaky" (LeakyReLU, PReLU) | ``lower`` | ``x > lower`` | nowhere |
    | "clipped" (ReLU6, Hardtanh) | ``lower``, ``upper`` | ``lower < x < upper`` | outside |
    | "two-sided" (shrinkage, dReLU's mode) | ``lower``, ``upper`` | ``x < lower`` or ``x > upper`` | between |
    | the same for ``min(0, x)`` | ``lower``, ``upper = ∞`` | ``x < lower`` | ``x ≥ lower`` |
    | "soft" (GELU, SiLU, ELU) | ``lower`` | ``x > lower`` | ``x ≤ dead_below``, where its slope is below 0.001 |

    >>> Rectifier("relu6", "clipped", 0.0, 6.0).kinks
    (0.0, 6.0)
    """

    operation: str
    """Its name, such as "relu"."""
    kind: Kind
    lower: float | Tensor = 0.0
    """The lower kink: a number or a tensor that broadcasts to the input."""
    upper: float | Tensor | None = None
    """The upper kink, where there are two."""
    zero_when_silent: bool = False
    """Whether the output is exactly zero where the unit does not fire, and only there."""
    increasing: bool = True
    """Whether the output never falls as the input rises."""
    dead_below: float = -math.inf
    """Of a soft one: inputs below give no more gradient than 0.001 of what they get."""
    linear_above: float = math.inf
    """Of a soft one: inputs above give a straight line to 0.001."""
    valley: float | None = None
    """Of a soft one that falls before it rises: a number just below its minimum."""

    @property
    def kinks(self) -> tuple[float | Tensor, ...]:
        """The kinks, in order."""
        return (self.lower,) if self.upper is None else (self.lower, self.upper)

    @property
    def is_relu(self) -> bool:
        """Whether it is ``max(0, x)`` exactly."""
        lower = self.lower
        at_zero = not isinstance(lower, Tensor) and lower == 0
        return self.kind == "rectifier" and at_zero and self.zero_when_silent

    @property
    def thresholded(self) -> bool:
        """Whether silence is asked for: the kink of a one-sided rectifier lies above 0, or it is two-sided.

        One with its upper kink at infinity is one-sided: what it cuts off is no dead zone.
        """
        if self.kind == "two-sided":
            return isinstance(self.upper, Tensor) or self.upper != math.inf
        lower = self.lower
        above = bool((lower > 0).any()) if isinstance(lower, Tensor) else lower > 0
        return self.kind == "rectifier" and above
