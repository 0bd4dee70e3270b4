"""Maxima of affine functions, and differences of two, fitted to data by least squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.data import (
    Coordinates,
    SurfaceFit,
    checked_data,
    few_threads,
    generator,
    positive_integer,
)
from halfwave.fitting.several_variables.explicit_function import Matrix, Vector
from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine

__all__ = ["fit_max_affine", "parameters_of_max_affine"]

_SHORT, _LONG = 12, 500  # steps of each start, and of those that are finished
_FINISHED = 4  # starts that are finished
_ENOUGH = 20_000  # points that starts look at
_DAMPING, _FIRST_DAMPING = 1e-9, 1e-6  # of the weights; keeps pieces with few points where they are
_DAMPED = 1e-4  # where damping begins to be felt
_FEW = 180  # pieces whose pairs 16 bits can number
_WIDEST = 1e3  # damping beyond which no step will help
_CONVERGED = 1e-13  # relative fall of the sum of squares that ends a run


@dataclass(frozen=True, slots=True)
class _State:
    """Pieces (k, d + 1) in coordinates, with who wins where: ``u ≈ z · (pieces[first] − pieces[second])``."""

    pieces: Matrix
    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp] | None
    residuals: Vector
    sse: float


@dataclass(frozen=True, slots=True)
class _Problem:
    """Weighted rows z and heights u; the first `convex` pieces form the maximum, the others the one subtracted."""

    rows: Matrix
    heights: Vector
    convex: int
    total: float  # of the weights

    def state(self, pieces: Matrix) -> _State:
        values = self.rows @ pieces.T
        each = np.arange(len(values))
        first = values[:, : self.convex].argmax(axis=1)
        fitted, second = values[each, first], None
        if len(pieces) > self.convex:
            second = values[:, self.convex :].argmax(axis=1) + self.convex
            fitted = fitted - values[each, second]
        residuals = self.heights - fitted
        return _State(pieces, first, second, residuals, float(residuals @ residuals))

    def step(self, state: _State, damping: float) -> _State:
        """Least squares with the winners held: a Gauss-Newton step, damped towards no step."""
        matrix, gradient = self._normal_equations(state)
        matrix[np.diag_indices_from(matrix)] += damping * self.total
        change = np.linalg.solve(matrix, gradient)
        return self.state(state.pieces + change.reshape(state.pieces.shape))

    def _normal_equations(self, state: _State) -> tuple[Matrix, Vector]:
        count, width = state.pieces.shape
        matrix, gradient = np.zeros((count, width, count, width)), np.zeros((count, width))
        # Points with the same winners share one block of moments.
        code = state.first if state.second is None else state.first * count + state.second
        # Numbers of 16 bits are sorted in linear time.
        order = np.argsort(code.astype(np.int16) if count < _FEW else code, kind="stable")
        cells, begins = np.unique(code[order], return_index=True)
        rows, residuals = self.rows[order], state.residuals[order]
        for cell, begin, end in zip(cells, begins, [*begins[1:], len(order)], strict=True):
            part = rows[begin:end]
            block, pull = part.T @ part, part.T @ residuals[begin:end]
            i, j = (cell, None) if state.second is None else divmod(cell, count)
            matrix[i, :, i] += block
            gradient[i] += pull
            if j is not None:
                matrix[j, :, j] += block
                matrix[i, :, j] -= block
                matrix[j, :, i] -= block
                gradient[j] -= pull
        return matrix.reshape(count * width, -1), gradient.ravel()


@overload
def fit_max_affine(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    pieces: int,
    *,
    difference: Literal[False] = False,
    weights: npt.ArrayLike | None = None,
    starts: int = 24,
    random_state: Any = 0,
) -> SurfaceFit[MaxAffine]: ...
@overload
def fit_max_affine(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    pieces: int | tuple[int, int],
    *,
    difference: Literal[True],
    weights: npt.ArrayLike | None = None,
    starts: int = 24,
    random_state: Any = 0,
) -> SurfaceFit[DifferenceOfMaxAffine]: ...
def fit_max_affine(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    pieces: int | tuple[int, int],
    *,
    difference: bool = False,
    weights: npt.ArrayLike | None = None,
    starts: int = 24,
    random_state: Any = 0,
) -> SurfaceFit[MaxAffine] | SurfaceFit[DifferenceOfMaxAffine]:
    """Fits ``max_k (a_k · x + b_k)``, or the difference of two such maxima, by least squares.

    From each start: assign each point to the piece that is largest there, fit the pieces to their points, repeat.
    The best few are finished by the same step with damping, which never raises the sum of squares. The result is a
    local minimum.

    Args:
        x: points (n, d), finite.
        y: values (n,), finite.
        pieces: number of pieces, of each maximum if there are two; a pair gives each its own number. A piece that
            is largest at none of the points is left out of the result.
        difference: whether a second maximum is subtracted, for functions that are not convex.
        weights: weights of the squared residuals (n,), not negative.
        starts: number of random starts.
        random_state: seed of the starts, or a generator; None gives other starts each time.

    Returns:
        A `SurfaceFit` whose `function` is a `MaxAffine` or a `DifferenceOfMaxAffine`. Its `sums` are the sums of
        squares that each start reached.

    Raises:
        HalfwaveError: if shapes do not match, a number is not finite, `pieces` or `starts` is not positive, or there
            are fewer different points than parameters.

    >>> grid = np.stack(np.meshgrid(np.arange(-3, 4), np.arange(-3, 4)), axis=-1).reshape(-1, 2)
    >>> fit = fit_max_affine(grid, np.maximum(0, grid.sum(axis=1)), pieces=2)
    >>> bool(fit.sse < 1e-12), len(fit.function.slopes), round(fit.function([1, 1]), 6)
    (True, 2, 2.0)

    Source: Magnani and Boyd, Convex piecewise-linear fitting (2009); for starts Ghosh, Pananjady, Guntuboyina and
    Ramchandran, Max-affine regression (2021).
    """
    data = checked_data(x, y, weights)
    counts = _piece_counts(pieces, difference)
    coordinates = Coordinates.of(data)
    needed = parameters_of_max_affine(counts, coordinates.rank)
    if max(counts) > 1 and data.distinct() < needed:
        raise HalfwaveError(
            f"{' and '.join(map(str, counts))} pieces in {coordinates.rank} dimensions need at least {needed} "
            f"different points; got {data.distinct()}"
        )
    problem = _Problem(coordinates.rows, coordinates.heights, counts[0], float(data.weights.sum()))
    tries, random = positive_integer("`starts`", starts), generator(random_state)
    with few_threads(data):
        best, sums = _best_of(problem, counts, tries, random)
    scale = coordinates.unit**2
    used = [np.unique(best.first), np.unique(best.second) if best.second is not None else None]
    slopes, intercepts = coordinates.outside(best.pieces * coordinates.unit)
    intercepts[: counts[0]] += coordinates.level
    parts = [MaxAffine(slopes[which], intercepts[which]) for which in used if which is not None]
    function = DifferenceOfMaxAffine(*parts) if difference else parts[0]
    return SurfaceFit(function, data.sse(function), tuple(float(s * scale) for s in sums))  # pyright: ignore[reportReturnType]


def parameters_of_max_affine(counts: Sequence[int], features: int) -> int:
    """The number of free parameters of one maximum, or of the difference of two.

    >>> parameters_of_max_affine([3], features=2), parameters_of_max_affine([3, 3], features=2)
    (9, 15)
    """
    return (sum(counts) - len(counts) + 1) * (1 + features)


def _piece_counts(pieces: Any, difference: bool) -> list[int]:
    if isinstance(pieces, (tuple, list)):
        if not difference or len(pieces) != 2:
            raise HalfwaveError(
                f"`pieces` must be one number, or two with `difference=True`; got {pieces!r} "
                f"with `difference={difference}`"
            )
        return [positive_integer("`pieces`", count) for count in pieces]
    return [positive_integer("`pieces`", pieces)] * (2 if difference else 1)


def _best_of(
    problem: _Problem, counts: list[int], starts: int, random: np.random.Generator
) -> tuple[_State, list[float]]:
    """The best end of all starts, and the sum of squares that each start reached."""
    stride = max(1, len(problem.rows) // _ENOUGH)
    thin = _Problem(problem.rows[::stride], problem.heights[::stride], problem.convex, problem.total / stride)
    plane = _curved_directions(thin, sum(counts))
    # Every second start varies only where the data bend: in many dimensions others cut across all pieces.
    begun = [_begin(thin, counts, random, plane if i % 2 else None) for i in range(starts)]
    order = sorted(range(starts), key=lambda i: begun[i].sse)
    finished = {i: _finish(problem, problem.state(begun[i].pieces)) for i in order[:_FINISHED]}
    sums = [finished[i].sse if i in finished else begun[i].sse * stride for i in range(starts)]
    return min(finished.values(), key=lambda state: state.sse), sums


def _curved_directions(problem: _Problem, count: int) -> Matrix | None:
    """The span of the `count` directions in which residuals of a line bend most (d, count); None if that is all.

    They are eigenvectors of ``Σ w r (z zᵀ − 1)``, which for normal z span the slopes of the pieces.
    """
    root, z = problem.rows[:, 0], problem.rows[:, 1:]
    if count >= z.shape[1]:
        return None
    line = np.linalg.lstsq(problem.rows, problem.heights, rcond=None)[0]
    residuals = (problem.heights - problem.rows @ line) / root
    sizes, directions = np.linalg.eigh((z * residuals[:, None]).T @ z)
    return directions[:, np.argsort(-np.abs(sizes))[:count]]


def _begin(problem: _Problem, counts: list[int], random: np.random.Generator, plane: Matrix | None) -> _State:
    """The best of a few plain steps from cells round random centres."""
    centres = random.standard_normal((sum(counts), problem.rows.shape[1] - 1))
    if plane is not None:
        centres = centres @ plane @ plane.T
    # The largest of these forms is that of the nearest centre.
    nearest = problem.state(np.column_stack((-0.5 * (centres**2).sum(axis=1), centres)))
    flat = np.zeros_like(nearest.pieces)
    size = float(problem.heights @ problem.heights)
    state = _State(flat, nearest.first, nearest.second, problem.heights, size)
    state = best = problem.step(state, _FIRST_DAMPING)
    for _ in range(_SHORT):
        state = problem.step(state, _DAMPING)
        best = min(best, state, key=lambda s: s.sse)
    return best


def _finish(problem: _Problem, state: _State) -> _State:
    """Damped steps downhill until none helps."""
    damping = _DAMPING
    for _ in range(_LONG):
        tried = problem.step(state, damping)
        gain = state.sse - tried.sse
        if gain > 0:
            state, damping = tried, max(damping / 10, _DAMPING)
            if gain <= _CONVERGED * tried.sse:
                break
        elif damping > _WIDEST:
            break
        else:
            damping = max(10 * damping, _DAMPED)
    return state
