"""What the numbers of an audit mean, in words: what is wrong, how bad, the evidence, and what usually helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from halfwave.audit.counting.shares import percent
from halfwave.audit.reporting.advice import BELOW, LINEAR, ON, dead_advice, saturated_advice
from halfwave.audit.reporting.layer import LayerReport
from halfwave.words import counted

__all__ = ["ENOUGH", "Finding", "Severity", "Verdict", "saturated_units", "verdicts_of"]

Finding = Literal[
    "not finite",
    "dead",
    "saturated",
    "no gradient",
    "always on",
    "always below",
    "always linear",
    "too few samples",
    "sparse by design",
    "sparse",
]
Severity = Literal["problem", "warning", "note"]
Flags = npt.NDArray[np.bool_]

_ORDER: tuple[Severity, ...] = ("problem", "warning", "note")
_MANY_DEAD = 0.25
_MANY_ON = 0.5
_SOME_ON = 0.1
_FEW = 0.01
_SPARSE = 0.8

ENOUGH = math.ceil(math.log(0.05) / math.log1p(-0.1))
"""Samples from which on a unit that was silent in all of them fires on less than 10 % of samples, at 95 %: 29."""


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
    rules = (
        *(_not_finite, _dead, _saturated, _no_gradient),
        *(_always_on, _always_below, _always_linear, _too_few, _sparse),
    )
    found = [verdict for layer in layers for rule in rules if (verdict := rule(layer)) is not None]
    return tuple(sorted(found, key=_badness))


def _badness(verdict: Verdict) -> tuple[int, bool, float, int]:
    # one NaN spoils all that is computed from it, so it comes before any share of dead units
    share = verdict.units / verdict.channels
    # of equal shares the cause comes first: units before a dead layer get no gradient because of it
    cause = get_args(Finding).index(verdict.finding)
    return _ORDER.index(verdict.severity), verdict.finding != "not finite", -share, cause


def _not_finite(layer: LayerReport) -> Verdict | None:
    nan, infinite = int(layer.nan_count.sum()), int(layer.infinite_count.sum())
    first = layer.first_non_finite
    if first is None:
        return None
    units = (layer.nan_count + layer.infinite_count) > 0
    evidence = (
        f"{nan:,} NaN and {counted(infinite, 'infinite input')} in {_of(layer, units)}, first in batch "
        f"{first.batch}, sample {first.sample}, channel {first.channel}"
    )
    advice = (
        "Look for a division, logarithm or overflow before this layer; the statistics leave these inputs out."
    )
    return _verdict(layer, "not finite", "problem", units, evidence, advice)


# What was observed says something about other samples only where there are enough of them; a proof always does.


def _judged_dead(layer: LayerReport) -> Flags:
    return layer.dead if layer.samples >= ENOUGH else layer.dead & layer.provably_dead


def _judged_on(layer: LayerReport) -> Flags:
    return layer.always_on if layer.samples >= ENOUGH else layer.always_on & layer.provably_always_on


def saturated_units(layer: LayerReport) -> Flags:
    """Which of the units that never fired were beyond a limit: `LayerReport.dead` are these and the dead ones."""
    return layer.dead & _beyond_limits(layer)


def _beyond_limits(layer: LayerReport) -> Flags:
    """Units of an activation with limits that are beyond them otherwise than a ReLU below 0."""
    if layer.kind != "clipped":
        return np.zeros(layer.channels, dtype=np.bool_)
    return (layer.rate_above > 0) | (layer.lower != 0)


def _dead(layer: LayerReport) -> Verdict | None:
    units = _judged_dead(layer) & ~_beyond_limits(layer)
    if not units.any():
        return None
    evidence = (
        f"{_of(layer, units)} ({percent(units.mean(), digits=0)}) did not fire on {_silence(layer, units)}"
    )
    if layer.thresholded:
        share = units.mean()
        severity: Severity = "problem" if share > 0.5 else "warning" if share > _MANY_DEAD else "note"
    else:
        severity = _severity(units, _MANY_DEAD, _FEW)
    return _verdict(layer, "dead", severity, units, evidence, dead_advice(layer, units))


def _saturated(layer: LayerReport) -> Verdict | None:
    units = _judged_dead(layer) & _beyond_limits(layer)
    if not units.any():
        return None
    evidence = (
        f"{_of(layer, units)} ({percent(units.mean(), digits=0)}) were beyond a limit, where no gradient passes, on "
        f"{_silence(layer, units)}"
    )
    severity = _severity(units, _MANY_DEAD, _FEW)
    return _verdict(layer, "saturated", severity, units, evidence, saturated_advice(layer, units))


def _silence(layer: LayerReport, units: Flags) -> str:
    """On how many samples, what that says about others, and how far off the units are."""
    bound = float(layer.sample_rate_high[units].max())
    proven = int((units & layer.provably_dead).sum())
    proof = (
        f", {proven} of them cannot fire on any input (of those in `input_range`, where it is given)"
        if proven
        else ""
    )
    return (
        f"{counted(layer.samples, 'sample')} (each fires on less than {bound:.2g} of samples, at 95 % confidence)"
        f"{proof}{_far(layer, units)}"
    )


def _always_on(layer: LayerReport) -> Verdict | None:
    units = _judged_on(layer) & ~_always(layer.rate_below)
    if layer.kind == "clipped":
        units &= layer.lower == 0  # such as ReLU6, where it is as for ReLU
    return _linear(layer, "always on", units, "above the kink", ON)


def _always_below(layer: LayerReport) -> Verdict | None:
    units = _judged_on(layer) & _always(layer.rate_below)
    return _linear(layer, "always below", units, "below the kink", BELOW.get(layer.kind, BELOW["leaky"]))


def _always_linear(layer: LayerReport) -> Verdict | None:
    if layer.kind != "clipped":
        return None
    units = _judged_on(layer) & (layer.lower != 0)
    return _linear(layer, "always linear", units, "between the limits", LINEAR)


def _always(rate: np.ndarray) -> Flags:
    return rate == 1.0


def _linear(layer: LayerReport, finding: Finding, units: Flags, where: str, advice: str) -> Verdict | None:
    if not units.any():
        return None
    proven = int((units & layer.provably_always_on).sum())
    evidence = (
        f"{_of(layer, units)} ({percent(units.mean(), digits=0)}) were {where} on {_all_of(layer)}, so they "
        f"are linear there{f', {proven} of them provably' if proven else ''}{_far(layer, units)}"
    )
    return _verdict(layer, finding, _severity(units, _MANY_ON, _SOME_ON), units, evidence, advice)


def _lost(layer: LayerReport) -> Flags:
    """Units that fire and get no gradient."""
    return (layer.gradient_zero_share == 1.0) & ~layer.dead


def _no_gradient(layer: LayerReport) -> Verdict | None:
    units = _lost(layer)
    if not units.any() or layer.samples < ENOUGH:
        return None
    evidence = f"{_of(layer, units)} fire, but every gradient that reached them was exactly zero"
    advice = "Look for dead layers, zero weights or a detach after this one."
    severity: Severity = "problem" if units.mean() > _MANY_DEAD else "warning"
    return _verdict(layer, "no gradient", severity, units, evidence, advice)


def _too_few(layer: LayerReport) -> Verdict | None:
    if layer.samples >= ENOUGH:
        return None
    units = (layer.dead & ~layer.provably_dead) | (layer.always_on & ~layer.provably_always_on) | _lost(layer)
    if not units.any():
        return None
    bound = float(layer.sample_rate_high[units & layer.dead].max(initial=0.0))
    others = (
        f"; a unit that was silent on them may still fire on up to {bound:.0%} of others" if bound else ""
    )
    evidence = (
        f"{_of(layer, units)} ({percent(units.mean(), digits=0)}) were silent, linear or without gradient on "
        f"{counted(layer.samples, 'sample')}, which is too few samples to say{others}"
    )
    severity: Severity = "warning" if units.mean() > _FEW else "note"
    advice = f"Audit at least {ENOUGH} samples; a few hundred tell more."
    return _verdict(layer, "too few samples", severity, units, evidence, advice)


def _sparse(layer: LayerReport) -> Verdict | None:
    if not layer.sparsity >= _SPARSE or layer.dead.mean() > 0.5:
        return None
    evidence = (
        f"{percent(layer.sparsity)} of its outputs are exactly zero and {_of(layer, ~layer.dead)} fired"
    )
    advice = "A layer that reads only non-zero inputs can skip that share of its work."
    finding: Finding = "sparse by design" if layer.thresholded else "sparse"
    return _verdict(layer, finding, "note", layer.zero_share >= _SPARSE, evidence, advice)


def _verdict(
    layer: LayerReport, finding: Finding, severity: Severity, units: Flags, evidence: str, advice: str
) -> Verdict:
    return Verdict(layer.name, finding, severity, int(units.sum()), layer.channels, evidence, advice)


def _severity(units: Flags, many: float, some: float) -> Severity:
    share = units.mean()
    return "problem" if share >= many else "warning" if share >= some else "note"


def _of(layer: LayerReport, units: Flags) -> str:
    return f"{int(units.sum()):,} of {counted(layer.channels, 'unit')}"


def _all_of(layer: LayerReport) -> str:
    return "the only sample" if layer.samples == 1 else f"all {layer.samples:,} samples"


def _far(layer: LayerReport, units: Flags) -> str:
    """The median distance to the kink, where it is known: of one input it is not."""
    known = layer.distance[units & ~np.isnan(layer.distance)]
    with np.errstate(invalid="ignore"):  # half of them may be infinitely far above, half below
        middle = float(np.median(known)) if len(known) else float("nan")
    if np.isnan(middle):
        return ""
    number = f"{middle:.1f}" if abs(middle) < 1000 else f"{middle:,.0f}"
    return f"; median distance to the kink {number} deviations".replace("-", "−")
