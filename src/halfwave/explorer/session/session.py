"""What one page has open: nothing of it is shared with another page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Protocol, TypeVar, runtime_checkable

from halfwave.explorer.session.shelf import Shelf

__all__ = ["Answer", "Session"]


class _Part(Protocol):
    def __init__(self, shelf: Shelf, /) -> None: ...


@runtime_checkable
class _Closes(Protocol):
    def close(self) -> None: ...


PartType = TypeVar("PartType", bound=_Part)


class Session:
    """The parts that rooms keep for one page, made when they are first asked for.

    A part is a class that is made from a `Shelf` and may have a method `close`.

    >>> class Counter:
    ...     def __init__(self, shelf):
    ...         self.count = 0
    >>> session = Session()
    >>> session.part(Counter).count += 1
    >>> session.part(Counter).count
    1
    """

    def __init__(self, shelf: Shelf | None = None) -> None:
        self.shelf = Shelf() if shelf is None else shelf
        self._parts: dict[type, Any] = {}
        self._lock = Lock()
        self._closed = False

    def part(self, kind: type[PartType]) -> PartType:
        """The part of this kind, the same one until the page has gone."""
        with self._lock:
            if kind not in self._parts:
                self._parts[kind] = kind(self.shelf)
                if self._closed:
                    # an answer that was still at work when its page went
                    _close(self._parts[kind])
            return self._parts[kind]

    def close(self) -> None:
        """The page has gone: close the parts that can be closed."""
        with self._lock:
            self._closed = True
            for part in self._parts.values():
                _close(part)


def _close(part: Any) -> None:
    if isinstance(part, _Closes):
        part.close()


Answer = Callable[[Session, Mapping[str, Any]], dict[str, Any]]
"""Answers one kind of question, from payload to payload."""
