"""Sums of functions of one variable each, fitted to data axis by axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.relu_sum import fit_relu_sum
from halfwave.fitting.several_variables.additive_function import AdditiveFunction
from halfwave.fitting.several_variables.data import (
    SurfaceData,
    SurfaceFit,
    checked_data,
    few_threads,
    positive_integer,
)
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.functions import PiecewiseLinear, relu_sum
from halfwave.functions.checks import non_negative_number

__all__ = ["fit_additive"]

_NOTHING = 1e-26  # of the variance of y: residuals that are rounding
_SEGMENTS = 20  # the shortest segment holds one in so many of the points, unless more segments are asked for
_SEARCHED = 2  # rounds in which "auto" may change its mind; later ones hold the number of kinks


def fit_additive(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    kinks: Any = "auto",
    max_kinks: int = 6,
    min_points: int | None = None,
    weights: npt.ArrayLike | None = None,
    monotone: Any = None,
    convex: Any = None,
    rounds: int = 20,
    tolerance: float = 1e-6,
) -> SurfaceFit[AdditiveFunction]:
    """Fits ``offset + Σ_j f_j(x_j)`` with continuous piecewise-linear f_j of free kinks, by least squares.

    Backfitting: each axis in turn gets the best function of one variable, `fit_relu_sum`, for what the others leave.
    Where nothing constrains the functions, slopes of all axes are then solved together at the kinks found, so that
    correlated features do not slow the rounds down. No round raises the sum of squares once the numbers of kinks are
    settled. The result is a local minimum.

    Args:
        x: points (n, d), finite. A constant column gets the function 0.
        y: values (n,), finite.
        kinks: number of kinks of each function, or "auto"; a list gives each axis its own.
        max_kinks: the largest number that "auto" tries for one axis.
        min_points: how many different values a segment has at least, those at its ends included; by default a
            twentieth of all, and 3 or more: what the other axes leave unexplained is no small noise, and would
            bend the ends of a function round single points.
        weights: weights of the squared residuals (n,), not negative.
        monotone: as in `fit_relu_sum`; a list gives each axis its own.
        convex: as in `fit_relu_sum`; a list gives each axis its own.
        rounds: at most this many.
        tolerance: ends when a round lowers the sum of squares by less than this fraction.

    Returns:
        A `SurfaceFit` whose `function` is an `AdditiveFunction`, each f_j of weighted mean 0 over the data. Its `sums`
        are the sums of squares at the start and after each round.

    Raises:
        HalfwaveError: if shapes do not match, a number is not finite, a list has not one entry for each axis, or
            `fit_relu_sum` refuses an axis.

    >>> x = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    >>> fit = fit_additive(x, np.abs(x[:, 0]) + x[:, 1], kinks=[1, 0])
    >>> bool(fit.sse < 1e-9), np.round(fit.function.functions[0].kinks, 6) + 0.0
    (True, array([0.]))

    Source: Hastie and Tibshirani, Generalized additive models (1986).
    """
    data = checked_data(x, y, weights)
    features = data.x.shape[1]
    numbers = _for_each_axis("kinks", kinks, features)
    bounds = {"monotone": monotone, "convex": convex}
    per_axis = {name: _for_each_axis(name, value, features) for name, value in bounds.items()}
    axes = [
        _Axis(
            numbers[j],
            max_kinks,
            min_points,
            {name: values[j] for name, values in per_axis.items() if values[j] is not None},
        )
        for j in range(features)
    ]
    backfit = _Backfit(data, axes)
    turns, fraction = positive_integer("`rounds`", rounds), non_negative_number("`tolerance`", tolerance)
    with few_threads(data):
        function, sums = backfit.run(turns, fraction)
    return SurfaceFit(function, data.sse(function), tuple(sums))


@dataclass(frozen=True, slots=True)
class _Axis:
    """What is asked of one function."""

    kinks: Any
    max_kinks: int
    min_points: int | None
    constraints: dict[str, Any]

    def fewest_points(self, x: Vector) -> int:
        """The least number of different x in a segment."""
        if self.min_points is not None:
            return self.min_points
        most = self.kinks if isinstance(self.kinks, int) else self.max_kinks
        return max(3, len(np.unique(x)) // max(_SEGMENTS, 2 * (most + 1)))


@dataclass(frozen=True, slots=True)
class _Backfit:
    data: SurfaceData
    axes: Sequence[_Axis]

    def run(self, rounds: int, tolerance: float) -> tuple[AdditiveFunction, list[float]]:
        current = self._start()
        sums = [self.data.sse(current)]
        if sums[0] <= _NOTHING * self._sum(self.data.y - self._mean(self.data.y)):
            return current, sums
        for turn in range(rounds):
            current = self._round(current, searching=turn < _SEARCHED)
            sums.append(self.data.sse(current))
            if turn >= _SEARCHED and sums[-2] - sums[-1] <= tolerance * sums[-2]:
                break
        return current, sums

    def _start(self) -> AdditiveFunction:
        """The plane, if no function is constrained, otherwise a constant."""
        zero = PiecewiseLinear([], [0.0], [0.0])
        constant = AdditiveFunction([zero] * len(self.axes), float(self._mean(self.data.y)))
        return self._together(constant) if not any(axis.constraints for axis in self.axes) else constant

    def _round(self, current: AdditiveFunction, searching: bool) -> AdditiveFunction:
        functions, parts = list(current.functions), current.parts(self.data.x)
        offset = current.offset
        for j, axis in enumerate(self.axes):
            rest = self.data.y - offset - parts.sum(axis=1) + parts[:, j]
            found = self._on_axis(j, rest, axis, None if searching else len(functions[j].kinks))
            values = found(self.data.x[:, j])
            # With the number of kinks held, the engine's optimum is approximate only where its kinks are.
            if searching or self._sum(rest - values) < self._sum(rest - parts[:, j]):
                mean = float(self._mean(values))
                functions[j], parts[:, j], offset = found - mean, values - mean, offset + mean
        axis_by_axis = AdditiveFunction(functions, offset)
        if any(axis.constraints for axis in self.axes):
            return axis_by_axis
        return min(axis_by_axis, self._together(axis_by_axis), key=self.data.sse)

    def _on_axis(self, j: int, rest: Vector, axis: _Axis, held: int | None) -> PiecewiseLinear:
        x, weights = self.data.x[:, j], self.data.weights
        if x.min() == x.max():
            return PiecewiseLinear([], [0.0], [0.0])
        kinks = axis.kinks if held is None else held
        try:
            # Neighbours along one axis differ along the others: their residuals are correlated by chance only.
            return fit_relu_sum(
                x,
                rest,
                kinks,
                weights=weights,
                max_kinks=axis.max_kinks,
                min_points=axis.fewest_points(x),
                correlation="ignore",
                **axis.constraints,
            ).function
        except HalfwaveError as error:
            raise HalfwaveError(f"column {j} of `x`: {error}") from error

    def _together(self, function: AdditiveFunction) -> AdditiveFunction:
        """Least squares in all slopes at once, at the kinks of these functions."""
        x, root = self.data.x, np.sqrt(self.data.weights)
        centre = self._mean(x)
        spread = np.sqrt(self._mean((x - centre) ** 2))
        varying = (x != x[0]).any(axis=0)
        spread = np.where(varying, spread, 1.0)
        blocks = [np.ones((len(x), 1)), np.where(varying, x - centre, 0.0) / spread]
        for j, f in enumerate(function.functions):
            blocks.append(np.maximum(x[:, j : j + 1] - f.kinks, 0.0) / spread[j])
        columns = np.hstack(blocks)
        # Columns of mean 0 keep a nearly constant hinge apart from the constant.
        columns[:, 1:] -= self._mean(columns[:, 1:])
        solution = np.linalg.lstsq(columns * root[:, None], self.data.y * root, rcond=None)[0]
        solution[1 : 1 + x.shape[1]] *= varying
        functions, begin = [], 1 + x.shape[1]
        for j, f in enumerate(function.functions):
            change = solution[begin : begin + len(f.kinks)] / spread[j]
            begin += len(f.kinks)
            shape = relu_sum(np.ones(len(f.kinks)), -f.kinks, change, solution[1 + j] / spread[j])
            functions.append(shape - float(self._mean(shape(x[:, j]))))
        return AdditiveFunction(functions, float(solution[0]))

    def _mean(self, values: Matrix) -> Any:
        return self.data.weights @ values / self.data.weights.sum()

    def _sum(self, residuals: Vector) -> float:
        return float(self.data.weights @ residuals**2)


def _for_each_axis(name: str, value: Any, features: int) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        return [value] * features
    if len(value) != features:
        raise HalfwaveError(f"`{name}` must have {features} entries, one for each feature; got {len(value)}")
    return value
