"""Large data, which the search first sees in blocks: a feasible fit always comes out, no worse than the grid's."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from halfwave.errors import HalfwaveError
from halfwave.fitting import fit_relu_sum
from halfwave.fitting.observations import Observations, observe
from halfwave.fitting.search.cells import cells_of, cut, within, zoomed
from halfwave.fitting.search.grid import DETAILED, even, outline
from halfwave.fitting.search.polish import descend, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search

NUMBA = importlib.util.find_spec("numba") is not None
BOTH = [False, pytest.param(True, marks=pytest.mark.skipif(not NUMBA, reason="no numba"))]
THOROUGH = pytest.mark.thorough
KINDS = ["corner", "noise", "ties", "skewed"]
BINNED = 2_100_000


def noisy(kind: str, n: int, seed: int, is_sorted: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A corner, pure noise, a corner in rounded x, or a root in x of very uneven density; noise of deviation 1."""
    generator = np.random.default_rng(seed)
    x = generator.lognormal(0, 1.5, n) if kind == "skewed" else generator.uniform(0, 10, n)
    x = np.round(x, 3) if kind == "ties" else x
    x = np.sort(x) if is_sorted else x
    mean = {"noise": np.zeros(n), "skewed": np.sqrt(x)}.get(kind, np.abs(x - 4))
    return x, mean + generator.normal(size=n)


def fewest_points(x: np.ndarray, kinks: np.ndarray) -> int:
    """The least number of different x in a segment, those at its ends included."""
    distinct = np.unique(x)
    knots = np.concatenate((distinct[:1], kinks, distinct[-1:]))
    first, last = np.searchsorted(distinct, knots[:-1]), np.searchsorted(distinct, knots[1:], side="right")
    return int((last - first).min())


def least_sse(x: np.ndarray, y: np.ndarray, kinks: np.ndarray) -> float:
    """The sum of squares of the best fit with these kinks, by a dense solver."""
    # Tents: ramps would be too alike where kinks are near each other.
    knots = np.concatenate(([x.min()], kinks, [x.max()]))
    tents = np.column_stack([np.interp(x, knots, height) for height in np.eye(len(knots))])
    heights = np.linalg.lstsq(tents, y, rcond=None)[0]
    return float(((y - tents @ heights) ** 2).sum())


@pytest.mark.parametrize("use_numba", BOTH)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n", "seed"),
    [(2000, 0), (20_000, 1), *(pytest.param(*n, marks=THOROUGH) for n in [(50_000, 3), (200_000, 4)])],
)
def test_fits_exist_and_are_no_worse_than_on_the_grid(n: int, seed: int, kind: str, use_numba: bool) -> None:
    x, y = noisy(kind, n, seed, is_sorted=seed % 2 == 0)
    on_grid = fit_relu_sum(x, y, kinks=0, use_numba=use_numba).sse
    for kinks in range(1, 7):
        min_points = 3 if kinks % 2 else 20
        fit = fit_relu_sum(x, y, kinks=kinks, min_points=min_points, use_numba=use_numba)
        assert len(fit.kinks) == kinks
        assert fewest_points(x, fit.kinks) >= min_points
        assert fit.sse <= fit.certificate.grid_sse * (1 + 1e-9)
        if min_points == 3:  # a smaller feasible set for the fit before: its grid optimum is a bound
            assert fit.sse <= on_grid * (1 + 1e-9)
            on_grid = fit.certificate.grid_sse


@pytest.mark.parametrize("use_numba", BOTH)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=THOROUGH) for seed in range(1, 6))])
def test_the_cases_once_refused(seed: int, use_numba: bool) -> None:
    for n in (20_000, 50_000):
        x, y = noisy("corner", n, seed)
        for kinks in (2, 3, 4):
            fit = fit_relu_sum(x, y, kinks=kinks, use_numba=use_numba)
            assert fewest_points(x, fit.kinks) >= 3
            assert fit.sse <= fit.certificate.grid_sse * (1 + 1e-9)


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_heights_are_the_best_for_the_kinks(seed: int) -> None:
    x, y = noisy("noise", 20_000, seed)
    fit = fit_relu_sum(x, y, kinks=4)
    assert fit.sse == pytest.approx(least_sse(x, y, fit.kinks), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "seed"), [(2000, 0), (20_000, 0), (50_000, 4)])
def test_every_row_is_at_least_as_good_as_the_one_with_fewer_kinks(n: int, seed: int, kind: str) -> None:
    x, y = noisy(kind, n, seed)
    fit = fit_relu_sum(x, y, max_kinks=6, correlation="ignore")
    errors = [
        row.sse for row in fit.table if len(row.kinks) != len(fit.kinks)
    ]  # that one was searched longer
    assert len(fit.table) == 7
    assert (np.diff(errors) <= 1e-9 * errors[0]).all()


@pytest.mark.parametrize("loss", ["huber", "tukey"])
@pytest.mark.parametrize("seed", range(3))
def test_robust_fits_exist(seed: int, loss: Any) -> None:
    x, y = noisy("corner", 20_000, seed)
    for kinks in (2, 4):
        assert fewest_points(x, fit_relu_sum(x, y, kinks=kinks, loss=loss).kinks) >= 3


