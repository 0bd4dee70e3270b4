"""Derivatives, integrals, distances and conjugates against quadrature and brute force."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from function_cases import CATALOGUE, functions, modest, numbers, probes
from hypothesis import given
from scipy.integrate import quad

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear, PiecewiseQuadratic


def quadrature(f, a, b, kinks):
    """∫ from a to b by scipy, piece by piece, since jumps and kinks defeat a Gauss rule."""
    low, high = min(a, b), max(a, b)
    edges = [low, *[k for k in kinks.tolist() if low < k < high], high]
    # quad never evaluates at the ends, so that the side of a jump does not matter
    total = sum(quad(f, u, v)[0] for u, v in pairwise(edges))
    return total if a <= b else -total


@modest
@given(functions())
def test_derivative_against_finite_differences(f):
    x = probes(f)
    h = 1e-5
    clear = np.abs(x[:, None] - f.kinks).min(axis=1, initial=np.inf) > 2 * h
    slope = (f(x + h) - f(x - h)) / (2 * h)
    np.testing.assert_allclose(f.derivative()(x)[clear], slope[clear], atol=1e-8)


@modest
@given(functions())
def test_derivative_and_point_masses_give_the_function_back(f):
    a, b = -20.0, 20.0
    increase = f.derivative().integrate(a, b) + sum(mass for _, mass in f.point_masses())
    assert f(b) - f(a) == pytest.approx(increase, abs=1e-10)


@modest
@given(functions(), numbers, numbers)
def test_integrals_against_quadrature(f, a, b):
    true = quadrature(f, a, b, f.kinks)
    assert f.integrate(a, b) == pytest.approx(true, rel=1e-11, abs=1e-11)
    assert f.antiderivative(at=a)(b) == pytest.approx(true, rel=1e-11, abs=1e-11)
    assert f.integrate(b, a) == pytest.approx(-true, rel=1e-11, abs=1e-11)


@modest
@given(functions(), numbers)
def test_antiderivative(f, at):
    F = f.antiderivative(at=at)
    assert F(at) == 0.0
    assert F.at == at
    assert F.derivative() == f
    np.testing.assert_array_equal(F.kinks, f.kinks)
    x = probes(f)
    np.testing.assert_allclose(F(x), [f.integrate(at, end) for end in x.tolist()], rtol=1e-11, atol=1e-10)
    # continuous even where f jumps
    right = np.nextafter(f.kinks, np.inf)
    np.testing.assert_allclose(F(right), F(f.kinks), rtol=1e-11, atol=1e-10)


def test_antiderivatives_of_known_functions():
    x = np.linspace(-3, 3, 25)
    np.testing.assert_array_equal(hf.relu().antiderivative()(x), np.maximum(x, 0) ** 2 / 2)
    keep = hf.thresholded_relu(1.0, "keep").antiderivative()
    np.testing.assert_allclose(keep(x), np.where(x > 1, (x**2 - 1) / 2, 0), atol=1e-15)
    floor = hf.thresholded_relu(1.0, "floor").antiderivative()
    np.testing.assert_allclose(floor(x), np.where(x > 1, x**2 / 2 + 1 / 2, x), atol=1e-15)
    assert hf.hard_tanh().antiderivative()(1e-20) == 0.5e-40


@pytest.mark.parametrize("f", [1e-12 * hf.identity() + 1, hf.relu() + 1e-9 * hf.identity() + 1])
def test_nearly_flat_lines_integrate_accurately(f):
    # about its vertex, far away, this parabola would be a small difference of large numbers
    F = f.antiderivative()
    for x in (1e-6, 0.5, -2.0, 3.0):
        slope, level = Fraction(float(f.derivative()(x))), Fraction(1)
        true = level * Fraction(x) + slope * Fraction(x) ** 2 / 2
        assert F(x) == pytest.approx(float(true), rel=1e-15)


def test_antiderivatives_keep_small_values_beside_large_ones():
    window = (hf.step() - hf.step(1e8)).antiderivative(at=-1.0)
    assert window(1e-3) == 1e-3
    # (x − 1e8)²/2 for x > 0: small about a vertex far from every kink
    bowl = PiecewiseLinear([-1, 0], [0, 0, 1], [0, 5e15, -1e8]).antiderivative(at=-1.0)
    assert bowl(1e8 + 2.0**-10) == 2.0**-21


def test_quadratics_compare_hash_and_show():
    F = hf.relu().antiderivative()
    assert PiecewiseQuadratic(hf.relu(), 0.0) == F
    assert hash(F) == hash(PiecewiseQuadratic(hf.relu(), 0.0))
    assert hf.relu().antiderivative(at=1.0) != F
    assert F != 3
    assert eval(repr(F)) == F


@pytest.mark.parametrize("bad", [np.inf, np.nan, "a"])
def test_limits_must_be_finite_numbers(bad):
    for operation in (
        lambda: hf.relu().antiderivative(at=bad),
        lambda: hf.relu().l2_distance(0, bad, 1.0),
        lambda: hf.relu().l2_distance(0, 0.0, bad),
    ):
        with pytest.raises(HalfwaveError, match=f"must be .*; got '?{bad}"):
            operation()


@pytest.mark.parametrize("bad", [np.nan, "a", None, 1j])
def test_limits_of_integrals_must_be_numbers(bad):
    for limits in ((0.0, bad), (bad, 0.0), (np.inf, bad)):
        with pytest.raises(HalfwaveError, match=f"of integrate must be .*; got '?{bad}"):
            hf.relu().integrate(*limits)


@pytest.mark.parametrize(
    ("f", "a", "b", "value"),
    [
        (hf.relu(), -np.inf, 1.0, 0.5),
        (hf.relu(), 0.0, np.inf, np.inf),
        (hf.relu(), -np.inf, np.inf, np.inf),
        (hf.relu(), np.inf, -np.inf, -np.inf),
        (hf.relu(), -np.inf, -3.0, 0.0),
        (-hf.absolute(), -np.inf, 2.0, -np.inf),
        (hf.identity(), -np.inf, 5.0, -np.inf),
        (hf.identity(), 5.0, -np.inf, np.inf),
        (hf.hard_tanh(), 3.0, np.inf, np.inf),
        (hf.step(0.0) - hf.step(2.0), -np.inf, np.inf, 2.0),
        (hf.step(5.0) - hf.step(7.0), -np.inf, 6.0, 1.0),
        (hf.relu_sum([1, 1, 1], [0, -1, -2], [1, -2, 1]), np.inf, -np.inf, -1.0),
        (0 * hf.relu(), -np.inf, np.inf, 0.0),
        (hf.identity(), np.inf, np.inf, 0.0),
        (1e-300 * hf.relu(), 0.0, np.inf, np.inf),
    ],
)
def test_integrals_to_infinity(f, a, b, value):
    assert f.integrate(a, b) == value


@pytest.mark.parametrize("f", [hf.identity(), hf.hard_tanh(), -hf.leaky_relu()])
def test_integrals_without_a_value(f):
    with pytest.raises(HalfwaveError, match=r"form inf - inf has no value; got one from -inf to inf"):
        f.integrate(-np.inf, np.inf)


@modest
@given(functions(), numbers)
def test_integrals_of_what_ends_equal_finite_ones(f, b):
    low, high = -20.0, 20.0
    kinks, intercepts = [low, *f.kinks, high], [0.0, *f.intercepts, 0.0]
    inside = PiecewiseLinear(kinks, [0.0, *f.slopes, 0.0], intercepts)
    assert inside.integrate(-np.inf, np.inf) == pytest.approx(f.integrate(low, high), rel=1e-12, abs=1e-10)
    assert inside.integrate(-np.inf, b) == pytest.approx(f.integrate(low, b), rel=1e-12, abs=1e-10)
    assert inside.integrate(np.inf, b) == pytest.approx(f.integrate(high, b), rel=1e-12, abs=1e-10)


@modest
@given(functions(), functions(), numbers, numbers)
def test_l2_distance_against_quadrature(f, g, a, b):
    a, b = min(a, b), max(a, b)
    kinks = np.union1d(f.kinks, g.kinks)
    true = quadrature(lambda x: (f(x) - g(x)) ** 2, a, b, kinks) ** 0.5
    assert f.l2_distance(g, a, b) == pytest.approx(true, rel=1e-10, abs=1e-10)
    assert f.l2_distance(f, a, b) == 0.0
    assert f.l2_distance(g, a, b) == g.l2_distance(f, a, b)


def test_l2_distance_of_neighbours_does_not_cancel():
    f = hf.relu() + 1e6
    assert f.l2_distance(hf.relu() + (1e6 + 2.0**-20), 0.0, 4.0) == pytest.approx(2.0**-19, rel=1e-15)
    with pytest.raises(HalfwaveError, match=r"at least `a`; got a = 1.0, b = 0.0"):
        f.l2_distance(f, 1.0, 0.0)


def convex(f):
    """The convex function with the slopes of f in increasing order."""
    heights = np.concatenate(([0.0], np.cumsum(np.diff(np.sort(f.slopes)) * -f.kinks)))
    return PiecewiseLinear(f.kinks, np.sort(f.slopes), heights)


@modest
@given(functions(jumps=False))
def test_conjugate_against_brute_force(f):
    f = convex(f)
    conjugate = f.conjugate()
    low, high = conjugate.domain
    assert (low, high) == (f.slopes[0], f.slopes[-1])
    x = np.concatenate((f.kinks, np.linspace(-30, 30, 601)))
    for p in np.concatenate((f.slopes, np.linspace(low, high, 7))).tolist():
        p = min(max(p, low), high)
        brute = (p * x - f(x)).max()
        assert conjugate(p) == pytest.approx(brute, rel=1e-11, abs=1e-11)
        assert conjugate.finite_part(p) == conjugate(p)
    assert conjugate(np.nextafter(high, np.inf)) == np.inf
    assert conjugate(np.array([low - 1.0])).tolist() == [np.inf]
    assert np.isnan(conjugate(np.nan))


@pytest.mark.parametrize(
    ("f", "message"),
    [(-hf.absolute(), "slopes that increase; got -1.0 after 1.0"), (hf.step(), "a jump of 1.0 at 0.0")],
)
def test_no_conjugate(f, message):
    with pytest.raises(HalfwaveError, match=message):
        f.conjugate()


def test_the_conjugate_of_a_line_is_one_point():
    conjugate = (2 * hf.identity() + 3).conjugate()
    assert conjugate.domain == (2.0, 2.0)
    assert conjugate(np.array([1.0, 2.0, 3.0])).tolist() == [np.inf, -3.0, np.inf]
    assert repr(conjugate).startswith("ConvexConjugate(")


@pytest.mark.parametrize("name", CATALOGUE)
def test_curve(name):
    f = CATALOGUE[name][0]
    x = probes(f)
    curve = f.curve(x)
    assert list(curve) == ["x", "y", "yp"]
    assert curve["x"] == x.tolist()
    assert curve["y"] == [f(point) for point in x.tolist()]
    assert curve["yp"] == [f.derivative()(point) for point in x.tolist()]
