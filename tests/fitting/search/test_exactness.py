"""The dynamic programme against every choice of kinks, and the engine's sums against plain least squares."""

from __future__ import annotations

import importlib.util
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfwave.fitting.observations import observe
from halfwave.fitting.search.cells import cells_of
from halfwave.fitting.search.dynamic_programme import discontinuous_optimum, optimal_knots
from halfwave.fitting.search.grid import candidates
from halfwave.fitting.search.heights import best_heights, spans
from halfwave.fitting.search.lower_bound import line_errors, lower_bound
from halfwave.fitting.search.polish import descend, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search

NUMBA = importlib.util.find_spec("numba") is not None


def sse_of_tents(x: np.ndarray, y: np.ndarray, weights: np.ndarray, knots: np.ndarray) -> float:
    """Least squares on the tent functions at the knots, by a dense solver."""
    tents = np.stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))], axis=1)
    root = np.sqrt(weights)
    solution = np.linalg.lstsq(tents * root[:, None], y * root, rcond=None)[0]
    return float((weights * (y - tents @ solution) ** 2).sum())


def brute_force(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, grid: np.ndarray, segments: int, min_points: int
) -> float:
    """The least sum of squares over all subsets of the grid that leave enough distinct x in each segment."""
    best = np.inf
    distinct = np.unique(x)
    for inner in combinations(grid[1:-1], segments - 1):
        knots = np.array([grid[0], *inner, grid[-1]])
        if all(((distinct >= a) & (distinct <= b)).sum() >= min_points for a, b in pairwise(knots)):
            best = min(best, sse_of_tents(x, y, weights, knots))
    return best


