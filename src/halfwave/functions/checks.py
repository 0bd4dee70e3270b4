"""Checks of what users pass in: each returns clean floats or raises with the value and the rule."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.double_double import Vector


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python's or NumPy's kind."""
    return isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0)


def finite_number(name: str, value: Any) -> float:
    """A finite float, or HalfwaveError."""
    number = _any_number(name, value)
    if not np.isfinite(number):
        raise HalfwaveError(f"{name} must be finite; got {number!r}")
    return number


def limit_number(name: str, value: Any) -> float:
    """A float that may be infinite but not NaN, or HalfwaveError."""
    number = _any_number(name, value)
    if np.isnan(number):
        raise HalfwaveError(f"{name} must be a number or infinite; got nan")
    return number


def positive_number(name: str, value: Any) -> float:
    """A finite float above zero, or HalfwaveError."""
    number = finite_number(name, value)
    if number <= 0:
        raise HalfwaveError(f"{name} must be positive; got {number!r}")
    return number


def non_negative_number(name: str, value: Any) -> float:
    """A finite float at or above zero, or HalfwaveError."""
    number = finite_number(name, value)
    if number < 0:
        raise HalfwaveError(f"{name} must not be negative; got {number!r}")
    return number


def real_array(name: str, values: Any) -> npt.NDArray[Any]:
    """A NumPy array of a floating dtype: floats keep theirs, integers and booleans become float64."""
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise HalfwaveError(f"{name} must be numbers; got {values!r}") from error
    if array.size == 0 and array.dtype == object:
        array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise HalfwaveError(f"{name} must be real numbers; got an array of dtype {array.dtype}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def finite_vector(name: str, values: Any, length: int | None = None) -> Vector:
    """A fresh float64 array of shape (n,) without NaN or infinity, of the given length if there is one."""
    array = real_array(name, values)
    if array.ndim != 1:
        raise HalfwaveError(f"{name} must be one-dimensional; got shape {array.shape}")
    if length is not None and len(array) != length:
        raise HalfwaveError(f"{name} must have {length} entries; got {len(array)}")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise HalfwaveError(f"{name} must be finite; got {float(array[bad[0]])!r} at index {bad[0]}")
    return array.astype(np.float64)


def increasing_vector(name: str, values: Any) -> Vector:
    """A finite float64 array of shape (n,) whose entries strictly increase."""
    array = finite_vector(name, values)
    bad = np.flatnonzero(array[1:] <= array[:-1])
    if bad.size:
        i = int(bad[0]) + 1
        before, here = float(array[i - 1]), float(array[i])
        raise HalfwaveError(f"{name} must strictly increase; got {here!r} after {before!r} at index {i}")
    return array


def _any_number(name: str, value: Any) -> float:
    try:
        if isinstance(value, (str, bytes)):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise HalfwaveError(f"{name} must be a real number; got {value!r}") from error
