"""The state of a network in one line, and findings that many layers share in one paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from halfwave.audit.counting.shares import percent
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reporting.verdicts import ENOUGH, Finding, Verdict
from halfwave.words import counted, listed

__all__ = ["VerdictGroup", "grouped", "headline", "paragraphs"]

_NAMED = 5
"""Layers of a group that are named."""

_WORST = "worst in layer {worst.layer}, {worst.units:,} of {worst.channels:,}."
_HEADLINES: dict[Finding, str] = {
    "not finite": "Not finite: NaN or infinite activations in layer {worst.layer}, {worst.evidence}.",
    "dead": "Dead units: {total} never fired on {seen}; " + _WORST,
    "saturated": "Saturated: {total} {noun} were beyond a limit on {seen}; " + _WORST,
    "no gradient": "No gradient: {total} {noun} fire but learn nothing; worst in layer {worst.layer}.",
    "always on": "Always on: {total} {noun} are linear on {seen}; " + _WORST,
    "always below": "Always below the kink: {total} {noun} are linear on {seen}; " + _WORST,
    "always linear": "Always between the limits: {total} {noun} are linear on {seen}; " + _WORST,
    "too few samples": "Too few samples to say: {total} {noun} were silent, linear or without gradient on {seen}; at "
    f"least {ENOUGH} are needed.",
    "sparse by design": "Sparse by design: thresholds make {sparsity} of the outputs zero on {seen}.",
}
"""Finding → the line."""

_COUNTED: dict[Finding, str] = {
    "dead": "dead",
    "saturated": "saturated",
    "no gradient": "without gradient",
    "always on": "always on",
    "always below": "always below the kink",
    "always linear": "always between the limits",
    "too few samples": "with too few samples to say",
}
"""Finding → how its units are counted where it is not worth the line."""


def headline(layers: Sequence[LayerReport], verdicts: Sequence[Verdict]) -> str:
    """The state of the network in one line."""
    if not any(layer.samples for layer in layers):
        return "Nothing was recorded: no rectifier was given a sample."
    worst = verdicts[0] if verdicts else None
    if worst is not None and _leads(worst):
        return _line(worst, layers, verdicts)
    found = _counts(verdicts)
    sparse = next((verdict for verdict in verdicts if verdict.finding == "sparse by design"), None)
    if sparse is not None:
        line = _line(sparse, layers, verdicts)
        return f"{line[:-1]}; {found}." if found else line
    units, seen = counted(sum(layer.channels for layer in layers), "unit"), _seen(layers)
    if worst is not None and worst.severity == "warning":
        return f"Mostly healthy: of {units} on {seen}, {found}."
    where = counted(len(layers), "layer")
    few = ", too few samples to be sure" if min(layer.samples for layer in layers) < ENOUGH else ""
    return f"Healthy: of {units} in {where}, {found or 'none dead and none always on'}, on {seen}{few}."


def _leads(verdict: Verdict) -> bool:
    """Whether the worst verdict is worth the first line."""
    return verdict.severity == "problem" or (
        verdict.finding == "too few samples" and verdict.severity == "warning"
    )


def _line(worst: Verdict, layers: Sequence[LayerReport], verdicts: Sequence[Verdict]) -> str:
    """The line for what was found of the worst layer, counted over all layers of which it was found."""
    alike = [verdict for verdict in verdicts if verdict.finding == worst.finding]
    names = {verdict.layer for verdict in alike}
    number = sum(layer.channels for layer in layers)
    return _HEADLINES[worst.finding].format(
        total=f"{sum(verdict.units for verdict in alike):,} of {number:,}",
        noun="unit" if number == 1 else "units",
        seen=_seen([layer for layer in layers if layer.name in names]),
        worst=worst,
        sparsity=percent(_sparsity(layers)),
    )


def _counts(verdicts: Sequence[Verdict]) -> str:
    """How many units were found to be what."""
    counts = {
        words: sum(v.units for v in verdicts if v.finding == finding) for finding, words in _COUNTED.items()
    }
    return ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)


def _seen(layers: Sequence[LayerReport]) -> str:
    """How many samples layers were given; not all need be given as many."""
    few, many = (end(layer.samples for layer in layers) for end in (min, max))
    return counted(many, "sample") if few == many else f"{few:,} to {counted(many, 'sample')}"


def _sparsity(layers: Sequence[LayerReport]) -> float:
    """Share of zeros in the outputs of thresholded layers."""
    some = [layer for layer in layers if layer.thresholded]
    weights = [layer.channels * layer.elements for layer in some]
    return float(np.average([layer.sparsity for layer in some], weights=weights)) if some else float("nan")


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Verdicts about several layers that say the same, the worst first."""

    verdicts: tuple[Verdict, ...]

    @property
    def layers(self) -> str:
        """The layers, by name as far as there is room.

        >>> one = Verdict("1", "dead", "problem", 3, 8, "3 of 8 units did not fire", "Lower it.")
        >>> VerdictGroup((one, one)).layers
        '2 layers: 1 (3 of 8), 1 (3 of 8)'
        """
        if len(self.verdicts) == 1:
            return f"layer {self.verdicts[0].layer}"
        names = [f"{one.layer} ({one.units:,} of {one.channels:,})" for one in self.verdicts]
        return f"{counted(len(names), 'layer')}: {listed(names, _NAMED)}"

    @property
    def advice(self) -> str:
        """What usually helps."""
        return self.verdicts[0].advice

    @property
    def found(self) -> str:
        """All but the advice, with the evidence of the worst layer."""
        worst = self.verdicts[0]
        start = f"{worst.severity}: " + (
            f"{worst.finding} in {self.layers}. Layer" if len(self.verdicts) > 1 else "layer"
        )
        return f"{start} {worst.layer}: {worst.evidence}."


def grouped(verdicts: Sequence[Verdict]) -> tuple[VerdictGroup, ...]:
    """The verdicts, those of equal severity, finding and advice together, in the order of the worst of each."""
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.severity, verdict.finding, verdict.advice), []).append(verdict)
    return tuple(VerdictGroup(tuple(found)) for found in groups.values())


def paragraphs(verdicts: Sequence[Verdict], most: int) -> list[str]:
    """At most so many paragraphs, one a group; advice that was given before is not repeated.

    >>> one = Verdict("1", "dead", "problem", 3, 8, "3 of 8 units did not fire", "Lower it.")
    >>> two = Verdict("2", "dead", "warning", 1, 8, "1 of 8 units did not fire", "Lower it.")
    >>> for line in paragraphs([one, two], 5):
    ...     print(line)
    problem: layer 1: 3 of 8 units did not fire. Lower it.
    warning: layer 2: 1 of 8 units did not fire.
    """
    groups = grouped(verdicts)
    given: set[str] = set()
    lines = []
    for group in groups[:most]:
        lines.append(group.found if group.advice in given else f"{group.found} {group.advice}")
        given.add(group.advice)
    if len(groups) > most:
        lines.append(f"and {sum(len(group.verdicts) for group in groups[most:])} more in `verdicts`")
    return lines
