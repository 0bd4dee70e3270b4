"""Histograms of channels that widen as values come, with the same result in whatever batches they come."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "ChannelHistograms", "Histogram"]

BINS = 128
"""Bins of a channel, half of them on either side of zero."""

_HALF_BITS = BINS.bit_length() - 2
"""There are 2 to this bins on either side."""

_SMALLEST = -1000
"""Exponent of the width of bins before anything but zero has been seen."""


class Histogram:
    """Counts in bins of equal width; zero is an edge.

    >>> histogram = Histogram(np.array([0.0, 1.0, 2.0]), np.array([3, 1]))
    >>> histogram.total, histogram.quantile(0.5)
    (4, 0.6666666666666666)
    """

    def __init__(self, edges: npt.NDArray[np.float64], counts: npt.NDArray[np.int64]) -> None:
        self.edges = edges
        """Edges of the bins (bins + 1,)."""
        self.counts = counts
        """Values in each bin (bins,)."""

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    def quantile(self, share: float) -> float:
        """The value below which a share of the values lies, to a bin's width; NaN where there are none."""
        if not self.total:
            return float("nan")
        cumulative = np.concatenate([[0], np.cumsum(self.counts)])
        return float(np.interp(share * self.total, cumulative, self.edges))


class ChannelHistograms:
    """One histogram per channel, of bins whose width is a power of two that doubles when a value falls outside.

    Bins are ``[i w, (i + 1) w)`` for −64 ≤ i < 64. Two neighbours make one bin of twice the width, so the counts
    after a widening are those of wide bins from the start: the result depends on the values, not on their order.

    Args:
        channels: how many.

    >>> histograms = ChannelHistograms(1)
    >>> histograms.add(np.array([[0.25, 0.5]]), peak=np.array([0.5]))
    >>> histograms.add(np.array([[100.0]]), peak=np.array([100.0]))
    >>> histogram = histograms.channel(0)
    >>> histogram.total, histogram.edges[:2]
    (3, array([-128., -126.]))
    """

    def __init__(self, channels: int) -> None:
        self.exponents = np.full(channels, _SMALLEST, dtype=np.int64)
        """The width of a channel's bins is 2 to this (channels,)."""
        self.counts = np.zeros((channels, BINS), dtype=np.int64)
        """Values in each channel's bins (channels, bins)."""
        # where the bin of zero is in the flattened counts
        self._offsets = (BINS // 2 + BINS * np.arange(channels, dtype=np.float64))[:, None]

    def add(self, values: npt.NDArray[np.float64], peak: npt.NDArray[np.float64]) -> None:
        """Count some of the values that were seen; those that are not finite are left out.

        Args:
            values: (channels, n).
            peak: the largest size of any finite value seen with them (channels,), to which the bins are widened.
        """
        # frexp gives the power of two that the largest size stays strictly below
        needed = np.where(peak > 0, np.frexp(peak)[1] - _HALF_BITS, _SMALLEST)
        self._widen(np.maximum(self.exponents, needed))
        if not values.size:
            return
        scaled = values * np.ldexp(1.0, -self.exponents)[:, None]
        np.floor(scaled, out=scaled)
        scaled += self._offsets
        with np.errstate(invalid="ignore"):  # inf − inf
            telling = float(scaled.sum())
        bad = None if math.isfinite(telling) else ~np.isfinite(scaled)
        if bad is not None:  # counted as zeros, which are then taken away
            scaled = np.where(bad, self._offsets, scaled)
            self.counts[:, BINS // 2] -= bad.sum(axis=1)
        counted = np.bincount(scaled.astype(np.int64).ravel(), minlength=self.counts.size)
        self.counts += counted.reshape(self.counts.shape)

    def rectified(self) -> ChannelHistograms:
        """The histograms of ``max(0, x)``: zero is an edge, so that what lies below goes into the bin above it."""
        result = self.copy()
        half = BINS // 2
        result.counts[:, half] += result.counts[:, :half].sum(axis=1)
        result.counts[:, :half] = 0
        return result

    def _widen(self, exponents: npt.NDArray[np.int64]) -> None:
        if (exponents == self.exponents).all():
            return
        doublings = (exponents - self.exponents).clip(max=62)
        for times in np.unique(doublings[doublings > 0]):
            channels = np.flatnonzero(doublings == times)
            self.counts[channels] = _folded(self.counts[channels], int(times))
        self.exponents = exponents

    def copy(self) -> ChannelHistograms:
        """The histograms as they stand."""
        copied = ChannelHistograms(len(self.counts))
        copied.exponents, copied.counts = self.exponents.copy(), self.counts.copy()
        return copied

    def channel(self, channel: int) -> Histogram:
        """The histogram of one channel."""
        return _histogram(int(self.exponents[channel]), self.counts[channel].copy())

    def pooled(self) -> Histogram:
        """The histogram of all channels together, in the widest bins of any, exact."""
        widest = int(self.exponents.max())
        # channels of one width are summed first: there are few widths and many channels
        total = np.zeros(BINS, dtype=np.int64)
        for exponent in np.unique(self.exponents):
            counts = self.counts[self.exponents == exponent].sum(axis=0)
            total += _folded(counts[None, :], min(widest - int(exponent), 62))[0]
        return _histogram(widest, total)


def _histogram(exponent: int, counts: npt.NDArray[np.int64]) -> Histogram:
    # before anything but zero has been seen, any width is right: one is easy to draw
    only_zeros = exponent == _SMALLEST and counts.sum() == counts[BINS // 2]
    width = 1.0 if only_zeros else 2.0**exponent
    with np.errstate(over="ignore"):
        edges = width * np.arange(-BINS // 2, BINS // 2 + 1, dtype=np.float64)
    # of the largest numbers that there are the outermost edge is the next power of two, which is none of them
    return Histogram(np.nan_to_num(edges), counts)


def _folded(counts: npt.NDArray[np.int64], doublings: int) -> npt.NDArray[np.int64]:
    """Counts (channels, bins) in bins that are 2 to the ``doublings`` as wide."""
    target = (np.arange(-BINS // 2, BINS // 2) >> doublings) + BINS // 2
    used, first = np.unique(target, return_index=True)
    folded = np.zeros_like(counts)
    folded[:, used] = np.add.reduceat(counts, first, axis=1)  # the targets rise, so that each is one run
    return folded
