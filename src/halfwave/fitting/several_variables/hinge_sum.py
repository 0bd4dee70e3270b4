"""Sums of rectified linear terms in several variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from halfwave.fitting.several_variables.explicit_function import (
    ExplicitFunction,
    Matrix,
    Vector,
    finite_matrix,
    line_through,
    read_only,
)
from halfwave.fitting.several_variables.notation import affine, weighted_sum
from halfwave.functions import PiecewiseLinear, relu_sum
from halfwave.functions.checks import finite_number, finite_vector
from halfwave.functions.notation.numbers import Plain

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["HingeSum"]


class HingeSum(ExplicitFunction):
    """``f(x) = offset + slope · x + Σ_k weights[k] (slopes[k] · x + intercepts[k])⁺``.

    Its kinks lie on whole hyperplanes ``slopes[k] · x + intercepts[k] = 0``. In one dimension every continuous
    piecewise-linear function is such a sum; in two or more, ``max(0, x, y)`` is not, whose kinks end at a point
    (`MaxAffine` holds it).

    Args:
        slopes: slope inside each term (k, d), finite; k may be 0.
        intercepts: intercept inside each term (k,), finite.
        weights: factor before each term (k,), finite; all 1 by default.
        slope: slope of the linear part (d,), finite; zero by default.
        offset: value of the linear part at zero, finite.

    Raises:
        HalfwaveError: if shapes do not match or a number is not finite.

    >>> f = HingeSum([[1, 1], [1, -1]], [0, -1], weights=[2, -0.5], slope=[0, 3])
    >>> f.formula()
    '3*x2 + 2*relu(x1 + x2) - 0.5*relu(x1 - x2 - 1)'
    >>> f([1, 1]), f.gradient([[1, 1]]).tolist()
    (7.0, [[2.0, 5.0]])

    Source: Breiman, Hinging hyperplanes for regression, classification, and function approximation (1993).
    """

    kind = "hinge_sum"
    __slots__ = ("_intercepts", "_offset", "_slope", "_slopes", "_weights")

    def __init__(
        self,
        slopes: npt.ArrayLike,
        intercepts: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        slope: npt.ArrayLike | None = None,
        offset: float = 0.0,
    ) -> None:
        inside = finite_matrix("`slopes` of HingeSum", slopes)
        terms, features = inside.shape
        self._slopes = read_only(inside)
        self._intercepts = read_only(finite_vector("`intercepts` of HingeSum", intercepts, terms))
        self._weights = read_only(
            finite_vector("`weights` of HingeSum", np.ones(terms) if weights is None else weights, terms)
        )
        self._slope = read_only(
            finite_vector("`slope` of HingeSum", np.zeros(features) if slope is None else slope, features)
        )
        self._offset = finite_number("`offset` of HingeSum", offset)

    @property
    def features(self) -> int:
        return self._slopes.shape[1]

    @property
    def slopes(self) -> Matrix:
        """Slope inside each term (k, d), read-only."""
        return self._slopes

    @property
    def intercepts(self) -> Vector:
        """Intercept inside each term (k,), read-only."""
        return self._intercepts

    @property
    def weights(self) -> Vector:
        """Factor before each term (k,), read-only."""
        return self._weights

    @property
    def slope(self) -> Vector:
        """Slope of the linear part (d,), read-only."""
        return self._slope

    @property
    def offset(self) -> float:
        """Value of the linear part at zero."""
        return self._offset

    def _values(self, x: Matrix) -> Vector:
        terms = np.maximum(x @ self._slopes.T + self._intercepts, 0.0)
        return terms @ self._weights + x @ self._slope + self._offset

    def _gradients(self, x: Matrix) -> Matrix:
        active = x @ self._slopes.T + self._intercepts > 0
        return (active * self._weights) @ self._slopes + self._slope

    def along(self, point: npt.ArrayLike, direction: npt.ArrayLike) -> PiecewiseLinear:
        """The restriction to a line, ``t ↦ f(point + t direction)``, as an exact function of t.

        Args:
            point: where t is 0 (d,), finite.
            direction: step for t = 1 (d,), finite.

        Raises:
            HalfwaveError: if a shape does not match or a number is not finite.

        >>> HingeSum([[1, 1]], [-1]).along([0, 0], [1, 1]).kinks
        array([0.5])
        """
        start, step = line_through(point, direction, self.features)
        return relu_sum(
            self._slopes @ step,
            self._slopes @ start + self._intercepts,
            self._weights,
            float(self._slope @ step),
            float(self._slope @ start) + self._offset,
        )

    def write(self, notation: Plain, names: Sequence[str]) -> str:
        """The function in a notation, with a name for each variable."""
        inner = [
            notation.relu(affine(notation, slopes, float(intercept), names))
            for slopes, intercept in zip(self._slopes, self._intercepts, strict=True)
        ]
        terms = [
            *zip(self._slope.tolist(), names, strict=True),
            *zip(self._weights.tolist(), inner, strict=True),
        ]
        return weighted_sum(notation, terms, self._offset)

    def to_dict(self) -> dict[str, Any]:
        """Its numbers as lists under their names, ready for JSON; `from_dict` reads them back exactly.

        >>> HingeSum([[1, 2]], [3]).to_dict()["slopes"]
        [[1.0, 2.0]]
        """
        return {
            "kind": self.kind,
            "slopes": self._slopes.tolist(),
            "intercepts": self._intercepts.tolist(),
            "weights": self._weights.tolist(),
            "slope": self._slope.tolist(),
            "offset": self._offset,
        }

    @classmethod
    def _from_parts(cls, parts: dict[str, Any]) -> Self:
        slopes = np.asarray(parts["slopes"], dtype=np.float64).reshape(-1, len(parts["slope"]))
        return cls(slopes, parts["intercepts"], parts["weights"], parts["slope"], parts["offset"])

    def to_module(self, dtype: torch.dtype | None = None) -> nn.Module:
        """The function as a trainable `halfwave.nn.ReLUSum` (*batch, d) → (*batch, 1), which exports to ONNX.

        Args:
            dtype: of its parameters; torch's default dtype by default.
        """
        from halfwave.fitting.several_variables.modules import relu_sum_module

        return relu_sum_module(
            self._slopes, self._intercepts, self._weights, self._slope, self._offset, dtype
        )

    def __repr__(self) -> str:
        return f"<HingeSum of {self.features} variables with {len(self._weights)} terms>"
