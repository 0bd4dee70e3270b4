"""What `load` returns: arrays for a visible layer, with the record of where they came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["VISIBLE_UNITS", "Dataset", "fingerprint"]

# The unit whose values are exactly those of each kind of data set.
VISIBLE_UNITS = {"binary": "Binary", "spin": "Spin", "categorical": "Potts", "real": "Gaussian"}


# Arrays have no single truth value, so a generated `__eq__` would raise; the fingerprint compares data sets.
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and held-out samples for a visible layer, and how they were made.

    Arguments:
        train: float32, shape (samples, *site_shape); one-hot (samples, sites, colours) when categorical.
        held_out: float32, same sample shape as `train`; zero samples when nothing was held out.
        kind: "binary" (0 and 1), "spin" (−1 and +1), "categorical" (one-hot) or "real".
        visible_unit: name of the unit in `halfwave.units` with these values.
        site_shape: shape of one sample, without colours.
        image_shape: (height, width) when the samples are images, else None.
        labels: shape (samples,), one label for each training sample, or None.
        held_out_labels: shape (held-out samples,), or None.
        description: sentences that say what was recognised and what was done.
        source: the word or path that was loaded, as it was given.
        fingerprint: SHA-256 of both arrays with shape and dtype, in hexadecimal digits.
        transform: the treatment as plain JSON values, to be given to `halfwave.datasets.apply`.
        notes: sentences about the data that deserve a look, such as constant sites.

    Raises:
        Nothing by itself: `load` and `apply` check the data before they build one.

    >>> from halfwave.datasets import load
    >>> load("digits")
    Dataset('digits', kind='binary', train=(1527, 8, 8), held_out=(270, 8, 8))
    """

    train: np.ndarray
    held_out: np.ndarray
    kind: str
    visible_unit: str
    site_shape: tuple[int, ...]
    image_shape: tuple[int, int] | None
    labels: np.ndarray | None
    held_out_labels: np.ndarray | None
    description: str
    source: str
    fingerprint: str
    transform: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def colours(self) -> int | None:
        """Number of colours of a categorical data set; None for other kinds."""
        return self.train.shape[-1] if self.kind == "categorical" else None

    def __repr__(self) -> str:
        shapes = f"train={self.train.shape}, held_out={self.held_out.shape}"
        return f"Dataset({self.source!r}, kind={self.kind!r}, {shapes})"


def fingerprint(train: np.ndarray, held_out: np.ndarray) -> str:
    """SHA-256 of both arrays with their shapes and dtypes, the same on every machine.

    >>> nothing = np.zeros((0, 3), np.float32)
    >>> fingerprint(np.zeros((2, 3), np.float32), nothing) == fingerprint(np.ones((2, 3), np.float32), nothing)
    False
    """
    digest = hashlib.sha256()
    for part in (train, held_out):
        # Little-endian bytes, so that the machine's own byte order does not enter.
        little_endian = np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
        digest.update(f"{little_endian.dtype.str} {part.shape}\n".encode())
        digest.update(little_endian.data if part.size else b"")
    return digest.hexdigest()
