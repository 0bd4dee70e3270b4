"""The best sum of rectified terms in one variable as an estimator."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from halfwave.errors import HalfwaveError
from halfwave.fitting.estimators.base import (
    ANYTHING,
    KINKS,
    POSITIVE_INTEGER,
    WHOLE_NUMBER,
    Constraint,
    ExplicitRegressor,
)
from halfwave.fitting.relu_sum import fit_relu_sum
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.functions import PiecewiseLinear

__all__ = ["ReLUSumRegressor"]


class ReLUSumRegressor(ExplicitRegressor):
    """Regression on one feature by the best continuous piecewise-linear function; see `halfwave.fitting.fit_relu_sum`.

    It takes one feature, as (n,) or (n, 1), and says so in its tags as `sklearn.isotonic.IsotonicRegression` does;
    `AdditiveReLURegressor` takes several. For other numbers of kinks, criteria and intervals call `fit_relu_sum`.

    Args:
        kinks, max_kinks, criterion, correlation, min_points, monotone, convex, continuous, loss, quantile: as in
            `halfwave.fitting.fit_relu_sum`.

    Attributes:
        function_: the fitted `halfwave.functions.PiecewiseLinear`.
        sse_: weighted sum of squared residuals of the fit.

    >>> x = np.linspace(-1, 1, 50)
    >>> model = ReLUSumRegressor(kinks=1).fit(x, np.abs(x))
    >>> np.round(model.predict([[-0.5], [2.0]]), 9)
    array([0.5, 2. ])
    """

    constraints: ClassVar[dict[str, Constraint]] = {
        "kinks": KINKS,
        "max_kinks": WHOLE_NUMBER,
        "criterion": ANYTHING,
        "correlation": ANYTHING,
        "min_points": POSITIVE_INTEGER,
        "monotone": ANYTHING,
        "convex": ANYTHING,
        "continuous": ANYTHING,
        "loss": ANYTHING,
        "quantile": ANYTHING,
    }

    function_: PiecewiseLinear

    def __init__(
        self,
        kinks: Any = "auto",
        *,
        max_kinks: int = 12,
        criterion: Any = "bic",
        correlation: Any = "warn",
        min_points: int = 3,
        monotone: Any = None,
        convex: Any = None,
        continuous: bool = True,
        loss: Any = "squares",
        quantile: float = 0.5,
    ) -> None:
        self.kinks = kinks
        self.max_kinks = max_kinks
        self.criterion = criterion
        self.correlation = correlation
        self.min_points = min_points
        self.monotone = monotone
        self.convex = convex
        self.continuous = continuous
        self.loss = loss
        self.quantile = quantile

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Fits the function; arguments and errors as in every estimator here, X being (n,) or (n, 1)."""
        return super().fit(self._table(X), y, sample_weight)

    def predict(self, X: Any) -> Vector:
        """The values of the fitted function (n,) at X, (n,) or (n, 1)."""
        return super().predict(self._table(X))

    def formula(self, digits: int | None = None) -> str:
        """The fitted function in one line, with as many significant digits as needed or as asked for."""
        check_is_fitted(self)
        return self.function_.formula(digits=digits)

    def _fitted(self, x: Matrix, y: Vector, weights: Vector | None) -> Any:
        bounds = {"monotone": self.monotone, "convex": self.convex}
        return fit_relu_sum(
            self._column(x),
            y,
            self.kinks,
            weights=weights,
            max_kinks=self.max_kinks,
            criterion=self.criterion,
            correlation=self.correlation,
            min_points=self.min_points,
            continuous=self.continuous,
            loss=self.loss,
            quantile=self.quantile,
            **{name: value for name, value in bounds.items() if value is not None},
        )

    def _evaluated(self, x: Matrix) -> Vector:
        return self.function_(self._column(x))

    def _table(self, x: Any) -> Any:
        """A vector as a table of one column."""
        return np.reshape(x, (-1, 1)) if np.ndim(x) == 1 else x

    def _column(self, x: Matrix) -> Vector:
        if x.shape[1] != 1:
            raise HalfwaveError(
                f"ReLUSumRegressor takes one feature, and AdditiveReLURegressor several; got {x.shape[1]} features"
            )
        return x[:, 0]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        # What scikit-learn calls two-dimensional input has any number of columns.
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
