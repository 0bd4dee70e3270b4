"""Passes over the values in blocks of rows, so that no check needs a second copy of a large array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from halfwave.datasets.treatment.wording import number, site_words
from halfwave.errors import HalfwaveError

__all__ = ["Parts", "Summary", "check_finite", "require", "row_blocks", "summarise"]

# Arrays with the words that name one of their samples.
Parts = Sequence[tuple[str, np.ndarray]]

# Large enough that NumPy's call overhead vanishes, small enough that a block of float64 stays at 32 MiB.
_BLOCK_CELLS = 2**22
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Summary:
    """What recognition needs to know about all the values together.

    Arguments:
        lowest: smallest value.
        highest: largest value.
        integral: whether every value is a whole number.
        has_zero: whether 0 occurs.
    """

    lowest: float
    highest: float
    integral: bool
    has_zero: bool


def row_blocks(values: np.ndarray) -> Iterator[slice]:
    """Slices over the first axis, each of a few million cells at most.

    >>> [(rows.start, rows.stop) for rows in row_blocks(np.zeros((5, 2**21)))]
    [(0, 2), (2, 4), (4, 6)]
    """
    step = max(1, _BLOCK_CELLS * len(values) // max(1, values.size))
    return (slice(start, start + step) for start in range(0, len(values), step))


def summarise(parts: Parts) -> Summary:
    """Range, integrality and presence of 0 over all parts.

    >>> summarise([("sample", np.array([[0.0, 2.0], [16.0, 3.0]]))])
    Summary(lowest=0.0, highest=16.0, integral=True, has_zero=True)
    """
    filled = [values for _, values in parts if values.size]
    blocks = [(values, rows) for values in filled for rows in row_blocks(values)]
    return Summary(
        lowest=float(min(values.min() for values in filled)),
        highest=float(max(values.max() for values in filled)),
        integral=all(_is_integral(values[rows]) for values, rows in blocks),
        has_zero=any(bool((values[rows] == 0).any()) for values, rows in blocks),
    )


def _is_integral(block: np.ndarray) -> bool:
    return block.dtype.kind != "f" or bool((block == np.floor(block)).all())


def require(parts: Parts, is_bad: Callable[[np.ndarray], np.ndarray], rule: str) -> None:
    """Raise with the first value that `is_bad` marks, its position, and the rule.

    >>> require([("sample", np.array([[0.0, 0.5]]))], lambda block: block == 0.5, "is not 0 or 1")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: 0.5 at sample 0, site 1 is not 0 or 1
    """
    for name, values in parts:
        for rows in row_blocks(values):
            bad = is_bad(values[rows])
            if bad.any():
                # argmax of booleans is the first True; argwhere would list every one of them
                index = np.unravel_index(int(bad.argmax()), bad.shape)
                value, sample = number(values[rows][index]), rows.start + int(index[0])
                raise HalfwaveError(
                    f"{value} at {name} {sample}, {site_words([int(i) for i in index[1:]])} {rule}"
                )


def check_finite(parts: Parts) -> None:
    """Raise where a value is NaN, infinite or too large for the float32 arrays of a data set."""
    floats = [(name, values) for name, values in parts if values.dtype.kind == "f"]
    count = sum(_count_not_finite(values) for _, values in floats)
    occurrence = (
        "is the only value that is not finite" if count == 1 else f"is the first of {count:,} not finite"
    )
    require(floats, lambda block: ~np.isfinite(block), f"{occurrence}; every value must be finite")
    rule = f"is beyond ±{_LARGEST_FLOAT32:.4g}, the range of the 32-bit floats that a data set holds"
    # only wider floats can be out of range, and narrower ones cannot be compared with its end
    wide = [(name, values) for name, values in floats if values.dtype.itemsize > 4]
    require(wide, lambda block: np.abs(block) > _LARGEST_FLOAT32, rule)


def _count_not_finite(values: np.ndarray) -> int:
    return sum(int(np.count_nonzero(~np.isfinite(values[rows]))) for rows in row_blocks(values))
