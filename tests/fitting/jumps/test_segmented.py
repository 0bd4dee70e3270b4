"""Fits whose lines need not meet: against every choice of cuts, under changes of units, and their intervals."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfwave.fitting import fit_relu_sum
from halfwave.fitting.fit_result import sum_of_squares
from halfwave.fitting.jumps import intervals as segmented_intervals
from halfwave.fitting.jumps import search as segmented_search
from halfwave.fitting.jumps.intervals import cut_intervals, line_intervals, threshold
from halfwave.fitting.jumps.segmented import Segmented, best_segments, segmented_function
from halfwave.fitting.observations import Observations, observe
from halfwave.fitting.search.cells import cells_of
from halfwave.fitting.search.lower_bound import lower_bound
from halfwave.fitting.search.rules import Rules

FAR = 1.7e9  # seconds since 1970, roughly


def line_cost(x: np.ndarray, y: np.ndarray, weights: np.ndarray, flat: bool = False) -> float:
    """Sum of squares about one line, by a dense solver."""
    columns = np.ones((len(x), 1)) if flat else np.stack((np.ones_like(x), x - x.mean()), axis=1)
    root = np.sqrt(weights)
    solution = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
    return float((weights * (y - columns @ solution) ** 2).sum())


def brute_force(data: Observations, rules: Rules, segments: int) -> float:
    """The least scaled sum of squares over all subsets of cuts that the rules allow."""
    x, y, weights = data.scaled()
    distinct = np.unique(x)
    middles = (distinct[:-1] + distinct[1:]) / 2
    home = np.searchsorted(distinct, rules.fixed, side="left") - 1
    middles[home] = rules.fixed
    best = np.inf
    for inner in combinations(range(len(middles)), segments - 1):
        cuts = np.concatenate(([-1.0], middles[list(inner)], [1.0]))
        counts = np.diff(np.concatenate(([0], np.array(inner, dtype=int) + 1, [len(distinct)])))
        if counts.min() < rules.min_points or not set(home.tolist()) <= set(inner):
            continue
        if (np.diff(cuts) < rules.min_length * (1 - 1e-12)).any():
            continue
        edges = np.concatenate(([-np.inf], cuts[1:-1], [np.inf]))
        cost = 0.0
        for i, (low, high) in enumerate(pairwise(edges)):
            here = (x >= low) & (x < high)
            flat = (rules.flat_first and i == 0) or (rules.flat_last and i == segments - 1)
            cost += line_cost(x[here], y[here], weights[here], flat)
        best = min(best, cost)
    return best


def noisy_steps(n: int, seed: int, jump: float = 3.0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two jumps in unit noise, at a third and at two thirds of n sorted abscissae in [0, 1]."""
    generator = np.random.default_rng([n, seed])
    x = np.sort(generator.uniform(0, 1, n))
    level = jump * ((x > 1 / 3).astype(float) - 2 * (x > 2 / 3)) + 0.5 * x
    return x + offset, level + generator.normal(size=n)


RULES = {
    "none": Rules(min_points=2),
    "three points": Rules(min_points=3),
    "single points": Rules(min_points=1),
    "length": Rules(min_points=2, min_length=0.45),
    "fixed": Rules(min_points=2, fixed=(0.11,)),
    "two fixed": Rules(min_points=2, fixed=(-0.4, 0.3)),
    "flat first": Rules(min_points=2, flat_first=True),
    "flat last": Rules(min_points=2, flat_last=True),
    "flat both and fixed": Rules(min_points=2, flat_first=True, flat_last=True, fixed=(0.11,)),
}


@pytest.mark.parametrize("kind", ["noise", "tied", "weighted", "heavy-tailed", "far"])
@pytest.mark.parametrize("name", RULES)
def test_cost_is_that_of_brute_force(name: str, kind: str) -> None:
    generator = np.random.default_rng([len(name), len(kind)])
    n = 14
    x = generator.standard_cauchy(n) if kind == "heavy-tailed" else generator.uniform(0, 1, n)
    if kind == "tied":
        x = np.round(x * 9)
    if kind == "far":
        x = FAR + 1000 * x
    weights = generator.uniform(0.1, 3, n) if kind == "weighted" else None
    y = generator.normal(size=n) + 2 * (x > np.median(x))
    data, rules = observe(x, y, weights, level=name.startswith("flat")), RULES[name]
    found = best_segments(data, rules, [1, 2, 3, 4])
    for k in range(1, 5):
        expected = brute_force(data, rules, k)
        if np.isinf(expected):
            assert k not in found
            continue
        assert found[k].is_optimal
        assert found[k].cost == pytest.approx(expected, rel=1e-9, abs=1e-13)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5), st.integers(1, 3)), min_size=6, max_size=12),
    st.integers(1, 3),
    st.sampled_from(sorted(RULES)),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_small_whole_numbers_equal_brute_force(
    points: list[tuple[int, int, int]], segments: int, name: str
) -> None:
    x, y, weights = np.array(points, dtype=float).T
    if len(np.unique(x)) < 2:
        return
    data = observe(x, y, weights, level=name.startswith("flat"))
    found = best_segments(data, RULES[name], [segments])
    expected = brute_force(data, RULES[name], segments)
    assert (segments in found) == np.isfinite(expected)
    if segments in found:
        assert found[segments].cost == pytest.approx(expected, rel=1e-9, abs=1e-13)


