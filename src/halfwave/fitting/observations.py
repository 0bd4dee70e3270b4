"""What a user passes to a fit of one variable: checked, and brought to the scale that the engine works in."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.double_double import Vector

SECONDS_SINCE_1970 = "seconds since 1970-01-01"
SECONDS = "seconds"

SORT_BELOW = 2_000_000  # larger unsorted data are binned, unless too unevenly spread for that
_LAST_BITS = 1e-15  # of 1, in which the ends of the data may come out
_LARGEST = 1e150  # in size, of y
_CHUNK = 1 << 16  # points scaled at a time: small enough to stay in the cache, large enough to hide the loop
_SAMPLE = 4096  # points that set the reference line; any line would do, a near one keeps digits


@dataclass(frozen=True, slots=True)
class Scale:
    """The change of coordinates ``x ↦ (x − x_low)/x_unit − 1``, ``y ↦ (y − line(x))/y_unit``.

    Least squares commutes with it: a fit of the scaled data plus the line is the fit of the data. It makes
    the engine blind to units and offsets, and leaves the digits to what the fit has to explain.
    """

    x_low: float
    x_unit: float
    intercept: float  # of the reference line, at the centre
    slope: float  # of the reference line, per x_unit
    y_unit: float

    def inside(self, x: Vector) -> Vector:
        """Scaled abscissae, in [−1, 1]: the ends of the data are −1 and 1 to the last bit."""
        scaled = (x - self.x_low) / self.x_unit - 1.0
        return np.where(np.abs(scaled) < 1.0 - _LAST_BITS, scaled, np.sign(scaled))

    def outside(self, x: Vector) -> Vector:
        """Abscissae in the user's units."""
        return self.x_low + self.x_unit * (x + 1.0)

    def inside_heights(self, x: Vector, y: Vector) -> Vector:
        """Scaled ordinates at scaled abscissae."""
        return (y - self.intercept - self.slope * x) / self.y_unit

    def outside_heights(self, x: Vector, y: Vector) -> Vector:
        """Ordinates in the user's units, at scaled abscissae."""
        return self.intercept + self.slope * x + self.y_unit * y


@dataclass(frozen=True, slots=True)
class Observations:
    """Checked data in the user's order and units, with the scale of the engine."""

    x: Vector  # (n,)
    y: Vector  # (n,)
    weights: Vector | None  # (n,), positive; None where all are 1
    is_sorted: bool
    x_unit: str | None  # how a datetime became a number
    scale: Scale
    order: (
        npt.NDArray[np.intp] | None
    )  # the user's index of each point; None if nothing moved or was left out
    through: tuple[Vector, Vector] = (np.zeros(0), np.zeros(0))  # points (p,) that the fit meets, by x
    given: int = 0  # number of the user's points, those of weight 0 included
    weight_unit: float = 1.0  # the largest weight; in scaled coordinates it is 1

    @property
    def cost_unit(self) -> float:
        """What a scaled sum of squares of 1 is in the user's units."""
        return self.scale.y_unit**2 * self.weight_unit

    def ends(self) -> tuple[float, float]:
        """The smallest and the largest x, of points that the fit meets too."""
        parts = [
            self.x[[0, -1]] if self.is_sorted else np.array([self.x.min(), self.x.max()]),
            self.through[0],
        ]
        together = np.concatenate(parts)
        return float(together.min()), float(together.max())

    def weights_as_given(self) -> Vector | None:
        """The weights of the user's points (given,) in the user's order, 0 for those left out."""
        if self.weights is None or self.order is None:
            return self.weights
        given = np.zeros(self.given)
        given[self.order] = self.weights
        return given

    def scaled(self, begin: int = 0, end: int | None = None) -> tuple[Vector, Vector, Vector]:
        """Scaled x, y and weights of a range of points."""
        x = self.scale.inside(self.x[begin:end])
        y = self.scale.inside_heights(x, self.y[begin:end])
        return x, y, np.ones_like(x) if self.weights is None else self.weights[begin:end] / self.weight_unit

    def chunks(self) -> Iterator[tuple[Vector, Vector, Vector]]:
        """Scaled x, y and weights, a part at a time, so that large data need no second copy."""
        for begin in range(0, len(self.x), _CHUNK):
            yield self.scaled(begin, begin + _CHUNK)


