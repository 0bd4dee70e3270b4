"""What a fit of a sum of ReLUs returns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.fitting.axes import Axes
from halfwave.fitting.observations import times_as_numbers
from halfwave.fitting.uncertainty.intervals import Intervals, Method
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

    everywhere: bool = False
    """Whether no fit at all is better: where pieces need not meet, the grid leaves none out."""

    def __str__(self) -> str:
        if self.everywhere:
            return "optimal: no other jumps do better"
        if self.grid_size == 0:
            return "the best found: nothing is proven for this kind of fit and amount of data"
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
    loss_value: float = math.nan
    """The loss that was minimised: the sum of squares, ``2 s² Σ w ρ(r/s)`` of Huber's or Tukey's ρ with s the scale
    of this fit's residuals, or the check loss ``Σ w max(q r, (q − 1) r)``."""


@dataclass(frozen=True)
class ReLUSumFit:
    """The least-squares fit of a sum of ReLUs, with all smaller ones beside it.

    >>> from halfwave.fitting import fit_relu_sum
    >>> fit = fit_relu_sum([0, 1, 2, 3, 4, 5, 6], [3, 2, 1, 0, 1, 2, 3], kinks=1)
    >>> fit.kinks.round(12), fit.function(4.5).__round__(12)
    (array([3.]), 1.5)
    """

    function: PiecewiseLinear
    """The fit, exact: a sum of ReLUs plus a line, with steps where pieces need not meet. With logarithmic axes it
    takes ln x and gives ln y; `predict` takes and gives data."""
    kinks: Vector
    """Where the kinks are (k,), in the units of x (seconds where x was a datetime)."""
    sse: float
    """Weighted sum of squared residuals, recomputed from the data."""
    loss: str
    """What was minimised: "squares", "huber", "tukey" or "quantile"."""
    loss_value: float
    """Its value; see `FitRow.loss_value`."""
    certificate: Certificate
    """Whether the fit is optimal on its grid of candidates."""
    criterion: str
    """What chose the number of kinks, or "given"."""
    continuous: bool
    """Whether the pieces meet."""
    x: Vector = field(repr=False)
    """The abscissae as numbers (n,), in the user's order."""
    y: Vector = field(repr=False)
    """The ordinates (n,)."""
    weights: Vector | None = field(repr=False)
    """The weights (n,) that were asked for, or those of a robust fit's last round."""
    x_unit: str | None
    """What a number in `x` counts where x was a datetime or a duration."""
    axes: Axes
    """Which axes are logarithmic."""
    _correlation: Callable[[], float] = field(repr=False)
    _rows: Callable[[], tuple[FitRow, ...]] = field(repr=False)
    _bound: Callable[[], float] = field(repr=False)
    _intervals: Callable[..., Intervals] = field(repr=False)

    @cached_property
    def table(self) -> tuple[FitRow, ...]:
        """The best fit for each number of kinks up to the asked one, from 0; computed when first read."""
        return tuple(replace(row, kinks=self.axes.x_from(row.kinks)) for row in self._rows())

    @property
    def slopes(self) -> Vector:
        """The slope of `function` between neighbouring kinks (k + 1,); per unit of ln x with a logarithmic x axis."""
        x = self.axes.x_to(np.concatenate(([self.x.min()], self.kinks, [self.x.max()])), "`x`")
        # The function drops kinks at which nothing changes: its own pieces may be fewer.
        place = np.searchsorted(self.function.kinks, (x[:-1] + x[1:]) / 2)
        return self.function.slopes[place]

    @cached_property
    def autocorrelation(self) -> float:
        """Correlation of neighbouring residuals, in the order of x; NaN where large data were not sorted."""
        return self._correlation()

    @cached_property
    def residuals(self) -> Vector:
        """``y − function(x)`` (n,), in the user's order; of ln y, at ln x, where axes are logarithmic."""
        return self.axes.y_to(self.y, "`y`") - self.function(self.axes.x_to(self.x, "`x`"))

    @cached_property
    def lower_bound(self) -> float:
        """No fit with so many kinks, on a grid or not, has a smaller sum of squares than this.

        It is the best fit with the same number of pieces that need not meet; for more than 1024 different x it
        leaves out the data next to each cut, which keeps it a bound. For Huber's, Tukey's and the check loss it
        is 0.

        Source: Bellman (1961), Comm. ACM 4, 284.
        """
        # Rounding of sums in another order may not turn a tight bound into a wrong one.
        return min(self._bound(), self.sse)

    def intervals(
        self, level: float = 0.95, method: Method | None = None, resamples: int = 200, seed: int = 0
    ) -> Intervals:
        """Confidence intervals of all kinks and slopes, in the units of x and y.

        Of Huber's and Tukey's fits the weights of the last round are taken as given. Slopes are those of
        `function`, hence per unit of ln x where that axis is logarithmic.

        Args:
            level: nominal coverage, inside (0, 1).
            method: "profile" (profile likelihood: how much the best fit with the kink elsewhere costs; slopes by
                the delta method), "delta" (first order; too short for weak kinks) or "bootstrap" (residuals
                resampled, percentiles; for data of up to some 10,000 points). By default "profile", and for
                quantiles "bootstrap" (points resampled), which is all they have.
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
        found = self._intervals(level, method, resamples, seed)
        return replace(found, kinks=self.axes.x_from(found.kinks))

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The fit at new abscissae (n,); datetimes where the data had datetimes, in the units of the data.

        Raises:
            HalfwaveError: if `x` is not one-dimensional, real and finite.
        """
        numbers = times_as_numbers("`x` of predict", x)[0]
        return self.axes.y_from(self.function(self.axes.x_to(numbers, "`x` of predict")))

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

    def formula(self, digits: int | None = None) -> str:
        """The fit as one line of text, such as ``f(x) = 2*relu(x - 1)`` or ``ln f(x) = 3*ln(x) + 1``.

        Args:
            digits: significant digits of each number; as many as needed by default.
        """
        taken, given = "ln(x)" if self.axes.log_x else "x", "ln f(x)" if self.axes.log_y else "f(x)"
        return f"{given} = {self.function.formula(taken, digits=digits)}"

    def _kind(self) -> str:
        count = len(self.kinks)
        kind = (
            f"Sum of {count} ReLUs and a line"
            if self.continuous
            else f"{count + 1} lines that need not meet,"
        )
        return kind if self.loss == "squares" else f"{kind} ({self.loss} loss {self.loss_value:.6g})"

    def __str__(self) -> str:
        lines = [
            f"{self._kind()} fitted to {len(self.x)} points: SSE {self.sse:.6g}",
            self.formula(digits=5),
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
