"""Small files to load, written on demand."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Writer = Callable[..., Path]

IDX_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


@pytest.fixture
def write_bytes(tmp_path: Path) -> Writer:
    """Write bytes under a name; the name decides about compression."""

    def write(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
        return path

    return write


@pytest.fixture
def write_text(write_bytes: Writer) -> Writer:
    def write(name: str, text: str) -> Path:
        return write_bytes(name, text.encode())

    return write


@pytest.fixture
def write_array(tmp_path: Path) -> Writer:
    """Save one array as .npy."""

    def write(values: object, name: str = "data.npy") -> Path:
        np.save(tmp_path / name, np.asarray(values), allow_pickle=True)
        return tmp_path / name

    return write


@pytest.fixture
def write_arrays(tmp_path: Path) -> Writer:
    """Save several arrays as .npz."""

    def write(name: str = "data.npz", **arrays: object) -> Path:
        np.savez(tmp_path / name, **arrays)  # pyright: ignore[reportArgumentType]
        return tmp_path / name

    return write


@pytest.fixture
def write_idx(write_bytes: Writer) -> Writer:
    """Write an array in the IDX format."""

    def write(name: str, values: np.ndarray) -> Path:
        code = IDX_CODES[values.dtype.str[1:]]
        header = bytes([0, 0, code, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        return write_bytes(name, header + values.astype(values.dtype.newbyteorder(">")).tobytes())

    return write


@pytest.fixture
def bits() -> np.ndarray:
    """Random zeros and ones, (20, 6), in which every column has both."""
    values = np.random.default_rng(3).integers(0, 2, (20, 6))
    values[0], values[1] = 0, 1
    return values
