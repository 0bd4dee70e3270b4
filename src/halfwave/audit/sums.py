"""Sums of one activation over samples and places, per channel: few passes, in parts that stay in the cache.

Kernels are chosen by measurement on a CPU: no boolean mask is summed (35 times the cost of a copy), no variance kernel
called (30 times), no image widened (20 times).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from halfwave.audit.layout import Laid
from halfwave.audit.rectifier import Rectifier

__all__ = ["Counts", "Measured", "Sums", "measure", "nonzero_of", "rectified_sums", "sums_of"]

_PART = 1 << 18
"""Elements of a part: a megabyte of float32, which stays in a second-level cache."""

_LONG = 64
"""Elements of a row along which a minimum is quick."""

_FEW = 8
"""Fewer samples than these are not worth a minimum across them."""

_GROUP = 16
"""Samples with one place each that are summed together in the tensor's own precision."""

_EXACT = 1 << 24
"""Up to here a float32 counts exactly."""

_CANCELLED = 1e-4
"""A variance below this part of the mean square has lost too many digits in float32 and is computed again."""


class _Scratch(threading.local):
    """Memory for parts, kept from call to call: fresh pages cost more than the sums over them."""

    def __init__(self) -> None:
        self._buffers: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def pair(self, part: Tensor) -> tuple[Tensor, Tensor]:
        """Two tensors of the shape and dtype of a part."""
        number = part.numel()
        if number > _PART:
            return torch.empty_like(part), torch.empty_like(part)
        key = (part.dtype, part.device)
        if key not in self._buffers:
            # not an inference tensor, wherever it is first needed
            with torch.inference_mode(False):
                self._buffers[key] = torch.empty(2 * _PART, dtype=part.dtype, device=part.device)
        buffer = self._buffers[key]
        return buffer[:number].view(part.shape), buffer[_PART : _PART + number].view(part.shape)


_SCRATCH = _Scratch()


@dataclass(frozen=True, slots=True)
class Sums:
    """What one batch adds to the moments of every channel; arrays of shape (channels,), float64."""

    count: Tensor
    """Finite elements."""
    mean: Tensor
    squares: Tensor
    """Sum of squared differences from the mean."""
    low: Tensor
    high: Tensor
    not_a_number: Tensor | None = None
    """Elements that are NaN, where anything is not finite."""
    infinite: Tensor | None = None
    first: tuple[int, int] | None = None
    """Sample and channel of the first element that is not finite."""

    def stacked(self) -> Tensor:
        """The five arrays as one (5, channels)."""
        return torch.stack([self.count, self.mean, self.squares, self.low, self.high])


@dataclass(frozen=True, slots=True)
class Counts:
    """Elements of every channel (channels,) below and above the kinks; elements and samples for which it fired."""

    below: Tensor
    above: Tensor
    fired: Tensor
    """Elements for which the unit fired."""
    fired_samples: Tensor


@dataclass(frozen=True, slots=True)
class Measured:
    """The input of a rectifier in one batch."""

    before: Sums
    counts: Counts
    after: Sums | None
    """The output's sums, where the rectifier is ``max(0, x)`` and they were asked for."""


@dataclass(slots=True)
class _Rows:
    """Sums over places of each sample and channel (samples, channels), and the range of each channel (channels,)."""

    total: Tensor
    square: Tensor
    low: Tensor
    high: Tensor
    numbers: list[Tensor]
    """Elements that stand in each of the asked relations to the kinks."""
    rectified: tuple[Tensor, Tensor] | None
    """Sum and sum of squares of ``max(0, x)``."""


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
    if not moments and laid.places == 1 and len(laid.values) < _EXACT:
        found = _measure_single(laid, rectifier, kinks)
        return _measure_finite(laid, rectifier, kinks, mirrored) if found is None else found
    grouped = _grouped(laid)
    if grouped is not None and not any(_varies(kink) for kink in kinks):
        parts = [_measure(part, rectifier, kinks, moments, mirrored) for part in grouped]
        if all(part is not None for part in parts):
            return _joined([part for part in parts if part is not None])
    found = _measure(laid, rectifier, kinks, moments, mirrored)
    return _measure_finite(laid, rectifier, kinks, mirrored) if found is None else found


def _measure(
    laid: Laid, rectifier: Rectifier, kinks: tuple[Any, ...], moments: bool, mirrored: bool
) -> Measured | None:
    """The quick way, or None where something is not finite."""
    relations = _RELATIONS.get(rectifier.kind, ("above",))
    rows = _rows_of(laid, relations, kinks, moments, mirrored)
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
    values = values.to(torch.float64 if number < _GROUP else _wide(values.dtype))
    local = tuple(kink.squeeze(place) if isinstance(kink, Tensor) else kink for kink in kinks)
    low, high = values.amin(0), values.amax(0)
    if not math.isfinite(float((low + high).sum())) and not bool(
        torch.isfinite(torch.stack([low, high])).all()
    ):
        return None
    scratch = _SCRATCH.pair(values)[0]
    relations = _RELATIONS.get(rectifier.kind, ("above",))
    numbers = [_compare(values, local, relation, scratch).sum(0) for relation in relations]
    unknown, count = torch.full_like(low, math.nan), torch.full_like(low, number)
    if rectifier.kind == "clipped":
        below, above, fired = numbers
    elif rectifier.kind == "two-sided":
        below, above = numbers
        fired = below + above
    else:
        (above,) = numbers
        below, fired = count - above, above
    return Measured(Sums(count, unknown, unknown, low, high), Counts(below, above, fired, fired), None)


