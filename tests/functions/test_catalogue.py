"""The named functions: their data, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from function_cases import functions, modest, numbers, probes
from hypothesis import given
from hypothesis import strategies as st

from halfwave import functions as hf
from halfwave.errors import HalfwaveError

inf, nan = np.inf, np.nan


@pytest.mark.parametrize(
    ("f", "kinks", "slopes", "intercepts", "jumps"),
    [
        (hf.relu(), [0], [0, 1], [0, 0], [0]),
        (hf.rectified_linear(2, -1), [0.5], [0, 2], [0, -1], [0]),
        (hf.rectified_linear(-2, -1), [-0.5], [-2, 0], [-1, 0], [0]),
        (hf.rectified_linear(0, 3), [], [0], [3], []),
        (hf.rectified_linear(0, -3), [], [0], [0], []),
        (hf.rectified_linear(3, 0.1), [-0.1 / 3], [0, 3], [0, 0.1], [0]),
        (hf.thresholded_relu(2), [2], [0, 1], [0, -2], [0]),
        (hf.thresholded_relu(2, form="keep"), [2], [0, 1], [0, 0], [2]),
        (hf.thresholded_relu(-2, form="keep"), [-2], [0, 1], [0, 0], [-2]),
        (hf.thresholded_relu(2, form="floor"), [2], [0, 1], [2, 0], [0]),
        (hf.leaky_relu(), [0], [0.01, 1], [0, 0], [0]),
        (hf.clipped_relu(), [0, 6], [0, 1, 0], [0, 0, 6], [0, 0]),
        (hf.soft_threshold(2), [-2, 2], [1, 0, 1], [2, 0, -2], [0, 0]),
        (hf.soft_threshold(), [-0.5, 0.5], [1, 0, 1], [0.5, 0, -0.5], [0, 0]),
        (hf.soft_threshold(0), [], [1], [0], []),
        (hf.hard_threshold(2), [-2, 2], [1, 0, 1], [0, 0, 0], [2, 2]),
        (hf.hard_threshold(0), [], [1], [0], []),
        (hf.hard_tanh(), [-1, 1], [0, 1, 0], [-1, 0, 1], [0, 0]),
        (hf.absolute(), [0], [-1, 1], [0, 0], [0]),
        (hf.identity(), [], [1], [0], []),
        (hf.step(1, 3), [1], [0, 0], [0, 3], [3]),
        (hf.relu_sum([], [], slope=2, offset=1), [], [2], [1], []),
        (hf.two_sided_relu(1, -1, 0.5, 4), [-1, 1], [0.25, 0, 2], [0.25, 0, -2], [0, 0]),
        (hf.two_sided_relu(1, 1, 0.5, 4), [1], [0.25, 2], [-0.25, -2], [0]),
        (hf.two_sided_relu(1, 1, 2, 2), [], [0.5], [-0.5], []),
    ],
)
def test_data(f, kinks, slopes, intercepts, jumps):
    assert f.kinks.tolist() == kinks
    assert f.slopes.tolist() == slopes
    assert f.intercepts.tolist() == intercepts
    assert f.jumps.tolist() == jumps


def test_no_negative_zeros_show():
    negative = -hf.relu()
    for f in (hf.relu(), hf.thresholded_relu(0.0), hf.thresholded_relu(-0.0), negative, -negative):
        assert "-0.0" not in repr(f)


def test_the_three_thresholded_forms_agree_only_at_zero():
    assert len({hf.thresholded_relu(0.0, form) for form in ("subtract", "keep", "floor")}) == 1
    assert len({hf.thresholded_relu(0.5, form) for form in ("subtract", "keep", "floor")}) == 3


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 1.0])
@pytest.mark.parametrize("form", ["subtract", "keep", "floor"])
def test_the_derivative_gates_on_the_input(form, threshold):
    # gating on the output, as Caffe2 does, is wrong for "keep" with a negative threshold
    x = np.linspace(-2, 2, 9)
    derivative = hf.thresholded_relu(threshold, form).derivative()
    np.testing.assert_array_equal(derivative(x), (x > threshold).astype(float))


@modest
@given(st.lists(st.tuples(numbers, numbers, numbers), max_size=6), numbers, numbers)
def test_relu_sum_against_its_formula(terms, slope, offset):
    terms = [(m, b, w) for m, b, w in terms if m == 0 or abs(m) > 1e-2]
    m, b, w = ([term[i] for term in terms] for i in range(3))
    f = hf.relu_sum(m, b, w, slope, offset)
    x = probes(f)
    expected = slope * x + offset + sum(wk * np.maximum(mk * x + bk, 0) for mk, bk, wk in terms)
    np.testing.assert_allclose(f(x), expected, rtol=1e-12, atol=1e-10)
    assert f.is_continuous


@modest
@given(functions(jumps=False))
def test_from_points_rebuilds_a_function(f):
    x = np.concatenate(([f.kinks.min(initial=0.0) - 1], f.kinks, [f.kinks.max(initial=0.0) + 1]))
    again = hf.from_points(x, f(x))
    points = probes(f)
    np.testing.assert_allclose(again(points), f(points), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(again(x), f(x), rtol=1e-14, atol=1e-14)


def test_from_points_meets_its_points_and_continues():
    rng = np.random.default_rng(3)
    x, y = np.sort(rng.normal(size=200)), rng.normal(size=200)
    f = hf.from_points(x, y)
    np.testing.assert_allclose(f(x), y, rtol=1e-12, atol=1e-13)
    inside = rng.uniform(x[0], x[-1], size=500)
    np.testing.assert_allclose(f(inside), np.interp(inside, x, y), rtol=1e-9, atol=1e-12)
    assert f(x[0] - 1) == pytest.approx(y[0] - (y[1] - y[0]) / (x[1] - x[0]), rel=1e-12)
    assert f(x[-1] + 1) == pytest.approx(y[-1] + (y[-1] - y[-2]) / (x[-1] - x[-2]), rel=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([], [], "at least two points; got 0"),
        ([1.0], [1.0], "at least two points; got 1"),
        (
            [0.0, 2.0, 1.0],
            [0.0, 0.0, 0.0],
            r"`x` of from_points must strictly increase; got 1.0 after 2.0 at index 2",
        ),
        ([0.0, 1.0, 1.0], [0.0, 0.0, 0.0], "must strictly increase; got 1.0 after 1.0 at index 2"),
        ([0.0, nan], [0.0, 0.0], "`x` of from_points must be finite; got nan at index 1"),
        ([0.0, 1.0], [inf, 0.0], "`y` of from_points must be finite; got inf at index 0"),
        ([0.0, 1.0], [0.0], "`y` of from_points must have 2 entries; got 1"),
        ([[0.0, 1.0]], [0.0, 0.0], r"must be one-dimensional; got shape \(1, 2\)"),
        (["a", "b"], [0.0, 0.0], "must be real numbers; got an array of dtype <U1"),
        ([0.0, 1e-320], [0.0, 1.0], "slopes of a piecewise-linear function must be finite; got inf"),
    ],
)
def test_bad_points(x, y, message):
    with pytest.raises(HalfwaveError, match=message):
        hf.from_points(x, y)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hf.rectified_linear(nan, 0), "`m` of rectified_linear must be finite; got nan"),
        (lambda: hf.rectified_linear(1, "x"), "`b` of rectified_linear must be a real number; got 'x'"),
        (lambda: hf.rectified_linear(1e-300, 1e10), "kinks .* must be finite; got -inf"),
        (lambda: hf.double_relu(1, 0, inf, 0), "`m2` of double_relu must be finite; got inf"),
        (lambda: hf.relu_sum([1], [1, 2]), "`intercepts` of relu_sum must have 1 entries; got 2"),
        (lambda: hf.relu_sum([1], [1], [1, 2]), "`weights` of relu_sum must have 1 entries; got 2"),
        (lambda: hf.relu_sum([1], [nan]), "`intercepts` of relu_sum must be finite; got nan at index 0"),
        (lambda: hf.relu_sum([1], [1], slope=inf), "`slope` of relu_sum must be finite; got inf"),
        (lambda: hf.relu_sum([1], [1], offset=None), "`offset` of relu_sum must be a real number; got None"),
        (lambda: hf.thresholded_relu(inf), "`threshold` of thresholded_relu must be finite; got inf"),
        (lambda: hf.thresholded_relu(1, "cut"), '"subtract", "keep" or "floor"; got \'cut\''),
        (lambda: hf.thresholded_relu(1, []), '"subtract", "keep" or "floor"; got \\[\\]'),
        (lambda: hf.leaky_relu(1j), "`a` of leaky_relu must be a real number; got 1j"),
        (lambda: hf.clipped_relu(0), "`c` of clipped_relu must be positive; got 0.0"),
        (lambda: hf.soft_threshold(-1), "`lam` of soft_threshold must not be negative; got -1.0"),
        (lambda: hf.hard_threshold(-1), "`lam` of hard_threshold must not be negative; got -1.0"),
        (lambda: hf.step(nan), "`location` of step must be finite; got nan"),
        (lambda: hf.step(0, 10**400), "`height` of step must be a real number"),
        (lambda: hf.two_sided_relu(nan, 0, 1, 1), "`theta_pos` of two_sided_relu must be finite; got nan"),
        (lambda: hf.two_sided_relu(0, inf, 1, 1), "`theta_neg` of two_sided_relu must be finite; got inf"),
        (lambda: hf.two_sided_relu(0, 0, 0, 1), "`gamma_pos` of two_sided_relu must be positive; got 0.0"),
        (
            lambda: hf.two_sided_relu(0, 0, 1, -0.3),
            "`gamma_neg` of two_sided_relu must be positive; got -0.3",
        ),
    ],
)
def test_bad_parameters(call, message):
    with pytest.raises(HalfwaveError, match=message):
        call()


def test_names_are_sorted_and_documented():
    assert hf.__all__ == sorted(hf.__all__)
    for name in hf.__all__:
        assert ">>> " in getattr(hf, name).__doc__
