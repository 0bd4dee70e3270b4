"""Moments of channels that take in one batch after another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Integers", "Moments"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Moments:
    """Count, mean, sum of squared differences and range of every channel, in float64.

    Batches are merged by Chan's formula: with ``δ = mean_b − mean_a`` and ``n = n_a + n_b``, the mean moves by
    ``δ n_b / n`` and the squares grow by ``squares_b + δ² n_a n_b / n``.

    Args:
        channels: how many.

    >>> moments = Moments(1)
    >>> moments.merge(np.array([[2.0], [1.0], [2.0], [0.0], [2.0]]))
    >>> moments.merge(np.array([[1.0], [4.0], [0.0], [4.0], [4.0]]))
    >>> moments.mean, moments.variance
    (array([2.]), array([2.66666667]))

    Source: Chan, Golub, LeVeque, The American Statistician 37 (1983) 242, eq. 2.1.
    """

    def __init__(self, channels: int) -> None:
        self.count: Floats = np.zeros(channels)
        self._mean: Floats = np.zeros(channels)
        self._squares: Floats = np.zeros(channels)
        self._low: Floats = np.full(channels, np.inf)
        self._high: Floats = np.full(channels, -np.inf)

    def merge(self, batch: Floats) -> None:
        """Take in a batch (5, channels): count, mean, sum of squared differences, minimum, maximum."""
        count, mean, squares, low, high = batch
        total = self.count + count
        share = np.divide(count, total, out=np.zeros_like(total), where=total > 0)
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # what is too large to square has an infinite variance
            difference = mean - self._mean
            self._mean = self._mean + difference * share
            self._squares = self._squares + squares + difference * (self.count * share) * difference
        self.count = total
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)

    def widen(self, low: Floats, high: Floats) -> None:
        """Take in the range of values that are not counted."""
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)

    def _known(self, values: Floats) -> Floats:
        return np.where(self.count > 0, values, np.nan)

    @property
    def mean(self) -> Floats:
        """Means (channels,); NaN where nothing was counted, as for the others."""
        return self._known(self._mean)

    @property
    def variance(self) -> Floats:
        """Variances (channels,), divided by the count; infinite where squares are too large for float64."""
        squares = np.where(np.isnan(self._squares), np.inf, self._squares)
        return self._known(squares / np.maximum(self.count, 1.0))

    @property
    def range(self) -> tuple[Floats, Floats]:
        """Smallest and largest values (channels,); infinite, of the wrong sign, where nothing was seen."""
        return self._low, self._high

    @property
    def peak(self) -> Floats:
        """Largest sizes (channels,); 0 where nothing was seen."""
        return np.maximum(np.maximum(self._high, -self._low), 0.0)

    @property
    def low(self) -> Floats:
        """Smallest values (channels,)."""
        return np.where(self._low <= self._high, self._low, np.nan)

    @property
    def high(self) -> Floats:
        """Largest values (channels,)."""
        return np.where(self._low <= self._high, self._high, np.nan)
