"""What `fit_relu_sum` promises: invariances, bad input, choice of the number of kinks, results."""

from __future__ import annotations

import pickle
import warnings
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from halfwave.errors import HalfwaveError
from halfwave.fitting import AutocorrelationWarning, fit_relu_sum


def noisy(n: int = 120, seed: int = 0, noise: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Points about a line with kinks at 3 and 7."""
    generator = np.random.default_rng(seed)
    x = np.sort(generator.uniform(0, 10, n))
    return x, np.abs(x - 3) - 2 * np.maximum(0, x - 7) + generator.normal(0, noise, n)


def test_sse_is_that_of_the_predictions() -> None:
    x, y = noisy()
    weights = np.random.default_rng(1).uniform(0.1, 2, len(x))
    fit = fit_relu_sum(x, y, 3, weights=weights)
    assert fit.sse == pytest.approx((weights * (y - fit.predict(x)) ** 2).sum(), rel=1e-12)
    assert fit.residuals == pytest.approx(y - fit.function(x), abs=1e-13)
    for row in fit.table:
        assert row.sse == pytest.approx((weights * (y - row.function(x)) ** 2).sum(), rel=1e-12)
    assert 0 < fit.lower_bound <= fit.sse


def test_the_table_holds_every_number_of_kinks_and_never_rises() -> None:
    x, y = noisy()
    fit = fit_relu_sum(x, y, 5)
    assert [len(row.kinks) for row in fit.table] == [0, 1, 2, 3, 4, 5]
    sses = [row.sse for row in fit.table]
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(sses))
    assert sses[-1] == pytest.approx(fit.sse, rel=1e-6)
    assert "kinks" in str(fit)
    assert "optimal" in str(fit)


@pytest.mark.parametrize("use_numba", [False, None])
def test_known_kinks_are_found(use_numba: bool | None) -> None:
    x, y = noisy(2000, noise=0.1)
    fit = fit_relu_sum(x, y, use_numba=use_numba)
    # five standard errors of a kink here (noise 0.1, slopes change by 2): below 1e-6 of false alarms
    assert fit.kinks == pytest.approx([3, 7], abs=0.1)
    assert fit.criterion == "bic"


@pytest.mark.parametrize("criterion", ["bic", "bic3", "wbic", "cross_validation"])
def test_every_criterion_finds_two_clear_kinks(criterion: str) -> None:
    x, y = noisy(400, seed=3, noise=0.1)
    fit = fit_relu_sum(x, y, max_kinks=5, criterion=criterion)  # pyright: ignore[reportArgumentType]
    assert len(fit.kinks) == 2
    assert criterion in fit.table[0].criteria


def test_exact_data_need_no_more_kinks_than_they_have() -> None:
    x = np.arange(30.0)
    fit = fit_relu_sum(x, np.abs(x - 11) + 2 * np.maximum(x - 20, 0))
    assert fit.kinks == pytest.approx([11, 20], abs=1e-9)
    assert fit.sse < 1e-18


@pytest.mark.parametrize("y", [0.0, 5.0, -1e8])
def test_constant_y_has_no_kinks(y: float) -> None:
    fit = fit_relu_sum(np.arange(20), np.full(20, y))
    assert len(fit.kinks) == 0
    assert fit.sse <= 1e-20 * max(1, y * y)
    assert fit.function(3.5) == pytest.approx(y)


@pytest.mark.parametrize(
    ("shift", "scale", "lift", "stretch"),
    [(0, 1e6, 0, 1), (1.7e9, 1, 0, 1), (0, 1e-9, 1e5, 1e3), (-1e7, 100, -3, -1e-6)],
)
def test_shift_and_scale_change_nothing(shift: float, scale: float, lift: float, stretch: float) -> None:
    x, y = noisy()
    x = np.round(x, 3)  # so that the shifted x are the same floats, shifted
    plain, moved = fit_relu_sum(x, y, 3), fit_relu_sum(shift + scale * x, lift + stretch * y, 3)
    assert moved.sse == pytest.approx(plain.sse * stretch**2, rel=1e-6)
    assert (moved.kinks - shift) / scale == pytest.approx(plain.kinks, abs=1e-5)


def test_order_duplication_and_direction_change_nothing() -> None:
    x, y = noisy()
    order = np.random.default_rng(2).permutation(len(x))
    plain = fit_relu_sum(x, y, 3)
    shuffled = fit_relu_sum(x[order], y[order], 3)
    assert shuffled.sse == pytest.approx(plain.sse, rel=1e-12)
    assert shuffled.residuals == pytest.approx(plain.residuals[order], abs=1e-9)
    doubled = fit_relu_sum(np.repeat(x, 2), np.repeat(y, 2), 3)
    heavy = fit_relu_sum(x, y, 3, weights=np.full(len(x), 2.0))
    assert doubled.sse == pytest.approx(heavy.sse, rel=1e-9)
    assert doubled.kinks == pytest.approx(heavy.kinks, abs=1e-6)
    mirrored = fit_relu_sum(-x, y, 3)
    assert mirrored.sse == pytest.approx(plain.sse, rel=1e-7)
    assert -mirrored.kinks[::-1] == pytest.approx(plain.kinks, abs=1e-4)


def test_some_duplicated_points_equal_weights_of_two() -> None:
    x, y = noisy(60)
    weights = np.ones(60)
    weights[10:30] = 2
    twice = np.concatenate((np.arange(60), np.arange(10, 30)))
    assert fit_relu_sum(x[twice], y[twice], 2).sse == pytest.approx(
        fit_relu_sum(x, y, 2, weights=weights).sse, rel=1e-9
    )


def test_points_of_weight_zero_do_not_count() -> None:
    x, y = noisy(60)
    weights = np.ones(60)
    weights[::3] = 0
    assert fit_relu_sum(x, y, 2, weights=weights).sse == pytest.approx(
        fit_relu_sum(x[weights > 0], y[weights > 0], 2).sse, rel=1e-12
    )


def test_ties_integers_lists_and_booleans_are_data() -> None:
    fit = fit_relu_sum([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [True, False] * 5, 1)
    assert fit.sse == pytest.approx(2.5)
    assert fit.predict([1, 2]).shape == (2,)


def test_datetimes_become_seconds() -> None:
    days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
    steps = np.arange(len(days), dtype=float)
    fit = fit_relu_sum(days, np.abs(steps - 31), 1)
    assert fit.x_unit == "seconds since 1970-01-01"
    assert fit.kink_times.astype("datetime64[D]").tolist() == [days[31].item()]
    assert fit.predict(days[:3]) == pytest.approx([31, 30, 29])
    spans = fit_relu_sum((days - days[0]).astype("timedelta64[h]"), np.abs(steps - 31), 1)
    assert spans.kinks == pytest.approx([31 * 86400])
    with pytest.raises(AttributeError):
        _ = fit_relu_sum(steps, steps, 0).kink_times


def test_months_and_years_are_dates() -> None:
    years = np.arange("1900", "1930", dtype="datetime64[Y]")
    fit = fit_relu_sum(years, np.abs(np.arange(30) - 10.0), 1)
    # years differ in length, so that the kink is a day or two off
    assert abs(fit.kink_times[0] - years[10].astype("datetime64[ms]")) < np.timedelta64(5, "D")


def test_min_points_stops_jumps() -> None:
    generator = np.random.default_rng(5)
    x = np.sort(generator.uniform(0, 1, 40))
    fit = fit_relu_sum(x, generator.normal(size=40), 9, min_points=4)
    knots = np.array([x[0], *fit.kinks, x[-1]])
    assert min(((x >= a) & (x <= b)).sum() for a, b in pairwise(knots)) >= 4


def test_min_length_holds() -> None:
    x, y = noisy()
    fit = fit_relu_sum(x, y, 4, min_length=1.5)
    assert np.diff([x[0], *fit.kinks, x[-1]]).min() >= 1.5 * (1 - 1e-9)
    assert fit.sse >= fit_relu_sum(x, y, 4).sse * (1 - 1e-9)


def test_fixed_kinks_stay() -> None:
    x, y = noisy()
    fit = fit_relu_sum(x, y, 3, fixed_kinks=[4.5])
    assert np.abs(fit.kinks - 4.5).min() <= 1e-12
    assert [len(row.kinks) for row in fit.table] == [1, 2, 3]
    assert len(fit_relu_sum(x, y, fixed_kinks=[4.5], max_kinks=4).kinks) >= 1


@pytest.mark.parametrize(("flat", "ends"), [("first", [0]), ("last", [-1]), ("both", [0, -1])])
def test_flat_ends_are_flat(flat: str, ends: list[int]) -> None:
    x, y = noisy(seed=4)
    fit = fit_relu_sum(x, y, 3, flat=flat)  # pyright: ignore[reportArgumentType]
    assert np.abs(fit.function.slopes[ends]).max() < 1e-9
    assert fit.sse >= fit_relu_sum(x, y, 3).sse
    assert fit.sse == pytest.approx(((y - fit.function(x)) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("flat", ["first", "last", "both"])
def test_flat_ends_equal_brute_force_on_the_grid(flat: str) -> None:
    generator = np.random.default_rng(8)
    x = np.arange(16.0)
    y = np.clip(x - 5, 0, 6) + generator.normal(0, 0.5, 16)
    best = np.inf
    inner = np.arange(x[0], x[-1] + 0.1, 1 / 3)
    for a in inner:
        for b in inner[inner >= a + 2]:
            if a < 2 or b > 13:
                continue
            columns = [np.ones(16), np.clip(x, a, b)]
            columns += [] if flat in ("first", "both") else [np.minimum(x - a, 0)]
            columns += [] if flat in ("last", "both") else [np.maximum(x - b, 0)]
            design = np.stack(columns, axis=1)
            residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
            best = min(best, float(residual @ residual))
    fit = fit_relu_sum(x, y, 2, flat=flat)  # pyright: ignore[reportArgumentType]
    assert fit.sse <= best * (1 + 1e-9)
    assert fit.certificate.grid_sse == pytest.approx(best, rel=1e-9)


def test_autocorrelation_warns_and_is_corrected() -> None:
    generator = np.random.default_rng(0)
    noise = np.zeros(600)
    for i in range(1, 600):
        noise[i] = 0.9 * noise[i - 1] + generator.normal()
    x = np.arange(600.0)
    with pytest.warns(AutocorrelationWarning, match="correlation='correct'"):
        plain = fit_relu_sum(x, noise, max_kinks=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        corrected = fit_relu_sum(x, noise, max_kinks=8, correlation="correct")
        fit_relu_sum(x, noise, max_kinks=8, correlation="ignore")
    assert len(corrected.kinks) < len(plain.kinks)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([], [], {}, "at least two different values; got an empty"),
        ([1, 2, 3], [1, 2], {}, "same length; got 3 and 2"),
        ([1, np.nan, 3], [1, 2, 3], {}, "`x` must be finite; got nan at index 1"),
        ([1, 2, 3], [1, 2, np.inf], {}, "`y` must be finite; got inf at index 2"),
        ([[1, 2], [3, 4]], [1, 2], {}, r"one-dimensional; got shape \(2, 2\)"),
        ([1, 2, 3], ["a", "b", "c"], {}, "`y` must be real numbers; got an array of dtype"),
        ([1j, 2, 3], [1, 2, 3], {}, "`x` must be real numbers"),
        ([2, 2, 2], [1, 2, 3], {}, "two different values; got only 2.0"),
        (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), [1, 2], {}, "got NaT at index 1"),
        ([1, 2], [1, 2], {}, "at least 3 different values"),
        ([1, 2, 3, 4], [1, 2, 3, 5], {"kinks": 3}, "`kinks` must be at most 0 for 4 different x"),
        ([1, 2, 3, 4], [1, 2, 3, 5], {"kinks": 3, "min_points": 2}, "must be at most 2 for 4 different x"),
        (range(9), range(9), {"kinks": -1}, "`kinks` must be a whole number of at least 0; got -1"),
        (range(9), range(9), {"kinks": 1.5}, "`kinks` must be a whole number"),
        (range(9), range(9), {"kinks": True}, "`kinks` must be a whole number"),
        (range(9), range(9), {"kinks": "many"}, "`kinks` must be one of 'auto'; got 'many'"),
        (range(9), range(9), {"max_kinks": -1}, "`max_kinks` must be a whole number"),
        (range(9), range(9), {"criterion": "aic"}, "`criterion` must be one of"),
        (range(9), range(9), {"correlation": "no"}, "`correlation` must be one of"),
        (range(9), range(9), {"flat": True}, "`flat` must be one of"),
        (range(9), range(9), {"min_points": 1}, "`min_points` must be a whole number of at least 2; got 1"),
        (range(9), range(9), {"min_length": -1}, "`min_length` must not be negative"),
        (
            range(9),
            range(9),
            {"kinks": 3, "min_length": 4},
            "no placement of 3 kinks meets min_points=3 and min_len",
        ),
        (range(9), range(9), {"fixed_kinks": [0]}, "inside the data, between 0.0 and 8.0; got 0.0"),
        (
            range(9),
            range(9),
            {"fixed_kinks": [2, 5], "kinks": 1},
            "at least the number of fixed kinks, 2; got 1",
        ),
        (range(9), range(9), {"fixed_kinks": [4, 4.5]}, "no placement of 2 kinks meets .* fixed_kinks"),
        (range(9), range(9), {"weights": [1] * 8}, "`weights` must have 9 entries; got 8"),
        (
            range(9),
            range(9),
            {"weights": [1] * 8 + [-1]},
            "`weights` must not be negative; got -1.0 at index 8",
        ),
        (range(9), range(9), {"weights": [0] * 9}, "must not all be zero"),
        (range(9), range(9), {"weights": [1] + [0] * 8}, "two different values"),
    ],
)
def test_bad_input_is_refused(x: object, y: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        fit_relu_sum(x, y, **options)  # pyright: ignore[reportArgumentType]


def test_compiled_kernel_without_numba_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HalfwaveError, match="needs the package numba"):
        fit_relu_sum(range(9), range(9), use_numba=True)


@pytest.mark.parametrize("n", [20_000, 60_000])
@pytest.mark.parametrize("shuffled", [False, True])
def test_blocks_and_bins_find_what_points_find(
    n: int, shuffled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = noisy(n, noise=0.5)
    reference = fit_relu_sum(x, y, 2)
    if shuffled:
        order = np.random.default_rng(0).permutation(n)
        x, y = x[order], y[order]
        monkeypatch.setattr("halfwave.fitting.observations.SORT_BELOW", 10)
    else:
        monkeypatch.setattr("halfwave.fitting.search.cells.POINTS", 1 << 20)
    other = fit_relu_sum(x, y, 2)
    assert other.sse == pytest.approx(reference.sse, rel=1e-6)
    assert other.sse == pytest.approx(((y - other.function(x)) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("weight", [1e-200, 1e200])
@pytest.mark.parametrize("through", [[], [(0.0, 0.0)]])
def test_the_unit_of_weights_does_not_matter(weight: float, through: list[tuple[float, float]]) -> None:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(1, 10, 60))
    y = np.abs(x - 4) + 0.2 * rng.normal(size=60)
    plain = fit_relu_sum(x, y, 1, through=through)
    fit = fit_relu_sum(x, y, 1, weights=np.full(60, weight), through=through)
    assert fit.kinks == pytest.approx(plain.kinks, rel=1e-12)
    assert fit.sse == pytest.approx(weight * plain.sse, rel=1e-12)
    assert fit.certificate.grid_sse == pytest.approx(weight * plain.certificate.grid_sse, rel=1e-9)
    assert fit.lower_bound <= fit.sse
    np.testing.assert_allclose(fit.intervals().kinks, plain.intervals().kinks, rtol=1e-6)


def test_values_whose_squares_overflow_are_refused() -> None:
    with pytest.raises(HalfwaveError, match=r"`y` must be at most 1e\+150 in size, .*; got 2e\+200"):
        fit_relu_sum([1, 2, 3], [1.0, -2e200, 1.0], 0)


@pytest.mark.parametrize("options", [{}, {"continuous": False}, {"loss": "huber"}, {"loss": "quantile"}])
def test_results_survive_pickling(options: dict[str, Any]) -> None:
    x = np.arange(30.0)
    fit = fit_relu_sum(x, np.abs(x - 12) + np.sin(x), 1, **options)
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.kinks, fit.kinks)
    np.testing.assert_array_equal(again.intervals(resamples=20).kinks, fit.intervals(resamples=20).kinks)
    assert again.autocorrelation == fit.autocorrelation


def test_the_last_point_counts_whatever_scaling_makes_of_it() -> None:
    for seed in range(40):
        x = np.sort(np.random.default_rng(seed).uniform(0, 10, 14))
        y = np.abs(x - 5)
        for kink in (x[2], x[-3]):  # three points on one side, those at both ends included
            assert fit_relu_sum(x, y, 1, fixed_kinks=[kink]).kinks.tolist() == [kink]


@pytest.mark.parametrize("y", [np.ones(200), np.arange(200.0), np.abs(np.arange(200.0) - 70)])
def test_exact_data_with_spare_kinks_end_soon_and_without_error(y: np.ndarray) -> None:
    fit = fit_relu_sum(np.linspace(0, 10, 200), y, 5)
    assert fit.sse < 1e-20 * (1 + (y**2).sum())
    assert len(fit.kinks) == 5


def test_pythons_dates_durations_and_numbers_are_taken() -> None:
    y = np.abs(np.arange(40.0) - 17)
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(40)]
    zoned = [
        datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))) + timedelta(days=i) for i in range(40)
    ]
    for x in (days, zoned):
        assert fit_relu_sum(x, y, 1).kink_times.tolist() == [datetime(2020, 1, 18)]
    assert fit_relu_sum([timedelta(days=i) for i in range(40)], y, 1).kinks == pytest.approx([17 * 86400])
    assert fit_relu_sum(np.array(list(range(40)), dtype=object), y, 1).kinks == pytest.approx([17])


def test_masked_entries_are_refused() -> None:
    with pytest.raises(HalfwaveError, match="`y` must have no masked entries; got one at index 2"):
        fit_relu_sum(range(4), np.ma.array([1.0, 2.0, 3.0, 4.0], mask=[0, 0, 1, 0]), 0)