def check_predictions(data: Observations, fit: Segmented) -> None:
    """Every point is predicted by the line of its own segment, and cuts are between the points."""
    function, cuts = segmented_function(data, fit)
    x, _, _ = data.scaled()
    own = data.scale.outside_heights(x, fit(x))
    size = np.abs(data.y).max() + data.scale.y_unit
    np.testing.assert_allclose(function(data.x), own, rtol=0, atol=1e-12 * size)
    assert not set(function.kinks.tolist()) & set(data.x[np.searchsorted(data.x, cuts)].tolist())
    sse = sum_of_squares(function, data.x, data.y, data.weights)
    assert sse == pytest.approx(fit.cost * data.cost_unit, rel=1e-9, abs=1e-20 * size**2)


@pytest.mark.parametrize("spacing", [1e-3, 1.0, float(np.spacing(FAR))])
def test_points_far_from_the_origin_are_predicted_by_their_own_lines(spacing: float) -> None:
    x = FAR + spacing * np.arange(40.0)
    y = np.repeat([0.0, 5.0, -3.0, 1.0], 10) + np.random.default_rng(0).normal(0, 0.1, 40)
    data = observe(x, y)
    fit = best_segments(data, Rules(), [4])[4]
    check_predictions(data, fit)
    _, cuts = segmented_function(data, fit)
    assert np.searchsorted(x, cuts, side="left").tolist() == [10, 20, 30]


@pytest.mark.parametrize("at", [3.0, 4.5, 0.1 * 7])
def test_a_point_on_a_fixed_cut_belongs_to_the_right(at: float) -> None:
    x = np.sort(np.append(np.arange(10.0), [0.1 * 7, 1.1, 0.2, 0.3]))
    y = np.where(x >= at, 7.0 - x, x)
    data = observe(x, y)
    rules = Rules(fixed=tuple(data.scale.inside(np.array([at])).tolist()))
    fit = best_segments(data, rules, [2])[2]
    function, cuts = segmented_function(data, fit)
    assert fit.cost < 1e-28
    assert cuts[0] == pytest.approx(at, rel=1e-15)
    np.testing.assert_allclose(function(x), y, atol=1e-13)
    assert cut_intervals(data, rules, fit).tolist() == [[cuts[0], cuts[0]]]


@pytest.mark.parametrize("fixed", [(0.11, 0.12), (-1.0,), (-0.99,)])
def test_fixed_cuts_without_points_between_them_have_no_fit(fixed: tuple[float, ...]) -> None:
    assert best_segments(observe(np.arange(10.0), np.arange(10.0)), Rules(fixed=fixed), [3, 4]) == {}


def test_a_step_function_is_recovered_exactly() -> None:
    x = np.arange(60.0)
    y = np.repeat([2.0, -1.0, 5.0], 20)
    data = observe(x, y, level=True)
    fits = best_segments(data, Rules(), [1, 2, 3])
    function, cuts = segmented_function(data, fits[3])
    assert cuts.tolist() == [19.5, 39.5]
    assert fits[3].cost < 1e-28
    np.testing.assert_allclose(function(x), y, atol=1e-13)
    assert cut_intervals(data, Rules(), fits[3]).tolist() == [[19.0, 20.0], [39.0, 40.0]]


@pytest.mark.parametrize("offset", [0.0, FAR])
def test_lines_with_jumps_are_recovered_to_rounding(offset: float) -> None:
    x = np.concatenate((np.linspace(0, 1e-3, 30), np.linspace(0.1, 1, 30), np.linspace(1.001, 900, 30)))
    y = np.concatenate((1e4 * x[:30], 3 - 2 * x[30:60], 0.01 * x[60:]))
    data = observe(x + offset, y)
    fit = best_segments(data, Rules(), [3])[3]
    noise = 1e4 * np.spacing(offset + 900)  # what rounding x does to y
    assert 0.0 <= fit.cost * data.cost_unit <= 90 * (noise**2 + 1e-24)
    _, cuts = segmented_function(data, fit)
    assert np.searchsorted(x + offset, cuts).tolist() == [30, 60]


