"""What the moments of an input say of its rectifier: the firing rate of a Gaussian, and how far the kink is."""

from __future__ import annotations

import numpy as np
from scipy import special

from halfwave.audit.counting.moments import Floats
from halfwave.audit.counting.site import Site
from halfwave.audit.rectifiers.rectifier import Kind

__all__ = ["fitted"]


def fitted(site: Site) -> tuple[Floats, Floats]:
    """Firing rate if the input were Gaussian, and the distance to the kink; of one input there is no deviation."""
    lower, upper = site.kinks[0], site.kinks[1] if len(site.kinks) > 1 else None
    mean, std = site.before.mean, np.sqrt(site.before.variance)
    several = (site.before.count > 1) & np.isfinite(std)
    return (
        np.where(several, _predicted(site.rectifier.kind, mean, lower, upper, std), np.nan),
        np.where(several, _distance(mean, lower, upper, std), np.nan),
    )


def _predicted(kind: Kind, mean: Floats, lower: Floats, upper: Floats | None, std: Floats) -> Floats:
    above_lower = _tail(mean - lower, std)
    if upper is None:
        return above_lower
    between = above_lower - _tail(mean - upper, std)
    return between if kind == "clipped" else 1.0 - between


def _tail(difference: Floats, std: Floats) -> Floats:
    return special.ndtr(_ratio(difference, std))


def _ratio(difference: Floats, std: Floats) -> Floats:
    """The difference in deviations; for a deviation of zero the limit, with a unit at its kink counted as silent."""
    limit = np.where(difference > 0, np.inf, -np.inf)
    limit = np.where(np.isnan(difference), np.nan, limit)
    return np.divide(difference, std, out=limit, where=(std > 0) & np.isfinite(std))


def _distance(mean: Floats, lower: Floats, upper: Floats | None, std: Floats) -> Floats:
    difference = mean - lower
    if upper is not None:
        difference = np.where(np.abs(mean - upper) < np.abs(difference), mean - upper, difference)
    return _ratio(difference, std)
