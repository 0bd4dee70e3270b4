"""Figures of piecewise-linear functions: every corner, jump, arrow and label is the function's own number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from halfwave import HalfwaveError
from halfwave import functions as hf
from halfwave.plots import compare, family, function, thresholded_forms
from halfwave.plots.functions.family import CATALOGUE
from halfwave.plots.functions.piecewise import arrow_scale, check_range, corners, default_range, heading
from halfwave.plots.style import png

RANGE = (-3.0, 4.0)
JUMPY = hf.step(-1.0, 2.0) - hf.step(0.5, 3.0) + 0.25 * hf.absolute()
CASES = {
    **CATALOGUE,
    "jumpy": JUMPY,
    "constant": 0.0 * hf.identity() + 2.0,
    "far": hf.relu().compose(hf.identity() - 9.0),
}


def named(axes, label: str) -> np.ndarray:
    """Points (n, 2) of the one line with this label."""
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line.get_xydata()


def drawn(axes) -> np.ndarray:
    """Points (n, 2) of the graph, with NaN at jumps."""
    return axes.lines[0].get_xydata()


def arrows(axes) -> list[tuple[float, float]]:
    """Where each arrow stands and how high it points."""
    return [tuple(float(part) for part in text.xy) for text in axes.texts if text.arrow_patch is not None]


def numbers(axes) -> list[str]:
    return [text.get_text() for text in axes.texts if text.get_text()]


def check_graph(points: np.ndarray, f: hf.PiecewiseLinear, ends: tuple[float, float]) -> None:
    """The broken line has f's values, exactly, on its corners, and f's limits to rounding just beside its breaks."""
    x, y = points.T
    assert (x[0], x[-1]) == ends
    inside = f.kinks[(f.kinks > ends[0]) & (f.kinks < ends[1])]
    assert set(inside) == set(x[1:-1])
    breaks = np.flatnonzero(np.isnan(y))
    assert x[breaks].tolist() == [at for at, _ in f.point_masses() if ends[0] < at < ends[1]]
    right = np.isin(np.arange(len(x)), breaks + 1)
    solid = ~np.isnan(y) & ~right
    solid[0] = ends[0] not in f.kinks
    np.testing.assert_allclose(y[solid], f(x[solid]), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(y[right], f(np.nextafter(x[right], np.inf)), rtol=1e-12, atol=1e-12)
    # straight between the corners
    middle = (x[1:] + x[:-1])[np.diff(x) > 0] / 2
    between = ((y[1:] + y[:-1]) / 2)[np.diff(x) > 0]
    np.testing.assert_allclose(between, f(middle), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_graph_and_derivative_are_drawn_from_the_kinks(name):
    f = CASES[name]
    upper, middle, _ = function(f, RANGE).axes
    check_graph(drawn(upper), f, RANGE)
    check_graph(drawn(middle), f.derivative(), RANGE)
    assert upper.get_xlim() == middle.get_xlim() == RANGE


@pytest.mark.parametrize("name", CASES)
def test_antiderivative_has_the_integrals_and_all_kinks(name):
    f = CASES[name]
    points = drawn(function(f, RANGE, points=11).axes[2])
    assert set(np.linspace(*RANGE, 11)) | set(f.kinks[(f.kinks > -3) & (f.kinks < 4)]) == set(points[:, 0])
    np.testing.assert_allclose(
        points[:, 1], [f.integrate(0.0, x) for x in points[:, 0]], rtol=1e-13, atol=1e-13
    )


def test_the_value_at_a_jump_is_filled_and_the_other_limit_open():
    upper, middle, _ = function(JUMPY, RANGE).axes
    at = [-1.0, 0.5]
    assert named(upper, "_value").tolist() == [[x, JUMPY(x)] for x in at]
    after = [JUMPY(-1.0) + 2.0, JUMPY(0.5) - 3.0]
    assert named(upper, "_limit").tolist() == [[x, y] for x, y in zip(at, after, strict=True)]
    assert [line.get_markerfacecolor() for line in upper.lines if line.get_label() == "_limit"] == ["white"]
    assert named(upper, "_kinks").tolist() == [[0.0, JUMPY(0.0)]]
    # the derivative belongs to its left piece too
    assert named(middle, "_value").tolist() == [[0.0, -0.25]]
    assert named(middle, "_limit").tolist() == [[0.0, 0.25]]


def test_point_masses_are_arrows_in_proportion_with_their_numbers():
    middle = function(JUMPY, RANGE).axes[1]
    places, tips = zip(*arrows(middle), strict=True)
    assert places == (-1.0, 0.5)
    assert tips[0] / tips[1] == pytest.approx(2.0 / -3.0)
    assert abs(tips[1]) == pytest.approx(1.35 * 0.25)
    assert numbers(middle) == ["mass 2", "mass −3"]
    low, high = middle.get_ylim()
    assert low < min(tips) < max(tips) < high
    assert arrows(function(hf.relu()).axes[1]) == []


def test_a_jump_on_the_edge_of_the_range_is_drawn_with_both_circles():
    f = hf.step()
    for ends, value in (((0.0, 1.0), 1.0), ((-1.0, 0.0), 0.0)):
        upper, middle, _ = function(f, ends).axes
        assert drawn(upper)[:, 1].tolist() == [value, value]
        assert named(upper, "_value").tolist() == [[0.0, 0.0]]
        assert named(upper, "_limit").tolist() == [[0.0, 1.0]]
        assert numbers(middle) == ["mass 1"]
        assert upper.get_ylim()[0] < 0.0 < 1.0 < upper.get_ylim()[1]


def test_kinks_are_named_where_there_is_room():
    f = hf.from_points([-2, -1.9, -1, 0, 3], [0, 1, -1, 2, 2])
    upper = function(f, RANGE).axes[0]
    assert numbers(upper) == ["−1.9", "−1", "0"]
    crowded = hf.from_points([0, 1, 1.01, 2, 3], [0, 1, 0, 2, 2])
    assert numbers(function(crowded, RANGE).axes[0]) == ["1", "2"]


def test_so_many_kinks_that_marks_would_hide_the_line_have_none():
    f = hf.from_points(np.arange(80), np.arange(80) % 2)
    upper, middle, _ = function(f).axes
    assert len(drawn(upper)) == 80
    assert numbers(upper) == []
    assert all(not len(line.get_xydata()) for line in (*upper.lines[1:3], *middle.lines[1:3]))


def test_default_ranges_show_all_kinks():
    for f in CATALOGUE.values():
        low, high = default_range([f])
        assert low < f.kinks.min() <= f.kinks.max() < high
    assert default_range([hf.identity()]) == (-3.0, 3.0)
    assert default_range([hf.relu().compose(hf.identity() - 1000.0)]) == (-500.0, 2500.0)
    low, high = default_range([hf.relu(), hf.step(5.0)])
    assert low < 0.0 < 5.0 < high


def test_the_title_is_the_formula_unless_another_is_given():
    f = 2 * hf.relu() - 1
    assert function(f).get_suptitle() == heading(f) == f.formula(digits=4)
    assert function(f, title="mine").get_suptitle() == "mine"
    long = hf.from_points(np.arange(9), np.cos(np.arange(9)))
    lines = heading(long).split("\n")
    assert all(len(line) <= 70 for line in lines)
    np.testing.assert_allclose(hf.parse(" ".join(lines))(np.arange(9.0)), np.cos(np.arange(9)), atol=1e-2)
    # lines end between terms
    assert all(line[:2] in ("+ ", "- ") for line in lines[1:])


def test_functions_are_compared_on_the_same_axes():
    chosen = [hf.relu(), hf.leaky_relu(0.1), JUMPY]
    figure = compare(chosen, ["a", "b", "c"], RANGE)
    upper, lower = figure.axes
    lines = [line for line in upper.lines if line.get_label() in "abc"]
    for line, below, f in zip(lines, lower.lines[::3], chosen, strict=False):
        check_graph(line.get_xydata(), f, RANGE)
        check_graph(below.get_xydata(), f.derivative(), RANGE)
    assert len({(line.get_color(), str(line.get_linestyle())) for line in lines}) == 3
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b", "c"]
    assert arrows(lower) == [(-1.0, pytest.approx(1.35 * 2 / 3)), (0.5, pytest.approx(-1.35))]
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(widths, reverse=True)


def test_many_functions_stay_distinct():
    figure = compare([hf.relu() * k for k in range(1, 29)])
    # the public style of a dashed line does not say how it is dashed
    looks = {
        (line.get_color(), str(line._unscaled_dash_pattern)) for line in figure.axes[0].lines[: 3 * 28 : 3]
    }
    assert len(looks) == 28


def test_the_family_has_a_panel_and_a_derivative_for_each_function():
    figure = family()
    visible = [axes for axes in figure.axes if axes.axison]
    assert len(visible) == 2 * len(CATALOGUE)
    titled = {axes.get_title("left"): axes for axes in visible if axes.get_title("left")}
    assert list(titled) == list(CATALOGUE)
    for name, f in CATALOGUE.items():
        check_graph(drawn(titled[name]), f, (-3.0, 3.0))
        at = titled[name].get_subplotspec()
        (lower,) = [
            axes
            for axes in visible
            if axes.get_subplotspec().colspan == at.colspan
            and axes.get_subplotspec().rowspan.start == at.rowspan.start + 1
        ]
        check_graph(drawn(lower), f.derivative(), (-3.0, 3.0))
        assert numbers(lower) == [f"{mass:g}" for _, mass in f.point_masses()]
        assert all(abs(tip) < lower.get_ylim()[1] for _, tip in arrows(lower))
    assert len({axes.get_ylim() for axes in titled.values()}) == 1


@pytest.mark.parametrize("threshold", [1.0, -0.5, 0.0, 7.0])
def test_the_three_forms_stand_side_by_side(threshold):
    grid = np.array(thresholded_forms(threshold).axes).reshape(3, 3)
    ends = grid[0, 0].get_xlim()
    assert ends[0] < min(0.0, threshold) <= max(0.0, threshold) < ends[1]
    for column, form in enumerate(("subtract", "keep", "floor")):
        f = hf.thresholded_relu(threshold, form)
        assert grid[0, column].get_title("left").startswith(form)
        check_graph(drawn(grid[0, column]), f, ends)
        check_graph(drawn(grid[1, column]), f.derivative(), ends)
        x, y = drawn(grid[2, column]).T
        np.testing.assert_allclose(y, f.antiderivative()(x), rtol=1e-14)
        for axes, heights in zip(grid[:, column], (f(x), f.derivative()(x), y), strict=True):
            low, high = axes.get_ylim()
            assert low < heights.min()
            assert heights.max() < high
    assert numbers(grid[1, 1]) == ([] if threshold == 0 else [f"mass {threshold:g}".replace("-", "−")])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: function(hf.relu(), (2, 1)), r"two finite numbers, the lower one first; got \(2, 1\)"),
        (lambda: function(hf.relu(), (0.0, math.inf)), r"got \(0.0, inf\)"),
        (lambda: function(hf.relu(), (math.nan, 1.0)), r"got \(nan, 1.0\)"),
        (lambda: function(hf.relu(), (1.0,)), r"got \(1.0,\)"),
        (lambda: function(hf.relu(), "ab"), "got 'ab'"),
        (lambda: function(hf.relu(), (-1e308, 1e308)), "lower one first"),
        (lambda: function(hf.relu(), (-1e200, 1e200)), r"values up to 1e\+200"),
        (lambda: function(hf.relu() * 1e300), r"values up to 3e\+300"),
        (lambda: function(hf.relu(), points=1), "`points` must be at least 2; got 1"),
        (lambda: function(hf.relu().antiderivative()), "only a PiecewiseLinear .*; got PiecewiseQuadratic"),
        (lambda: compare([]), "from 1 to 28; got 0"),
        (lambda: compare([hf.relu()] * 29), "from 1 to 28; got 29"),
        (lambda: compare([hf.relu()], ["a", "b"]), "one label for each of 1 functions; got 2"),
        (lambda: compare([hf.relu(), 3.0]), "got 3.0"),
        (lambda: thresholded_forms(math.nan), "`threshold` of thresholded_relu must be finite; got nan"),
        (lambda: thresholded_forms(1.0, (1.0, 1.0)), r"got \(1.0, 1.0\)"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(HalfwaveError, match=words):
        call()


@pytest.mark.parametrize(
    "f",
    [
        hf.relu() * 1e100,
        hf.relu() * 1e-200,
        hf.relu().compose(hf.identity() - 1e15),
        hf.step(1e-12, 1e9),
        hf.from_points([0, 1e-9, 1], [0, 1, 0]),
        0.0 * hf.identity() + 0.1,
        0.1 * hf.identity() - 0.1 * hf.identity() + 1e20,
    ],
    ids=repr,
)
def test_any_scale_is_drawn(f):
    assert png(function(f), 0.5).startswith(b"\x89PNG")
    assert png(compare([f, hf.relu()]), 0.5).startswith(b"\x89PNG")


def test_ranges_and_scales_are_plain_numbers():
    assert check_range([-1, 2], [hf.relu()]) == (-1.0, 2.0)
    assert arrow_scale([hf.relu()], RANGE) == 0.0
    assert arrow_scale([hf.step(height=4.0)], RANGE) == pytest.approx(1.35 / 4.0)
    x, y = corners(hf.hard_threshold(1.0), (-1.0, 1.0))
    assert (x.tolist(), y.tolist()) == ([-1.0, 1.0], [0.0, 0.0])