def observe(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    level: bool = False,
    through: Sequence[tuple[Any, float]] = (),
) -> Observations:
    """Checks data and chooses the scale.

    Args:
        x: abscissae (n,), any order, ties allowed; numbers, datetime64 or timedelta64.
        y: ordinates (n,).
        weights: positive weights of the squared residuals (n,); points of weight 0 are left out.
        level: whether the reference line is flat, so that flat pieces stay flat when scaled.
        through: points (x, y) that the fit must meet; they may lie outside the data.

    Raises:
        HalfwaveError: if an array is empty, not one-dimensional, not real or not finite; if lengths differ;
            if all x are equal; if a weight is negative or all are zero; if two points to meet share an x.

    >>> observe([3, 1, 2], [0.0, 1.0, 2.0]).x
    array([1., 2., 3.])
    """
    abscissae, unit = times_as_numbers("`x`", x)
    ordinates = _finite("`y`", y)
    if ordinates.size and max(float(ordinates.max()), -float(ordinates.min())) > _LARGEST:
        raise HalfwaveError(
            f"`y` must be at most {_LARGEST:g} in size, so that squares are numbers; got {np.abs(ordinates).max():g}"
        )
    if len(abscissae) != len(ordinates):
        raise HalfwaveError(
            f"`x` and `y` must have the same length; got {len(abscissae)} and {len(ordinates)}"
        )
    if len(abscissae) == 0:
        raise HalfwaveError("`x` must hold at least two different values; got an empty array")
    given = len(abscissae)
    heavy = None if weights is None else _weights(weights, given)
    order = None
    if heavy is not None and not heavy.all():
        order = np.flatnonzero(heavy)
        abscissae, ordinates, heavy = abscissae[order], ordinates[order], heavy[order]
    ordered = bool((abscissae[1:] >= abscissae[:-1]).all())
    if not ordered and (len(abscissae) < SORT_BELOW or not _is_even(abscissae)):
        turned = np.argsort(abscissae, kind="stable")
        abscissae, ordinates, ordered = abscissae[turned], ordinates[turned], True
        heavy = None if heavy is None else heavy[turned]
        order = turned if order is None else order[turned]
    heaviest = 1.0 if heavy is None else float(heavy.max())
    met = _points_to_meet(through, unit)
    scale = _choose_scale(abscissae, ordinates, level, met)
    return Observations(abscissae, ordinates, heavy, ordered, unit, scale, order, met, given, heaviest)


def _points_to_meet(through: Any, unit: str | None) -> tuple[Vector, Vector]:
    """Abscissae and ordinates (p,) of the points to meet, by x."""
    try:
        pairs = [tuple(point) for point in through]
    except TypeError as error:
        raise HalfwaveError(f"`through` must be a list of points (x, y); got {through!r}") from error
    wrong = next((pair for pair in pairs if len(pair) != 2), None)
    if wrong is not None:
        raise HalfwaveError(f"`through` must be a list of points (x, y); got {wrong!r} among them")
    if not pairs:
        return np.zeros(0), np.zeros(0)
    x, its_unit = times_as_numbers("x of `through`", [pair[0] for pair in pairs])
    y = _finite("y of `through`", [pair[1] for pair in pairs])
    if its_unit != unit:
        raise HalfwaveError(
            f"x of `through` must be {unit or 'numbers'} as `x` is; got {its_unit or 'numbers'}"
        )
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    twice = np.flatnonzero(np.diff(x) == 0)
    if twice.size:
        at = int(twice[0])
        raise HalfwaveError(
            f"`through` must hold each x once; got ({float(x[at])!r}, {float(y[at])!r}) and "
            f"({float(x[at + 1])!r}, {float(y[at + 1])!r})"
        )
    return x, y


def times_as_numbers(name: str, values: Any) -> tuple[Vector, str | None]:
    """Finite floats; datetimes become seconds since 1970 and durations seconds, with the unit named.

    Args:
        name: what errors call the array.
        values: numbers, datetime64 or timedelta64 (n,).

    Raises:
        HalfwaveError: if the array is not one-dimensional, not real or not finite (NaT counts as not finite).

    >>> times_as_numbers("`x`", np.array(["1970-01-02"], dtype="datetime64[D]"))
    (array([86400.]), 'seconds since 1970-01-01')
    """
    array = _as_array(name, values)
    if array.dtype.kind not in "mM":
        return _finite(name, array), None
    if np.isnat(array).any():
        raise HalfwaveError(
            f"{name} must be finite; got NaT at index {int(np.flatnonzero(np.isnat(array))[0])}"
        )
    unit = SECONDS_SINCE_1970 if array.dtype.kind == "M" else SECONDS
    ticks, step = array.astype("int64"), np.datetime_data(array.dtype)
    if step[0] in "YM" or step[0] == "generic":  # months have no fixed length; go through days
        ticks, step = array.astype(f"{array.dtype.kind}8[D]").astype("int64"), ("D", 1)
    per_step = np.timedelta64(step[1], step[0]) / np.timedelta64(1, "s")
    return ticks * float(per_step), unit


