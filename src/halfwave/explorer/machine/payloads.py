"""What a page may ask of a machine, checked value by value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.payloads import number

__all__ = [
    "HIGHEST_TEMPERATURE",
    "LOWEST_TEMPERATURE",
    "MOST_STEPS",
    "choice",
    "clamps_of",
    "temperature",
    "whole",
]

LOWEST_TEMPERATURE = 0.05
HIGHEST_TEMPERATURE = 20.0
MOST_STEPS = 500
"""Gibbs steps of one question: a page that asks for more asks again."""


def whole(payload: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """The whole number with this name, between two ends.

    >>> whole({"steps": 3}, "steps", 0, 10)
    3
    """
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        shown = value if isinstance(value, int | float) and abs(value) < 1e15 else type(value).__name__
        raise HalfwaveError(f"`{name}` must be a whole number from {low} to {high}; got {shown}")
    return value


def choice(payload: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    """The word with this name, one of a few.

    >>> choice({"start": "data"}, "start", ("data", "noise"))
    'data'
    """
    value = payload.get(name)
    if value not in words:
        raise HalfwaveError(f"`{name}` must be {' or '.join(words)}; got {repr(value)[:40]}")
    return value


def temperature(payload: Mapping[str, Any]) -> float:
    """The temperature, within the limits.

    >>> temperature({"temperature": 1})
    1.0
    """
    value = number(payload, "temperature")
    if not LOWEST_TEMPERATURE <= value <= HIGHEST_TEMPERATURE:
        raise HalfwaveError(
            f"`temperature` must be from {LOWEST_TEMPERATURE:g} to {HIGHEST_TEMPERATURE:g}; got {value:g}"
        )
    return value


def clamps_of(payload: Mapping[str, Any], sites: int, levels: int) -> list[int]:
    """The level of each site that is clamped, -1 where a site is free.

    >>> clamps_of({"clamped": [-1, 1]}, 2, 2)
    [-1, 1]
    """
    value = payload.get("clamped")
    if not isinstance(value, list) or len(value) != sites:
        found = len(value) if isinstance(value, list) else f"a {type(value).__name__}"
        raise HalfwaveError(f"`clamped` must be a list with one level for each of {sites} sites; got {found}")
    for site, level in enumerate(value):
        if isinstance(level, bool) or not isinstance(level, int) or not -1 <= level < levels:
            shown = level if isinstance(level, int) and abs(level) < 10**9 else type(level).__name__
            raise HalfwaveError(
                f"a level of `clamped` must be -1 (free) or from 0 to {levels - 1}; got {shown} at site {site}"
            )
    return value
