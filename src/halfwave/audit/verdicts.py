"""What the numbers of an audit mean, in words: what is wrong, how bad, the evidence, and what usually helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from halfwave.audit.layer_report import LayerReport

__all__ = ["Verdict", "headline", "verdicts_of"]

Finding = Literal["not finite", "dead", "always on", "no gradient", "sparse by design", "sparse"]
Severity = Literal["problem", "warning", "note"]

_ORDER: tuple[Severity, ...] = ("problem", "warning", "note")
_MANY_DEAD = 0.25
_MANY_ON = 0.5
_SOME_ON = 0.1
_SPARSE = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    """One finding about one layer."""

    layer: str
    finding: Finding
    severity: Severity
    units: int
    """Units concerned."""
    channels: int
    """Units of the layer."""
    evidence: str
    advice: str

    def __str__(self) -> str:
        return f"{self.severity}: layer {self.layer}: {self.evidence}. {self.advice}"


def verdicts_of(layers: Sequence[LayerReport]) -> tuple[Verdict, ...]:
    """All findings, the worst first."""
    rules = (_not_finite, _dead, _always_on, _no_gradient, _sparse)
    found = [verdict for layer in layers for rule in rules if (verdict := rule(layer)) is not None]
    return tuple(sorted(found, key=lambda one: (_ORDER.index(one.severity), -one.units / one.channels)))


def _not_finite(layer: LayerReport) -> Verdict | None:
    nan, infinite = int(layer.nan_count.sum()), int(layer.infinite_count.sum())
    first = layer.first_non_finite
    if first is None:
        return None
    units = int(((layer.nan_count + layer.infinite_count) > 0).sum())
    evidence = (
        f"{nan:,} NaN and {infinite:,} infinite inputs in {units} of {layer.channels} units, first in batch "
        f"{first.batch}, sample {first.sample}, channel {first.channel}"
    )
    advice = (
        "Look for a division, logarithm or overflow before this layer; the statistics leave these inputs out."
    )
    return Verdict(layer.name, "not finite", "problem", units, layer.channels, evidence, advice)


def _dead(layer: LayerReport) -> Verdict | None:
    units = int(layer.dead.sum())
    if not units:
        return None
    share = units / layer.channels
    bound = float(layer.sample_rate_high[layer.dead].max())
    proven = int((layer.dead & layer.provably_dead).sum())
    evidence = (
        f"{units} of {layer.channels} units ({share:.0%}) did not fire on {layer.samples:,} samples (each fires on "
        f"less than {bound:.2g} of samples, at 95 % confidence)"
        + (
            f", {proven} of them cannot fire on any input (of those in `input_range`, where it is given)"
            if proven
            else ""
        )
        + f"; median distance to the kink {_median(layer.distance[layer.dead])} deviations"
    )
    if layer.thresholded:
        severity: Severity = "problem" if share > 0.5 else "warning" if share > _MANY_DEAD else "note"
        advice = "Their inputs stay below the threshold: lower it for these channels, or remove them."
    else:
        severity = "problem" if share > _MANY_DEAD else "warning" if share > 0.01 else "note"
        advice = _dead_advice(layer)
    return Verdict(layer.name, "dead", severity, units, layer.channels, evidence, advice)


def _dead_advice(layer: LayerReport) -> str:
    if layer.kind == "soft":
        return "They sit where the slope is almost zero: normalise their inputs or lower the learning rate."
    if layer.kind == "clipped" and np.nanmean(layer.rate_above[layer.dead]) > 0.5:
        return "They sit above the upper limit: scale their inputs down, normalise them or raise the limit."
    constant = layer.std_before[layer.dead] == 0
    if constant.any() and np.mean(constant) > 0.5:
        return "Their inputs do not vary at all: look for zero weights or a dead layer before this one."
    return (
        "Usually a learning rate that is too high, or strongly negative biases: lower it or warm up, restart the "
        "dead units, put a normalisation before the rectifier, or use a leaky one."
    )


def _always_on(layer: LayerReport) -> Verdict | None:
    units = int(layer.always_on.sum())
    share = units / layer.channels
    if not units:
        return None
    severity: Severity = "problem" if share >= _MANY_ON else "warning" if share >= _SOME_ON else "note"
    proven = int((layer.always_on & layer.provably_always_on).sum())
    evidence = (
        f"{units} of {layer.channels} units ({share:.0%}) were on one straight piece for all {layer.samples:,} "
        "samples, so they are linear there"
        + (f", {proven} of them provably" if proven else "")
        + f"; median distance to the kink {_median(layer.distance[layer.always_on])} deviations"
    )
    advice = (
        "Usually an initialisation or biases that are too large and positive, or inputs that are not centred: "
        "start biases at 0 and weights with mean 0, normalise the layer's input, or shift the rectifier."
    )
    return Verdict(layer.name, "always on", severity, units, layer.channels, evidence, advice)


def _no_gradient(layer: LayerReport) -> Verdict | None:
    lost = (layer.gradient_zero_share == 1.0) & ~layer.dead
    units = int(lost.sum())
    if not units:
        return None
    evidence = (
        f"{units} of {layer.channels} units fire, but every gradient that reached them was exactly zero"
    )
    advice = "Look for dead layers, zero weights or a detach after this one."
    severity: Severity = "problem" if units > _MANY_DEAD * layer.channels else "warning"
    return Verdict(layer.name, "no gradient", severity, units, layer.channels, evidence, advice)


def _sparse(layer: LayerReport) -> Verdict | None:
    if not layer.sparsity >= _SPARSE or layer.dead.mean() > 0.5:
        return None
    evidence = f"{layer.sparsity:.1%} of its outputs are exactly zero and {_alive(layer)}"
    advice = "A layer that reads only non-zero inputs can skip that share of its work."
    finding: Finding = "sparse by design" if layer.thresholded else "sparse"
    units = int((layer.zero_share >= _SPARSE).sum())
    return Verdict(layer.name, finding, "note", units, layer.channels, evidence, advice)


def _alive(layer: LayerReport) -> str:
    return f"{layer.channels - int(layer.dead.sum())} of {layer.channels} units fired"


def _median(values: np.ndarray) -> str:
    return f"{np.median(values):.1f}".replace("-", "−")


def headline(layers: Sequence[LayerReport], verdicts: Sequence[Verdict]) -> str:
    """The state of the network in one line."""
    if not any(layer.samples for layer in layers):
        return "Nothing was recorded: no rectifier was given a sample."
    units = sum(layer.channels for layer in layers)
    seen = f"{max((layer.samples for layer in layers), default=0):,} samples"
    by_finding = {finding: [v for v in verdicts if v.finding == finding] for finding in _HEADLINES}
    for finding, words in _HEADLINES.items():
        serious = [
            v for v in by_finding[finding] if v.severity == "problem" or finding.startswith("sparse by")
        ]
        if serious:
            worst = max(serious, key=lambda verdict: verdict.units / verdict.channels)
            total = sum(verdict.units for verdict in by_finding[finding])
            return words.format(total=total, units=units, seen=seen, worst=worst, sparsity=_sparsity(layers))
    counts = [(f, sum(v.units for v in by_finding[f])) for f in ("dead", "always on", "no gradient")]
    listed = ", ".join(f"{number} {finding}" for finding, number in counts if number)
    if any(verdict.severity == "warning" for verdict in verdicts):
        return f"Mostly healthy: of {units} units on {seen}, {listed}."
    number = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return f"Healthy: of {units} units in {number}, {listed or 'none dead and none always on'}, on {seen}."


_HEADLINES = {
    "not finite": "Not finite: NaN or infinite activations in layer {worst.layer}, {worst.evidence}.",
    "dead": "Dead units: {total} of {units} never fired on {seen}; worst in layer {worst.layer}, "
    "{worst.units} of {worst.channels}.",
    "no gradient": "No gradient: {total} of {units} units fire but learn nothing; worst in layer {worst.layer}.",
    "always on": "Always on: {total} of {units} units are linear on {seen}; worst in layer {worst.layer}, "
    "{worst.units} of {worst.channels}.",
    "sparse by design": "Sparse by design: thresholds make {sparsity:.1%} of the outputs zero on {seen}.",
}


def _sparsity(layers: Sequence[LayerReport]) -> float:
    """Share of zeros in the outputs of thresholded layers."""
    some = [layer for layer in layers if layer.thresholded]
    weights = [layer.channels * layer.elements for layer in some]
    return float(np.average([layer.sparsity for layer in some], weights=weights)) if some else float("nan")
