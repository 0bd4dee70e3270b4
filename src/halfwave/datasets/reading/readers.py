"""From a word or a path to raw numbers: the format is told by its content first, then by its name."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from halfwave.datasets.reading.csv_text import read_csv
from halfwave.datasets.reading.idx import is_idx, read_idx
from halfwave.datasets.reading.numpy_files import read_npy, read_npz
from halfwave.datasets.reading.raw import RawData
from halfwave.errors import HalfwaveError

__all__ = ["BUNDLED", "read"]

BUNDLED = ("digits",)

_FORMATS = ".npy, .npz, .csv, .tsv and IDX files, plain or in .gz"
# Under these names a file that opens like text is a damaged or misnamed one, not a table.
_BINARY_SUFFIXES = (".npy", ".npz", ".idx", "-ubyte")
# Common mistakes, told by their first bytes so that the error can name them.
_FOREIGN = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"%PDF": "a PDF document",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"MATLAB 5.0": "a MATLAB file",
    b"\xfd7zXZ": "an xz archive",
    b"BZh": "a bzip2 archive",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}


def read(source: str | os.PathLike[str], header: bool | None = None) -> RawData:
    """The raw numbers of a bundled data set (`digits`) or of a file.

    >>> read("digits").train.shape
    (1797, 8, 8)
    """
    # Path("digits") is a file of that name: only the plain word means the bundled data
    if source == "digits":
        return _read_digits()
    path = _checked_path(source)
    try:
        with path.open("rb") as stream:
            return _read_stream(stream, path.name.lower(), header)
    except PermissionError:
        raise HalfwaveError("the file exists and may not be read; its permissions forbid it") from None
    except OSError as error:
        raise HalfwaveError(f"the file cannot be read ({error.strerror or error})") from None


def _checked_path(source: str | os.PathLike[str]) -> Path:
    path = Path(source)
    try:
        is_file, exists, is_directory = path.is_file(), path.exists(), path.is_dir()
    except (OSError, ValueError) as error:
        raise HalfwaveError(f"this is not the name of a file ({error})") from None
    if is_file:
        return path
    if is_directory:
        raise HalfwaveError("this is a directory; a file is needed")
    if exists:
        raise HalfwaveError("this is not a regular file; a regular file is needed")
    raise HalfwaveError(f"no such file, nor a bundled data set (those are: {', '.join(BUNDLED)})")


def _read_digits() -> RawData:
    # scikit-learn takes most of a second to import; reading a file does not need it
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return RawData(pixels.reshape(-1, 8, 8), "Bundled with scikit-learn.", labels=np.asarray(labels))


def _read_stream(stream: BinaryIO, name: str, header: bool | None) -> RawData:
    head = _peek(stream)
    # gzip in gzip is not looked into: nobody writes it, and it is how archives are made to explode
    if head.startswith(b"\x1f\x8b"):
        stream, name = _unzipped(stream), name.removesuffix(".gz")
        head = _peek(stream)
    if head.startswith(b"\x93NUMPY"):
        return read_npy(stream)
    if head.startswith(b"PK"):
        return read_npz(stream)
    if is_idx(head):
        return read_idx(stream)
    _refuse_foreign(head, name)
    return read_csv(stream, header)


def _peek(stream: BinaryIO) -> bytes:
    head = stream.read(512)
    stream.seek(0)
    if not head:
        raise HalfwaveError("the file is empty (0 bytes)")
    return head


def _unzipped(stream: BinaryIO) -> BinaryIO:
    try:
        return io.BytesIO(gzip.GzipFile(fileobj=stream).read())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise HalfwaveError(f"the .gz file is truncated or damaged ({str(error).rstrip('.')})") from None


def _refuse_foreign(head: bytes, name: str) -> None:
    format_name = next((words for magic, words in _FOREIGN.items() if head.startswith(magic)), None)
    looks_binary = b"\0" in head or name.removesuffix(".gz").endswith(_BINARY_SUFFIXES)
    if format_name or looks_binary:
        bytes_seen = f"the bytes {head[:4].hex(' ')}" + (f" ({format_name})" if format_name else "")
        raise HalfwaveError(f"the file begins with {bytes_seen}, which no format read here does: {_FORMATS}")
