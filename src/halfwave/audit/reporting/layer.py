"""What the audit says about one rectifier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from halfwave.audit.bounds.wiring import Neighbour, Proof, Wiring
from halfwave.audit.counting.fitted import fitted
from halfwave.audit.counting.histograms import ChannelHistograms
from halfwave.audit.counting.moments import Floats, Integers, Moments
from halfwave.audit.counting.site import NonFinite, Site, SiteKey
from halfwave.audit.rectifiers.rectifier import Kind

__all__ = ["COLUMNS", "LayerReport", "layer_report", "rate_bounds"]

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LayerReport:
    """One rectifier: every array is of shape (channels,) and has one entry a unit.

    A unit is one channel of the rectifier's input, at all its places. It fires where it answers to small changes of
    its input: for ReLU ``x > 0``; see `halfwave.audit.Rectifier` for the others. Statistics leave out inputs that
    are NaN or infinite; where a unit had no other they are NaN.
    """

    name: str
    """The module's path, or "path:operation#n" for the n-th call of a function in its forward."""
    key: SiteKey = field(repr=False)
    operation: str
    """Such as "relu" or "hardtanh"."""
    kind: Kind
    """See `halfwave.audit.Rectifier`."""
    thresholded: bool
    """Whether its silence is asked for by a threshold above 0 or a dead zone."""
    channels: int
    channel_dimension: int
    """Where the channels of its input lie."""
    samples: int
    """Samples seen."""
    elements: int
    """Inputs of each unit, over samples and places."""
    lower: Floats = field(repr=False)
    """Lower kinks."""
    upper: Floats | None = field(repr=False)
    """Upper kinks, where there are two."""

    firing_rate: Floats = field(repr=False)
    """Share of inputs for which the unit fired."""
    rate_below: Floats = field(repr=False)
    """Share of inputs below the lower kink (at it too, unless the unit is two-sided)."""
    rate_above: Floats = field(repr=False)
    """Share of inputs above the upper kink, or the only one."""
    sample_rate: Floats = field(repr=False)
    """Share of samples in which the unit fired anywhere."""
    sample_rate_low: Floats = field(repr=False)
    """Lower 95 % confidence bound of `sample_rate`."""
    sample_rate_high: Floats = field(repr=False)
    """Upper 95 % confidence bound; for a unit silent in all n samples, ``1 − 0.05^(1/n) ≈ 3/n``."""
    predicted_rate: Floats = field(repr=False)
    """Firing rate of Gaussian inputs with the observed mean and deviation, ``Φ((mean − kink)/std)`` for one kink; NaN
    where there was but one input, or inputs are too large to square."""
    distance: Floats = field(repr=False)
    """Mean input less the nearest kink, in standard deviations of the input; ±inf for an input that never varies, NaN
    where there was but one."""

    dead: Flags = field(repr=False)
    """Whether the unit never fired, so that no gradient passed; for soft ones, whether its slope stayed below 0.001."""
    always_on: Flags = field(repr=False)
    """Whether all inputs were on one straight piece, not a flat one, so that the unit is linear on the data."""
    provably_dead: Flags = field(repr=False)
    """Whether interval bounds show that the unit is constant for every input of the stated domain."""
    provably_always_on: Flags = field(repr=False)
    """Whether they show that it is linear there, with no input at a kink."""
    input_low: Floats = field(repr=False)
    """Those bounds of what the unit is given; −inf where there are none."""
    input_high: Floats = field(repr=False)

    mean_before: Floats = field(repr=False)
    std_before: Floats = field(repr=False)
    min_before: Floats = field(repr=False)
    max_before: Floats = field(repr=False)
    mean_after: Floats = field(repr=False)
    std_after: Floats = field(repr=False)
    min_after: Floats = field(repr=False)
    max_after: Floats = field(repr=False)
    histogram_before: ChannelHistograms = field(repr=False)
    """Distributions of a part of the inputs, 64 values a sample at places that change."""
    histogram_after: ChannelHistograms = field(repr=False)
    """The same of the outputs."""

    zero_share: Floats = field(repr=False)
    """Share of outputs that are exactly zero."""
    gradient_zero_share: Floats = field(repr=False)
    """Share of exactly zero gradients of the loss with respect to the unit's input; NaN without a backward pass."""
    nan_count: Integers = field(repr=False)
    """Inputs that were NaN."""
    infinite_count: Integers = field(repr=False)
    """Inputs that were infinite."""
    first_non_finite: NonFinite | None
    """Where the first of those was."""
    before: Neighbour | None
    """The linear layer or convolution that feeds it, where one does."""
    after: tuple[Neighbour, ...]
    """The linear layers and convolutions that read it."""
    after_is_complete: bool
    """Whether nothing else reads it."""

    @property
    def sparsity(self) -> float:
        """Share of all outputs of the layer that are exactly zero."""
        return float(np.nanmean(self.zero_share)) if np.isfinite(self.zero_share).any() else float("nan")

    @property
    def active_inputs(self) -> float:
        """Mean firing rate of the layer."""
        return float(np.nanmean(self.firing_rate)) if np.isfinite(self.firing_rate).any() else float("nan")

    def records(self) -> list[dict[str, Any]]:
        """One dictionary of plain numbers a unit, for a table of units."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        fixed = {"layer": self.name, "operation": self.operation, "kind": self.kind}
        return [
            fixed | {"channel": c} | {name: column[c].item() for name, column in columns.items()}
            for c in range(self.channels)
        ]


COLUMNS = (
    "firing_rate",
    "rate_below",
    "rate_above",
    "sample_rate",
    "sample_rate_low",
    "sample_rate_high",
    "predicted_rate",
    "distance",
    "dead",
    "always_on",
    "provably_dead",
    "provably_always_on",
    "input_low",
    "input_high",
    "mean_before",
    "std_before",
    "min_before",
    "max_before",
    "mean_after",
    "std_after",
    "min_after",
    "max_after",
    "zero_share",
    "gradient_zero_share",
    "nan_count",
    "infinite_count",
)
"""Arrays of a `LayerReport` with one entry a unit."""


def rate_bounds(hits: Integers, samples: int, level: float = 0.95) -> tuple[Floats, Floats]:
    """Exact confidence bounds of a rate from independent samples, for every unit (channels,).

    ``Beta⁻¹(α/2; k, n − k + 1)`` and ``Beta⁻¹(1 − α/2; k + 1, n − k)``; where the unit fired in no sample or in all,
    only one bound can err, and it gets all of ``α = 1 − level``.

    >>> low, high = rate_bounds(np.array([0, 500, 1000]), 1000)
    >>> high.round(4), low.round(4)
    (array([0.003 , 0.5315, 1.    ]), array([0.    , 0.4685, 0.997 ]))

    Source: Clopper, Pearson, Biometrika 26 (1934) 404.
    """
    one_sided = (hits == 0) | (hits == samples)
    tail = np.where(one_sided, 1 - level, (1 - level) / 2)
    with np.errstate(invalid="ignore"):
        low = np.where(hits == 0, 0.0, stats.beta.ppf(tail, hits, samples - hits + 1))
        high = np.where(hits == samples, 1.0, stats.beta.ppf(1 - tail, hits + 1, samples - hits))
    return (low, high) if samples else (np.zeros(len(hits)), np.ones(len(hits)))


def layer_report(name: str, key: SiteKey, site: Site, wiring: Wiring | None) -> LayerReport:
    """The statistics of a site as they stand."""
    dead, always_on = _regime(site)
    histogram_before, histogram_after = site.histograms
    return LayerReport(
        name=name,
        key=key,
        **_identity(site),
        **_rates(site),
        dead=dead,
        always_on=always_on,
        **_proven(None if wiring is None else wiring.proof(site.dimension, site.channels), site.channels),
        **_moments("before", site.before),
        **_moments("after", site.after),
        histogram_before=histogram_before,
        histogram_after=histogram_after,
        nan_count=site.nan.copy(),
        infinite_count=site.infinite.copy(),
        first_non_finite=site.first,
        before=None if wiring is None else wiring.before,
        after=() if wiring is None else wiring.after,
        after_is_complete=wiring is not None and wiring.after_is_complete,
    )


def _identity(site: Site) -> dict[str, Any]:
    """What the rectifier is, and how much it was given."""
    rectifier = site.rectifier
    # nn.ReLU6 calls hardtanh; so does whoever writes hardtanh(x, 0, 6), and means the same
    six = rectifier.operation == "hardtanh" and rectifier.kinks == (0.0, 6.0)
    return {
        "operation": "relu6" if six else rectifier.operation,
        "kind": rectifier.kind,
        "thresholded": rectifier.thresholded,
        "channels": site.channels,
        "channel_dimension": site.dimension,
        "samples": site.samples,
        "elements": site.elements,
        "lower": site.kinks[0],
        "upper": site.kinks[1] if len(site.kinks) > 1 else None,
    }


def _rates(site: Site) -> dict[str, Any]:
    """Observed shares, their bounds, and what the moments predict."""
    count, samples = site.finite, np.full(site.channels, site.samples)
    low, high = rate_bounds(site.fired_samples, site.samples)
    zeros = count - (site.fired if site.rectifier.zero_when_silent else site.nonzero)
    gradients = np.full(site.channels, site.gradients)
    predicted, distance = fitted(site)
    return {
        "firing_rate": _share(site.fired, count),
        "rate_below": _share(site.below, count),
        "rate_above": _share(site.above, count),
        "sample_rate": _share(site.fired_samples, samples),
        "sample_rate_low": low,
        "sample_rate_high": high,
        "predicted_rate": predicted,
        "distance": distance,
        "zero_share": _share(zeros, count),
        "gradient_zero_share": _share(site.gradients - site.gradients_nonzero, gradients),
    }


def _moments(side: str, moments: Moments) -> dict[str, Any]:
    return {
        f"mean_{side}": moments.mean,
        f"std_{side}": np.sqrt(moments.variance),
        f"min_{side}": moments.low,
        f"max_{side}": moments.high,
    }


def _share(part: Any, whole: Any) -> Floats:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=np.asarray(whole) > 0)


def _regime(site: Site) -> tuple[Flags, Flags]:
    """Units that are dead on the data, and units that are linear on it."""
    count, kind = site.finite, site.rectifier.kind
    seen = count > 0
    if kind == "soft":
        rectifier = site.rectifier
        return seen & (site.before.high <= rectifier.dead_below), seen & (
            site.before.low >= rectifier.linear_above
        )
    one_side = (site.above == count) | (site.below == count)
    if kind == "leaky":
        return np.zeros_like(seen), seen & one_side
    silent = seen & (site.fired == 0)
    return silent, seen & ((site.fired == count) if kind != "two-sided" else one_side)


def _proven(proof: Proof | None, channels: int) -> dict[str, Any]:
    if proof is None:
        no = np.zeros(channels, dtype=np.bool_)
        none = {"input_low": np.full(channels, -np.inf), "input_high": np.full(channels, np.inf)}
        return none | {"provably_dead": no, "provably_always_on": no.copy()}
    return {
        "provably_dead": proof.dead,
        "provably_always_on": proof.always_on,
        "input_low": proof.low,
        "input_high": proof.high,
    }
