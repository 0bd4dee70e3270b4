"""Legendre conjugates of convex piecewise-linear functions."""

from __future__ import annotations

from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.calculus.integrand import Function
from halfwave.functions.double_double import DoubleDouble, exact, exact_product
from halfwave.functions.notation.formula import write_on_interval
from halfwave.functions.notation.numbers import Latex, Plain
from halfwave.functions.pieces import Pieces, build


class ConvexConjugate(Generic[Function]):
    """The Legendre conjugate ``f*(p) = max_x [p x − f(x)]`` of a convex piecewise-linear function f.

    It is finite between the smallest and the largest slope of f, piecewise linear there, and +inf outside.
    Made by `PiecewiseLinear.conjugate`.

    >>> from halfwave.functions import absolute
    >>> conjugate = absolute().conjugate()
    >>> conjugate.domain
    (-1.0, 1.0)
    >>> conjugate(0.5), conjugate(1.5)
    (0.0, inf)
    """

    __slots__ = ("_domain", "_finite_part")

    def __init__(self, finite_part: Function, domain: tuple[float, float]) -> None:
        self._finite_part = finite_part
        self._domain = domain

    @property
    def domain(self) -> tuple[float, float]:
        """The closed interval of slopes p where the conjugate is finite."""
        return self._domain

    @property
    def finite_part(self) -> Function:
        """A `PiecewiseLinear` that agrees with the conjugate on its domain (outside it has no meaning)."""
        return self._finite_part

    def __call__(self, p: npt.ArrayLike) -> Any:
        """The value at `p`, a scalar or an array: +inf outside the domain, NaN for NaN."""
        values = self._finite_part(p if isinstance(p, (int, float)) else np.asarray(p))
        outside = (np.asarray(p) < self._domain[0]) | (np.asarray(p) > self._domain[1])
        result = np.where(outside, np.inf, values)
        return float(result) if isinstance(values, float) else result

    def formula(self, variable: str = "p", digits: int | None = None) -> str:
        """The conjugate in one line, as cases; `digits` significant digits of each number, or all of them.

        >>> from halfwave.functions import absolute
        >>> absolute().conjugate().formula()
        '0 if -1 <= p <= 1, inf otherwise'
        """
        return write_on_interval(self._finite_part.pieces, Plain(variable, digits), self._domain)

    def latex(self, variable: str = "p", digits: int | None = None) -> str:
        r"""The same in LaTeX, for mathematics mode.

        >>> from halfwave.functions import absolute
        >>> print(absolute().conjugate().latex())
        \begin{cases} 0 & -1 \le p \le 1 \\ \infty & \text{otherwise} \end{cases}
        """
        return write_on_interval(self._finite_part.pieces, Latex(variable, digits), self._domain)

    def __str__(self) -> str:
        return self.formula()

    def __repr__(self) -> str:
        return f"ConvexConjugate({self._finite_part!r}, domain={self._domain!r})"


def finite_part(f: Pieces) -> Pieces:
    """The conjugate on its domain: slopes and kinks of a convex f change places.

    Where the slope p lies between two neighbouring slopes of f, the maximum over x sits at the kink t
    between them, and ``f*(p) = p t − f(t)``. A slope that falls is a HalfwaveError.
    """
    fall = np.flatnonzero(np.diff(f.slopes) < 0)
    if fall.size:
        before, after = f.slopes[fall[0] : fall[0] + 2].tolist()
        raise HalfwaveError(f"conjugate needs slopes that increase; got {after!r} after {before!r}")
    if len(f.kinks) == 0:
        return build(f.kinks, exact([0.0]), -f.intercepts, f.jumps)
    heights: DoubleDouble = exact_product(f.slopes[:-1], f.kinks) + f.intercepts[:-1]
    return build(f.slopes[1:-1], exact(f.kinks), -heights, np.zeros(len(f.slopes) - 2))
