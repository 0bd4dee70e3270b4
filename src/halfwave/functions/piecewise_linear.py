"""The exact piecewise-linear function of one real variable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions import algebra, curves
from halfwave.functions.calculus import convex_conjugate, gaussian
from halfwave.functions.calculus.piecewise_quadratic import PiecewiseQuadratic, integrate
from halfwave.functions.checks import (
    finite_number,
    finite_vector,
    increasing_vector,
    is_number,
    limit_number,
    non_negative_number,
    real_array,
)
from halfwave.functions.double_double import DoubleDouble, Vector, exact
from halfwave.functions.evaluation import evaluate
from halfwave.functions.notation.formula import Style, write
from halfwave.functions.notation.numbers import Latex, Plain
from halfwave.functions.pieces import (
    Pieces,
    build,
    from_floats,
    jumps_between_lines,
    without_small_kinks,
    zeros,
)

if TYPE_CHECKING:
    import torch

_SHOWN = 8  # kinks that a repr still lists


class PiecewiseLinear:
    """A piecewise-linear function of one real variable, possibly with jumps; it cannot be changed.

    ``f(x) = slopes[i] x + intercepts[i]`` for ``kinks[i − 1] < x ≤ kinks[i]``: a kink belongs to the piece on
    its left, for the value and for the derivative. Kinks where nothing changes are dropped, so that equal
    functions compare equal.

    Args:
        kinks: where the pieces meet (k,), finite, strictly increasing; may be empty.
        slopes: slope of each piece (k + 1,), finite.
        intercepts: value that each piece, prolonged, has at zero (k + 1,), finite. Where two neighbours meet
            up to rounding the function counts as continuous.

    Raises:
        HalfwaveError: if the lengths do not match, a number is not finite, or the kinks do not increase.

    >>> hat = PiecewiseLinear([0, 1, 2], [0, 1, -1, 0], [0, 0, 2, 0])
    >>> hat(0.25), hat(1.5), hat(9.0)
    (0.25, 0.5, 0.0)
    >>> hat(np.array([0.5, 1.0], dtype=np.float32))
    array([0.5, 1. ], dtype=float32)
    """

    __array_ufunc__ = None  # lets `numpy_number * f` reach f instead of looping over it
    __slots__ = ("_pieces",)

    _pieces: Pieces

    def __init__(self, kinks: npt.ArrayLike, slopes: npt.ArrayLike, intercepts: npt.ArrayLike) -> None:
        at = increasing_vector("`kinks`", kinks)
        steep = finite_vector("`slopes`", slopes, len(at) + 1)
        offsets = finite_vector("`intercepts`", intercepts, len(at) + 1)
        self._pieces = from_floats(at, steep, offsets, jumps_between_lines(at, steep, offsets))

    @property
    def pieces(self) -> Pieces:
        """The data in normal form, with intercepts of 32 digits (for the library's own use)."""
        return self._pieces

    @property
    def kinks(self) -> Vector:
        """Where slope or value change (k,), sorted, read-only."""
        return self._pieces.kinks

    @property
    def slopes(self) -> Vector:
        """Slope of each piece (k + 1,), read-only."""
        return self._pieces.slopes

    @property
    def intercepts(self) -> Vector:
        """Value at zero of each piece, prolonged (k + 1,), read-only."""
        return self._pieces.intercepts.high

    @property
    def jumps(self) -> Vector:
        """Right limit minus left limit at each kink (k,), 0 where continuous, read-only."""
        return self._pieces.jumps

    @property
    def is_continuous(self) -> bool:
        """Whether there are no jumps."""
        return not self.jumps.any()

    @overload
    def __call__(self, x: float) -> float: ...
    @overload
    def __call__(self, x: torch.Tensor) -> torch.Tensor: ...
    @overload
    def __call__(self, x: npt.NDArray[Any] | np.generic | Sequence[Any]) -> npt.NDArray[Any]: ...
    def __call__(self, x: Any) -> Any:
        """The value f(x); NaN gives NaN, and ±inf give the limits.

        Args:
            x: a number, or an array or torch tensor of any shape. Integers become float64 (NumPy) or the
                default dtype (torch).

        Returns:
            A float for a number, otherwise the shape, floating dtype and device of `x`. On a tensor that
            requires gradients the derivative is that of `derivative()`, except the last slope at NaN.

        Raises:
            HalfwaveError: if `x` is complex or not numbers.

        >>> from halfwave.functions import relu
        >>> relu()(-2.0), relu()([[1, -1]])
        (0.0, array([[1., 0.]]))
        """
        return evaluate(self._pieces.table(), x)

    def derivative(self) -> PiecewiseLinear:
        """The derivative f′, piecewise constant, without the point masses at jumps; left slope at a kink.

        >>> from halfwave.functions import relu
        >>> relu().derivative()(np.array([-1.0, 0.0, 1.0]))
        array([0., 0., 1.])
        """
        return from_pieces(algebra.differentiate(self._pieces))

    def point_masses(self) -> list[tuple[float, float]]:
        """The (location, jump) pairs that the distributional derivative has besides `derivative()`.

        >>> from halfwave.functions import thresholded_relu
        >>> thresholded_relu(2.0, form="keep").point_masses()
        [(2.0, 2.0)]
        """
        here = self.jumps != 0
        return list(zip(self.kinks[here].tolist(), self.jumps[here].tolist(), strict=True))

    def antiderivative(self, at: float = 0.0) -> PiecewiseQuadratic[PiecewiseLinear]:
        """The continuous antiderivative ``F(x) = ∫ from at to x of f``, exact.

        Args:
            at: where F is zero; finite.

        Raises:
            HalfwaveError: if `at` is not a finite number.

        >>> from halfwave.functions import relu
        >>> relu().antiderivative(at=1.0)(np.array([0.0, 1.0, 2.0]))
        array([-0.5,  0. ,  1.5])
        """
        return PiecewiseQuadratic(self, at)

    def integrate(self, a: float, b: float) -> float:
        """The integral of f from a to b, negative area counting negative, and minus that for b < a.

        Args:
            a: lower limit, may be ±inf.
            b: upper limit, may be ±inf.

        Raises:
            HalfwaveError: if a limit is not a number, or the integral has the form inf − inf.

        >>> from halfwave.functions import absolute, relu
        >>> absolute().integrate(-1.0, 2.0), relu().integrate(-np.inf, 1.0)
        (2.5, 0.5)
        """
        return integrate(self, limit_number("`a` of integrate", a), limit_number("`b` of integrate", b))

    def roots(self) -> list[float]:
        """Where f is zero, in increasing order; an interval of zeros is reported by its two end points.

        An end point may be ±inf, and the left one need not be a zero itself if f jumps there. A jump across
        zero is no root.

        >>> from halfwave.functions import absolute, relu
        >>> (absolute() - 3).roots(), relu().roots()
        ([-3.0, 3.0], [-inf, 0.0])
        """
        return zeros(self._pieces).tolist()

    def inverse(self) -> PiecewiseLinear:
        """The inverse function g, with ``g(f(x)) = x``.

        Where f is so flat that a whole piece has one height in floats, the inverse jumps over that piece.

        Raises:
            HalfwaveError: if f jumps, is flat somewhere, or turns back.

        >>> from halfwave.functions import leaky_relu
        >>> leaky_relu(0.5).inverse()(np.array([-1.0, 3.0]))
        array([-2.,  3.])
        """
        self._require_continuous("inverse")
        if not ((self.slopes > 0).all() or (self.slopes < 0).all()):
            raise HalfwaveError(
                "inverse needs slopes that are all positive or all negative; "
                f"got slopes from {self.slopes.min()!s} to {self.slopes.max()!s}"
            )
        return from_pieces(algebra.invert(self._pieces))

    def conjugate(self) -> convex_conjugate.ConvexConjugate[PiecewiseLinear]:
        """The Legendre conjugate ``f*(p) = max_x [p x − f(x)]`` of a convex function.

        Returns:
            A `ConvexConjugate`: callable, finite on [smallest slope, largest slope] and +inf outside.

        Raises:
            HalfwaveError: if f jumps or a slope is smaller than the one on its left.

        >>> from halfwave.functions import relu
        >>> (relu() - 1).conjugate()(np.array([0.0, 1.0, 2.0]))
        array([ 1.,  1., inf])
        """
        self._require_continuous("conjugate")
        inside = from_pieces(convex_conjugate.finite_part(self._pieces))
        return convex_conjugate.ConvexConjugate(inside, (float(self.slopes[0]), float(self.slopes[-1])))

    def compose(self, inner: PiecewiseLinear) -> PiecewiseLinear:
        """The composition ``x ↦ f(inner(x))``.

        Where the composition jumps it takes its left limit, as every function here does. Where a falling
        inner function passes a jump of f, that is not the value f has there.

        Args:
            inner: the function applied first.

        >>> from halfwave.functions import absolute, identity, relu
        >>> relu().compose(2 * identity() - 1)(2.0)
        3.0
        >>> relu().compose(-absolute() + 1).kinks
        array([-1.,  0.,  1.])
        """
        return from_pieces(algebra.compose(self._pieces, _as_function(inner)._pieces))

    def maximum(self, other: PiecewiseLinear | float) -> PiecewiseLinear:
        """The pointwise maximum ``x ↦ max(f(x), other(x))`` with a function or a number.

        >>> from halfwave.functions import identity, relu
        >>> identity().maximum(0) == relu()
        True
        """
        return from_pieces(algebra.maximum(self._pieces, _as_function(other)._pieces))

    def minimum(self, other: PiecewiseLinear | float) -> PiecewiseLinear:
        """The pointwise minimum ``x ↦ min(f(x), other(x))`` with a function or a number.

        >>> from halfwave.functions import clipped_relu, relu
        >>> relu().minimum(6) == clipped_relu(6)
        True
        """
        return -((-self).maximum(-_as_function(other)))

    def gaussian_mean(self, mu: Any, sigma: Any) -> Any:
        """The mean ``E f(μ + σ Z)`` for a standard normal Z, in closed form.

        Args:
            mu: means, any shape; a number, an array or a torch tensor.
            sigma: standard deviations, any shape that broadcasts with `mu`; finite, not negative.

        Returns:
            The means in the broadcast shape, a float if both are numbers. If one is a tensor: a tensor of the
            promoted dtype, differentiable in both; at σ = 0 by the left slope in mu and by the limit from
            above in sigma, where jumps do not count.

        Raises:
            HalfwaveError: if a `sigma` is negative or not finite.

        >>> from halfwave.functions import relu
        >>> round(relu().gaussian_mean(0.0, 1.0), 12)  # 1/√(2π)
        0.398942280401
        """
        return gaussian.moment(self._pieces, 1, mu, sigma)

    def gaussian_second_moment(self, mu: Any, sigma: Any) -> Any:
        """The second moment ``E f(μ + σ Z)²`` for a standard normal Z; arguments as in `gaussian_mean`.

        >>> from halfwave.functions import relu
        >>> relu().gaussian_second_moment(0.0, 2.0)
        2.0
        """
        return gaussian.moment(self._pieces, 2, mu, sigma)

    def l2_distance(self, other: PiecewiseLinear | float, a: float, b: float) -> float:
        """The distance ``(∫ from a to b of (f − other)²)^½``.

        Args:
            other: a function or a number.
            a: lower limit, finite.
            b: upper limit, finite, at least a.

        Raises:
            HalfwaveError: if a limit is not finite or b < a.

        >>> from halfwave.functions import identity
        >>> identity().l2_distance(0, 0.0, 3.0)
        3.0
        """
        begin, end = finite_number("`a` of l2_distance", a), finite_number("`b` of l2_distance", b)
        return algebra.norm((self - _as_function(other))._pieces, begin, end)

    def as_relu_sum(self) -> dict[str, Any]:
        """The same function as a sum ``Σ_k weights[k] (slopes[k] x + intercepts[k])⁺ + slope x + offset``.

        Returns:
            A dictionary with these five names, which `relu_sum` takes as keyword arguments.

        Raises:
            HalfwaveError: if f jumps.

        >>> from halfwave.functions import absolute
        >>> absolute().as_relu_sum()
        {'slopes': [1.0], 'intercepts': [0.0], 'weights': [2.0], 'slope': -1.0, 'offset': 0.0}
        """
        self._require_continuous("as_relu_sum")
        return {
            "slopes": [1.0] * len(self.kinks),
            "intercepts": (0.0 - self.kinks).tolist(),
            "weights": np.diff(self.slopes).tolist(),
            "slope": float(self.slopes[0]),
            "offset": float(self.intercepts[0]),
        }

    def formula(self, variable: str = "x", style: Style = "relu", digits: int | None = None) -> str:
        """The function in one line, as a sum of relu terms and steps that `parse` reads back, or as cases.

        Args:
            variable: its name in the text; `parse` knows "x".
            style: "relu" or "cases".
            digits: significant digits of each number; as many as needed by default.

        Raises:
            HalfwaveError: if `style` is neither, or `digits` not a positive whole number.

        >>> from halfwave.functions import absolute, thresholded_relu
        >>> absolute().formula(), thresholded_relu(1, "keep").formula()
        ('relu(x) + relu(-x)', 'relu(x - 1) + step(x - 1)')
        >>> thresholded_relu(1, "keep").formula(style="cases")
        '0 if x <= 1, x if x > 1'
        """
        return write(self._pieces, Plain(variable, digits), style)

    def latex(self, variable: str = "x", style: Style = "cases", digits: int | None = None) -> str:
        r"""The same in LaTeX, for mathematics mode; arguments and errors as in `formula`.

        >>> from halfwave.functions import rectified_linear
        >>> print(rectified_linear(1.2, 1.2).latex(style="relu"))
        \left(1.2 x + 1.2\right)^{+}
        """
        return write(self._pieces, Latex(variable, digits), style)

    def _repr_latex_(self) -> str | None:
        # None sends a notebook back to the repr.
        return rf"$\displaystyle {self.latex(digits=6)}$" if len(self.kinks) <= _SHOWN else None

    def __str__(self) -> str:
        return self.formula()

    def simplify(self, tolerance: float = 0.0) -> PiecewiseLinear:
        """The function without kinks that matter less than the tolerance, such as (f + g) − g leaves behind.

        Args:
            tolerance: a kink goes if its change of slope is at most this fraction of the largest slope, and
                its jump of the largest value at a kink. Kinks without any change are never there.

        Raises:
            HalfwaveError: if `tolerance` is negative or not finite.

        >>> PiecewiseLinear([1.0], [1.0, 1.0 + 1e-15], [0.0, 0.0]).simplify(1e-12).kinks
        array([], dtype=float64)
        """
        return from_pieces(without_small_kinks(self._pieces, non_negative_number("`tolerance`", tolerance)))

    def curve(self, x: npt.ArrayLike) -> dict[str, list[float]]:
        """Points, values and derivatives as lists, under the names "x", "y" and "yp".

        Args:
            x: points (n,).

        >>> from halfwave.functions import relu
        >>> relu().curve([-1, 2])
        {'x': [-1.0, 2.0], 'y': [0.0, 2.0], 'yp': [0.0, 1.0]}
        """
        points = real_array("`x`", x).astype(np.float64).ravel()
        return {"x": points.tolist(), "y": self(points).tolist(), "yp": self.derivative()(points).tolist()}

    def save_curve(self, path: str | os.PathLike[str], x: npt.ArrayLike) -> Path:
        """Writes `curve(x)` as a JSON file; missing folders are created, an old file is replaced at once.

        Args:
            path: the file.
            x: finite points (n,).

        Returns:
            The path written.

        Raises:
            HalfwaveError: if a point or a value is not finite, which JSON cannot hold.

        >>> import tempfile
        >>> from halfwave.functions import relu
        >>> relu().save_curve(tempfile.mkdtemp() + "/curves/relu.json", [0.0]).read_text()
        '{"x": [0.0], "y": [0.0], "yp": [0.0]}\\n'
        """
        return curves.write_curve(path, self.curve(x))

    def __add__(self, other: PiecewiseLinear | float) -> PiecewiseLinear:
        if not _is_function_or_number(other):
            return NotImplemented
        return from_pieces(algebra.add(self._pieces, _as_function(other)._pieces))

    __radd__ = __add__

    def __sub__(self, other: PiecewiseLinear | float) -> PiecewiseLinear:
        return self + -other if _is_function_or_number(other) else NotImplemented

    def __rsub__(self, other: float) -> PiecewiseLinear:
        return -self + other

    def __mul__(self, factor: float) -> PiecewiseLinear:
        if not is_number(factor):
            return NotImplemented
        return from_pieces(algebra.scale(self._pieces, finite_number("a factor of a function", factor)))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> PiecewiseLinear:
        if not is_number(divisor):
            return NotImplemented
        number = finite_number("a divisor of a function", divisor)
        if number == 0:
            raise HalfwaveError(f"a divisor of a function must not be zero; got {divisor!r}")
        return from_pieces(algebra.divide(self._pieces, number))

    def __neg__(self) -> PiecewiseLinear:
        return from_pieces(algebra.scale(self._pieces, -1.0))

    def _numbers(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(part.tolist()) for part in (self.kinks, self.slopes, self.intercepts, self.jumps))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PiecewiseLinear):
            return NotImplemented
        return self._numbers() == other._numbers()

    def __hash__(self) -> int:
        return hash(self._numbers())

    def __repr__(self) -> str:
        if len(self.kinks) > _SHOWN:
            return f"<PiecewiseLinear with {len(self.kinks)} kinks from {self.kinks[0]} to {self.kinks[-1]}>"
        kinks, slopes, intercepts, _ = (list(part) for part in self._numbers())
        return f"PiecewiseLinear(kinks={kinks}, slopes={slopes}, intercepts={intercepts})"

    def __reduce__(self) -> tuple[Any, ...]:
        p = self._pieces
        return _restore, (p.kinks, p.slopes, p.intercepts.high, p.intercepts.low, p.jumps)

    def _require_continuous(self, name: str) -> None:
        masses = self.point_masses()
        if masses:
            raise HalfwaveError(
                f"{name} needs a continuous function; got a jump of {masses[0][1]!r} at {masses[0][0]!r}"
            )


def from_pieces(pieces: Pieces) -> PiecewiseLinear:
    """The function with this data (for the library's own use)."""
    function = object.__new__(PiecewiseLinear)
    function._pieces = pieces
    return function


def _restore(kinks: Vector, slopes: Vector, high: Vector, low: Vector, jumps: Vector) -> PiecewiseLinear:
    return from_pieces(build(kinks, exact(slopes), DoubleDouble(high, low), jumps))


def _is_function_or_number(value: object) -> bool:
    return isinstance(value, PiecewiseLinear) or is_number(value)


def _as_function(value: PiecewiseLinear | float) -> PiecewiseLinear:
    if isinstance(value, PiecewiseLinear):
        return value
    return PiecewiseLinear([], [0.0], [finite_number("a number combined with a function", value)])
