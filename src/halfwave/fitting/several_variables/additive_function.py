"""Sums of functions of one variable each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.explicit_function import (
    ExplicitFunction,
    Matrix,
    Vector,
    line_through,
)
from halfwave.fitting.several_variables.notation import joined
from halfwave.functions import PiecewiseLinear
from halfwave.functions.checks import finite_number
from halfwave.functions.double_double import DoubleDouble, exact
from halfwave.functions.notation.numbers import Plain
from halfwave.functions.pieces import build
from halfwave.functions.piecewise_linear import from_pieces
from halfwave.functions.relu_terms import Term, relu_terms

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["AdditiveFunction"]


class AdditiveFunction(ExplicitFunction):
    """``f(x) = offset + Σ_j functions[j](x_j)`` with an exact `PiecewiseLinear` for each variable.

    Its kinks are parallel to the axes, and no variable changes what another one does.

    Args:
        functions: one function for each variable, at least one.
        offset: finite.

    Raises:
        HalfwaveError: if there is no function, one is not a `PiecewiseLinear`, or the offset is not finite.

    >>> from halfwave.functions import absolute, relu
    >>> f = AdditiveFunction([absolute(), 2 * relu()], offset=-1.0)
    >>> f.formula()
    'relu(x1) + relu(-x1) + relu(2*x2) - 1'
    >>> f([[-3, 1], [0, -5]]), f.gradient([[-3, 1]])
    (array([ 4., -1.]), array([[-1.,  2.]]))

    Source: Hastie and Tibshirani, Generalized additive models (1986).
    """

    kind = "additive"
    __slots__ = ("_functions", "_offset")

    def __init__(self, functions: Iterable[PiecewiseLinear], offset: float = 0.0) -> None:
        self._functions = tuple(functions)
        if not self._functions:
            raise HalfwaveError("AdditiveFunction needs at least one function; got none")
        for j, function in enumerate(self._functions):
            if not isinstance(function, PiecewiseLinear):
                raise HalfwaveError(
                    f"`functions` of AdditiveFunction must be PiecewiseLinear; "
                    f"got {type(function).__name__} at index {j}"
                )
        self._offset = finite_number("`offset` of AdditiveFunction", offset)

    @property
    def features(self) -> int:
        return len(self._functions)

    @property
    def functions(self) -> tuple[PiecewiseLinear, ...]:
        """The function of each variable."""
        return self._functions

    @property
    def offset(self) -> float:
        """The constant."""
        return self._offset

    def parts(self, x: npt.ArrayLike) -> Matrix:
        """What each variable adds, ``functions[j](x_j)``.

        Args:
            x: points (*batch, d).

        Returns:
            Values (*batch, d), which with the offset sum to f(x).

        Raises:
            HalfwaveError: if `x` does not end in d features.

        >>> from halfwave.functions import absolute, relu
        >>> AdditiveFunction([absolute(), relu()]).parts([-2, -2])
        array([2., 0.])
        """
        points = self._points(x).astype(np.float64)
        return np.stack([f(points[..., j]) for j, f in enumerate(self._functions)], axis=-1)

    def _values(self, x: Matrix) -> Vector:
        return self.parts(x).sum(axis=-1) + self._offset

    def _gradients(self, x: Matrix) -> Matrix:
        return np.stack([f.derivative()(x[:, j]) for j, f in enumerate(self._functions)], axis=-1)

    def along(self, point: npt.ArrayLike, direction: npt.ArrayLike) -> PiecewiseLinear:
        """The restriction to a line, ``t ↦ f(point + t direction)``, as an exact function of t.

        Args:
            point: where t is 0 (d,), finite.
            direction: step for t = 1 (d,), finite.

        Raises:
            HalfwaveError: if a shape does not match or a number is not finite.

        >>> from halfwave.functions import relu
        >>> AdditiveFunction([relu(), relu()]).along([0, -1], [1, 1]).kinks
        array([0., 1.])
        """
        start, step = line_through(point, direction, self.features)
        total = PiecewiseLinear([], [0.0], [self._offset])
        for f, level, slope in zip(self._functions, start, step, strict=True):
            total = total + f.compose(PiecewiseLinear([], [slope], [level]))
        return total

    def write(self, notation: Plain, names: Sequence[str]) -> str:
        """The function in a notation, with a name for each variable."""
        parts, constants = [], [Fraction(self._offset)]
        for f, name in zip(self._functions, names, strict=True):
            terms = relu_terms(f.pieces)
            parts.append(replace(notation, variable=name).sum([t for t in terms if t.kind != "constant"]))
            constants += [Fraction(t.weight) for t in terms if t.kind == "constant"]
        level = notation.sum([Term(float(sum(constants)))])
        return joined([part for part in [*parts, level] if part != "0"])

    def to_dict(self) -> dict[str, Any]:
        """Its numbers as lists under their names, ready for JSON; `from_dict` reads them back exactly.

        An intercept is the sum of its entries in "intercepts" and in "remainders".
        """
        return {
            "kind": self.kind,
            "functions": [_numbers(f) for f in self._functions],
            "offset": self._offset,
        }

    @classmethod
    def _from_parts(cls, parts: dict[str, Any]) -> Self:
        return cls([_from_numbers(numbers) for numbers in parts["functions"]], parts["offset"])

    def to_module(self, dtype: torch.dtype | None = None) -> nn.Module:
        """The function as a torch module (*batch, d) → (*batch, 1), which exports to ONNX.

        Args:
            dtype: of its offset; torch's default dtype by default. The functions keep their float64 tables.
        """
        from halfwave.fitting.several_variables.modules import AdditiveModule

        return AdditiveModule(self._functions, self._offset, dtype)

    def __repr__(self) -> str:
        kinks = sum(len(f.kinks) for f in self._functions)
        return f"<AdditiveFunction of {self.features} variables with {kinks} kinks>"


def _numbers(f: PiecewiseLinear) -> dict[str, list[float]]:
    p = f.pieces
    parts = {
        "kinks": p.kinks,
        "slopes": p.slopes,
        "intercepts": p.intercepts.high,
        "remainders": p.intercepts.low,
        "jumps": p.jumps,
    }
    return {name: part.tolist() for name, part in parts.items()}


def _from_numbers(numbers: dict[str, Any]) -> PiecewiseLinear:
    names = ("kinks", "slopes", "intercepts", "remainders", "jumps")
    kinks, slopes, high, low, jumps = (np.asarray(numbers[name], dtype=np.float64) for name in names)
    return from_pieces(build(kinks, exact(slopes), DoubleDouble(high, low), jumps))
