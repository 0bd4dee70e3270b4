"""The data of a piecewise-linear function, its normal form, and where it vanishes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.double_double import DoubleDouble, Vector, exact, exact_product
from halfwave.functions.evaluation import Table, evaluate

# Two numbers that should be equal and come from a handful of rounded operations differ by less than this.
ROUNDING = 4 * float(np.finfo(np.float64).eps)


Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def quiet(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The function without NumPy's warnings: overflow ends in `build`, which turns infinity into an error."""

    # Not `@np.errstate(...)`: before NumPy 2 one such object must not be entered twice.
    @functools.wraps(function)
    def silenced(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            return function(*args, **kwargs)

    return silenced


@dataclass(frozen=True, slots=True)
class Pieces:
    """k + 1 lines between k kinks, in normal form: sorted, no empty piece, no kink without a change.

    Line i is ``slopes[i] x + intercepts[i]``. It is evaluated as ``values[i] + slopes[i] (x − anchors[i])``
    with the anchor at the float nearest its zero: the subtraction is then exact where the line is small, so
    that every value has full relative accuracy, however far from the origin.

    `jumps` is data of its own and not a difference of lines, because that difference is rounding noise at
    every continuous kink that is not itself a float.
    """

    kinks: Vector  # (k,)
    slopes: Vector  # (k+1,)
    intercepts: DoubleDouble  # (k+1,)
    jumps: Vector  # (k,)
    anchors: Vector  # (k+1,)
    values: Vector  # (k+1,)

    @property
    def starts(self) -> Vector:
        """Left end of each piece (k+1,)."""
        return np.concatenate(([-np.inf], self.kinks))

    @property
    def ends(self) -> Vector:
        """Right end of each piece (k+1,)."""
        return np.concatenate((self.kinks, [np.inf]))

    def line(self, index: npt.NDArray[np.intp] | np.intp, x: Vector) -> Vector:
        """Line `index` at `x`, whether or not `x` lies on that piece."""
        return self.values[index] + self.slopes[index] * (x - self.anchors[index])

    def left_values(self) -> Vector:
        """The function at each kink (k,), which is the limit from the left."""
        before = self.line(np.arange(len(self.kinks)), self.kinks)
        # A flat piece knows its height exactly; the sloped one beside it only to rounding.
        settled = (self.jumps == 0) & (self.slopes[1:] == 0)
        return np.where(settled, self.values[1:], before)

    def right_values(self) -> Vector:
        """The limit from the right at each kink (k,); the same float as on the left where continuous."""
        after = self.line(np.arange(1, len(self.slopes)), self.kinks)
        return np.where(self.jumps == 0, self.left_values(), after)

    def table(self) -> Table:
        """What `evaluate` reads."""
        return Table(self.kinks, self.anchors, (self.values, self.slopes))

    def __call__(self, x: Vector) -> Vector:
        return evaluate(self.table(), x)


@quiet
def build(kinks: Vector, slopes: DoubleDouble, intercepts: DoubleDouble, jumps: Vector) -> Pieces:
    """Normal form of lines over sorted kinks; equal kinks are allowed and enclose an empty piece."""
    data = {"kinks": kinks, "slopes": slopes.high, "intercepts": intercepts.high, "jumps": jumps}
    for name, numbers in data.items():
        if not np.isfinite(numbers).all():
            bad = float(numbers[~np.isfinite(numbers)][0])
            raise HalfwaveError(f"the {name} of a piecewise-linear function must be finite; got {bad!r}")
    kinks, slopes, intercepts, jumps = _without_empty_pieces(kinks, slopes, intercepts, jumps)
    rounded, intercepts = _round_slopes(kinks, slopes, intercepts)
    return _freeze(*_without_idle_kinks(kinks, rounded, intercepts, jumps))


def from_floats(kinks: Vector, slopes: Vector, intercepts: Vector, jumps: Vector) -> Pieces:
    """Normal form of lines whose slopes and intercepts are floats."""
    return build(kinks, exact(slopes), exact(intercepts), jumps)


@quiet
def through_points(kinks: Vector, slopes: Vector, x: Vector, y: Vector, jumps: Vector) -> Pieces:
    """Normal form of the lines with these slopes through the points (x[i], y[i]), one for each piece."""
    return build(kinks, exact(slopes), exact(y) - exact_product(slopes, x), jumps)


@quiet
def jumps_between_lines(kinks: Vector, slopes: Vector, intercepts: Vector) -> Vector:
    """Jumps (k,) of lines written by hand; one that rounding alone explains counts as zero."""
    before = exact_product(slopes[:-1], kinks) + exact(intercepts[:-1])
    after = exact_product(slopes[1:], kinks) + exact(intercepts[1:])
    terms = np.abs(slopes[:-1] * kinks) + np.abs(slopes[1:] * kinks)
    terms += np.abs(intercepts[:-1]) + np.abs(intercepts[1:])
    gap = (after - before).high
    return np.where(np.isfinite(gap) & (np.abs(gap) <= ROUNDING * terms), 0.0, gap)


def difference(right: Vector, left: Vector) -> Vector:
    """``right − left``, or 0 where rounding alone explains it."""
    gap = right - left
    return np.where(np.abs(gap) <= ROUNDING * (np.abs(right) + np.abs(left)), 0.0, gap)


def without_small_kinks(pieces: Pieces, tolerance: float) -> Pieces:
    """Drops kinks whose slope change and jump are at most `tolerance` times the largest slope and value."""
    left, right = pieces.left_values(), pieces.right_values()
    turn = np.abs(np.diff(pieces.slopes)) > tolerance * np.abs(pieces.slopes).max()
    height = np.maximum(np.abs(left), np.abs(right)).max(initial=0.0)
    keep = turn | (np.abs(pieces.jumps) > tolerance * height)
    lines = np.concatenate(([True], keep))
    return build(
        pieces.kinks[keep], exact(pieces.slopes[lines]), pieces.intercepts[lines], pieces.jumps[keep]
    )


def zeros(pieces: Pieces) -> Vector:
    """Where the function vanishes, sorted; an interval of zeros gives its two ends, which may be infinite.

    Decided from the signs at the ends of each piece, and both neighbours of a continuous kink read the same
    sign there: a crossing next to a kink is then found once, not twice or never.
    """
    left, right = _end_signs(pieces)
    outer = np.sign(np.where(pieces.slopes == 0, pieces.values, pieces.slopes))
    begin = np.concatenate(([-outer[0] if pieces.slopes[0] else outer[0]], right))
    end = np.concatenate((left, [outer[-1]]))
    flat = (pieces.slopes == 0) & (pieces.values == 0)
    crossed = begin * end < 0
    inner = np.clip(pieces.anchors, pieces.starts, pieces.ends)[crossed]
    return np.unique(
        np.concatenate((inner, pieces.kinks[left == 0], pieces.starts[flat], pieces.ends[flat])) + 0.0
    )


def _end_signs(pieces: Pieces) -> tuple[Vector, Vector]:
    """Signs (k,) of the function on the left and on the right of each kink, 0 where it vanishes."""
    # A kink is the float nearest the true one, so that |0.3 x − 1| misses zero there by a slope times half
    # a unit in the last place. A flat piece has no such excuse.
    reach = np.spacing(np.abs(pieces.kinks))
    index = np.arange(len(pieces.kinks))
    zero_before = np.abs(pieces.line(index, pieces.kinks)) <= np.abs(pieces.slopes[:-1]) * reach
    zero_after = np.abs(pieces.line(index + 1, pieces.kinks)) <= np.abs(pieces.slopes[1:]) * reach
    smooth, left = pieces.jumps == 0, pieces.left_values()
    left = np.where(zero_before & (zero_after | ~smooth), 0.0, np.sign(left))
    return left, np.where(smooth, left, np.where(zero_after, 0.0, np.sign(pieces.right_values())))


def _without_empty_pieces(
    kinks: Vector, slopes: DoubleDouble, intercepts: DoubleDouble, jumps: Vector
) -> tuple[Vector, DoubleDouble, DoubleDouble, Vector]:
    apart = np.diff(kinks) > 0
    if len(kinks) == 0 or apart.all():
        return kinks, slopes, intercepts, jumps
    first = np.flatnonzero(np.concatenate(([True], apart)))
    lines = np.concatenate(([True], apart, [True]))
    kept, slopes, intercepts = kinks[first], slopes[lines], intercepts[lines]
    declared = np.add.reduceat(jumps, first)
    merged = np.diff(np.append(first, len(kinks))) > 1
    jumps = np.where(merged, _merged_jumps(kept, slopes, intercepts, declared), declared)
    return kept, slopes, intercepts, jumps


def _merged_jumps(kinks: Vector, slopes: DoubleDouble, intercepts: DoubleDouble, declared: Vector) -> Vector:
    # A piece too narrow for two floats, yet steep, leaves a jump behind when it goes. The measured gap says
    # so, unless it is what the rounding of the kink explains.
    before = slopes[:-1] * exact(kinks) + intercepts[:-1]
    after = slopes[1:] * exact(kinks) + intercepts[1:]
    gap = (after - before).high
    noise = ROUNDING * (np.abs(after.high) + np.abs(before.high))
    noise += (np.abs(slopes.high[1:]) + np.abs(slopes.high[:-1])) * np.spacing(np.abs(kinks))
    return np.where(np.abs(gap - declared) <= noise, declared, gap)


def _round_slopes(
    kinks: Vector, slopes: DoubleDouble, intercepts: DoubleDouble
) -> tuple[Vector, DoubleDouble]:
    # Rounding a slope turns its line about some point, which we choose: the point of the piece where the line
    # is smallest, because that is where an error would show.
    pivot = np.clip(_line_zeros(slopes, intercepts), *_ends(kinks))
    pivot = np.where(np.isfinite(pivot), pivot, 0.0)
    return slopes.high, intercepts + exact_product(slopes.low, pivot)


def _without_idle_kinks(
    kinks: Vector, slopes: Vector, intercepts: DoubleDouble, jumps: Vector
) -> tuple[Vector, Vector, DoubleDouble, Vector]:
    keep = (np.diff(slopes) != 0) | (jumps != 0)
    lines = np.concatenate(([True], keep))
    return kinks[keep], slopes[lines], intercepts[lines], jumps[keep]


def _freeze(kinks: Vector, slopes: Vector, intercepts: DoubleDouble, jumps: Vector) -> Pieces:
    anchors = _line_zeros(exact(slopes), intercepts)
    anchors = np.where(np.isfinite(anchors), anchors, 0.0)
    values = (exact_product(slopes, anchors) + intercepts).high
    arrays = (kinks, slopes, intercepts.high, intercepts.low, jumps, anchors, values)
    frozen = [array + 0.0 for array in arrays]  # a fresh array each, and no −0.0 among them
    for array in frozen:
        array.flags.writeable = False
    return Pieces(frozen[0], frozen[1], DoubleDouble(frozen[2], frozen[3]), *frozen[4:])


def _line_zeros(slopes: DoubleDouble, intercepts: DoubleDouble) -> Vector:
    """The float nearest the zero of each line; NaN or infinite for a flat one."""
    return (-intercepts / slopes).high


def _ends(kinks: Vector) -> tuple[Vector, Vector]:
    return np.concatenate(([-np.inf], kinks)), np.concatenate((kinks, [np.inf]))
