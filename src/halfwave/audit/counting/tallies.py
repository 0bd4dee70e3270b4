"""What is counted and summed of one activation in one batch, per channel, and several such parts together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Counts", "Measured", "Sums", "joined", "merged"]


@dataclass(frozen=True, slots=True)
class Sums:
    """What one batch adds to the moments of every channel; arrays of shape (channels,), float64."""

    count: Tensor
    """Finite elements."""
    mean: Tensor
    squares: Tensor
    """Sum of squared differences from the mean."""
    low: Tensor
    high: Tensor
    not_a_number: Tensor | None = None
    """Elements that are NaN, where anything is not finite."""
    infinite: Tensor | None = None
    first: tuple[int, int] | None = None
    """Sample and channel of the first element that is not finite."""

    def stacked(self) -> Tensor:
        """The five arrays as one (5, channels)."""
        return torch.stack([self.count, self.mean, self.squares, self.low, self.high])


@dataclass(frozen=True, slots=True)
class Counts:
    """Elements of every channel (channels,) below and above the kinks; elements and samples for which it fired."""

    below: Tensor
    above: Tensor
    fired: Tensor
    """Elements for which the unit fired."""
    fired_samples: Tensor


@dataclass(frozen=True, slots=True)
class Measured:
    """The input of a rectifier in one batch."""

    before: Sums
    counts: Counts
    after: Sums | None
    """The output's sums, where the rectifier is ``max(0, x)`` and they were asked for."""


def joined(parts: list[Measured]) -> Measured:
    """Parts of one batch of samples with one place, in which a unit fires as often as it does for elements."""
    below, above = (sum(getattr(part.counts, name) for part in parts) for name in ("below", "above"))
    fired = sum(part.counts.fired for part in parts)
    before = merged([part.before for part in parts])
    after = [part.after for part in parts if part.after is not None]
    return Measured(before, Counts(below, above, fired, fired), merged(after) if after else None)  # pyright: ignore[reportArgumentType]


def merged(parts: list[Sums]) -> Sums:
    """Moments of several parts together (Chan's formula)."""
    count, mean, squares, low, high = torch.stack([part.stacked() for part in parts], dim=1)
    total = count.sum(0)
    middle = (count * mean).sum(0) / total
    spread = squares.sum(0) + (count * (mean - middle) ** 2).sum(0)
    return Sums(total, middle, spread, low.amin(0), high.amax(0))
