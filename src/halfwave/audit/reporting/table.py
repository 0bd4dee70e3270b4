"""The layers of a report as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from halfwave.audit.counting.shares import percent
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reporting.verdicts import saturated_units

__all__ = ["table_text"]


def _number(value: float) -> str:
    if np.isnan(value):
        return "–"
    # of an input that all but never varies, the distance in deviations has many digits
    return (f"{value:.2f}" if abs(value) < 1e4 else f"{value:.1e}").replace("-", "−")


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if len(known) else float("nan")


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    with np.errstate(invalid="ignore"):  # of as many −inf as inf there is none
        return float(np.median(known)) if len(known) else float("nan")


_COLUMNS: dict[str, Callable[[LayerReport], str]] = {
    "layer": lambda layer: layer.name,
    "rectifier": lambda layer: layer.operation,
    "units": lambda layer: str(layer.channels),
    "dead": lambda layer: str(int((layer.dead & ~saturated_units(layer)).sum())),
    "saturated": lambda layer: str(int(saturated_units(layer).sum())),
    "proven": lambda layer: str(int(layer.provably_dead.sum())),
    "always on": lambda layer: str(int(layer.always_on.sum())),
    "fires": lambda layer: percent(layer.active_inputs),
    "Gaussian": lambda layer: percent(_mean(layer.predicted_rate)),
    "zeros": lambda layer: percent(layer.sparsity),
    "distance": lambda layer: _number(_median(layer.distance)),
    "mean": lambda layer: _number(_median(layer.mean_before)),
    "std": lambda layer: _number(_median(layer.std_before)),
    "zero gradient": lambda layer: percent(_mean(layer.gradient_zero_share)),
}
"""Heading → what a layer shows: counts of units, means of rates, medians of the rest over units."""


def table_text(layers: Sequence[LayerReport]) -> str:
    """A line a layer: units that are dead, saturated, proven to be either, always on; rates, sparsity and inputs.

    Units that never fired are "dead" or, where they were beyond a limit of their activation, "saturated", a column that
    is there if any is, as in the first line of a report. "proven" counts those of both that cannot fire on any input.
    "fires" and "Gaussian" are the mean observed and predicted firing rates, "distance" the median distance of the
    mean input to the kink in deviations, "zero gradient" the mean share of gradients that are exactly zero.
    """
    columns = dict(_COLUMNS)
    if not any(saturated_units(layer).any() for layer in layers):
        del columns["saturated"]
    rows = [list(columns), *([show(layer) for show in columns.values()] for layer in layers)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(columns))]
    return "\n".join("  ".join(_aligned(row, widths)).rstrip() for row in rows)


def _aligned(row: list[str], widths: list[int]) -> list[str]:
    # names to the left, numbers to the right
    return [
        cell.ljust(width) if place < 2 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
