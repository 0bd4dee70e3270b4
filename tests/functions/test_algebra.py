"""Laws of the algebra, each against evaluating the parts separately."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from function_cases import CATALOGUE, functions, modest, monotone_functions, numbers, probes
from hypothesis import assume, given

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear

close = {"rtol": 1e-12, "atol": 1e-11}


@modest
@given(functions(), functions(), numbers)
def test_sums_and_multiples(f, g, c):
    x = probes(f, g)
    np.testing.assert_allclose((f + g)(x), f(x) + g(x), **close)
    np.testing.assert_allclose((f - g)(x), f(x) - g(x), **close)
    np.testing.assert_allclose((c * f)(x), c * f(x), **close)
    np.testing.assert_allclose((-f)(x), -f(x), **close)
    np.testing.assert_allclose((c - f)(x), c - f(x), **close)
    if c:
        np.testing.assert_allclose((f / c)(x), f(x) / c, **close)


@modest
@given(functions(), functions())
def test_sums_are_exact_where_they_can_be(f, g):
    assert f + g == g + f
    assert f - f == 0 * hf.relu()
    assert f + 0 == f
    negative = -f
    assert -negative == f
    assert f + f == 2 * f
    assert hash(f + g) == hash(g + f)


@modest
@given(functions(), functions())
def test_jumps_add_up(f, g):
    masses = dict((f + g).point_masses())
    parts = f.point_masses() + g.point_masses()
    for location, _ in parts:
        total = sum(mass for where, mass in parts if where == location)
        assert masses.get(location, 0.0) == pytest.approx(total, abs=1e-12)
    assert set(masses) <= {location for location, _ in parts}


@modest
@given(functions(), functions(), numbers)
def test_declared_jumps_are_those_of_the_values(f, g, c):
    for result in (f, f + g, c * f, f.maximum(g), f.minimum(g), f.compose(g), f.derivative()):
        right = result(np.nextafter(result.kinks, np.inf))
        np.testing.assert_allclose(result.jumps, right - result(result.kinks), rtol=1e-10, atol=1e-9)


def test_kinks_that_rounding_merges_add_their_jumps():
    close = hf.step(0.0) + hf.step(1e-20) - 3 * hf.relu()
    assert len(close.kinks) == 2
    assert close.compose(hf.identity() + 1).point_masses() == [(-1.0, 2.0)]


def test_pieces_too_narrow_for_floats_leave_a_jump():
    cliff = hf.relu_sum([1e20, 1e20], [0.0, -1.0], [1.0, -1.0])  # rises by 1 over 1e-20
    assert cliff.is_continuous
    assert cliff.compose(hf.identity() + 1) == hf.step(-1.0)
    flat = hf.relu_sum([1, 1], [-1e9, -1e9 - 5], [1e-9 - 1, 1 - 1e-9], slope=1)
    inverse = flat.inverse()
    assert inverse.point_masses() == [(1e9, pytest.approx(5.0))]
    assert inverse(1e9) == 1e9
    assert inverse(1e9 + 1) == pytest.approx(1e9 + 6, rel=1e-15)


def test_maximum_tells_neighbouring_floats_apart():
    near = float(np.nextafter(1.0, 2.0))
    spike = hf.step(1.0) - 2 * hf.step(near)
    assert spike.maximum(0).point_masses() == [(1.0, 1.0), (near, -1.0)]
    assert spike.minimum(0).point_masses() == [(near, -1.0)]


@modest
@given(functions(), functions())
def test_maximum_and_minimum(f, g):
    x = probes(f, g)
    np.testing.assert_allclose(f.maximum(g)(x), np.maximum(f(x), g(x)), **close)
    np.testing.assert_allclose(f.minimum(g)(x), np.minimum(f(x), g(x)), **close)


@modest
@given(functions(jumps=False), functions(jumps=False))
def test_continuous_functions_stay_continuous(f, g):
    for result in (f + g, f.maximum(g), f.minimum(g), f.compose(g)):
        assert result.is_continuous
        assert result.point_masses() == []


@modest
@given(functions(jumps=False), functions(jumps=False))
def test_maximum_is_where_the_difference_vanishes(f, g):
    top = f.maximum(g)
    allowed = set(f.kinks) | set(g.kinks) | set((f - g).roots())
    assert set(top.kinks) <= allowed


@modest
@given(functions(), functions())
def test_composition(f, g):
    composed = f.compose(g)
    x = probes(f, g, composed)
    heights = g(x)
    # at a jump the composition takes its left limit; beside one a rounding error of g decides the side
    jumps_f = f.kinks[f.jumps != 0]
    jumps_composed = composed.kinks[composed.jumps != 0]
    near = np.abs(heights[:, None] - jumps_f).min(axis=1, initial=np.inf) < 1e-9
    near |= np.abs(x[:, None] - jumps_composed).min(axis=1, initial=np.inf) < 1e-9
    np.testing.assert_allclose(composed(x)[~near], f(heights)[~near], rtol=1e-11, atol=1e-10)


@modest
@given(functions(), numbers, numbers)
def test_composition_with_a_line_shifts_and_stretches(f, m, b):
    assume(abs(m) > 0.1)
    composed = f.compose(m * hf.identity() + b)
    assert len(composed.kinks) == len(f.kinks)
    np.testing.assert_allclose(np.sort((f.kinks - b) / m), composed.kinks, **close)
    direction = np.sign(m)
    expected = f.jumps if m > 0 else -f.jumps[::-1]
    np.testing.assert_allclose(composed.jumps, expected, **close)
    x = composed.kinks + direction * 0.0
    ahead = np.nextafter(x, np.inf)
    assert np.all(np.isfinite(composed(ahead)))


@modest
@given(functions(jumps=False), functions(jumps=False), functions(jumps=False))
def test_composition_is_associative_and_distributes_from_the_right(f, g, h):
    x = probes(f, g, h)
    loose = {"rtol": 1e-10, "atol": 1e-8}
    np.testing.assert_allclose(f.compose(g).compose(h)(x), f.compose(g.compose(h))(x), **loose)
    np.testing.assert_allclose((f + g).compose(h)(x), (f.compose(h) + g.compose(h))(x), **loose)
    assert f.compose(hf.identity()) == f
    assert hf.identity().compose(f) == f


def test_composition_takes_left_limits_at_falling_passages():
    flipped = hf.step().compose(-hf.identity())
    assert flipped.point_masses() == [(0.0, -1.0)]
    assert flipped(0.0) == 1.0  # the left limit, where step(−0.0) itself is 0
    assert flipped(1e-300) == 0.0


def test_composition_through_touching_and_flat_pieces():
    assert hf.step().compose(hf.relu()) == hf.step()
    assert hf.step().compose(-hf.relu()) == 0 * hf.relu()
    assert hf.step().compose(hf.absolute()) == 0 * hf.relu() + 1
    assert hf.step().compose(-hf.absolute()) == 0 * hf.relu()
    assert hf.absolute().compose(2 * hf.step() - 1) == 0 * hf.relu() + 1
    assert hf.step(1.0).compose(hf.clipped_relu(1.0)) == 0 * hf.relu()


@modest
@given(monotone_functions())
def test_inverse(f):
    inverse = f.inverse()
    x = probes(f)
    np.testing.assert_allclose(inverse(f(x)), x, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(f(inverse(x)), x, rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(inverse.inverse()(x), f(x), rtol=1e-12, atol=1e-10)
    assert inverse.is_continuous


@pytest.mark.parametrize(
    ("f", "value"),
    [
        (hf.relu(), "0.0"),
        (hf.absolute(), "-1.0"),
        (hf.step(3.0, 2.0) + hf.identity(), "2.0 at 3.0"),
        (0 * hf.relu(), "0.0"),
    ],
)
def test_no_inverse(f, value):
    with pytest.raises(HalfwaveError, match="inverse needs") as caught:
        f.inverse()
    assert value in str(caught.value)


@modest
@given(functions(jumps=False))
def test_as_relu_sum_comes_back(f):
    again = hf.relu_sum(**f.as_relu_sum())
    x = probes(f)
    np.testing.assert_allclose(again(x), f(x), rtol=1e-12, atol=1e-10)
    np.testing.assert_array_equal(again.kinks, f.kinks)
    terms = f.as_relu_sum()
    rows = zip(terms["slopes"], terms["intercepts"], terms["weights"], strict=True)
    total = terms["slope"] * x + terms["offset"]
    total = total + sum(w * np.maximum(m * x + b, 0) for m, b, w in rows)
    np.testing.assert_allclose(total, f(x), rtol=1e-12, atol=1e-10)


def test_as_relu_sum_refuses_jumps():
    with pytest.raises(
        HalfwaveError, match=r"as_relu_sum needs a continuous function; got a jump of 2.0 at 2.0"
    ):
        hf.thresholded_relu(2.0, "keep").as_relu_sum()


@modest
@given(functions(jumps=False))
def test_the_sign_changes_exactly_at_the_roots(f):
    roots = f.roots()
    assert roots == sorted(set(roots))
    for root in roots:
        if np.isfinite(root):
            steepest = np.abs(f.slopes).max()
            assert abs(f(root)) <= steepest * np.spacing(abs(root))
    inside = [r for r in roots if np.isfinite(r)]
    edges = np.array([min([*inside, -50.0]) - 1, *inside, max([*inside, 50.0]) + 1])
    for a, b in pairwise(edges.tolist()):
        x = np.linspace(a, b, 25)[1:-1]
        signs = set(np.sign(np.where(np.abs(f(x)) < 1e-12, 0.0, f(x))).tolist())
        assert len(signs - {0.0}) <= 1


@pytest.mark.parametrize(
    ("f", "roots"),
    [
        (hf.relu(), [-np.inf, 0.0]),
        (0 * hf.relu(), [-np.inf, np.inf]),
        (hf.relu() + 1, []),
        (hf.absolute(), [0.0]),
        (hf.absolute() - 2, [-2.0, 2.0]),
        (hf.soft_threshold(1), [-1.0, 1.0]),
        (hf.hard_threshold(1), [-1.0, 1.0]),
        (2 * hf.step() - 1, []),
        (hf.thresholded_relu(-2.0, "keep"), [-np.inf, -2.0, 0.0]),
        (hf.absolute().compose(0.3 * hf.identity() - 1), [1 / 0.3]),
        ((0.3 * hf.identity() - 1).maximum(0.1 * hf.identity() - 1 / 3), [1 / 0.3]),
        ((hf.relu() + 1e-8).compose(hf.identity() - 1e9), []),
        (hf.step() * 2 + hf.identity(), [0.0]),
        (hf.identity() + 1 - hf.step(), [-1.0]),
    ],
)
def test_roots_of_known_functions(f, roots):
    assert f.roots() == pytest.approx(roots, rel=1e-15)


@pytest.mark.parametrize("m", [0.1, 0.3, 0.6, 0.7, 1.1])
def test_a_jump_to_zero_is_no_root(m):
    # the line that starts at the jump is zero there up to the rounding of the kink
    f = PiecewiseLinear([1 / m], [0.0, m], [1.0, -1.0])
    assert f.jumps == pytest.approx([-1.0])
    assert f.roots() == []


def test_simplify_removes_what_rounding_left():
    f, g = 0.1 * hf.absolute(), 0.2 * hf.relu().compose(hf.identity() - 3)
    noisy = f + g + 0.1 * hf.step(7.0) + 0.2 * hf.step(7.0) - 0.3 * hf.step(7.0) - g
    assert 3.0 in noisy.kinks or 7.0 in noisy.kinks
    assert noisy.simplify(1e-12) == f
    assert f.simplify() == f
    with pytest.raises(HalfwaveError, match=r"got -1.0"):
        f.simplify(-1.0)


def test_constructors_drop_idle_kinks():
    f = PiecewiseLinear([0, 1, 2], [1, 1, 2, 2], [0, 0, -1, -1])
    assert f == PiecewiseLinear([1], [1, 2], [0, -1])
    assert f.kinks.tolist() == [1.0]
    assert hf.relu_sum([1, 2, -1, -1], [0, 0, 0, 0], [1, -0.5, 1, -1]) == 0 * hf.relu()
    assert hf.leaky_relu(1.0) == hf.identity()


@pytest.mark.parametrize("name", CATALOGUE)
def test_numpy_numbers_on_the_left(name):
    f = CATALOGUE[name][0]
    assert np.float64(2) * f == f * 2
    assert np.float32(2) + f == f + 2
    assert np.int64(2) - f == 2 - f
    assert np.array(2.0) * f == f * 2


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_numbers_must_be_finite(bad):
    for operation in (
        lambda: hf.relu() * bad,
        lambda: hf.relu() + bad,
        lambda: bad - hf.relu(),
        lambda: hf.relu() / bad,
        lambda: hf.relu().maximum(bad),
    ):
        with pytest.raises(HalfwaveError, match=f"must be finite; got {bad}"):
            operation()


def test_other_operands_are_refused():
    for operation in (
        lambda: hf.relu() * hf.relu(),
        lambda: hf.relu() + "1",
        lambda: hf.relu() - "1",
        lambda: hf.relu() / np.ones(3),
        lambda: np.ones(3) * hf.relu(),
    ):
        with pytest.raises(TypeError):
            operation()
    with pytest.raises(HalfwaveError, match="must not be zero; got 0"):
        hf.relu() / 0
    with pytest.raises(HalfwaveError, match=r"slopes .* must be finite; got inf"):
        hf.relu() * 1e200 * 1e200
    steep = 1e308 * hf.identity()
    for operation in (
        lambda: steep + steep,
        lambda: steep / 0.1,
        lambda: steep.compose(steep),
        lambda: (1e-310 * hf.identity()).inverse(),
    ):
        with pytest.raises(
            HalfwaveError, match="slopes of a piecewise-linear function must be finite; got inf"
        ):
            operation()
