"""Sums of one activation over samples and places, per channel: counts, ranges and moments."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from halfwave.audit.axes.layout import Laid
from halfwave.audit.counting.sweeps import EXACT, SCRATCH, compared, numbers_of, rows_of, varies, wide_dtype
from halfwave.audit.counting.tallies import Counts, Measured, Sums, joined
from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["measure", "nonzero_of", "rectified_sums", "sums_of"]

_GROUP = 16
"""Samples with one place each that are summed together in the tensor's own precision."""

_CANCELLED = 1e-4
"""A variance below this part of the mean square has lost too many digits in float32 and is computed again."""

_RELATIONS = {"clipped": ("at most", "at least", "inside"), "two-sided": ("below", "above")}


def measure(
    laid: Laid, rectifier: Rectifier, kinks: tuple[Any, ...], moments: bool = True, mirrored: bool = False
) -> Measured:
    """Everything about the input of a rectifier that is summed, in one sweep.

    Args:
        laid: the input.
        rectifier: what it is; its kind says on which side equality counts.
        kinks: its kinks as numbers, or tensors laid out like the input.
        moments: compute means and squares too, not only counts and ranges; they are NaN otherwise.
        mirrored: compute the output's sums as well, which only suits ``max(0, x)``.
    """
    if not moments and laid.places == 1 and len(laid.values) < EXACT:
        found = _measure_single(laid, rectifier, kinks)
        return _measure_finite(laid, rectifier, kinks, mirrored) if found is None else found
    grouped = _grouped(laid)
    if grouped is not None and not any(varies(kink) for kink in kinks):
        parts = [_measure(part, rectifier, kinks, moments, mirrored) for part in grouped]
        if all(part is not None for part in parts):
            return joined([part for part in parts if part is not None])
    found = _measure(laid, rectifier, kinks, moments, mirrored)
    return _measure_finite(laid, rectifier, kinks, mirrored) if found is None else found


def _measure(
    laid: Laid, rectifier: Rectifier, kinks: tuple[Any, ...], moments: bool, mirrored: bool
) -> Measured | None:
    """The quick way, or None where something is not finite."""
    relations = _RELATIONS.get(rectifier.kind, ("above",))
    rows = rows_of(laid, relations, kinks, moments, mirrored)
    before = _from_rows(rows.total, rows.square, rows.low, rows.high, laid, moments)
    if not _all_finite(before, moments):
        return None
    after = None
    if rows.rectified is not None:
        total, square = rows.rectified
        after = _from_rows(total, square, rows.low.clamp(min=0.0), rows.high.clamp(min=0.0), laid)
    return Measured(before, _counts(rows.numbers, rectifier, before.count), after)


def _measure_single(laid: Laid, rectifier: Rectifier, kinks: tuple[Any, ...]) -> Measured | None:
    """Counts and the range alone for channels with one place; None where something is not finite."""
    place, number = laid.place_dimension, len(laid.values)
    values = laid.values.squeeze(place)
    # few are compared with kinks that are not rounded
    values = values.to(torch.float64 if number < _GROUP else wide_dtype(values.dtype))
    local = tuple(kink.squeeze(place) if isinstance(kink, Tensor) else kink for kink in kinks)
    low, high = values.amin(0), values.amax(0)
    if not math.isfinite(float((low + high).sum())) and not bool(
        torch.isfinite(torch.stack([low, high])).all()
    ):
        return None
    scratch = SCRATCH.pair(values)[0]
    relations = _RELATIONS.get(rectifier.kind, ("above",))
    numbers = [compared(values, local, relation, scratch).sum(0) for relation in relations]
    unknown, count = torch.full_like(low, math.nan), torch.full_like(low, number)
    fired = _fired(numbers, rectifier)
    return Measured(
        Sums(count, unknown, unknown, low, high), Counts(*_sides(numbers, count), fired, fired), None
    )


def _grouped(laid: Laid) -> tuple[Laid, ...] | None:
    """Samples with one place, in groups that stand for samples with many; their rest."""
    if laid.places > 1 or laid.values.dtype == torch.float64 or len(laid.values) < _GROUP:
        return None
    rows = laid.values.squeeze(laid.place_dimension)
    whole = len(rows) // _GROUP * _GROUP
    groups = Laid(rows[:whole].reshape(-1, _GROUP, laid.channels), 2)
    return (groups, Laid(rows[whole:].unsqueeze(1), 2)) if whole < len(rows) else (groups,)


def rectified_sums(laid: Laid, low: Tensor, high: Tensor) -> tuple[Sums, Sums]:
    """Moments of a part of an input, and of ``max(0, x)``.

    Args:
        laid: the part.
        low, high: the range of the finite values of the whole input (channels,), which the results get.
    """
    if laid.places > 1:
        rows = rows_of(laid, (), (), True, True, (low, high))
        before = _from_rows(rows.total, rows.square, low, high, laid)
        if rows.rectified is not None and _all_finite(before):
            return before, _from_rows(*rows.rectified, low.clamp(min=0.0), high.clamp(min=0.0), laid)
    found = measure(laid, Rectifier("relu", "rectifier"), (0.0,), mirrored=True)
    assert found.after is not None
    return found.before, found.after


