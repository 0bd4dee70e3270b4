"""What a fit of a sum of ReLUs returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.fitting.cells import Cells
from halfwave.fitting.intervals import Intervals, Method, Problem, intervals_of
from halfwave.fitting.lower_bound import lower_bound
from halfwave.fitting.observations import Scale, times_as_numbers
from halfwave.functions import PiecewiseLinear
from halfwave.functions.double_double import Vector

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is known about a fit's optimality."""

    optimal_on_grid: bool
    """Whether no fit with its kinks on the grid is better than the best one found there. Off the grid the
    search is local."""
    grid_size: int
    """Number of candidate kinks, the ends of the data included."""
    grid_sse: float
    """Sum of squares of the best fit on the grid, from which the search went on off the grid."""

    def __str__(self) -> str:
        proof = "optimal" if self.optimal_on_grid else "not proven optimal"
        return f"{proof} on a grid of {self.grid_size} candidate kinks (SSE {self.grid_sse:.6g}), polished off it"


@dataclass(frozen=True, slots=True)
class FitRow:
    """The best fit with one number of kinks."""

    kinks: Vector
    """Where the kinks are (k,)."""
    function: PiecewiseLinear
    """The fit."""
    sse: float
    """Weighted sum of squared residuals, from the data."""
    criteria: dict[str, float]
    """Criteria by name; smaller is better."""
    certificate: Certificate


@dataclass(frozen=True)
class ReLUSumFit:
    """The least-squares fit of a sum of ReLUs, with all smaller ones beside it.

    >>> from halfwave.fitting import fit_relu_sum
    >>> fit = fit_relu_sum([0, 1, 2, 3, 4, 5, 6], [3, 2, 1, 0, 1, 2, 3], kinks=1)
    >>> fit.kinks.round(12), fit.function(4.5).__round__(12)
    (array([3.]), 1.5)
    """

    function: PiecewiseLinear
    """The fit: a sum of ReLUs plus a line, exact."""
    kinks: Vector
    """Where the kinks are (k,), in the units of x (seconds where x was a datetime)."""
    sse: float
    """Weighted sum of squared residuals, recomputed from the data."""
    certificate: Certificate
    """Whether the fit is optimal on its grid of candidates."""
    criterion: str
    """What chose the number of kinks, or "given"."""
    x: Vector = field(repr=False)
    """The abscissae as numbers (n,), in the user's order."""
    y: Vector = field(repr=False)
    """The ordinates (n,)."""
    weights: Vector | None = field(repr=False)
    """The weights (n,) that were asked for."""
    x_unit: str | None
    """What a number in `x` counts where x was a datetime or a duration."""
    autocorrelation: float
    """Correlation of neighbouring residuals, in the order of x; NaN where large data were not sorted."""
    _rows: Callable[[], tuple[FitRow, ...]] = field(repr=False)
    _cells: Cells = field(repr=False)
    _scale: Scale = field(repr=False)
    _problem: Problem = field(repr=False)

    @cached_property
    def table(self) -> tuple[FitRow, ...]:
        """The best fit for each number of kinks up to the asked one, from 0; computed when first read."""
        return self._rows()

    @cached_property
    def residuals(self) -> Vector:
        """``y − function(x)`` (n,), in the user's order."""
        return self.y - self.function(self.x)

    @cached_property
    def lower_bound(self) -> float:
        """No fit with so many kinks, on a grid or not, has a smaller sum of squares than this.

        It is the best fit with the same number of pieces that need not meet; for more than 1024 different x it
        leaves out the data next to each cut, which keeps it a bound.

        Source: Bellman (1961), Comm. ACM 4, 284.
        """
        bound = lower_bound(self._cells, len(self.kinks) + 1) * self._scale.y_unit**2
        # Rounding of sums in another order may not turn a tight bound into a wrong one.
        return min(bound, self.sse)

    def intervals(
        self, level: float = 0.95, method: Method = "profile", resamples: int = 200, seed: int = 0
    ) -> Intervals:
        """Confidence intervals of all kinks and slopes, in the units of x and y.

        Args:
            level: nominal coverage, inside (0, 1).
            method: "profile" (profile likelihood: how much the best fit with the kink elsewhere costs; slopes by
                the delta method), "delta" (first order; too short for weak kinks) or "bootstrap" (residuals
                resampled, percentiles; for data of up to some 10,000 points).
            resamples: of the bootstrap, at least 20.
            seed: of the bootstrap.

        Raises:
            HalfwaveError: if an option breaks its rule.

        >>> from halfwave.fitting import fit_relu_sum
        >>> x = np.linspace(0, 10, 200)
        >>> fit = fit_relu_sum(x, np.abs(x - 3) + 0.1 * np.sin(40 * x), kinks=1)
        >>> low, high = fit.intervals().kinks[0]
        >>> bool(2.9 < low < 3.0 < high < 3.1)
        True
        """
        return intervals_of(self._problem, level, method, resamples, seed)

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The fit at new abscissae (n,); datetimes where the data had datetimes.

        Raises:
            HalfwaveError: if `x` is not one-dimensional, real and finite.
        """
        return self.function(times_as_numbers("`x` of predict", x)[0])

    @property
    def kink_times(self) -> npt.NDArray[Any]:
        """The kinks as datetime64 or timedelta64 in milliseconds, where x was one.

        Raises:
            AttributeError: if x was numbers.
        """
        if self.x_unit is None:
            raise AttributeError("kink_times exist where x holds datetimes; here x holds numbers")
        kind = "datetime64[ms]" if "since" in self.x_unit else "timedelta64[ms]"
        return np.round(self.kinks * 1000).astype("int64").astype(kind)

    def __str__(self) -> str:
        lines = [
            f"Sum of {len(self.kinks)} ReLUs and a line fitted to {len(self.x)} points: SSE {self.sse:.6g}",
            f"f(x) = {self.function.formula(digits=5)}",
            f"Kinks: {', '.join(f'{kink:.6g}' for kink in self.kinks) or 'none'}; chosen: {self.criterion}",
            str(self.certificate),
        ]
        if "table" in self.__dict__:
            lines.append(_table_text(self.table, len(self.kinks)))
        return "\n".join(lines)


def _table_text(rows: tuple[FitRow, ...], chosen: int) -> str:
    names = list(rows[0].criteria)
    head = "kinks  " + "SSE".rjust(12) + "".join(name.rjust(12) for name in names)
    body = []
    for row in rows:
        mark = "*" if len(row.kinks) == chosen else " "
        values = "".join(f"{row.criteria[name]:12.3f}" for name in names)
        body.append(f"{len(row.kinks):4d} {mark} {row.sse:12.6g}{values}")
    return "\n".join([head, *body])


def sum_of_squares(function: PiecewiseLinear, x: Vector, y: Vector, weights: Vector | None) -> float:
    """``Σ w (y − f(x))²`` over points (n,), a part at a time."""
    total = 0.0
    for begin in range(0, len(x), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        residual = y[part] - function(x[part])
        residual *= residual
        # Not a dot product: BLAS would start threads for each part, which costs more than the sum.
        total += float((residual if weights is None else weights[part] * residual).sum())
    return total