@pytest.mark.parametrize(
    "use_numba", [False, pytest.param(True, marks=pytest.mark.skipif(not NUMBA, reason="no numba"))]
)
@pytest.mark.parametrize(("n", "segments"), [(12, 2), (14, 3), (11, 4), (30, 3)])
@pytest.mark.parametrize("kind", ["noise", "tied", "weighted", "heavy-tailed", "curve"])
def test_grid_optimum_is_that_of_brute_force(n: int, segments: int, kind: str, use_numba: bool) -> None:
    generator = np.random.default_rng([n, segments, len(kind)])
    x = np.sort(generator.standard_cauchy(n) if kind == "heavy-tailed" else generator.uniform(0, 1, n))
    if kind == "tied":
        x = np.round(x * n / 2)
    y = np.sin(7 * x) if kind == "curve" else generator.normal(size=n) + np.abs(x - x[n // 3])
    weights = generator.uniform(0.1, 3, n) if kind == "weighted" else np.ones(n)
    data, rules = observe(x, y, weights), Rules(min_points=3 if kind == "tied" else 2)
    cells = cells_of(data)
    grid = cells.x if n == 30 else candidates(cells, np.zeros(0))
    if len(grid) > 26:
        grid = np.unique(np.concatenate((grid[:: len(grid) // 22], [1.0])))
    scaled = data.scaled()
    found = optimal_knots(rules.table(cells, grid), list(range(1, segments + 1)), use_numba)
    total = float((scaled[2] * (scaled[1] - scaled[1].mean()) ** 2).sum())
    for k in range(1, segments + 1):
        expected = brute_force(*scaled, grid, k, rules.min_points)
        if np.isinf(expected):
            assert k not in found
            continue
        assert found[k].is_optimal
        assert found[k].cost == pytest.approx(expected, rel=1e-9, abs=1e-12 * total)
        assert sse_of_tents(*scaled, grid[found[k].knots]) == pytest.approx(
            expected, rel=1e-9, abs=1e-12 * total
        )


@pytest.mark.slow
def test_four_segments_of_thirty_points_equal_brute_force() -> None:
    generator = np.random.default_rng(4)
    x = np.arange(30.0)
    y = generator.normal(size=30) + 3 * np.abs(x - 9) - 2 * np.abs(x - 21)
    data = observe(x, y)
    cells = cells_of(data)
    found = optimal_knots(Rules().table(cells, cells.x), [1, 2, 3, 4], use_numba=False)
    for k in (2, 3, 4):
        assert found[k].cost == pytest.approx(brute_force(*data.scaled(), cells.x, k, 3), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.booleans())
def test_sums_and_heights_agree_with_dense_least_squares(seed: int, segments: int, tied: bool) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=40).round(1 if tied else 12) * 10.0 ** generator.integers(-3, 9)
    y, weights = generator.normal(size=40), generator.uniform(0.5, 2, 40)
    data = observe(x, y, weights)
    knots = np.linspace(-1, 1, segments + 1)
    cells = cells_of(data)
    if not Rules(min_points=2).allow(cells, knots):
        return
    solved = best_heights(spans(cells, knots))
    assert solved is not None
    assert solved[1] == pytest.approx(sse_of_tents(*data.scaled(), knots), rel=1e-9)


@pytest.mark.skipif(not NUMBA, reason="no numba")
@pytest.mark.parametrize("seed", range(5))
def test_compiled_kernel_agrees_with_numpy(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 1, 300))
    data = observe(x, np.sin(12 * x) + generator.normal(0, 0.3, 300))
    cells = cells_of(data)
    table = Rules().table(cells, candidates(cells, np.zeros(0)))
    every = list(range(1, 13))
    plain, fast = (optimal_knots(table, every, use_numba) for use_numba in (False, True))
    for k in every:
        assert fast[k].cost == pytest.approx(plain[k].cost, rel=1e-9)
        assert plain[k].is_optimal
        assert fast[k].is_optimal


@pytest.mark.skipif(not NUMBA, reason="no numba")
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_compiled_descent_agrees_with_numpy(seed: int, quick: bool, flat: bool) -> None:
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 1, 300))
    data = observe(
        x, np.sin(12 * x) + generator.normal(0, 0.3, 300), generator.uniform(0.5, 2, 300), level=flat
    )
    cells = cells_of(data)
    knots = np.linspace(-1, 1, 7)
    knots[1:-1] += generator.uniform(-0.1, 0.1, 5)
    rules = Rules(fixed=(float(knots[2]),), flat_first=flat, flat_last=flat)
    start = solve(cells, knots, rules)
    assert start is not None
    plain, fast = (descend(cells, start, rules, use_numba, quick) for use_numba in (False, True))
    assert fast.cost == pytest.approx(plain.cost, rel=1e-9)
    assert plain.cost < start.cost
    again = solve(cells, fast.knots, rules)
    assert again is not None
    assert again.cost == pytest.approx(fast.cost, rel=1e-9)
    assert again.heights == pytest.approx(fast.heights, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_lower_bounds_are_below_the_optimum(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n = (60, 400, 1500, 30_000)[seed]
    x = generator.uniform(0, 1, n)
    data = observe(x, np.sin(9 * x) + generator.normal(0, 0.2, n))
    cells, rules = cells_of(data), Rules(min_points=2)
    found = search(data, rules, [1, 2, 4, 7], use_numba=False)
    grid = candidates(cells, np.zeros(0))
    error = rules.table(cells, grid).error
    for k, fit in found.fits.items():
        assert lower_bound(cells, k) <= fit.cost * (1 + 1e-12)
        assert discontinuous_optimum(error, k) <= found.grid[k].cost * (1 + 1e-12)
    # one line cannot do better than the best line
    assert lower_bound(cells, 1) == pytest.approx(found.fits[1].cost, rel=1e-9)


def test_line_errors_are_those_of_polyfit() -> None:
    generator = np.random.default_rng(1)
    x, y = np.sort(generator.uniform(-1, 1, 12)), generator.normal(size=12)
    data = observe(x, y)
    errors = line_errors(cells_of(data)) * data.scale.y_unit**2
    for i, j in combinations(range(13), 2):
        if j - i > 2:
            residual = y[i:j] - np.polyval(np.polyfit(x[i:j], y[i:j], 1), x[i:j])
            assert errors[i, j] == pytest.approx(residual @ residual, rel=1e-7)
        else:
            assert errors[i, j] == pytest.approx(0, abs=1e-12)


def test_a_budget_too_small_is_told() -> None:
    generator = np.random.default_rng(0)
    data = observe(np.arange(200), generator.normal(size=200))
    cells = cells_of(data)
    table = Rules().table(cells, cells.x)
    best = optimal_knots(table, [8], use_numba=False)[8]
    starved = optimal_knots(table, [8], use_numba=False, budget=50)
    assert best.is_optimal
    assert 8 not in starved or not starved[8].is_optimal