def _as_array(name: str, values: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise HalfwaveError(f"{name} must be numbers; got {values!r}") from error
    if array.ndim != 1:
        raise HalfwaveError(f"{name} must be one-dimensional; got shape {array.shape}")
    hidden = np.flatnonzero(np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else False)
    if hidden.size:
        raise HalfwaveError(f"{name} must have no masked entries; got one at index {int(hidden[0])}")
    if array.dtype.kind == "O":
        return _from_objects(array)
    return array.astype(np.float64) if array.size == 0 else array


def _from_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Python's dates, times, durations and numbers as arrays of their kind; times with a zone become UTC."""
    entries = array.tolist()
    if entries and all(isinstance(entry, date) for entry in entries):
        plain = [
            entry.astimezone(UTC).replace(tzinfo=None)
            if isinstance(entry, datetime) and entry.tzinfo is not None
            else entry
            for entry in entries
        ]
        return np.array(plain, dtype="datetime64[us]")
    if entries and all(isinstance(entry, timedelta) for entry in entries):
        return np.array(entries, dtype="timedelta64[us]")
    if entries and all(isinstance(entry, (numbers.Real, Decimal)) for entry in entries):
        return array.astype(np.float64)
    return array


def _finite(name: str, values: Any) -> Vector:
    """A float64 vector, without a copy where there is nothing to convert."""
    array = _as_array(name, values)
    if array.dtype.kind not in "fiub":
        raise HalfwaveError(f"{name} must be real numbers; got an array of dtype {array.dtype}")
    floats = array.astype(np.float64, copy=False)
    # One sum over all points finds NaN and infinity without a second array; only a bad one is searched.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(floats.sum())
    bad = np.flatnonzero(~np.isfinite(floats)) if suspicious else np.zeros(0, dtype=np.intp)
    if bad.size:
        raise HalfwaveError(f"{name} must be finite; got {float(floats[bad[0]])!r} at index {bad[0]}")
    return floats


def _weights(weights: npt.ArrayLike, length: int) -> Vector:
    heavy = _finite("`weights`", weights)
    if len(heavy) != length:
        raise HalfwaveError(f"`weights` must have {length} entries; got {len(heavy)}")
    bad = np.flatnonzero(heavy < 0)
    if bad.size:
        raise HalfwaveError(f"`weights` must not be negative; got {float(heavy[bad[0]])!r} at index {bad[0]}")
    if not heavy.any():
        raise HalfwaveError("`weights` must not all be zero; got only zeros")
    return heavy


def _is_even(x: Vector) -> bool:
    """Whether bins of equal width see the data: no one of 1024 holds more than a sixteenth of a sample."""
    sample = x[:: max(1, len(x) >> 16)]
    counts, _ = np.histogram(sample, 1024, (float(x.min()), float(x.max())))
    return bool(counts.max() <= len(sample) / 16)


def _choose_scale(x: Vector, y: Vector, level: bool, through: tuple[Vector, Vector]) -> Scale:
    low, high = float(x.min()), float(x.max())
    if low == high:
        raise HalfwaveError(f"`x` must hold at least two different values; got only {low!r}")
    low, high = min(low, *through[0].tolist(), high), max(high, *through[0].tolist(), low)
    half = high / 2 - low / 2
    stride = max(1, len(x) // _SAMPLE)
    sample_x, sample_y = (x[::stride] - low) / half - 1.0, y[::stride]
    mean_x, mean_y = float(sample_x.mean()), float(sample_y.mean())
    spread = float(((sample_x - mean_x) ** 2).sum())
    slope = (
        float(((sample_x - mean_x) * (sample_y - mean_y)).sum()) / spread if spread > 0 and not level else 0.0
    )
    residual = sample_y - (mean_y + slope * (sample_x - mean_x))
    aside = through[1] - (mean_y + slope * ((through[0] - low) / half - 1.0 - mean_x))
    # A residual that rounding explains is none: y on a line must not be blown up into noise.
    unit = float(np.abs(np.append(residual, aside)).max())
    size = float(np.abs(np.append(sample_y, through[1])).max())
    if unit <= 64 * np.finfo(np.float64).eps * size:
        unit = size if size > 0 else 1.0
    return Scale(low, half, mean_y - slope * mean_x, slope, unit)
