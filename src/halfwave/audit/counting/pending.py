"""Parts that wait until there are enough of them for one sweep: small tensors cost more to sum than they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

__all__ = ["Pending"]

_ENOUGH = 1 << 16
"""Elements for which the sweep is worth it: a quarter of a megabyte of float32."""

Part = TypeVar("Part")


class Pending(Generic[Part]):
    """A list of parts that is handed over when it is long enough, or when somebody wants to know.

    Args:
        take: what is done with them.

    >>> sums = []
    >>> pending = Pending(lambda parts, key: sums.append(sum(parts)))
    >>> pending.push(1.0, 1, "a", copy=float)
    >>> pending.push(2.0, 1, "a", copy=float)
    >>> pending.flush()
    >>> sums
    [3.0]
    """

    def __init__(self, take: Callable[[list[Part], Any], None]) -> None:
        self._take = take
        self.clear()

    def push(self, part: Part, size: int, key: Any, copy: Callable[[Part], Part]) -> None:
        """Add a part of so many elements; one that does not go with the others, by its key, comes after them.

        What waits is copied first, since it may be overwritten.
        """
        if key != self._key:
            self.flush()
            self._key = key
        self._size += size
        enough = self._size >= _ENOUGH
        self._parts.append(part if enough else copy(part))
        if enough:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits."""
        if self._parts:
            parts, key = self._parts, self._key
            self.clear()
            self._take(parts, key)

    def clear(self) -> None:
        """Forget what waits."""
        self._parts: list[Part] = []
        self._size, self._key = 0, None
