"""NumPy's own files: one array (.npy) or several (.npz), never with pickled objects."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.lib.npyio import NpzFile

from halfwave.datasets.reading.raw import RawData
from halfwave.errors import HalfwaveError

__all__ = ["read_npy", "read_npz"]

# Names of (training, held-out) arrays and of their labels: Keras' layout, then the plain words.
_NAMED_PARTS = ((("x_train", "x_test"), ("y_train", "y_test")), (("train", "test"), ("", "")))
# What NumPy, zipfile and zlib raise on damaged files; TokenError came up by changing random bytes of a header.
_DAMAGE = (
    ValueError,
    OSError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def _numpy_errors(what: str) -> Iterator[None]:
    try:
        yield
    except HalfwaveError:
        raise
    except _DAMAGE as error:
        if "allow_pickle" in str(error):
            raise HalfwaveError(
                f"{what} holds Python objects (dtype object); only numbers are read"
            ) from None
        # NumPy goes on with advice in further sentences; the first one says what is wrong
        reason = str(error).split(". ")[0].rstrip(".")
        raise HalfwaveError(f"{what} is truncated or damaged ({reason})") from None


def read_npy(stream: BinaryIO) -> RawData:
    """The array of an .npy stream.

    >>> import io
    >>> stream = io.BytesIO()
    >>> np.save(stream, np.array([[0, 1]], dtype=np.uint8))
    >>> _ = stream.seek(0)
    >>> read_npy(stream).train
    array([[0, 1]], dtype=uint8)
    """
    with _numpy_errors("the .npy file"):
        values = np.load(stream, allow_pickle=False)
    return RawData(values, f"Read as a NumPy array of {values.dtype}.")


def read_npz(stream: BinaryIO) -> RawData:
    """The samples of an .npz stream: arrays named as training and held-out parts, or its only array.

    >>> import io
    >>> stream = io.BytesIO()
    >>> np.savez(stream, train=np.eye(3), test=np.eye(3)[:1])
    >>> _ = stream.seek(0)
    >>> read_npz(stream).reading
    'Read as NumPy arrays `train` and `test`.'
    """
    with _numpy_errors("the .npz file"), np.load(stream, allow_pickle=False) as archive:
        for (train, held_out), label_names in _NAMED_PARTS:
            if train in archive.files:
                return _named_parts(archive, train, held_out, label_names)
        return _only_array(archive)


def _named_parts(archive: NpzFile, train: str, held_out: str, label_names: tuple[str, str]) -> RawData:
    train_values = _array(archive, train)
    labels = _labels(archive, label_names[0], train_values)
    if held_out not in archive.files:
        return RawData(train_values, f"Read as the NumPy array `{train}`.", labels=labels)
    held_out_values = _array(archive, held_out)
    return RawData(
        train_values,
        f"Read as NumPy arrays `{train}` and `{held_out}`.",
        held_out=held_out_values,
        labels=labels,
        held_out_labels=_labels(archive, label_names[1], held_out_values),
    )


def _array(archive: NpzFile, name: str) -> np.ndarray:
    with _numpy_errors(f"the array `{name}`"):
        values = archive[name]
    # any zip archive opens as .npz; its other members come back as bytes
    return values if isinstance(values, np.ndarray) else np.asarray(values)


def _labels(archive: NpzFile, name: str, samples: np.ndarray) -> np.ndarray | None:
    if name not in archive.files:
        return None
    labels = _array(archive, name)
    # one-hot or multiple labels are no name for a sample that a figure could show
    if labels.ndim != 1:
        return None
    if samples.ndim and len(labels) != len(samples):
        raise HalfwaveError(
            f"`{name}` holds {len(labels):,} labels for {len(samples):,} samples; one each is needed"
        )
    return labels


def _only_array(archive: NpzFile) -> RawData:
    names = archive.files
    if not names:
        raise HalfwaveError("the .npz file holds no arrays; one is needed")
    # means, sizes and labels often travel along; samples have at least two axes
    if len(names) > 1:
        names = [name for name in names if _array(archive, name).ndim > 1]
    if len(names) != 1:
        found = ", ".join(f"`{name}`" for name in archive.files)
        raise HalfwaveError(
            f"the archive holds {found}, and it is not clear which are the samples;"
            " name them `train` and `test`, or keep a single array"
        )
    return RawData(_array(archive, names[0]), f"Read as the NumPy array `{names[0]}`.")
