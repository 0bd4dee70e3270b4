"""Learning-rate schedules: pure functions of the progress of the run, so that a resumed run needs no state."""

from __future__ import annotations

import math
from collections.abc import Callable

from halfwave.errors import HalfwaveError

__all__ = ["SCHEDULES", "Schedule", "find_schedule"]

Schedule = Callable[[float], float]
"""Factor on the learning rate as a function of the share of updates done, from 0 to 1."""


def constant(done: float) -> float:
    """1 throughout."""
    return 1.0


def cosine(done: float) -> float:
    """``(1 + cos π·done)/2``, from 1 to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


def linear(done: float) -> float:
    """``1 − done``, from 1 to 0."""
    return 1.0 - done


def geometric(done: float) -> float:
    """1 for the first half, then down by equal factors to 1/100."""
    return 10.0 ** (-4.0 * max(0.0, done - 0.5))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "geometric": geometric,
    "linear": linear,
}


def find_schedule(schedule: str | Schedule) -> Schedule:
    """The schedule of this name; a callable is returned as it is.

    >>> find_schedule("cosine")(0.5)
    0.5
    """
    if callable(schedule):
        return schedule
    if schedule not in SCHEDULES:
        raise HalfwaveError(f"unknown schedule {schedule!r}; the schedules are {', '.join(SCHEDULES)}")
    return SCHEDULES[schedule]
