"""Sums of rectified linear terms in several variables fitted to data: greedy start, then all terms together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.data import (
    Coordinates,
    SurfaceFit,
    checked_data,
    few_threads,
    generator,
    whole_number,
)
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.fitting.several_variables.hinge_problem import HingeProblem, HingeState, on_host
from halfwave.fitting.several_variables.hinge_sum import HingeSum

__all__ = ["fit_hinge_sum", "parameters_of_hinge_sum"]

_SCORED = 4_000  # points that candidates are scored on
_DIRECTIONS = 32  # random directions of candidates, besides the axes and those of curvature
_QUANTILES = np.linspace(0.1, 0.9, 7)  # where on a direction candidates bend
_TRIED = 3  # candidates that are tried in earnest
_ALIKE = 0.95  # cosine from which two candidates count as one
_TRIAL_STEPS, _TRIAL_TOLERANCE = 5, 1e-6
_LONG, _CONVERGED = 300, 1e-10
_NOTHING = 1e-26  # of the variance of y: residuals that are rounding


def fit_hinge_sum(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    terms: int,
    *,
    weights: npt.ArrayLike | None = None,
    exchanges: int = 2,
    random_state: Any = 0,
    device: str | None = None,
) -> SurfaceFit[HingeSum]:
    """Fits ``offset + slope · x + Σ_k weights[k] (slopes[k] · x + intercepts[k])⁺`` by least squares.

    Terms enter one at a time, each the best of many random hinges for what is left of y (projection pursuit). Then
    all move together by Levenberg-Marquardt steps in which the linear part is solved exactly (variable projection).
    At last the least useful term is exchanged for a new one where that lowers the sum of squares. The result is a
    local minimum.

    Args:
        x: points (n, d), finite.
        y: values (n,), finite.
        terms: number of rectified terms, 0 for a plane. One whose kink does not pass between the data is part of the
            plane there, and left out of the result.
        weights: weights of the squared residuals (n,), not negative.
        exchanges: number of exchanges tried after the greedy start.
        random_state: seed of the candidates, or a generator; None gives others each time.
        device: None computes in NumPy; "cpu", "cuda" or another name in torch, there.

    Returns:
        A `SurfaceFit` whose `function` is a `HingeSum` with slopes of length 1. Its `sums` are the sums of squares
        after the greedy start and after each exchange.

    Raises:
        HalfwaveError: if shapes do not match, a number is not finite, `terms` is negative, there are fewer
            different points than parameters, or torch has no such device.

    >>> grid = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2)
    >>> fit = fit_hinge_sum(grid, np.abs(grid.sum(axis=1)), terms=1)
    >>> bool(fit.sse < 1e-12), round(fit.function([2, 1]), 6)
    (True, 3.0)

    Source: Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems whose
    variables separate (1973), with Kaufman's approximation (1975); for the greedy start Breiman, Hinging hyperplanes
    (1993).
    """
    data = checked_data(x, y, weights)
    count, rounds = whole_number("`terms`", terms), whole_number("`exchanges`", exchanges)
    coordinates = Coordinates.of(data)
    needed = parameters_of_hinge_sum(count, coordinates.rank)
    if count and data.distinct() < needed:
        raise HalfwaveError(
            f"{count} terms in {coordinates.rank} dimensions need at least {needed} different points; "
            f"got {data.distinct()}"
        )
    problem = HingeProblem(_placed(coordinates.rows, device), _placed(coordinates.heights, device))
    pursuit = _Pursuit.of(problem, coordinates, generator(random_state))
    with few_threads(data):
        state, sums = pursuit.run(count, rounds)
    function = _function(state, problem, coordinates)
    return SurfaceFit(function, data.sse(function), tuple(float(s * coordinates.unit**2) for s in sums))


def parameters_of_hinge_sum(terms: int, features: int) -> int:
    """The number of free parameters: a line, and for each term a hyperplane and a weight.

    >>> parameters_of_hinge_sum(terms=6, features=3)
    28
    """
    return (1 + terms) * (1 + features)


def _placed(array: Matrix, device: str | None) -> Any:
    """The array in NumPy, or as a tensor on a device."""
    if device is None:
        return array
    import torch

    try:
        return torch.as_tensor(array).to(torch.device(device))
    except (RuntimeError, AssertionError, TypeError) as error:
        raise HalfwaveError(f"`device` must be one that torch can use; got {device!r}") from error


@dataclass(frozen=True, slots=True)
class _Pursuit:
    """The search for good hinges, with a thinned copy of the rows on which candidates are scored."""

    problem: HingeProblem
    random: np.random.Generator
    stride: int
    rows: Matrix  # (m, d + 1), times the square root of the weights
    total: float  # of the weights

    @classmethod
    def of(cls, problem: HingeProblem, coordinates: Coordinates, random: np.random.Generator) -> _Pursuit:
        stride = max(1, len(coordinates.rows) // _SCORED)
        total = float(coordinates.rows[:, 0] @ coordinates.rows[:, 0])
        return cls(problem, random, stride, coordinates.rows[::stride], total)

    def run(self, count: int, exchanges: int) -> tuple[HingeState, list[float]]:
        state = self.problem.solve(np.zeros((0, self.problem.width)))
        while len(state.forms) < count and not self._is_nothing(state):
            state = self._with_one_more(state)
        state = self.problem.descend(state, _LONG, _CONVERGED)
        sums = [state.sse]
        for _ in range(exchanges if count else 0):
            if self._is_nothing(state):
                break
            changed = self._with_one_more(self._without_the_least(state))
            changed = self.problem.descend(changed, _LONG, _CONVERGED)
            sums.append(changed.sse)
            state = min(state, changed, key=lambda s: s.sse)
        return state, sums

    def _is_nothing(self, state: HingeState) -> bool:
        return state.sse <= _NOTHING * self.total

    def _without_the_least(self, state: HingeState) -> HingeState:
        fewer = [self.problem.solve(np.delete(state.forms, k, axis=0)) for k in range(len(state.forms))]
        return min(fewer, key=lambda s: s.sse)

    def _with_one_more(self, state: HingeState) -> HingeState:
        """The best of a few unlike candidates, after a few steps of all terms."""
        residuals = self.problem.residuals(state)[:: self.stride]
        candidates = self._candidates(residuals)
        chosen: list[Vector] = []
        for i in np.argsort(-self._gains(candidates, state.forms, residuals)):
            if all(abs(candidates[i] @ other) < _ALIKE for other in chosen):
                chosen.append(candidates[i])
            if len(chosen) == _TRIED:
                break
        tried = [self.problem.solve(np.vstack((state.forms, form))) for form in chosen]
        return min(
            (self.problem.descend(s, _TRIAL_STEPS, _TRIAL_TOLERANCE) for s in tried), key=lambda s: s.sse
        )

    def _candidates(self, residuals: Vector) -> Matrix:
        """Forms (c, d + 1) of length 1: random directions, axes and curvatures, bent at quantiles of the data."""
        root, z = self.rows[:, 0], self.rows[:, 1:]
        features = z.shape[1]
        drawn = self.random.standard_normal((_DIRECTIONS, features))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        curved = np.linalg.eigh((z * (residuals / root)[:, None]).T @ z)[1].T
        directions = np.vstack((drawn, np.eye(features), curved))
        places = _quantiles(z / root[:, None] @ directions.T, root**2)
        forms = np.column_stack((-places.ravel(), np.tile(directions, (len(_QUANTILES), 1))))
        return forms / np.linalg.norm(forms, axis=1, keepdims=True)

    def _gains(self, candidates: Matrix, forms: Matrix, residuals: Vector) -> Vector:
        """How much each candidate alone would lower the sum of squares, with line and weights refitted (c,)."""
        present = np.hstack((self.rows, np.maximum(self.rows @ forms.T, 0.0)))
        basis = np.linalg.qr(present)[0]
        terms = np.maximum(self.rows @ candidates.T, 0.0)
        size = (terms**2).sum(axis=0)
        new = size - ((basis.T @ terms) ** 2).sum(axis=0)
        useful = new > 1e-6 * size
        return np.where(useful, (residuals @ terms) ** 2 / np.where(useful, new, 1.0), 0.0)


def _quantiles(values: Matrix, weights: Vector) -> Matrix:
    """Weighted quantiles of each column (quantiles, columns), the same for a weight of 2 and for two points."""
    order = np.argsort(values, axis=0, kind="stable")
    running = np.cumsum(weights[order], axis=0)
    rows = [np.argmax(running >= quantile * running[-1], axis=0) for quantile in _QUANTILES]
    columns = np.arange(values.shape[1])
    return np.stack([values[order[row, columns], columns] for row in rows])


def _function(state: HingeState, problem: HingeProblem, coordinates: Coordinates) -> HingeSum:
    """The state in the user's coordinates, without terms that do not bend between the data."""
    line, kept = state.line.copy(), []
    rows = on_host(problem.rows)
    for k, (form, weight) in enumerate(zip(state.forms, state.weights, strict=True)):
        active = rows @ form > 0
        if active.all():
            line += weight * form
        elif active.any() and weight != 0:
            kept.append(k)
    slopes, intercepts = coordinates.outside(state.forms[kept])
    lengths = np.linalg.norm(slopes, axis=1)
    slope, offset = coordinates.outside(line[None] * coordinates.unit)
    return HingeSum(
        slopes / lengths[:, None],
        intercepts / lengths,
        state.weights[kept] * lengths * coordinates.unit,
        slope[0],
        float(offset[0]) + coordinates.level,
    )