def test_constant_heights_cost_nothing() -> None:
    data = observe(np.arange(20.0), np.full(20, 3.25))
    for k, fit in best_segments(data, Rules(), [1, 2, 3]).items():
        function, cuts = segmented_function(data, fit)
        assert fit.cost == 0.0
        assert len(cuts) == k - 1
        assert function(np.arange(20.0)).tolist() == [3.25] * 20
        assert np.isfinite(cut_intervals(data, Rules(), fit)).all()


def test_units_order_and_duplication_change_nothing() -> None:
    x, y = noisy_steps(80, 0)
    expected = best_segments(observe(x, y), Rules(), [3])[3]
    cuts = segmented_function(observe(x, y), expected)[1]
    order = np.random.default_rng(1).permutation(80)
    variants = {
        "permuted": (observe(x[order], y[order]), 1.0, 0.0),
        "far": (observe(FAR + 1000 * x, 1e6 - 40 * y), 1000.0, FAR),
        "reversed": (observe(-x, y), -1.0, 0.0),
        "duplicated": (observe(np.tile(x, 2), np.tile(y, 2)), 1.0, 0.0),
        "heavy": (observe(x, y, np.full(80, 2.0)), 1.0, 0.0),
    }
    for name, (data, unit, origin) in variants.items():
        fit = best_segments(data, Rules(), [3])[3]
        found = np.sort((segmented_function(data, fit)[1] - origin) / unit)
        np.testing.assert_allclose(found, cuts, atol=1e-8, err_msg=name)
    twice, heavy = (best_segments(variants[name][0], Rules(), [3])[3] for name in ("duplicated", "heavy"))
    assert twice.cost * variants["duplicated"][0].cost_unit == pytest.approx(
        heavy.cost * variants["heavy"][0].cost_unit, rel=1e-10
    )


@pytest.mark.parametrize("seed", range(4))
def test_no_continuous_fit_costs_less(seed: int) -> None:
    x, y = noisy_steps(60, seed)
    data = observe(x, y)
    for k, fit in best_segments(data, Rules(min_points=1), [1, 2, 3, 4]).items():
        continuous = fit_relu_sum(x, y, kinks=k - 1, min_points=2)
        assert fit.cost * data.cost_unit <= continuous.sse * (1 + 1e-9)
        assert fit.cost == pytest.approx(lower_bound(cells_of(data), k), rel=1e-9)


@pytest.mark.parametrize("name", ["none", "three points", "length", "fixed", "flat first", "flat last"])
def test_rules_hold_in_the_search_from_coarse_to_fine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = noisy_steps(2000, 1)
    data, rules = observe(x, y, level=name.startswith("flat")), RULES[name]
    exact = best_segments(data, rules, [1, 3])
    monkeypatch.setattr(segmented_search, "EXACT", 100)
    monkeypatch.setattr(segmented_search, "COARSE", 128)
    found = best_segments(data, rules, [1, 3])
    for k, fit in found.items():
        assert not fit.is_optimal
        assert exact[k].cost * (1 - 1e-10) <= fit.cost <= exact[k].cost * 1.001
        assert set(rules.fixed) <= set(fit.cuts.tolist())
        assert np.diff(np.concatenate(([-1.0], fit.cuts, [1.0]))).min() >= rules.min_length * (1 - 1e-12)
        assert fit.slopes[0] == 0 or not rules.flat_first
        assert fit.slopes[-1] == 0 or not rules.flat_last


def test_rules_too_narrow_for_groups_are_met_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.arange(401.0), noisy_steps(401, 2)[1]
    data, rules = observe(x, y), Rules(min_points=133)
    monkeypatch.setattr(segmented_search, "EXACT", 100)
    monkeypatch.setattr(segmented_search, "COARSE", 8)
    fit = best_segments(data, rules, [3])[3]
    assert np.diff(np.searchsorted(x, data.scale.outside(np.array([-1.1, *fit.cuts, 1.1])))).min() >= 133


