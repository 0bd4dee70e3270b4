"""Statistical tests with one stated false-alarm rate.

Each call of these functions gives a false alarm with probability at most `FALSE_ALARM` = 1e-9, for any seed. The
suite makes fewer than 5,000 comparisons (a comparison is one element of a layer under one input), so its rate of
false alarms is below 5e-6. Seeds are fixed, but no test needs a lucky one.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-9


def follows(samples: np.ndarray, distribution_at_samples: np.ndarray) -> None:
    """Kolmogorov–Smirnov: the exact distribution function at independent samples must look uniform."""
    result = stats.kstest(np.asarray(distribution_at_samples, dtype=np.float64), "uniform")
    assert result.pvalue > FALSE_ALARM, (
        f"Kolmogorov–Smirnov distance {result.statistic:.2e} of {samples.size} samples, p = {result.pvalue:.1e}"
    )


def has_mean(samples: np.ndarray, mean: np.ndarray, std: np.ndarray, what: str = "mean") -> None:
    """z-scores: the average over the first dimension has this mean, given the exact standard deviation.

    Bernstein-safe only for averages that are close to normal: use it with at least 1e5 samples whose standard
    deviation is not made by rare values.
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
