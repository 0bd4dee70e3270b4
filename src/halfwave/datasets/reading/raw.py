"""Numbers as they stand in a source, and the rules that their arrays must meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from halfwave.errors import HalfwaveError

__all__ = ["RawData", "tidied"]

_SHAPES = (
    "accepted shapes are (samples, sites) and (samples, height, width), also with one channel of length 1"
)


@dataclass(frozen=True, eq=False)
class RawData:
    """What a reader found.

    Arguments:
        train: the values, shape (samples, sites) or (samples, height, width) once tidied.
        reading: a sentence about the format.
        held_out: the source's own held-out part, or None.
        labels: shape (samples,), or None.
        held_out_labels: shape (held-out samples,), or None.
    """

    train: np.ndarray
    reading: str
    held_out: np.ndarray | None = None
    labels: np.ndarray | None = None
    held_out_labels: np.ndarray | None = None

    @property
    def parts(self) -> list[tuple[str, np.ndarray]]:
        """Each array with the words that name one of its samples in an error."""
        parts = [("sample", self.train)]
        return parts if self.held_out is None else [*parts, ("held-out sample", self.held_out)]


def tidied(raw: RawData) -> RawData:
    """The same data in native byte order without a channel axis; raises where shape or dtype is foreign."""
    train = _tidied_array(raw.train)
    if len(train) == 0:
        raise HalfwaveError(f"the array has shape {train.shape}, and so no samples; at least 2 are needed")
    if raw.held_out is None:
        return replace(raw, train=train)
    held_out = _tidied_array(raw.held_out)
    if train.shape[1:] != held_out.shape[1:]:
        raise HalfwaveError(
            f"training samples have shape {train.shape[1:]} and held-out samples {held_out.shape[1:]};"
            " the two must agree"
        )
    return replace(raw, train=train, held_out=held_out)


def _tidied_array(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise HalfwaveError(
            f"the values have dtype {values.dtype}; only booleans, integers and floats are read"
        )
    squeezed = _without_channel(values)
    if squeezed.ndim not in (2, 3):
        raise HalfwaveError(f"the array has shape {values.shape}, which is {values.ndim}-D; {_SHAPES}")
    if 0 in squeezed.shape[1:]:
        raise HalfwaveError(f"the array has shape {values.shape}, and so no sites; at least 1 is needed")
    # half floats become single ones: thresholds and grey scales go beyond their range
    native = np.dtype(np.float32) if squeezed.dtype == np.float16 else squeezed.dtype.newbyteorder("=")
    return squeezed.astype(native, copy=False)


def _without_channel(values: np.ndarray) -> np.ndarray:
    if values.ndim == 4 and values.shape[-1] == 1:
        return values[..., 0]
    if values.ndim == 4 and values.shape[1] == 1:
        return values[:, 0]
    return values
