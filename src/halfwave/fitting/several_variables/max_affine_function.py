"""Maxima of affine functions, and differences of two such maxima."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.explicit_function import (
    ExplicitFunction,
    Matrix,
    Vector,
    finite_matrix,
    line_through,
    read_only,
)
from halfwave.fitting.several_variables.notation import affine, maximum
from halfwave.functions import PiecewiseLinear
from halfwave.functions.checks import finite_vector
from halfwave.functions.notation.numbers import Plain

if TYPE_CHECKING:
    import torch
    from torch import nn

    from halfwave.fitting.several_variables.modules import MaxAffineModule

__all__ = ["DifferenceOfMaxAffine", "MaxAffine"]


class MaxAffine(ExplicitFunction):
    """``f(x) = max_k (slopes[k] · x + intercepts[k])``, which is convex.

    Every convex piecewise-linear function on d-dimensional space is of this form.

    Args:
        slopes: slope of each piece (k, d), k ≥ 1, finite.
        intercepts: value of each piece at zero (k,), finite.

    Raises:
        HalfwaveError: if there is no piece, shapes do not match or a number is not finite.

    >>> f = MaxAffine([[0, 0], [2, 0], [0, 2]], [0, 0, 0])
    >>> f.formula()
    'max(0, 2*x1, 2*x2)'
    >>> f([[1, 3], [-1, -1]]), f.gradient([1, 3])
    (array([6., 0.]), array([0., 2.]))

    Source: Magnani and Boyd, Convex piecewise-linear fitting (2009).
    """

    kind = "max_affine"
    __slots__ = ("_intercepts", "_slopes")

    def __init__(self, slopes: npt.ArrayLike, intercepts: npt.ArrayLike) -> None:
        steep = finite_matrix("`slopes` of MaxAffine", slopes)
        if not len(steep):
            raise HalfwaveError(f"MaxAffine needs at least one piece; got slopes of shape {steep.shape}")
        self._slopes = read_only(steep)
        self._intercepts = read_only(finite_vector("`intercepts` of MaxAffine", intercepts, len(steep)))

    @property
    def features(self) -> int:
        return self._slopes.shape[1]

    @property
    def slopes(self) -> Matrix:
        """Slope of each piece (k, d), read-only."""
        return self._slopes

    @property
    def intercepts(self) -> Vector:
        """Value of each piece at zero (k,), read-only."""
        return self._intercepts

    def piece(self, x: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """The index of the largest piece at each point, the first one of several.

        Args:
            x: points (*batch, d).

        Returns:
            Indices (*batch).

        Raises:
            HalfwaveError: if `x` does not end in d features.

        >>> MaxAffine([[0.0], [2.0]], [0.0, 0.0]).piece([[-1.0], [1.0]])
        array([0, 1])
        """
        return np.argmax(self._points(x).astype(np.float64) @ self._slopes.T + self._intercepts, axis=-1)

    def _values(self, x: Matrix) -> Vector:
        return (x @ self._slopes.T + self._intercepts).max(axis=1)

    def _gradients(self, x: Matrix) -> Matrix:
        return self._slopes[self.piece(x)]

    def along(self, point: npt.ArrayLike, direction: npt.ArrayLike) -> PiecewiseLinear:
        """The restriction to a line, ``t ↦ f(point + t direction)``, as an exact function of t.

        Args:
            point: where t is 0 (d,), finite.
            direction: step for t = 1 (d,), finite.

        Raises:
            HalfwaveError: if a shape does not match or a number is not finite.

        >>> MaxAffine([[0, 0], [2, 0], [0, 2]], [0, -1, -1]).along([0, 0], [1, 1]).formula()
        'relu(2*x - 1)'
        """
        start, step = line_through(point, direction, self.features)
        slopes, levels = self._slopes @ step, self._slopes @ start + self._intercepts
        total = PiecewiseLinear([], slopes[:1], levels[:1])
        for slope, level in zip(slopes[1:], levels[1:], strict=True):
            total = total.maximum(PiecewiseLinear([], [slope], [level]))
        return total

    def write(self, notation: Plain, names: Sequence[str]) -> str:
        """The function in a notation, with a name for each variable."""
        pieces = [
            affine(notation, slopes, float(intercept), names)
            for slopes, intercept in zip(self._slopes, self._intercepts, strict=True)
        ]
        return pieces[0] if len(pieces) == 1 else maximum(notation, pieces)

    def to_dict(self) -> dict[str, Any]:
        """Its numbers as lists under their names, ready for JSON; `from_dict` reads them back exactly.

        >>> MaxAffine([[1, 2]], [3]).to_dict()
        {'kind': 'max_affine', 'slopes': [[1.0, 2.0]], 'intercepts': [3.0]}
        """
        return {"kind": self.kind, "slopes": self._slopes.tolist(), "intercepts": self._intercepts.tolist()}

    @classmethod
    def _from_parts(cls, parts: dict[str, Any]) -> Self:
        return cls(parts["slopes"], parts["intercepts"])

    def to_module(self, dtype: torch.dtype | None = None) -> MaxAffineModule:
        """The function as a trainable torch module (*batch, d) → (*batch, 1), which exports to ONNX.

        Args:
            dtype: of its parameters; torch's default dtype by default.
        """
        import torch

        from halfwave.fitting.several_variables.modules import MaxAffineModule

        dtype = dtype or torch.get_default_dtype()
        return MaxAffineModule(
            torch.tensor(self._slopes, dtype=dtype), torch.tensor(self._intercepts, dtype=dtype)
        )

    def __repr__(self) -> str:
        return f"<MaxAffine of {self.features} variables with {len(self._intercepts)} pieces>"


class DifferenceOfMaxAffine(ExplicitFunction):
    """``f(x) = convex(x) − subtracted(x)``, the difference of two maxima of affine functions.

    Every continuous piecewise-linear function on d-dimensional space is of this form, and in more than one way: an
    affine function added to both leaves f as it is.

    Args:
        convex: the first maximum.
        subtracted: the maximum subtracted from it, of as many variables.

    Raises:
        HalfwaveError: if a part is not a `MaxAffine` or the numbers of variables differ.

    >>> f = DifferenceOfMaxAffine(MaxAffine([[0], [1]], [0, 0]), MaxAffine([[0], [1]], [0, -1]))
    >>> f.formula(), f([[0.5], [7.0]])
    ('max(0, x1) - max(0, x1 - 1)', array([0.5, 1. ]))

    Source: Siahkamari et al., Piecewise linear regression via a difference of convex functions (ICML 2020).
    """

    kind = "difference_of_max_affine"
    __slots__ = ("_convex", "_subtracted")

    def __init__(self, convex: MaxAffine, subtracted: MaxAffine) -> None:
        for name, part in (("convex", convex), ("subtracted", subtracted)):
            if not isinstance(part, MaxAffine):
                raise HalfwaveError(
                    f"`{name}` of DifferenceOfMaxAffine must be a MaxAffine; got {type(part).__name__}"
                )
        if convex.features != subtracted.features:
            raise HalfwaveError(
                "the parts of DifferenceOfMaxAffine must have as many variables; "
                f"got {convex.features} and {subtracted.features}"
            )
        self._convex, self._subtracted = convex, subtracted

    @property
    def features(self) -> int:
        return self._convex.features

    @property
    def convex(self) -> MaxAffine:
        """The first maximum."""
        return self._convex

    @property
    def subtracted(self) -> MaxAffine:
        """The maximum that is subtracted."""
        return self._subtracted

    def _values(self, x: Matrix) -> Vector:
        return self._convex._values(x) - self._subtracted._values(x)

    def _gradients(self, x: Matrix) -> Matrix:
        return self._convex._gradients(x) - self._subtracted._gradients(x)

    def along(self, point: npt.ArrayLike, direction: npt.ArrayLike) -> PiecewiseLinear:
        """The restriction to a line, as in `MaxAffine.along`."""
        return self._convex.along(point, direction) - self._subtracted.along(point, direction)

    def write(self, notation: Plain, names: Sequence[str]) -> str:
        """The function in a notation, with a name for each variable."""
        second = self._subtracted.write(notation, names)
        if len(self._subtracted.intercepts) == 1:
            second = notation.brackets(second)
        return f"{self._convex.write(notation, names)} - {second}"

    def to_dict(self) -> dict[str, Any]:
        """Its parts as dictionaries, ready for JSON; `from_dict` reads them back exactly."""
        return {"kind": self.kind, "convex": self._convex.to_dict(), "subtracted": self._subtracted.to_dict()}

    @classmethod
    def _from_parts(cls, parts: dict[str, Any]) -> Self:
        return cls(MaxAffine.from_dict(parts["convex"]), MaxAffine.from_dict(parts["subtracted"]))

    def to_module(self, dtype: torch.dtype | None = None) -> nn.Module:
        """The function as a trainable torch module, as in `MaxAffine.to_module`."""
        from halfwave.fitting.several_variables.modules import DifferenceOfMaxAffineModule

        return DifferenceOfMaxAffineModule(self._convex.to_module(dtype), self._subtracted.to_module(dtype))

    def __repr__(self) -> str:
        pieces = len(self._convex.intercepts), len(self._subtracted.intercepts)
        return f"<DifferenceOfMaxAffine of {self.features} variables with {pieces[0]} and {pieces[1]} pieces>"
