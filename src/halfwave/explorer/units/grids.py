"""Where the curves of a unit are evaluated: few points, close together where a curve bends."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from halfwave.explorer.units.questions import UnitQuestion

__all__ = ["density_points", "density_window", "histogram_edges", "input_points", "transfer_window"]

Vector = npt.NDArray[np.float64]

_EVEN = 81
_NEAR = 51
_BINS = 40
_REACH = 4.5
"""Standard deviations around the peak of a side, beyond which a sample in 1e5 falls."""
_DECAYS = 11.0
"""Lengths of decay of a side beyond its threshold, likewise."""
_STEPS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_FARTHEST_SHOWN = 30.0
"""A threshold beyond it stands for one at infinity; no window goes out to it."""
_LEAST_INPUT = 6.0
_LEAST_SIDE = 0.25
"""Of the wider side of a window, that the narrower one still has."""


class _Side(NamedTuple):
    """One side of the density as |x|: a normal at `peak` (before truncation) of this scale, from `low` to `high`."""

    peak: float
    scale: float
    low: float
    high: float


def density_window(asked: UnitQuestion, window: list[float] | None) -> tuple[float, float]:
    """The values from which to which the density is drawn: as asked, or round ends around all of it.

    >>> from halfwave.explorer.units.questions import driven_unit
    >>> normal = {"theta_pos": 0, "theta_neg": 0, "gamma_pos": 1, "gamma_neg": 1, "temperature": 1, "input": 0}
    >>> density_window(driven_unit(normal), None)
    (-8.0, 8.0)
    """
    if window is not None:
        return window[0], window[1]
    low, high = _reach_over_inputs(asked)
    sides = _sides(asked, asked.input)
    masses = asked.sides.prob_pos.item(), asked.sides.prob_neg.item()
    seen = [side.high if mass > 1e-4 else 0.0 for side, mass in zip(sides, masses, strict=True)]
    return _round_ends(min(low, -seen[1]), max(high, seen[0]))


def transfer_window(asked: UnitQuestion, window: list[float] | None) -> list[float]:
    """Ends of the inputs and of the values between which the transfer curves are drawn: as asked, or round ones.

    >>> from halfwave.explorer.units.questions import driven_unit
    >>> normal = {"theta_pos": 0, "theta_neg": 0, "gamma_pos": 1, "gamma_neg": 1, "temperature": 1, "input": 0}
    >>> transfer_window(driven_unit(normal), None)
    [-6.0, 6.0, -8.0, 8.0]
    """
    if window is not None:
        return window
    reach = _input_reach(asked)
    return [-reach, reach, *_round_ends(*_reach_over_inputs(asked))]


def density_points(asked: UnitQuestion, window: tuple[float, float]) -> Vector:
    """Even points, and more where a side has its peak; 0, where the density may have a kink, and the mode.

    >>> from halfwave.explorer.units.questions import driven_unit
    >>> normal = {"theta_pos": 0, "theta_neg": 0, "gamma_pos": 1, "gamma_neg": 1, "temperature": 1, "input": 0}
    >>> 0.0 in density_points(driven_unit(normal), (-8.0, 8.0))
    True
    """
    pos, neg = (_side_points(side) for side in _sides(asked, asked.input))
    even = np.linspace(*window, _EVEN)
    mode = asked.unit.mode_from_inputs(asked.drive).item()
    points = np.unique(np.concatenate((even, pos, -neg, [0.0, mode])))
    return points[(points >= window[0]) & (points <= window[1])]


def input_points(asked: UnitQuestion, low: float, high: float) -> Vector:
    """Even inputs, and more where the mode has a kink or a jump: there the mean bends within √(γT), or T/jump.

    >>> from halfwave.explorer.units.questions import driven_unit
    >>> normal = {"theta_pos": 0, "theta_neg": 0, "gamma_pos": 1, "gamma_neg": 1, "temperature": 1, "input": 0}
    >>> len(input_points(driven_unit(normal), -6.0, 6.0))  # the mode of a normal unit has no kink
    81
    """
    mode = asked.mode_function
    jumps = dict(mode.point_masses())
    curvature = max(asked.plain.gamma_pos.item(), asked.plain.gamma_neg.item())
    bends = [
        kink + np.linspace(-6, 6, _NEAR) * _bend(asked.temperature, curvature, jumps.get(kink, 0.0))
        for kink in mode.kinks.tolist()
    ]
    points = np.unique(np.concatenate((np.linspace(low, high, _EVEN), *bends, np.zeros(1))))
    return points[(points >= low) & (points <= high)]


def histogram_edges(asked: UnitQuestion) -> tuple[Vector, Vector]:
    """Edges of the bins of the negative and of the positive side, each side with bins of its own width.

    >>> from halfwave.explorer.units.questions import driven_unit
    >>> normal = {"theta_pos": 0, "theta_neg": 0, "gamma_pos": 1, "gamma_neg": 1, "temperature": 1, "input": 0}
    >>> [edges[[0, -1]].tolist() for edges in histogram_edges(driven_unit(normal))]
    [[-4.5, -0.0], [0.0, 4.5]]
    """
    pos, neg = (np.linspace(side.low, side.high, _BINS + 1) for side in _sides(asked, asked.input))
    return -neg[::-1], pos


def _bend(temperature: float, curvature: float, jump: float) -> float:
    soft = math.sqrt(curvature * temperature)
    return min(soft, temperature / jump) if jump else soft


def _sides(asked: UnitQuestion, given: float) -> tuple[_Side, _Side]:
    """The positive side and the mirrored negative side at an input."""
    plain, temperature = asked.plain, asked.temperature
    drives = (given - plain.theta_pos.item(), plain.theta_neg.item() - given)
    curvatures = (plain.gamma_pos.item(), plain.gamma_neg.item())
    pos, neg = (_side(t, gamma, temperature) for t, gamma in zip(drives, curvatures, strict=True))
    return pos, neg


def _side(drive: float, curvature: float, temperature: float) -> _Side:
    scale = math.sqrt(temperature / curvature)
    beyond = -drive / math.sqrt(curvature * temperature)
    if beyond > 0:
        # the density falls from zero on: as half a normal, or faster, as an exponential
        scale /= max(1.0, beyond)
        return _Side(0.0, scale, 0.0, scale * (_DECAYS if beyond > 2 else _REACH))
    peak = drive / curvature
    return _Side(peak, scale, max(0.0, peak - _REACH * scale), peak + _REACH * scale)


def _side_points(side: _Side) -> Vector:
    points = side.peak + side.scale * np.linspace(-6.0, 6.0 if side.peak else 12.0, _NEAR)
    return points[points > 0]


def _input_reach(asked: UnitQuestion) -> float:
    thresholds = [abs(theta.item()) for theta in (asked.plain.theta_pos, asked.plain.theta_neg)]
    return _round_up(
        max(_LEAST_INPUT, *(1.6 * theta for theta in thresholds if theta <= _FARTHEST_SHOWN), 0.0)
    )


def _reach_over_inputs(asked: UnitQuestion) -> tuple[float, float]:
    """How far the values go while the input goes half as far as it is shown."""
    half = 0.5 * _input_reach(asked)
    warm = UnitQuestion(asked.plain, asked.unit, max(1.0, asked.temperature), 0.0, asked.drive)
    return -_sides(warm, -half)[1].high, _sides(warm, half)[0].high


def _round_ends(low: float, high: float) -> tuple[float, float]:
    wide = _LEAST_SIDE * max(-low, high)
    return -_round_up(max(-low, wide)), _round_up(max(high, wide))


def _round_up(value: float) -> float:
    """The next number of few digits, so that a window stays while a slider moves."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step for step in _STEPS if step * power >= value * (1 - 1e-9)) * power
