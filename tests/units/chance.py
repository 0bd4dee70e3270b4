"""Statistical tests with one stated false-alarm rate.

Each comparison (one element of a layer under one input) gives a false alarm with probability about `FALSE_ALARM`
= 1e-9, for any seed, and at most three times that where averages are not quite normal. The unit tests make fewer
than 2,000 comparisons, so their rate of false alarms is below 1e-5. Seeds are fixed, but no test needs a lucky one.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-9
LARGEST_KURTOSIS = 30.0
"""Of values whose average over 40,000 samples is normal enough: its tail at six deviations is off by a factor of 3."""


def follows(samples: np.ndarray, distribution_at_samples: np.ndarray) -> None:
    """Kolmogorov–Smirnov: the exact distribution function at independent samples must look uniform."""
    result = stats.kstest(np.asarray(distribution_at_samples, dtype=np.float64), "uniform")
    assert result.pvalue > FALSE_ALARM, (
        f"Kolmogorov–Smirnov distance {result.statistic:.2e} of {samples.size} samples, p = {result.pvalue:.1e}"
    )


def has_mean(samples: np.ndarray, mean: np.ndarray, std: np.ndarray, what: str = "mean") -> None:
    """z-scores: the average over the first dimension has this mean, given the exact standard deviation.

    For at least 40,000 samples of a kurtosis up to `LARGEST_KURTOSIS`: not for averages made of rare values.
    """
    count = samples.shape[0]
    z = (samples.astype(np.float64).mean(0) - mean) / (np.asarray(std) / math.sqrt(count))
    limit = stats.norm.isf(FALSE_ALARM / 2)
    assert (np.abs(z) < limit).all(), f"{what}: z-scores {np.round(z, 2)} with limit {limit:.2f}"


def has_probability(hits: int, count: int, probability: float) -> None:
    """Exact binomial test."""
    pvalue = stats.binomtest(hits, count, min(max(probability, 0.0), 1.0)).pvalue
    assert pvalue > FALSE_ALARM, (
        f"{hits} of {count}, expected probability {probability:.6g}, p = {pvalue:.1e}"
    )