def _grouped(laid: Laid) -> tuple[Laid, ...] | None:
    """Samples with one place, in groups that stand for samples with many; their rest."""
    if laid.places > 1 or laid.values.dtype == torch.float64 or len(laid.values) < _GROUP:
        return None
    rows = laid.values.squeeze(laid.place_dimension)
    whole = len(rows) // _GROUP * _GROUP
    groups = Laid(rows[:whole].reshape(-1, _GROUP, laid.channels), 2)
    return (groups, Laid(rows[whole:].unsqueeze(1), 2)) if whole < len(rows) else (groups,)


def _joined(parts: list[Measured]) -> Measured:
    """Parts of one batch of samples with one place, in which a unit fires as often as it does for elements."""
    below, above = (sum(getattr(part.counts, name) for part in parts) for name in ("below", "above"))
    fired = sum(part.counts.fired for part in parts)
    before = _merged([part.before for part in parts])
    after = [part.after for part in parts if part.after is not None]
    return Measured(before, Counts(below, above, fired, fired), _merged(after) if after else None)  # pyright: ignore[reportArgumentType]


def _merged(parts: list[Sums]) -> Sums:
    """Moments of several parts together (Chan's formula)."""
    count, mean, squares, low, high = torch.stack([part.stacked() for part in parts], dim=1)
    total = count.sum(0)
    middle = (count * mean).sum(0) / total
    spread = squares.sum(0) + (count * (mean - middle) ** 2).sum(0)
    return Sums(total, middle, spread, low.amin(0), high.amax(0))


def rectified_sums(laid: Laid, low: Tensor, high: Tensor) -> tuple[Sums, Sums]:
    """Moments of a part of an input, and of ``max(0, x)``.

    Args:
        laid: the part.
        low, high: the range of the finite values of the whole input (channels,), which the results get.
    """
    if laid.places > 1:
        rows = _rows_of(laid, (), (), True, True, (low, high))
        before = _from_rows(rows.total, rows.square, low, high, laid)
        if rows.rectified is not None and _all_finite(before):
            return before, _from_rows(*rows.rectified, low.clamp(min=0.0), high.clamp(min=0.0), laid)
    found = measure(laid, Rectifier("relu", "rectifier"), (0.0,), mirrored=True)
    assert found.after is not None
    return found.before, found.after


def sums_of(laid: Laid) -> Sums:
    """Moments of one batch alone."""
    rows = _rows_of(laid, (), (), True, False)
    sums = _from_rows(rows.total, rows.square, rows.low, rows.high, laid)
    return sums if _all_finite(sums) else _finite_sums(laid.values.to(torch.float64), laid)


def nonzero_of(laid: Laid) -> Tensor:
    """Elements of every channel (channels,) that are not exactly zero."""
    return _numbers(laid, "not zero", (), None).sum(0)


def _all_finite(sums: Sums, moments: bool = True) -> bool:
    # A sum is finite if all its terms are; if it overflowed, the slow way finds nothing to leave out.
    # NaN passes through minima and maxima.
    telling = sums.mean + sums.squares if moments else sums.low + sums.high
    return math.isfinite(float(telling.sum()))


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype.itemsize < 4 else dtype


