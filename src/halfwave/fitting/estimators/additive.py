"""Sums of functions of one variable each as an estimator."""

from __future__ import annotations

from typing import Any, ClassVar

from halfwave.fitting.estimators.base import (
    ANYTHING,
    KINKS,
    POSITIVE_INTEGER,
    SIZE,
    WHOLE_NUMBER,
    Constraint,
    ExplicitRegressor,
    all_of,
    is_whole,
)
from halfwave.fitting.several_variables.additive import fit_additive
from halfwave.fitting.several_variables.additive_function import AdditiveFunction
from halfwave.fitting.several_variables.data import SurfaceFit
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector

__all__ = ["AdditiveReLURegressor"]


class AdditiveReLURegressor(ExplicitRegressor):
    """Regression by ``offset + Σ_j f_j(x_j)``, each f_j piecewise linear; see `halfwave.fitting.fit_additive`.

    Args:
        kinks: number of kinks of each function, or "auto"; a list gives each feature its own.
        max_kinks: the largest number that "auto" tries for one feature.
        min_points: how many different values a segment has at least; by default a twentieth of all.
        monotone: as in `halfwave.fitting.fit_relu_sum`; a list gives each feature its own.
        convex: as in `halfwave.fitting.fit_relu_sum`; a list gives each feature its own.
        rounds: at most this many passes over the features.
        tolerance: ends when a pass lowers the sum of squares by less than this fraction.

    Attributes:
        function_: the fitted `AdditiveFunction`.
        sse_: weighted sum of squared residuals of the fit.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> model = AdditiveReLURegressor(kinks=[1, 0]).fit(x, np.abs(x[:, 0]) + x[:, 1])
    >>> round(model.score(x, np.abs(x[:, 0]) + x[:, 1]), 9)
    1.0
    """

    constraints: ClassVar[dict[str, Constraint]] = {
        "kinks": all_of(KINKS),
        "max_kinks": WHOLE_NUMBER,
        "min_points": Constraint(
            lambda v: v is None or is_whole(v, 2), "None or a whole number of at least 2"
        ),
        "monotone": ANYTHING,
        "convex": ANYTHING,
        "rounds": POSITIVE_INTEGER,
        "tolerance": SIZE,
    }

    function_: AdditiveFunction

    def __init__(
        self,
        kinks: Any = "auto",
        *,
        max_kinks: int = 6,
        min_points: int | None = None,
        monotone: Any = None,
        convex: Any = None,
        rounds: int = 20,
        tolerance: float = 1e-6,
    ) -> None:
        self.kinks = kinks
        self.max_kinks = max_kinks
        self.min_points = min_points
        self.monotone = monotone
        self.convex = convex
        self.rounds = rounds
        self.tolerance = tolerance

    def _fitted(self, x: Matrix, y: Vector, weights: Vector | None) -> SurfaceFit[AdditiveFunction]:
        return fit_additive(
            x,
            y,
            kinks=self.kinks,
            max_kinks=self.max_kinks,
            min_points=self.min_points,
            weights=weights,
            monotone=self.monotone,
            convex=self.convex,
            rounds=self.rounds,
            tolerance=self.tolerance,
        )
