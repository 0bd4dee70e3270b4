"""Antiderivatives of piecewise-linear functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, overload

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.calculus.integrand import Function, OfPieces
from halfwave.functions.checks import finite_number
from halfwave.functions.double_double import Vector
from halfwave.functions.evaluation import Table, evaluate
from halfwave.functions.notation.formula import write_parabolas
from halfwave.functions.notation.numbers import Latex, Plain
from halfwave.functions.pieces import Pieces

if TYPE_CHECKING:
    import torch


class PiecewiseQuadratic(Generic[Function]):
    """The continuous antiderivative ``F(x) = ∫ from at to x of f`` of a piecewise-linear function f.

    Args:
        function: the integrand f, a `PiecewiseLinear`; its jumps become kinks of F.
        at: the point where F is zero; finite.

    Raises:
        HalfwaveError: if `at` is not a finite number.

    >>> from halfwave.functions import relu
    >>> F = PiecewiseQuadratic(relu())
    >>> F(3.0), F(-1.0)
    (4.5, 0.0)
    """

    __slots__ = ("_at", "_function", "_table")

    def __init__(self, function: Function, at: float = 0.0) -> None:
        self._function = function
        self._at = finite_number("`at` of an antiderivative", at)
        self._table = _antiderivative_table(function.pieces, self._at)

    @property
    def at(self) -> float:
        """The point where the function is zero."""
        return self._at

    @property
    def kinks(self) -> Vector:
        """Where one parabola ends and the next begins (k,), read-only."""
        return self._function.kinks

    def derivative(self) -> Function:
        """The integrand f.

        >>> from halfwave.functions import absolute
        >>> absolute().antiderivative().derivative() == absolute()
        True
        """
        return self._function

    @overload
    def __call__(self, x: float) -> float: ...
    @overload
    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...
    @overload
    def __call__(self, x: npt.NDArray[Any] | np.generic | Sequence[Any]) -> npt.NDArray[Any]: ...
    def __call__(self, x: Any) -> Any:
        """The value at `x`; scalars, arrays and tensors as for `PiecewiseLinear`."""
        return evaluate(self._table, x)

    def formula(self, variable: str = "x", digits: int | None = None) -> str:
        """The parabolas in one line, as cases; `digits` significant digits of each number, or all of them.

        >>> from halfwave.functions import relu
        >>> relu().antiderivative().formula()
        '0 if x <= 0, 0.5*x^2 if x > 0'
        """
        return write_parabolas(self._function.pieces, self._table, Plain(variable, digits))

    def latex(self, variable: str = "x", digits: int | None = None) -> str:
        r"""The same in LaTeX, for mathematics mode.

        >>> from halfwave.functions import relu
        >>> print(relu().antiderivative().latex("t"))
        \begin{cases} 0 & t \le 0 \\ 0.5 t^2 & t > 0 \end{cases}
        """
        return write_parabolas(self._function.pieces, self._table, Latex(variable, digits))

    def __str__(self) -> str:
        return self.formula()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PiecewiseQuadratic):
            return NotImplemented
        return (self._at, self._function) == (other._at, other._function)

    def __hash__(self) -> int:
        return hash((self._at, self._function))

    def __repr__(self) -> str:
        return f"PiecewiseQuadratic({self._function!r}, at={self._at!r})"


def integrate(f: OfPieces, a: float, b: float) -> float:
    """``∫ from a to b of f``, of which either end may be infinite."""
    if np.isfinite(a):
        return PiecewiseQuadratic(f, a)(b)
    if np.isfinite(b):
        return -PiecewiseQuadratic(f, b)(a) + 0.0  # + 0.0: no −0.0
    if a == b:
        return 0.0
    halves = PiecewiseQuadratic(f, 0.0)
    right, left = halves(b), halves(a)
    if np.isinf(right) and right == left:
        raise HalfwaveError(f"an integral of the form inf - inf has no value; got one from {a!r} to {b!r}")
    return right - left


def _antiderivative_table(f: Pieces, at: float) -> Table:
    """Each parabola is written about the point of its piece, among its ends and its vertex, where |F| is least.

    About a far point it would be a small difference of large numbers.
    """
    at_kinks = _integrals_to_kinks(f, at)
    every = np.arange(len(f.slopes))
    starts, ends = _padded(f.kinks, 0), _padded(f.kinks, -1)
    vertices = np.clip(f.anchors, f.starts, f.ends)
    nearest = np.where(np.isfinite(f.starts), starts, ends) if len(f.kinks) else np.full(1, at)
    nearest_value = _padded(at_kinks, 0) if len(f.kinks) else np.zeros(1)
    vertex_values = nearest_value + _area(f, every, nearest, vertices)
    candidates = np.stack((starts, ends, vertices))
    heights = np.stack((_padded(at_kinks, 0), _padded(at_kinks, -1), vertex_values))
    chosen = np.argmin(np.abs(heights), axis=0)
    anchors, values = candidates[chosen, every], heights[chosen, every]
    home = int(np.searchsorted(f.kinks, at, side="left"))
    anchors[home], values[home] = at, 0.0
    return Table(f.kinks, anchors, (values, f.line(every, anchors), f.slopes / 2))


def _integrals_to_kinks(f: Pieces, at: float) -> Vector:
    """∫ from `at` to each kink, summed outwards from `at` so that nothing far away enters a near value."""
    home = int(np.searchsorted(f.kinks, at, side="left"))
    right = np.concatenate(([at], f.kinks[home:]))
    left = np.concatenate(([at], f.kinks[:home][::-1]))
    rising = _area(f, np.arange(home, len(f.kinks)), right[:-1], right[1:])
    falling = _area(f, np.arange(home, 0, -1), left[:-1], left[1:])
    return np.concatenate((np.cumsum(falling)[::-1], np.cumsum(rising)))


def _area(f: Pieces, index: npt.NDArray[np.intp], a: Vector, b: Vector) -> Vector:
    """∫ from a to b of line `index`: the trapezoid rule is exact."""
    return (b - a) * (f.line(index, a) / 2 + f.line(index, b) / 2)


def _padded(values: Vector, end: int) -> Vector:
    """One entry for each piece: the kink at its left (end 0) or right (end −1), or the only one it has."""
    if len(values) == 0:
        return np.zeros(1)
    return np.concatenate((values[:1], values) if end == 0 else (values, values[-1:]))