def _samples(values: Tensor) -> int:
    """Samples of a part."""
    return max(1, _PART // max(1, values[0].numel()))


def _parts(values: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The samples of each part and its values, in a precision fit for sums."""
    samples, dtype = _samples(values), _wide(values.dtype)
    for number, part in enumerate(values.split(samples)):
        yield slice(number * samples, (number + 1) * samples), part.to(dtype)


def _rows_of(
    laid: Laid,
    relations: tuple[str, ...],
    kinks: tuple[Any, ...],
    moments: bool,
    mirrored: bool,
    ranges: tuple[Tensor, Tensor] | None = None,
) -> _Rows:
    """All sums over places that are asked for, in one sweep over the parts of the input; its range may be known."""
    values, place = laid.values, laid.place_dimension
    if laid.places == 1:
        return _single_rows(laid, relations, kinks, mirrored)
    exact = laid.places < _EXACT
    shape = (6 + len(relations), len(values), laid.channels)
    rows = values.new_empty(shape, dtype=_wide(values.dtype) if exact else torch.float64)
    extremes: list[Tensor] = []
    along = exact and ranges is None and _along_rows(laid)
    for (part_of, part), outs in zip(_parts(values), rows.split(_samples(values), 1), strict=True):
        sums, (low, high), numbers = outs[:4], outs[4:6], outs[6:].unbind()
        if along:
            torch.amin(part, 2, out=low)
            torch.amax(part, 2, out=high)
        elif ranges is None:
            _widen_range(extremes, part, place)
        scratch, spare = _SCRATCH.pair(part)
        local = tuple(kink[part_of] if _varies(kink) else kink for kink in kinks)
        for relation, number in zip(relations, numbers, strict=True):
            # a comparison written as 0.0 and 1.0 is vectorised, and so is its sum
            torch.sum(_compare(part, local, relation, scratch), place, out=number)
        if moments:
            _power_sums(part, place, sums[:2], scratch)
        if mirrored:
            _power_sums(torch.clamp(part, min=0.0, out=spare), place, sums[2:], scratch)
    if along:
        extremes = [rows[4].amin(0), rows[5].amax(0)]
    if ranges is None:
        ranges = _over_places(extremes[0], True), _over_places(extremes[1], False)
    total, square, upper_total, upper_square, _, _, *numbers = rows.to(torch.float64).unbind(0)
    return _Rows(total, square, *ranges, numbers, (upper_total, upper_square) if mirrored else None)


def _widen_range(extremes: list[Tensor], part: Tensor, place: int) -> None:
    """Take a part into the smallest and largest values so far, of each channel and, where these are rows, place."""
    over = 0 if place == 2 else (0, 1)
    low, high = part.amin(over), part.amax(over)
    if extremes:
        torch.minimum(extremes[0], low, out=extremes[0])
        torch.maximum(extremes[1], high, out=extremes[1])
    else:
        extremes += [low, high]


def _along_rows(laid: Laid) -> bool:
    """Whether extremes are taken along rows: across samples is faster, unless a part has few, or rows are short."""
    return laid.place_dimension == 2 and laid.places >= _LONG and _samples(laid.values) < _FEW


def _over_places(end: Tensor, smallest: bool) -> Tensor:
    if end.ndim == 2:
        end = end.amin(1) if smallest else end.amax(1)
    return end.to(torch.float64)


def _single_rows(laid: Laid, relations: tuple[str, ...], kinks: tuple[Any, ...], mirrored: bool) -> _Rows:
    """The same for channels with one place, where the sums are the elements themselves."""
    place = laid.place_dimension
    values = laid.values.to(torch.float64)
    scratch = torch.empty_like(values)
    # a half-precision input is widened exactly; a kink is not rounded to it
    numbers = [_compare(values, kinks, relation, scratch).squeeze(place).clone() for relation in relations]
    rows = values.squeeze(place)
    upper = rows.clamp(min=0.0) if mirrored else None
    return _Rows(rows, rows, rows.amin(0), rows.amax(0), numbers, None if upper is None else (upper, upper))


def _power_sums(part: Tensor, place: int, outs: Tensor, scratch: Tensor) -> None:
    """Sums of values and of squares over places, into two tensors."""
    total, square = outs
    torch.sum(part, place, out=total)
    if place == 2:
        torch.linalg.vector_norm(part, 2, place, out=square)
        square.square_()
    else:  # the norm is not vectorised across rows
        torch.sum(torch.mul(part, part, out=scratch), place, out=square)


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
    numbers = [_numbers(laid, relation, kinks, finite) for relation in relations]
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
    if rectifier.kind == "clipped":
        below, above, fired = numbers
    elif rectifier.kind == "two-sided":
        below, above = numbers
        fired = below + above
    else:
        (above,) = numbers
        total = above.sum(0)
        return Counts(count - total, total, total, (above > 0).sum(0))
    return Counts(below.sum(0), above.sum(0), fired.sum(0), (fired > 0).sum(0))


def _numbers(laid: Laid, relation: str, kinks: tuple[Any, ...], finite: Tensor | None) -> Tensor:
    """How many elements of each sample and channel (samples, channels), float64, stand in a relation to the kinks."""
    values, place = laid.values, laid.place_dimension
    result = values.new_empty((len(values), laid.channels), dtype=torch.float64)
    for part_of, part in _parts(values):
        local = tuple(kink[part_of] if _varies(kink) else kink for kink in kinks)
        truth = _compare(part, local, relation, _SCRATCH.pair(part)[0])
        if finite is not None:
            truth = truth.mul_(finite[part_of])
        result[part_of] = truth.sum(place)
    return result


def _varies(kink: Any) -> bool:
    """Whether a kink differs between samples."""
    return isinstance(kink, Tensor) and kink.ndim == 3 and len(kink) > 1


def _compare(part: Tensor, kinks: tuple[Any, ...], relation: str, out: Tensor) -> Tensor:
    if relation == "above":
        return torch.gt(part, kinks[-1], out=out)
    if relation == "below":
        return torch.lt(part, kinks[0], out=out)
    if relation == "at most":
        return torch.le(part, kinks[0], out=out)
    if relation == "at least":
        return torch.ge(part, kinks[-1], out=out)
    if relation == "not zero":
        return torch.ne(part, 0.0, out=out)
    return torch.gt(part, kinks[0], out=out).mul_(torch.lt(part, kinks[-1]))
