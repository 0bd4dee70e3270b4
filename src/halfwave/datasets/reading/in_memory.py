"""From arrays, tensors and frames to raw numbers, without importing the libraries that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np

from halfwave.datasets.reading.raw import RawData
from halfwave.errors import HalfwaveError

__all__ = ["name_of", "raw_values"]


def name_of(values: Any) -> str:
    """What values in memory are: "array", "tensor" or "frame".

    Raises:
        HalfwaveError: when they are nothing of these.

    >>> name_of(np.eye(2))
    'array'
    """
    if isinstance(values, np.ndarray | list | tuple):
        return "array"
    if hasattr(values, "detach"):
        return "tensor"
    if hasattr(values, "to_numpy") and hasattr(values, "columns"):
        return "frame"
    raise HalfwaveError(
        f"data must be a word, a path, an array, a tensor or a frame of numbers; got {type(values).__name__}"
    )


def raw_values(values: Any) -> RawData:
    """The numbers of an array, a tensor or a frame.

    Raises:
        HalfwaveError: when they do not make an array.

    >>> raw_values([[0, 1], [1, 0]]).train.shape
    (2, 2)
    """
    name = name_of(values)
    try:
        if name == "tensor":
            values = values.detach().cpu()
            # bfloat16, which NumPy does not know
            found = np.asarray(values.float() if "bfloat16" in str(values.dtype) else values)
        else:
            found = values.to_numpy() if name == "frame" else np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise HalfwaveError(f"the {name} cannot be read as an array of numbers ({error})") from None
    return RawData(found, f"Taken from the {name} of {found.dtype}.")
