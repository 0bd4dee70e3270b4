"""What kind of data an array holds, told by its values and its shape alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from halfwave.datasets.reading.raw import RawData
from halfwave.datasets.treatment.scan import Summary, row_blocks
from halfwave.datasets.treatment.wording import number
from halfwave.errors import HalfwaveError

__all__ = ["check_varied", "decoded_one_hot", "grey_top", "is_one_hot", "recognised_kind"]

# More distinct values than this are hardly an alphabet (proteins need 21, codons 64 are rare).
_LARGEST_CATEGORY = 40
# Fractions, 8-bit and 16-bit levels.
_NOMINAL_TOPS = (1.0, 255.0, 65535.0)


def recognised_kind(summary: Summary, *, images: bool) -> str:
    """The kind that suits the values.

    Arguments:
        summary: range and integrality of all values.
        images: whether one sample has two axes.

    Returns:
        "binary", "spin", "grey", "categorical" or "real".

    >>> recognised_kind(Summary(0.0, 20.0, integral=True, has_zero=True), images=False)
    'categorical'
    >>> recognised_kind(Summary(0.0, 20.0, integral=True, has_zero=True), images=True)
    'grey'
    """
    lowest, highest = summary.lowest, summary.highest
    if summary.integral and lowest >= 0 and highest <= 1:
        return "binary"
    if summary.integral and (lowest, highest) == (-1, 1) and not summary.has_zero:
        return "spin"
    if summary.integral and lowest >= 0 and highest <= 255:
        return "grey" if images or highest > _LARGEST_CATEGORY else "categorical"
    if lowest >= 0 and highest <= 1:
        return "grey"
    return "real"


def grey_top(highest: float) -> float:
    """The top of the grey scale: 1, 255 or 65,535 where the largest value fills it by half, else that value.

    >>> grey_top(254.0), grey_top(16.0), grey_top(0.9)
    (255.0, 16.0, 1.0)
    """
    return next((top for top in _NOMINAL_TOPS if top / 2 < highest <= top), highest)


def check_varied(summary: Summary) -> None:
    """Raise when all values are the same one.

    >>> check_varied(Summary(0.0, 1.0, integral=True, has_zero=True))
    """
    if summary.lowest == summary.highest:
        raise HalfwaveError(
            f"every value is {number(summary.lowest)}; data that never vary hold nothing to learn"
        )


def is_one_hot(raw: RawData) -> bool:
    """Whether samples are (sites, colours) with a single 1 among zeros at each site.

    >>> is_one_hot(RawData(np.eye(3)[[[0, 2], [1, 1]]], "")), is_one_hot(RawData(np.eye(3), ""))
    (True, False)
    """
    return all(_is_one_hot_array(values) for _, values in raw.parts)


def decoded_one_hot(raw: RawData) -> RawData:
    """One-hot samples (samples, sites, colours) as category numbers (samples, sites).

    >>> decoded_one_hot(RawData(np.eye(3)[[[0, 2], [1, 1]]], "")).train
    array([[0, 2],
           [1, 1]])
    """
    held_out = None if raw.held_out is None else raw.held_out.argmax(axis=-1)
    return replace(raw, train=raw.train.argmax(axis=-1), held_out=held_out)


def _is_one_hot_array(values: np.ndarray) -> bool:
    return values.ndim == 3 and all(_is_one_hot_block(values[rows]) for rows in row_blocks(values))


def _is_one_hot_block(block: np.ndarray) -> bool:
    return bool(((block == 0) | (block == 1)).all() and (block.sum(axis=-1) == 1).all())
