"""What a calibration of thresholds returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from halfwave.audit.counting.shares import percent
from halfwave.audit.swapping import text_table
from halfwave.words import counted

__all__ = ["CalibratedThresholds", "CurvePoint"]


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A sparsity that was tried, and what came of it."""

    asked: float
    """The sparsity asked of every layer."""
    sparsity: float
    """Share of zeros among all outputs of the thresholded layers."""
    loss: float
    """Mean over samples; NaN without a loss."""
    loss_increase: float
    """Above the loss of the model as it was."""
    metric: float
    """Mean over samples; NaN without a metric."""
    thresholds: dict[str, float] = field(repr=False)
    """Layer → threshold."""


@dataclass(frozen=True, slots=True)
class CalibratedThresholds:
    """A model with thresholded rectifiers, and how it was arrived at."""

    model: nn.Module = field(repr=False)
    """The copy with `halfwave.nn.ThresholdedReLU` in place."""
    thresholds: dict[str, float]
    """Layer → threshold."""
    sparsity: dict[str, float]
    """Layer → share of zeros among its outputs, with these thresholds, on the batches."""
    sparsity_before: dict[str, float]
    """The same of the model as it was."""
    point: CurvePoint
    """The sparsity that was chosen."""
    curve: tuple[CurvePoint, ...]
    """All sparsities that were tried, in ascending order; the first is the model as it was."""
    left: dict[str, str]
    """Rectifier that was left alone → why."""

    def records(self) -> list[dict[str, Any]]:
        """One dictionary of plain numbers for each sparsity that was tried, as rows for a data frame."""
        names = ("asked", "sparsity", "loss", "loss_increase", "metric")
        return [{name: getattr(point, name) for name in names} for point in self.curve]

    @property
    def silenced(self) -> tuple[str, ...]:
        """Layers that gave something before and give nothing but zeros on the batches now.

        That is so where the largest of their inputs are all but equal: no threshold lets only some of them pass.
        """
        before = self.sparsity_before
        return tuple(name for name, share in self.sparsity.items() if share == 1 and before[name] < 1)

    def table(self) -> str:
        """The layers, and the sparsities that were tried, as lines of text."""
        layers = [
            [
                name or "(model)",
                f"{threshold:.4g}",
                percent(self.sparsity_before[name]),
                percent(self.sparsity[name]),
            ]
            for name, threshold in self.thresholds.items()
        ]
        asked = _told_apart([point.asked for point in self.curve])
        tried = [
            [
                share + (" (chosen)" if point is self.point else ""),
                percent(point.sparsity),
                *map(_number, (point.loss, point.loss_increase, point.metric)),
            ]
            for share, point in zip(asked, self.curve, strict=True)
        ]
        return "\n\n".join(
            (
                text_table(["layer", "threshold", "zeros before", "zeros"], layers),
                text_table(["asked", "zeros", "loss", "increase", "metric"], tried),
            )
        )

    def __str__(self) -> str:
        first = f"{percent(self.point.sparsity)} zeros in {counted(len(self.thresholds), 'layer')}"
        if not math.isnan(self.point.loss):
            first += f", loss {self.point.loss:.4g} ({self.point.loss_increase:+.2g})"
        left = [f"Left alone: {name}: {why}." for name, why in self.left.items()]
        silent = [
            f"Note: layer {name or '(model)'} is silenced, since its largest inputs are all but equal: ask for less, "
            "or leave it out by `layers`."
            for name in self.silenced
        ]
        return "\n".join([f"{first}.", *silent, "", self.table(), *left])


def _told_apart(shares: list[float]) -> list[str]:
    """The shares with as many digits as it takes to tell them apart, which bisection may bring close."""
    texts: list[str] = []
    for digits in range(1, 7):
        texts = [percent(share, digits) for share in shares]
        if len(set(texts)) == len(texts):
            break
    return texts


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"
