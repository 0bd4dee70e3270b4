"""Sums over the places of each sample and channel: few passes, in parts that stay in the cache.

Kernels are chosen by measurement on a CPU: no boolean mask is summed (35 times the cost of a copy), no variance kernel
called (30 times), no image widened (20 times).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from halfwave.audit.axes.layout import Laid

__all__ = ["EXACT", "SCRATCH", "Rows", "compared", "numbers_of", "rows_of", "varies", "wide_dtype"]

_PART = 1 << 18
"""Elements of a part: a megabyte of float32, which stays in a second-level cache."""

_LONG = 64
"""Elements of a row along which a minimum is quick."""

_FEW = 8
"""Fewer samples than these are not worth a minimum across them."""

EXACT = 1 << 24
"""Up to here a float32 counts exactly."""


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


SCRATCH = _Scratch()


@dataclass(slots=True)
class Rows:
    """Sums over places of each sample and channel (samples, channels), and the range of each channel (channels,)."""

    total: Tensor
    square: Tensor
    low: Tensor
    high: Tensor
    numbers: list[Tensor]
    """Elements that stand in each of the asked relations to the kinks."""
    rectified: tuple[Tensor, Tensor] | None
    """Sum and sum of squares of ``max(0, x)``."""


def rows_of(
    laid: Laid,
    relations: tuple[str, ...],
    kinks: tuple[Any, ...],
    moments: bool,
    mirrored: bool,
    ranges: tuple[Tensor, Tensor] | None = None,
) -> Rows:
    """All sums over places that are asked for, in one sweep over the parts of the input.

    Args:
        laid: the input.
        relations: which relations to the kinks are counted.
        kinks: as numbers, or tensors laid out like the input.
        moments: sum values and squares.
        mirrored: sum those of ``max(0, x)`` too.
        ranges: the range of each channel, where it is known.
    """
    values, place = laid.values, laid.place_dimension
    if laid.places == 1:
        return _single_rows(laid, relations, kinks, mirrored)
    exact = laid.places < EXACT
    shape = (6 + len(relations), len(values), laid.channels)
    rows = values.new_empty(shape, dtype=wide_dtype(values.dtype) if exact else torch.float64)
    ends = _Ends(place, ranges, exact and ranges is None and _along_rows(laid))
    for (part_of, part), outs in zip(_parts(values), rows.split(_samples(values), 1), strict=True):
        ends.take(part, outs[4:6])
        scratch, spare = SCRATCH.pair(part)
        local = tuple(kink[part_of] if varies(kink) else kink for kink in kinks)
        for relation, number in zip(relations, outs[6:].unbind(), strict=True):
            # a comparison written as 0.0 and 1.0 is vectorised, and so is its sum
            torch.sum(compared(part, local, relation, scratch), place, out=number)
        if moments:
            _power_sums(part, place, outs[:2], scratch)
        if mirrored:
            _power_sums(torch.clamp(part, min=0.0, out=spare), place, outs[2:4], scratch)
    low, high = ends.of_channels(rows)
    total, square, upper_total, upper_square, _, _, *numbers = rows.to(torch.float64).unbind(0)
    return Rows(total, square, low, high, numbers, (upper_total, upper_square) if mirrored else None)


class _Ends:
    """The range of each channel, found part by part where it is not known.

    Args:
        place: dimension of the places.
        known: the range, or None.
        along: whether extremes are taken along rows, into the sums' own array.
    """

    def __init__(self, place: int, known: tuple[Tensor, Tensor] | None, along: bool) -> None:
        self._place, self._known, self._along = place, known, along
        self._extremes: list[Tensor] = []

    def take(self, part: Tensor, outs: Tensor) -> None:
        """Look at a part."""
        if self._along:
            torch.amin(part, 2, out=outs[0])
            torch.amax(part, 2, out=outs[1])
        elif self._known is None:
            _widen_range(self._extremes, part, self._place)

    def of_channels(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The range of each channel (channels,), float64."""
        if self._known is not None:
            return self._known
        low, high = (rows[4].amin(0), rows[5].amax(0)) if self._along else self._extremes
        return _over_places(low, True), _over_places(high, False)


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


def _single_rows(laid: Laid, relations: tuple[str, ...], kinks: tuple[Any, ...], mirrored: bool) -> Rows:
    """The same for channels with one place, where the sums are the elements themselves."""
    place = laid.place_dimension
    values = laid.values.to(torch.float64)
    scratch = torch.empty_like(values)
    # a half-precision input is widened exactly; a kink is not rounded to it
    numbers = [compared(values, kinks, relation, scratch).squeeze(place).clone() for relation in relations]
    rows = values.squeeze(place)
    upper = rows.clamp(min=0.0) if mirrored else None
    return Rows(rows, rows, rows.amin(0), rows.amax(0), numbers, None if upper is None else (upper, upper))


def _power_sums(part: Tensor, place: int, outs: Tensor, scratch: Tensor) -> None:
    """Sums of values and of squares over places, into two tensors."""
    total, square = outs
    torch.sum(part, place, out=total)
    if place == 2:
        torch.linalg.vector_norm(part, 2, place, out=square)
        square.square_()
    else:  # the norm is not vectorised across rows
        torch.sum(torch.mul(part, part, out=scratch), place, out=square)


def wide_dtype(dtype: torch.dtype) -> torch.dtype:
    """A precision fit for sums of values of a type."""
    return torch.float32 if dtype.itemsize < 4 else dtype


def _samples(values: Tensor) -> int:
    """Samples of a part."""
    return max(1, _PART // max(1, values[0].numel()))


def _parts(values: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The samples of each part and its values, in a precision fit for sums."""
    samples, dtype = _samples(values), wide_dtype(values.dtype)
    for number, part in enumerate(values.split(samples)):
        yield slice(number * samples, (number + 1) * samples), part.to(dtype)


def numbers_of(laid: Laid, relation: str, kinks: tuple[Any, ...], finite: Tensor | None) -> Tensor:
    """How many elements of each sample and channel (samples, channels), float64, stand in a relation to the kinks."""
    values, place = laid.values, laid.place_dimension
    result = values.new_empty((len(values), laid.channels), dtype=torch.float64)
    for part_of, part in _parts(values):
        local = tuple(kink[part_of] if varies(kink) else kink for kink in kinks)
        truth = compared(part, local, relation, SCRATCH.pair(part)[0])
        if finite is not None:
            truth = truth.mul_(finite[part_of])
        result[part_of] = truth.sum(place)
    return result


def varies(kink: Any) -> bool:
    """Whether a kink differs between samples."""
    return isinstance(kink, Tensor) and kink.ndim == 3 and len(kink) > 1


def compared(part: Tensor, kinks: tuple[Any, ...], relation: str, out: Tensor) -> Tensor:
    """Where values stand in a relation to the kinks, as 0.0 and 1.0."""
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