def sums_of(laid: Laid) -> Sums:
    """Moments of one batch alone."""
    rows = rows_of(laid, (), (), True, False)
    sums = _from_rows(rows.total, rows.square, rows.low, rows.high, laid)
    return sums if _all_finite(sums) else _finite_sums(laid.values.to(torch.float64), laid)


def nonzero_of(laid: Laid) -> Tensor:
    """Elements of every channel (channels,) that are not exactly zero."""
    return numbers_of(laid, "not zero", (), None).sum(0)


def _all_finite(sums: Sums, moments: bool = True) -> bool:
    # A sum is finite if all its terms are; if it overflowed, the slow way finds nothing to leave out.
    # NaN passes through minima and maxima.
    telling = sums.mean + sums.squares if moments else sums.low + sums.high
    return math.isfinite(float(telling.sum()))


def _from_rows(
    total: Tensor, square: Tensor, low: Tensor, high: Tensor, laid: Laid, moments: bool = True
) -> Sums:
    """Moments from sums over places: differences within samples, then between them (Chan's formula)."""
    if not moments:
        unknown = torch.full_like(low, math.nan)
        return Sums(torch.full_like(low, laid.places * len(total)), unknown, unknown, low, high)
    means = total if laid.places == 1 else total / laid.places
    mean = means.mean(0)
    squares = (means - mean).square_().sum(0)
    if laid.places > 1:
        squares = squares * laid.places + (square - total * means).clamp_(min=0.0).sum(0)
    count = torch.full_like(mean, laid.places * len(total))
    sums = Sums(count, mean, squares, low, high)
    return sums if laid.places == 1 or laid.values.dtype == torch.float64 else _repaired(laid, sums, square)


def _repaired(laid: Laid, sums: Sums, square: Tensor) -> Sums:
    """The same with the squares of channels that hardly vary about a large mean computed in float64."""
    lost = (sums.squares < _CANCELLED * square.sum(0)) & (sums.low < sums.high)
    squares = torch.where(sums.low == sums.high, 0.0, sums.squares)
    if not bool(lost.any()):
        return replace(sums, squares=squares)
    places = torch.nonzero(lost).squeeze(1)
    some = laid.values.index_select(laid.channel_dimension, places).to(torch.float64)
    dimensions = (0, laid.place_dimension)
    mean = some.mean(dimensions, keepdim=True)
    squares[places] = (some - mean).square_().sum(dimensions)
    return replace(sums, mean=sums.mean.index_copy(0, places, mean.reshape(-1)), squares=squares)


def _measure_finite(laid: Laid, rectifier: Rectifier, kinks: tuple[Any, ...], mirrored: bool) -> Measured:
    """The slow way round elements that are not finite."""
    wide = laid.values.to(torch.float64)
    before = _finite_sums(wide, laid)
    finite = torch.isfinite(wide)
    relations = _RELATIONS.get(rectifier.kind, ("above",))
    numbers = [numbers_of(laid, relation, kinks, finite) for relation in relations]
    after = None
    if mirrored:
        after = _finite_sums(torch.where(finite, wide.clamp(min=0.0), wide), laid)
    return Measured(before, _counts(numbers, rectifier, before.count), after)


def _finite_sums(wide: Tensor, laid: Laid) -> Sums:
    dimensions = (0, laid.place_dimension)
    finite = torch.isfinite(wide)
    count = finite.sum(dimensions).to(torch.float64)
    keep = [1, 1, 1]
    keep[laid.channel_dimension] = -1
    mean = torch.where(finite, wide, 0.0).sum(dimensions) / count.clamp(min=1.0)
    squares = torch.where(finite, wide - mean.view(keep), 0.0).square().sum(dimensions)
    bad = torch.nonzero(~finite)
    first = (int(bad[0, 0]), int(bad[0, laid.channel_dimension])) if len(bad) else None
    low = torch.where(finite, wide, torch.inf).amin(dimensions)
    high = torch.where(finite, wide, -torch.inf).amax(dimensions)
    nan, infinite = torch.isnan(wide).sum(dimensions), torch.isinf(wide).sum(dimensions)
    return Sums(count, mean, squares, low, high, nan, infinite, first)


def _counts(numbers: list[Tensor], rectifier: Rectifier, count: Tensor) -> Counts:
    """Counts of elements from those of each sample and channel (samples, channels)."""
    totals = [number.sum(0) for number in numbers]
    samples = (_fired(numbers, rectifier) > 0).sum(0)
    return Counts(*_sides(totals, count), _fired(totals, rectifier), samples)


def _sides(numbers: list[Tensor], count: Tensor) -> tuple[Tensor, Tensor]:
    """Elements below and above the kinks: with one kink, all that are not above are below."""
    return (numbers[0], numbers[1]) if len(numbers) > 1 else (count - numbers[0], numbers[0])


def _fired(numbers: list[Tensor], rectifier: Rectifier) -> Tensor:
    """Elements that fired: what was counted last, unless a unit fires on both sides."""
    return numbers[0] + numbers[1] if rectifier.kind == "two-sided" else numbers[-1]
