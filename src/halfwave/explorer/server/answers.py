"""The kinds of questions a page can ask, room by room; a room is imported when it is first asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from threading import Thread
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.session import Answer

__all__ = ["ROOMS", "answer_of", "recorded", "room_of", "warm_up"]

# kinds are "room.verb"; torch is not imported for a page that only looks at functions
ROOMS: Mapping[str, tuple[str, ...]] = {
    "functions": ("functions.answers", "functions.onnx"),
    "units": ("units.answers",),
    "fit": ("fit.answers",),
    "machine": ("machine.answers",),
}


def room_of(kind: str) -> str:
    """The room whose questions are of this kind.

    >>> room_of("functions.parse")
    'functions'
    """
    return kind.partition(".")[0]


def answer_of(kind: Any) -> Answer:
    """The function that answers questions of this kind.

    Raises:
        HalfwaveError: if there is no such kind.
    """
    if isinstance(kind, str) and room_of(kind) in ROOMS:
        for module in _modules(room_of(kind)):
            if kind in module.ANSWERS:
                return module.ANSWERS[kind]
    raise HalfwaveError(
        f"`kind` of a request must be that of a question that a room asks; got {repr(kind)[:60]}"
    )


@cache
def warm_up() -> None:
    """Begin to import all rooms, beside what else is done: the first question of a room then waits less."""
    Thread(target=lambda: [list(_modules(room)) for room in ROOMS], daemon=True).start()


def recorded() -> list[tuple[str, dict[str, Any]]]:
    """The questions whose answers go into an exported page, which has no Python to ask."""
    return [
        question
        for room in ROOMS
        for module in _modules(room)
        for question in getattr(module, "RECORDED", ())
    ]


def _modules(room: str) -> Iterator[Any]:
    for name in ROOMS[room]:
        yield import_module(f"halfwave.explorer.{name}")