@pytest.mark.parametrize("use_numba", BOTH)
def test_binned_data(use_numba: bool) -> None:
    x, y = noisy("corner", BINNED, 0)
    x = np.round(x * 3000) / 3000  # two different x in a bin, which only the single points show
    for kinks, min_points in ((3, 3), (5, 40)):
        fit = fit_relu_sum(x, y, kinks=kinks, min_points=min_points, use_numba=use_numba)
        assert fewest_points(x, fit.kinks) >= min_points
        assert fit.sse <= fit.certificate.grid_sse * (1 + 1e-9)


@pytest.mark.parametrize("n", [5000, 100_000])
def test_segments_that_need_nearly_all_points_find_room(n: int) -> None:
    x, y = noisy("corner", n, 1)
    for kinks in (3, 6, 9):
        largest = (n - 1) // (kinks + 1) + 1
        for min_points in (largest, largest - 3):
            fit = fit_relu_sum(x, y, kinks=kinks, min_points=min_points)
            assert fewest_points(x, fit.kinks) >= min_points
    with pytest.raises(HalfwaveError, match="must be at most 2 "):
        fit_relu_sum(x, y, kinks=3, min_points=(n - 1) // 4 + 2)


def test_even_kinks_share_the_points_out() -> None:
    x = np.repeat(np.arange(101.0), 2)
    assert even(x, 4).tolist() == [25.0, 50.0, 75.0]
    assert even(x, 1).tolist() == []


def test_fixed_kinks_may_be_nearer_than_blocks() -> None:
    x, y = noisy("corner", 100_000, 2)
    fit = fit_relu_sum(x, y, kinks=3, fixed_kinks=[4.0, 4.0006])
    assert {4.0, 4.0006} <= set(fit.kinks.tolist())
    assert fit.sse == pytest.approx(least_sse(x, y, fit.kinks), rel=1e-9)


def blocks(n: int = 100_000) -> Observations:
    data = observe(*noisy("noise", n, 7))
    assert len(cells_of(data)) < n / 10
    return data


@pytest.mark.parametrize("bins", [False, True])
def test_cells_within_ends_hold_points_between_them_only(bins: bool) -> None:
    data = observe(*noisy("noise", BINNED, 7)) if bins else blocks()
    cells = cells_of(data)
    generator = np.random.default_rng(0)
    left = generator.uniform(-1, 0.99, 200)
    left[:50] = cells.start[generator.integers(0, len(cells) - 50, 50)]
    right = np.minimum(left + generator.exponential(5 / len(cells), 200), 1.0)
    right[-1] = 1.0
    x = np.sort(data.scale.inside(data.x))
    first, last = within(cells, left, right)
    for begin, end, low, high in zip(first, last, left, right, strict=True):
        points = np.searchsorted(x, high, side="right") - np.searchsorted(x, low)
        assert cells.distinct[begin:end].sum() <= points
        missed = cells.distinct[
            max(begin - 1, 0) : end + 1
        ].sum()  # the cells that the ends cut hold the rest
        assert points <= missed + 1


@pytest.mark.parametrize("use_numba", BOTH)
def test_a_segment_inside_a_block_is_not_allowed(use_numba: bool) -> None:
    data = blocks()
    cells, rules = cells_of(data), Rules()
    middle = float(cells.x[4000])
    narrow = np.array([-1.0, middle - 1e-7, middle + 1e-7, 1.0])
    assert cut(cells, narrow[1:-1])
    assert solve(cells, narrow, rules) is None
    assert solve(cells, np.array([-1.0, cells.start[4000], cells.start[4001], 1.0]), rules) is not None
    assert not cut(cells, cells.start[[4000, 4001]])
    # what steps lead to on blocks is allowed on points
    for seed in range(5):
        places = np.sort(np.random.default_rng(seed).integers(1, len(cells) - 1, 4))
        start = solve(cells, np.concatenate(([-1.0], cells.start[places], [1.0])), rules)
        assert start is not None
        moved = descend(cells, start, rules, use_numba)
        assert rules.allow(zoomed(cells, data, moved.knots[1:-1], 1), moved.knots)


def test_an_outline_keeps_the_cells_around_kinks() -> None:
    data = blocks()
    cells, rules = cells_of(data), Rules()
    fit = solve(cells, np.array([-1.0, cells.start[4000], cells.start[4001], 1.0]), rules)
    assert fit is not None
    assert solve(outline(cells), fit.knots, rules) is None
    rough = outline(cells, fit.knots[1:-1])
    again = solve(rough, fit.knots, rules)
    assert again is not None
    assert again.cost == pytest.approx(fit.cost, rel=1e-9)
    assert len(rough) < len(cells) / 4 < DETAILED


@pytest.mark.parametrize("seed", range(3))
def test_costs_are_those_of_the_points(seed: int) -> None:
    data = observe(*noisy("noise", 50_000, seed))
    found = search(data, Rules(), [3, 5])
    for fit in found.fits.values():
        assert not cut(found.cells, fit.knots[1:-1])
        x, y, _ = data.scaled()
        residuals = y - np.interp(x, fit.knots, fit.heights)
        assert fit.cost == pytest.approx(float((residuals**2).sum()), rel=1e-9)