@pytest.mark.parametrize("seed", range(2))
def test_five_thousand_points_from_coarse_to_fine(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = observe(*noisy_steps(5000, seed, offset=FAR))
    exact = best_segments(data, Rules(), [3])[3]
    ends = cut_intervals(data, Rules(), exact)
    for module in (segmented_search, segmented_intervals):
        monkeypatch.setattr(module, "EXACT", 1000)
        monkeypatch.setattr(module, "COARSE", 500)
    found = best_segments(data, Rules(), [3])[3]
    assert exact.is_optimal
    assert not found.is_optimal
    assert found.cuts.tolist() == exact.cuts.tolist()
    assert found.cost == pytest.approx(exact.cost, rel=1e-12)
    np.testing.assert_array_equal(cut_intervals(data, Rules(), found), ends)


def test_blocks_and_bins_lead_to_the_same_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = noisy_steps(100_000, 5)
    order = np.random.default_rng(6).permutation(len(x))
    blocks = observe(x, y)
    # As data too large to sort are held.
    bins = replace(blocks, x=x[order], y=y[order], is_sorted=False)
    fits = [best_segments(data, Rules(fixed=(0.25,)), [4])[4] for data in (blocks, bins)]
    np.testing.assert_allclose(fits[0].cuts, fits[1].cuts, rtol=0, atol=0)
    assert fits[0].cost == pytest.approx(fits[1].cost, rel=1e-12)
    for data, fit in zip((blocks, bins), fits, strict=True):
        function, cuts = segmented_function(data, fit)
        sse = sum_of_squares(function, data.x, data.y, None)
        assert sse == pytest.approx(fit.cost * data.cost_unit, rel=1e-9)
        ends = cut_intervals(data, Rules(fixed=(0.25,)), fit)
        assert ((ends[:, 0] <= cuts) & (cuts <= ends[:, 1])).all()
        assert (ends[:, 1] - ends[:, 0] < 1e-2).all()


def test_few_different_x_among_many_points_are_treated_exactly() -> None:
    generator = np.random.default_rng(8)
    x = np.repeat(np.arange(50.0), 2000)
    y = np.where(x > 20, 1.0, 0.0) + generator.normal(size=len(x))
    fit = best_segments(observe(x, y), Rules(), [2])[2]
    assert fit.is_optimal
    assert segmented_function(observe(x, y), fit)[1].tolist() == [20.5]


def test_profile_is_the_cost_of_the_best_fit_with_the_cut_fixed() -> None:
    x, y = noisy_steps(40, 3, jump=2.0)
    data, rules = observe(x, y), Rules(min_points=2)
    fit = best_segments(data, rules, [3])[3]
    scaled, _, _ = data.scaled()
    middles = (scaled[:-1] + scaled[1:]) / 2
    limit = fit.cost + threshold(0.9) * fit.variance
    admitted: list[list[int]] = [[], []]
    for j, place in enumerate(middles.tolist()):
        held = best_segments(data, replace(rules, fixed=(place,)), [3]).get(3)
        # With this cut fixed it may be the first or the second: both have to be the best of their kind.
        for i, other in enumerate(_with_cut(data, rules, place)):
            if other <= limit:
                admitted[i].append(j)
        assert held is None or held.cost == pytest.approx(min(_with_cut(data, rules, place)), rel=1e-9)
    expected = [[data.x[min(each)], data.x[max(each) + 1]] for each in admitted]
    assert cut_intervals(data, rules, fit, 0.9).tolist() == expected


def _with_cut(data: Observations, rules: Rules, place: float) -> list[float]:
    """Costs of the best three segments whose first, or second, cut is at a place."""
    x, y, weights = data.scaled()
    left = x < place
    costs = []
    for alone in (left, ~left):
        rest = ~alone
        if alone.sum() < rules.min_points or rest.sum() < 2 * rules.min_points:
            costs.append(np.inf)
            continue
        pair = min(
            line_cost(x[a], y[a], weights[a]) + line_cost(x[b], y[b], weights[b])
            for cut in x[rest][rules.min_points : rest.sum() - rules.min_points + 1]
            for a, b in [(rest & (x < cut), rest & (x >= cut))]
        )
        costs.append(line_cost(x[alone], y[alone], weights[alone]) + pair)
    return costs


def test_line_intervals_are_those_of_ordinary_least_squares() -> None:
    stats = pytest.importorskip("statsmodels.api")
    x, y = noisy_steps(90, 4)
    data = observe(x, y)
    fit = best_segments(data, Rules(), [1])[1]
    slopes, heights = line_intervals(data, fit, 0.9)
    ordinary = stats.OLS(y, np.stack((np.ones_like(x), x - x.mean()), axis=1)).fit()
    np.testing.assert_allclose(np.stack((heights[0], slopes[0])), ordinary.conf_int(0.1), rtol=1e-9)


def test_a_flat_line_has_a_slope_without_error() -> None:
    x, y = noisy_steps(90, 4)
    data, rules = observe(x, y, level=True), Rules(flat_first=True)
    fit = best_segments(data, rules, [3])[3]
    slopes, _ = line_intervals(data, fit)
    assert slopes[0].tolist() == [0.0, 0.0]
    assert fit.freedom == 90 - 3 * 3 + 1 + 1


def test_intervals_of_cuts_cover_the_jumps() -> None:
    """60 sets with two jumps of three sigma: fewer than 50 of 60 covered has a chance below 1e-4 at 95 %."""
    covered = np.zeros(2)
    for seed in range(60):
        data = observe(*noisy_steps(200, 1000 + seed))
        ends = cut_intervals(data, Rules(), best_segments(data, Rules(), [3])[3])
        covered += (ends[:, 0] <= np.array([1 / 3, 2 / 3])) & (np.array([1 / 3, 2 / 3]) <= ends[:, 1])
    assert covered.min() >= 50
