"""The shape of a layer, checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral

from halfwave.errors import HalfwaveError

__all__ = ["layer_shape"]


def layer_shape(shape: int | Sequence[int], owner: str) -> tuple[int, ...]:
    """``shape`` as a tuple of positive integers, or `HalfwaveError`.

    >>> layer_shape(3, "Binary"), layer_shape((28, 28), "Binary")
    ((3,), (28, 28))
    """
    sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    for size in sizes:
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise HalfwaveError(f"the shape of {owner} must hold positive integers; got {sizes}")
    return tuple(int(size) for size in sizes)
