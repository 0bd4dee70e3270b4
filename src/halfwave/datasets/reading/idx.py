"""The IDX format of the original MNIST files: big-endian arrays behind a magic number.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

from __future__ import annotations

import math
from typing import BinaryIO

import numpy as np

from halfwave.datasets.reading.raw import RawData
from halfwave.errors import HalfwaveError

__all__ = ["is_idx", "read_idx"]

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(head: bytes) -> bool:
    """Whether these first bytes are an IDX magic number: 0, 0, a type code, a number of axes.

    >>> is_idx(bytes([0, 0, 8, 3])), is_idx(b"1,2,3")
    (True, False)
    """
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _TYPES and head[3] > 0


def read_idx(stream: BinaryIO) -> RawData:
    """The array of an IDX stream whose first bytes passed `is_idx`; raises when its length is wrong.

    >>> import io
    >>> read_idx(io.BytesIO(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 9]))).train
    array([[7, 9]], dtype=uint8)
    """
    content = stream.read()
    dtype, axes = np.dtype(_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise HalfwaveError(
            f"the IDX file ends after {len(content)} bytes, and its header of {axes} axes takes {start}"
        )
    shape = tuple(np.frombuffer(content, ">u4", count=axes, offset=4).tolist())
    # Python integers: a damaged header may ask for more bytes than 64 bits can count
    expected, present = math.prod(shape) * dtype.itemsize, len(content) - start
    if present != expected:
        raise HalfwaveError(
            f"the IDX file holds {present:,} bytes of values, and its header of shape {shape} asks for"
            f" {expected:,}: it is truncated or damaged"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return RawData(values.astype(dtype.newbyteorder("=")), f"Read as an IDX file of {dtype.name}.")
