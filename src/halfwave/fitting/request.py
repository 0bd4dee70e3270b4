"""What a user may ask of a fit, checked against the data and turned into rules for the search."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.criteria import Criterion
from halfwave.fitting.observations import Observations, times_as_numbers
from halfwave.fitting.search.cells import Cells
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.shape import ANY_SHAPE, Shape
from halfwave.functions.checks import finite_number, finite_vector, non_negative_number
from halfwave.functions.double_double import Vector

Flat = Literal["none", "first", "last", "both"]
Loss = Literal["squares", "huber", "tukey", "quantile"]


def one_of(name: str, value: Any, choices: Sequence[Any]) -> Any:
    """The value if it is one of the choices, or HalfwaveError."""
    if not isinstance(value, str) or value not in choices:
        raise HalfwaveError(f"`{name}` must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def truth(name: str, value: Any) -> bool:
    """The value as a bool, or HalfwaveError."""
    if not isinstance(value, (bool, np.bool_)):
        raise HalfwaveError(f"`{name}` must be True or False; got {value!r}")
    return bool(value)


def whole_number(name: str, value: Any, least: int) -> int:
    """The value as an int of at least so much, or HalfwaveError."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise HalfwaveError(f"`{name}` must be a whole number of at least {least}; got {value!r}")
    return int(value)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What kind of fit a user wants, checked."""

    criterion: Criterion
    correlation: str
    loss: str
    quantile: float
    continuous: bool
    automatic: bool  # whether the criterion chooses the number of kinks
    most: int  # the number of kinks asked for, or the largest to try
    use_numba: bool | None


def wanted(data: Observations, rules: Rules, **options: Any) -> Wanted:
    """What a user wants, once the options are known to go together.

    Raises:
        HalfwaveError: if they do not, or the quantile is out of range.
    """
    asked = Wanted(**options)
    if asked.loss == "quantile" and not 0 < finite_number("`quantile`", asked.quantile) < 1:
        raise HalfwaveError(f"`quantile` must be inside (0, 1); got {asked.quantile!r}")
    count = len(data.through[0])
    if count > asked.most + 2:
        raise HalfwaveError(
            f"`through` must hold at most {asked.most + 2} points for {asked.most} kinks, which is how many "
            f"heights there are; got {count}"
        )
    if asked.automatic and asked.criterion == "cross_validation" and asked.loss != "squares":
        raise HalfwaveError(f"`criterion` must count points with loss={asked.loss!r}; got 'cross_validation'")
    if not asked.continuous:
        _only_squares(asked, rules, count)
    return asked


def _only_squares(asked: Wanted, rules: Rules, count: int) -> None:
    """HalfwaveError for what pieces that need not meet cannot have."""
    if asked.loss != "squares":
        raise HalfwaveError(f"`loss` must be 'squares' with continuous=False; got {asked.loss!r}")
    if asked.automatic and asked.criterion not in ("bic", "bic3"):
        raise HalfwaveError(
            f"`criterion` must be 'bic' or 'bic3' with continuous=False; got {asked.criterion!r}"
        )
    if rules.shape:
        raise HalfwaveError("`monotone` and `convex` need continuous=True; got continuous=False")
    if count:
        raise HalfwaveError(f"`through` needs continuous=True; got continuous=False and {count} points")


def rules_of(
    data: Observations,
    min_points: Any,
    min_length: Any,
    fixed_kinks: Sequence[float],
    flat: Flat,
    shape: Shape = ANY_SHAPE,
) -> Rules:
    """The rules in scaled coordinates.

    Raises:
        HalfwaveError: if an option is out of range, options exclude one another, or a fixed kink is not inside
            the data.
    """
    if shape and flat != "none":
        raise HalfwaveError(f"`flat` must be 'none' where `monotone` or `convex` is asked for; got {flat!r}")
    length = non_negative_number("`min_length`", min_length)
    fixed = np.unique(_places("`fixed_kinks`", fixed_kinks, data.x_unit))
    low, high = float(data.x.min()), float(data.x.max())
    outside = fixed[(fixed <= low) | (fixed >= high)]
    if outside.size:
        raise HalfwaveError(
            f"`fixed_kinks` must lie inside the data, between {low!r} and {high!r}; got {float(outside[0])!r}"
        )
    return Rules(
        min_points=whole_number("min_points", min_points, 2),
        min_length=length / data.scale.x_unit,
        fixed=tuple(data.scale.inside(fixed).tolist()),
        flat_first=flat in ("first", "both"),
        flat_last=flat in ("last", "both"),
        shape=shape,
    )


def _places(name: str, values: Any, unit: str | None) -> Vector:
    """Abscissae as numbers: times where x is times, and seconds as plain numbers too."""
    if np.asarray(values).dtype.kind not in "mM":
        return finite_vector(name, values)
    numbers, its_unit = times_as_numbers(name, np.asarray(values))
    if its_unit != unit:
        raise HalfwaveError(f"{name} must be {unit or 'numbers'} as `x` is; got {its_unit}")
    return numbers


def number_of_kinks(kinks: Any, max_kinks: Any, cells: Cells, rules: Rules, continuous: bool = True) -> int:
    """The number of kinks asked for, or the largest one to try.

    Raises:
        HalfwaveError: if it is not a whole number, is less than the number of fixed kinks, or more than the
            different x allow.
    """
    distinct, fewest = int(cells.distinct.sum()), len(rules.fixed)
    # Neighbouring segments that meet may share the point on their kink: s of them need s (min_points − 1) + 1.
    shared = int(continuous)
    largest = (distinct - shared) // (rules.min_points - shared) - 1
    if largest < fewest:
        raise HalfwaveError(
            f"`x` must hold at least {(fewest + 1) * (rules.min_points - shared) + shared} different values for "
            f"{fewest} kinks with min_points={rules.min_points}; got {distinct}"
        )
    if isinstance(kinks, str):
        one_of("kinks", kinks, ("auto",))
        return max(fewest, min(whole_number("max_kinks", max_kinks, 0), largest))
    count = whole_number("kinks", kinks, 0)
    if count < fewest:
        raise HalfwaveError(f"`kinks` must be at least the number of fixed kinks, {fewest}; got {count}")
    if count > largest:
        raise HalfwaveError(
            f"`kinks` must be at most {largest} for {distinct} different x with min_points={rules.min_points}; "
            f"got {count}"
        )
    return count


def no_fit(kinks: int, rules: Rules, data: Observations) -> HalfwaveError:
    """The error for constraints that no placement of kinks meets, with the constraints that bind."""
    asked = [f"min_points={rules.min_points}"]
    if rules.min_length > 0:
        asked.append(f"min_length={rules.min_length * data.scale.x_unit:g}")
    if rules.fixed:
        asked.append(f"fixed_kinks={[float(f'{k:.12g}') for k in data.scale.outside(np.array(rules.fixed))]}")
    if rules.flat_first or rules.flat_last:
        asked.append(
            "flat="
            + repr({(1, 0): "first", (0, 1): "last", (1, 1): "both"}[rules.flat_first, rules.flat_last])
        )
    if rules.shape.monotone:
        asked.append(f"monotone={'increasing' if rules.shape.monotone > 0 else 'decreasing'!r}")
    if rules.shape.convex:
        asked.append(f"convex={'convex' if rules.shape.convex > 0 else 'concave'!r}")
    if len(data.through[0]):
        points = zip(*(part.tolist() for part in data.through), strict=True)
        asked.append(f"through={[(float(f'{x:.12g}'), float(f'{y:.12g}')) for x, y in points]}")
    return HalfwaveError(
        f"`kinks` must leave room for every constraint; no placement of {kinks} kinks meets {' and '.join(asked)}"
    )
