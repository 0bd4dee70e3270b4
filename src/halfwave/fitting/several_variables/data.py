"""Data of fits in several variables: checked, weighted and in coordinates that forget units."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.explicit_function import (
    ExplicitFunction,
    Matrix,
    Vector,
    finite_matrix,
)
from halfwave.functions.checks import finite_vector

__all__ = [
    "Coordinates",
    "SurfaceData",
    "SurfaceFit",
    "affordable_planes",
    "checked_data",
    "few_threads",
    "generator",
    "positive_integer",
    "whole_number",
]

_COLLINEAR = 1e-10  # variance, of the largest, below which a direction counts as determined by others
_MANY = 100_000  # points from which on the threads of BLAS pay
_COUNTED = 10_000  # points beyond which equal ones are not sought

Function = TypeVar("Function", bound=ExplicitFunction)


@dataclass(frozen=True, slots=True)
class SurfaceFit(Generic[Function]):
    """A function fitted to points in several variables.

    Attributes:
        function: the fitted function.
        sse: weighted sum of squared residuals ``Σ w (y − f(x))²``, computed from the function.
        sums: sums of squares on the way: of each start, exchange or round, as each fit says. The lowest may be a
            local minimum; that several starts reached it speaks for it and proves nothing.
    """

    function: Function
    sse: float
    sums: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SurfaceData:
    """Points of positive weight: x (n, d), y (n,), weights (n,)."""

    x: Matrix
    y: Vector
    weights: Vector

    def distinct(self) -> int:
        """Number of different points x; of many points, simply their number."""
        if len(self.x) > _COUNTED:
            return len(self.x)
        return len(np.unique(self.x, axis=0))

    def sse(self, function: ExplicitFunction) -> float:
        """The weighted sum of squared residuals."""
        residuals = self.y - function(self.x)
        return float(self.weights @ residuals**2)


def checked_data(x: npt.ArrayLike, y: npt.ArrayLike, weights: npt.ArrayLike | None) -> SurfaceData:
    """The data as float64, without points of weight zero, or HalfwaveError."""
    points = finite_matrix("`x`", x)
    if 0 in points.shape:
        raise HalfwaveError(f"`x` must hold at least one point and one feature; got shape {points.shape}")
    heights = finite_vector("`y`", y, len(points))
    if weights is None:
        return SurfaceData(points, heights, np.ones(len(points)))
    heavy = finite_vector("`weights`", weights, len(points))
    bad = np.flatnonzero(heavy < 0)
    if bad.size:
        raise HalfwaveError(f"`weights` must not be negative; got {float(heavy[bad[0]])!r} at index {bad[0]}")
    kept = heavy > 0
    if not kept.any():
        raise HalfwaveError(f"`weights` must not all be zero; got {len(heavy)} zeros")
    return SurfaceData(points[kept], heights[kept], heavy[kept])


def positive_integer(name: str, value: Any) -> int:
    """A whole number of at least 1, or HalfwaveError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise HalfwaveError(f"{name} must be a positive integer; got {value!r}")
    return int(value)


def few_threads(data: SurfaceData) -> AbstractContextManager[Any]:
    """A context in which BLAS uses one thread, unless there are many points.

    The matrices are small: handing them round threads costs more than it gains, on busy machines fifty times more.
    """
    if len(data.x) > _MANY:
        return nullcontext()
    return threadpool_limits(limits=1, user_api="blas")


def whole_number(name: str, value: Any) -> int:
    """A whole number of at least 0, or HalfwaveError."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise HalfwaveError(f"{name} must be a whole number of at least 0; got {value!r}")
    return int(value)


def generator(random_state: Any) -> np.random.Generator:
    """NumPy's generator of a seed, a `numpy.random.RandomState`, a generator, or None for a fresh one."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31))
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise HalfwaveError(
            f"`random_state` must be a seed, a generator or None; got {random_state!r}"
        ) from error


@dataclass(frozen=True, slots=True)
class Coordinates:
    """The change ``z = (1, A (x − centre))``, ``u = (y − level)/unit`` after which data have no units.

    The r features in z have weighted mean 0 and covariance 1; r is the rank of x − centre, so that z has no feature
    which others determine, and forms in z get the shortest slopes in x (in units of its spreads). A Cholesky factor is
    used for that, not eigenvectors, where the rank is full: it depends continuously on the data, so that weighting a
    point twice and repeating it lead to the same starts.

    Attributes:
        rows: the points z times the square root of their weight (n, r + 1).
        heights: u times the same (n,).
    """

    rows: Matrix
    heights: Vector
    centre: Vector  # (d,)
    transform: Matrix  # A (r, d)
    level: float
    unit: float

    @classmethod
    def of(cls, data: SurfaceData) -> Coordinates:
        """Coordinates of data."""
        total = float(data.weights.sum())
        centre = data.weights @ data.x / total
        moved = data.x - centre
        transform = _whitening(moved, data.x, data.weights / total)
        level = float(data.weights @ data.y / total)
        unit = float(np.sqrt(data.weights @ (data.y - level) ** 2 / total)) or 1.0
        root = np.sqrt(data.weights)
        rows = np.column_stack((np.ones(len(moved)), moved @ transform.T)) * root[:, None]
        return cls(rows, (data.y - level) / unit * root, centre, transform, level, unit)

    @property
    def rank(self) -> int:
        """The dimension r of the plane in which the points lie."""
        return len(self.transform)

    def outside(self, coefficients: Matrix) -> tuple[Matrix, Vector]:
        """Slopes (k, d) and intercepts (k,) in x of the forms ``coefficients · z`` (k, r + 1)."""
        slopes = coefficients[:, 1:] @ self.transform
        return slopes, coefficients[:, 0] - slopes @ self.centre


def affordable_planes(data: SurfaceData) -> int:
    """How many planes the different points could determine."""
    return data.distinct() // (1 + Coordinates.of(data).rank)


def _whitening(moved: Matrix, x: Matrix, shares: Vector) -> Matrix:
    """A matrix A (r, d) for which A x has covariance 1, given points moved to their mean and shares of sum 1."""
    # Numbers near 1 can be squared.
    size = np.abs(moved).max(axis=0)
    relative = moved / np.where(size > 0, size, 1.0)
    spread = np.sqrt(shares @ relative**2)
    # A column whose spread is rounding of its size is a constant.
    varying = np.flatnonzero(spread * size > 1e-13 * np.abs(x).max(axis=0))
    standard = relative[:, varying] / spread[varying]
    correlation = (standard * shares[:, None]).T @ standard
    sizes, vectors = np.linalg.eigh(correlation)
    independent = sizes > _COLLINEAR * sizes.max(initial=0.0)
    if independent.all():
        inner = np.linalg.inv(np.linalg.cholesky(correlation))
    else:
        inner = (vectors[:, independent] / np.sqrt(sizes[independent])).T
    transform = np.zeros((len(inner), x.shape[1]))
    transform[:, varying] = inner / spread[varying] / size[varying]
    return transform
