"""Maxima of affine functions, and differences of two, as an estimator."""

from __future__ import annotations

from typing import Any, ClassVar

from halfwave.fitting.estimators.base import ANYTHING, FLAG, POSITIVE_INTEGER, Constraint, ExplicitRegressor
from halfwave.fitting.several_variables.data import SurfaceFit, affordable_planes, checked_data
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.fitting.several_variables.max_affine import fit_max_affine
from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine

__all__ = ["MaxAffineRegressor"]


class MaxAffineRegressor(ExplicitRegressor):
    """Regression by ``max_k (a_k · x + b_k)``, or a difference of two; see `halfwave.fitting.fit_max_affine`.

    Args:
        pieces: number of pieces, of each maximum if there are two; fewer where the data have fewer different points
            than such a function has parameters.
        difference: whether a second maximum is subtracted, for functions that are not convex.
        starts: number of random starts.
        random_state: seed of the starts, a generator, or None.

    Attributes:
        function_: the fitted `MaxAffine` or `DifferenceOfMaxAffine`.
        sse_: weighted sum of squared residuals of the fit.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> model = MaxAffineRegressor(pieces=3).fit(x, np.maximum(0, x.max(axis=1)))
    >>> round(model.score(x, np.maximum(0, x.max(axis=1))), 9)
    1.0
    """

    constraints: ClassVar[dict[str, Constraint]] = {
        "pieces": POSITIVE_INTEGER,
        "difference": FLAG,
        "starts": POSITIVE_INTEGER,
        "random_state": ANYTHING,
    }

    function_: MaxAffine | DifferenceOfMaxAffine

    def __init__(
        self, pieces: int = 4, *, difference: bool = False, starts: int = 24, random_state: Any = 0
    ) -> None:
        self.pieces = pieces
        self.difference = difference
        self.starts = starts
        self.random_state = random_state

    def _fitted(
        self, x: Matrix, y: Vector, weights: Vector | None
    ) -> SurfaceFit[MaxAffine] | SurfaceFit[DifferenceOfMaxAffine]:
        # In planes: a maximum of k costs k of them, a difference 2 k − 1.
        affordable = affordable_planes(checked_data(x, y, weights))
        most = (affordable + 1) // 2 if self.difference else affordable
        pieces = max(1, min(self.pieces, most))
        options = {"weights": weights, "starts": self.starts, "random_state": self.random_state}
        if self.difference:
            return fit_max_affine(x, y, pieces, difference=True, **options)
        return fit_max_affine(x, y, pieces, **options)
