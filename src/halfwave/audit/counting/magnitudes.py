"""Quantiles of non-negative values that stream by, to a known relative error, in memory that does not grow."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["Magnitudes"]

_DROPPED = 12
"""Bits of the 23-bit fraction of a float32 that tell no bins apart; 11 are left."""

_BINS = 1 << (31 - _DROPPED)
_INFINITE = 0x7F800000 >> _DROPPED
"""The first bin that holds no finite value: infinity, then NaN."""


class Magnitudes:
    """Counts of values by the leading bits of their float32 form, whose order is that of the values.

    A bin is the finer the smaller its values are: its width is at most 2⁻¹¹ of them. Whatever the range of the values
    and the batches in which they come, the number of values at or below a threshold from `threshold` is exact (of
    float32 and narrower ones), and the threshold is at most 0.05 % above the order statistic that was asked for.

    >>> counted = Magnitudes()
    >>> counted.add(torch.tensor([0.0, 0.0, 1.0, 2.0, 4.0]))
    True
    >>> counted.total, counted.share_at_most(counted.threshold(0.6))
    (5, 0.6)
    >>> 1.0 <= counted.threshold(0.6) <= 1.0005
    True

    Source: bins of equal relative width are those of Masson, Rim and Lee, "DDSketch", VLDB (2019); taking them from
    the bits of a float is as old as radix sorting of floats.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(_BINS, dtype=np.int64)
        """Values in each bin (bins,)."""

    def add(self, values: Tensor) -> bool:
        """Count the sizes of some values; whether all were finite."""
        bits = values.detach().abs().to(torch.float32).contiguous().view(torch.int32).flatten()
        counted = torch.bincount(bits >> _DROPPED, minlength=_BINS).cpu().numpy()
        self.counts += counted
        return not counted[_INFINITE:].any()

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def threshold(self, share: float) -> float:
        """The smallest edge of a bin such that at least this share of the values is not above it; 0 for zeros alone."""
        cumulative = np.cumsum(self.counts)
        # a share such as 0.9 of 10 values is 9 of them, although 0.9 is not 9/10 in binary
        wanted = max(1, math.ceil(share * int(cumulative[-1]) * (1 - 1e-12)))
        return _upper_edge(int(np.searchsorted(cumulative, wanted)))

    def share_at_most(self, threshold: float) -> float:
        """The share of values not above a threshold, exact if it is one of `threshold`; NaN where there are none."""
        total = self.total
        return int(self.counts[: _bin_of(threshold) + 1].sum()) / total if total else math.nan


def _upper_edge(place: int) -> float:
    """The largest float32 of a bin; the first one holds zeros, and numbers too small to matter."""
    bits = ((place + 1) << _DROPPED) - 1
    return float(np.array(bits, dtype=np.int32).view(np.float32)) if place else 0.0


def _bin_of(value: float) -> int:
    return int(np.float32(value).view(np.int32)) >> _DROPPED
