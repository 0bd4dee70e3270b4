"""What the estimators share: constraints on parameters as data, validation, prediction, the formula."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector

__all__ = ["Constraint", "ExplicitRegressor", "all_of", "is_whole"]


class Constraint(NamedTuple):
    """Which values a parameter may have, and the words for it."""

    accepts: Callable[[Any], bool]
    words: str


def is_whole(value: Any, at_least: int) -> bool:
    """Whether it is an integer, not a boolean, of at least some size."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least


def all_of(constraint: Constraint) -> Constraint:
    """A value, or a list or tuple of them."""

    def accepts(value: Any) -> bool:
        return all(map(constraint.accepts, value if isinstance(value, (list, tuple)) else [value]))

    return Constraint(accepts, f"{constraint.words}, or a list of that")


def _is_size(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < float("inf")


POSITIVE_INTEGER = Constraint(lambda v: is_whole(v, 1), "a positive integer")
WHOLE_NUMBER = Constraint(lambda v: is_whole(v, 0), "a whole number of at least 0")
KINKS = Constraint(
    lambda v: (isinstance(v, str) and v == "auto") or is_whole(v, 0), '"auto" or a whole number of at least 0'
)
FLAG = Constraint(lambda v: isinstance(v, (bool, np.bool_)), "True or False")
SIZE = Constraint(_is_size, "a finite number of at least 0")
ANYTHING = Constraint(lambda _: True, "anything")


class ExplicitRegressor(RegressorMixin, BaseEstimator):
    """A least-squares fit whose result is an explicit function.

    Attributes:
        function_: the fitted function.
        sse_: weighted sum of squared residuals of the fit.
        n_features_in_, feature_names_in_: as in every estimator of scikit-learn.
    """

    constraints: ClassVar[dict[str, Constraint]]

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Fits the function.

        Args:
            X: points (n, d), an array or a data frame, finite.
            y: values (n,), finite.
            sample_weight: weights of the squared residuals (n,), not negative.

        Returns:
            The estimator itself.

        Raises:
            HalfwaveError: if a parameter is not what it must be, or the fit refuses the data.
            ValueError: scikit-learn's, if the data are not finite numbers of the right shapes.
        """
        self._check_parameters()
        points, values = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, points)
        result = self._fitted(np.asarray(points), np.asarray(values, dtype=np.float64), weights)
        self.function_, self.sse_ = result.function, float(result.sse)
        return self

    def predict(self, X: Any) -> Vector:
        """The values of the fitted function.

        Args:
            X: points (n, d), an array or a data frame with the columns of the fit.

        Returns:
            Values (n,).

        Raises:
            sklearn.exceptions.NotFittedError: if there was no fit.
            ValueError: scikit-learn's, if the points are not finite numbers with the features of the fit.
        """
        check_is_fitted(self)
        return self._evaluated(np.asarray(validate_data(self, X, reset=False, dtype=np.float64)))

    def formula(self, digits: int | None = None) -> str:
        """The fitted function in one line, with the names of a data frame's columns where there were some.

        Args:
            digits: significant digits of each number; as many as needed by default.

        Raises:
            sklearn.exceptions.NotFittedError: if there was no fit.
        """
        check_is_fitted(self)
        return self.function_.formula(getattr(self, "feature_names_in_", None), digits)

    @abstractmethod
    def _fitted(self, x: Matrix, y: Vector, weights: Vector | None) -> Any: ...

    def _evaluated(self, x: Matrix) -> Vector:
        return self.function_(x)

    def _check_parameters(self) -> None:
        for name, constraint in self.constraints.items():
            value = getattr(self, name)
            if not constraint.accepts(value):
                raise HalfwaveError(
                    f"`{name}` of {type(self).__name__} must be {constraint.words}; got {value!r}"
                )
