"""The search off the grid: steps with held kinks, gains of more kinks, and moves past local optima."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from halfwave.fitting import fit_relu_sum
from halfwave.fitting.observations import observe
from halfwave.fitting.search.cells import Cells, cells_of
from halfwave.fitting.search.grid import DETAILED, insertion_gains, outline
from halfwave.fitting.search.heights import crossings, spans
from halfwave.fitting.search.polish import Candidate, descend, solve
from halfwave.fitting.search.rules import Rules
from halfwave.fitting.search.search import search, settle

NUMBA = importlib.util.find_spec("numba") is not None
BOTH = [False, pytest.param(True, marks=pytest.mark.skipif(not NUMBA, reason="no numba"))]
TWO = Rules(min_points=2)


def noisy_cells(seed: int, n: int = 40) -> Cells:
    """Weighted noise with some ties, as cells of points."""
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 1, n))
    x[7] = x[8]
    return cells_of(observe(x, generator.normal(size=n), generator.uniform(0.5, 2, n)))


def solved(cells: Cells, knots: np.ndarray, rules: Rules = TWO) -> Candidate:
    fit = solve(cells, knots, rules)
    assert fit is not None
    return fit


@pytest.mark.parametrize("seed", range(3))
def test_gains_are_those_of_fits_with_more_kinks(seed: int) -> None:
    cells = noisy_cells(seed)
    knots = np.array([-1.0, -0.3, cells.x[25], 1.0])
    fit = solved(cells, knots)
    gains = insertion_gains(cells, knots, fit.heights, spans(cells, knots))
    compared = 0
    for more, gain in zip((1, 2), gains, strict=True):
        for i in range(len(cells) - more + 1):
            added = cells.x[i : i + more]
            larger = (
                None if np.isin(added, knots).any() else solve(cells, np.sort(np.append(knots, added)), TWO)
            )
            if larger is not None:
                assert gain[i] == pytest.approx(fit.cost - larger.cost, rel=1e-7, abs=1e-9)
                compared += 1
    assert compared > 60
    assert gains[0][cells.x == knots[2]] == 0


def test_crossings_are_those_of_lines_joined_at_held_kinks() -> None:
    cells = noisy_cells(5)
    knots = np.array([-1.0, -0.5, 0.0, 0.4, 1.0])
    home = np.searchsorted(knots[1:-1], cells.x, side="right")
    # 1, x and a ramp for each held kink; each free kink starts a line of its own.
    first = np.where(home < 2, 0, 1)
    columns = [(first == j) * power for j in (0, 1) for power in (np.ones_like(cells.x), cells.x)]
    columns += [
        (first == 0) * np.maximum(0, cells.x - knots[1]),
        (first == 1) * np.maximum(0, cells.x - knots[3]),
    ]
    root = np.sqrt(cells.weight)
    c0, s0, c1, s1, bend, _ = np.linalg.lstsq(
        np.stack(columns, axis=1) * root[:, None], cells.y * root, rcond=None
    )[0]
    # left of the free kink at 0 the line is c0 + s0 x + bend (x + 0.5), right of it c1 + s1 x
    expected = (c0 + 0.5 * bend - c1) / (s1 - s0 - bend)
    found = crossings(spans(cells, knots), knots, np.array([True, False, True]))
    assert found[1] == pytest.approx(expected, rel=1e-9)
    assert np.isnan(found[[0, 2]]).all()


@pytest.mark.parametrize("use_numba", BOTH)
@pytest.mark.parametrize("seed", range(6))
def test_steps_end_where_no_kink_can_move_a_little(seed: int, use_numba: bool) -> None:
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(-1, 1, 150))
    # clear kinks near the start: every segment keeps points enough for a line of its own
    cells = cells_of(
        observe(x, np.interp(x, np.linspace(-1, 1, 6), [0, 3, 0, 2, -1, 1]) + generator.normal(0, 0.3, 150))
    )
    fit = descend(cells, solved(cells, np.linspace(-1, 1, 6)), TWO, use_numba)
    for i in range(1, 5):
        for step in (1e-5, -1e-5):
            knots = fit.knots.copy()
            knots[i] += step
            moved = solve(cells, knots, TWO) if (np.diff(knots) > 0).all() else None
            assert moved is None or moved.cost >= fit.cost * (1 - 1e-9)


@pytest.mark.parametrize("use_numba", BOTH)
@pytest.mark.parametrize("seed", range(4))
def test_no_jump_between_neighbours_and_no_pair_of_kinks_is_better(seed: int, use_numba: bool) -> None:
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 1, 900))  # too many for a grid of all points
    y = np.sin(3 * x) + generator.normal(size=900)
    data = observe(x, y)
    cells = cells_of(data)
    found = search(data, TWO, [3], use_numba).fits[3]
    jumps = [solve(cells, np.array([-1.0, *cells.x[i : i + 2], 1.0]), TWO) for i in range(1, len(cells) - 2)]
    coarse = cells.x[1:-1:30]
    pairs = [solve(cells, np.array([-1.0, a, b, 1.0]), TWO) for a in coarse for b in coarse if a < b]
    assert found.cost <= min(fit.cost for fit in (*jumps, *pairs) if fit is not None) * (1 + 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_outline_costs_what_the_cells_do(weighted: bool) -> None:
    generator = np.random.default_rng(1)
    x = generator.uniform(0, 1, 9000)
    cells = cells_of(observe(x, np.cos(5 * x), generator.uniform(0.1, 2, 9000) if weighted else None))
    rough = outline(cells)
    assert len(rough) < DETAILED < len(cells)
    assert rough.distinct.sum() == len(x)
    line = np.array([-1.0, 1.0])
    assert solved(rough, line).cost == pytest.approx(solved(cells, line).cost, rel=1e-10)
    assert outline(rough) is rough


@pytest.mark.skipif(not NUMBA, reason="no numba")
@pytest.mark.parametrize("n", [150, 700, 20_000])
def test_compiled_fits_are_those_of_numpy(n: int) -> None:
    generator = np.random.default_rng(n)
    x = generator.uniform(0, 10, n)
    y = np.interp(x, np.arange(11), generator.normal(0, 3, 11)) + 0.5 * generator.normal(size=n)
    plain, fast = (fit_relu_sum(x, y, 6, min_points=2, use_numba=use_numba) for use_numba in (False, True))
    assert fast.sse == pytest.approx(plain.sse, rel=1e-9)


def test_large_data_settle_where_a_thorough_search_does() -> None:
    generator = np.random.default_rng(3)
    x = np.sort(generator.uniform(0, 10, 20_000))
    y = np.interp(x, np.arange(11), generator.normal(0, 3, 11)) + 0.5 * generator.normal(size=len(x))
    data, rules = observe(x, y), Rules()
    thorough = search(data, rules, [8]).fits[8]
    quick = search(data, rules, [8], thorough=False)
    settled = settle(quick, rules, 8).fits[8]
    assert settled.cost <= quick.fits[8].cost
    assert settled.cost == pytest.approx(thorough.cost, rel=1e-4)
