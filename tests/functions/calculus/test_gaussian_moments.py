"""Gaussian moments against quadrature and 60-digit arithmetic."""

from __future__ import annotations

from itertools import pairwise

import mpmath
import numpy as np
import pytest
from function_cases import CATALOGUE, functions, modest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from halfwave import functions as hf
from halfwave.errors import HalfwaveError


def by_quadrature(f, power, mu, sigma):
    """E f(μ + σZ)^power by scipy between the kinks, over 12 standard deviations."""
    low, high = mu - 12 * sigma, mu + 12 * sigma

    def integrand(x):
        z = (x - mu) / sigma
        return f(x) ** power * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / sigma

    kinks = np.concatenate((f.kinks, mu + sigma * np.arange(-11, 12)))
    edges = [low, *sorted(k for k in kinks.tolist() if low < k < high), high]
    return sum(quad(integrand, a, b, epsabs=1e-15, epsrel=1e-13)[0] for a, b in pairwise(edges))


def by_mpmath(f, power, mu, sigma):
    """The textbook sum over pieces in so many digits that its cancellation does no harm."""
    with mpmath.workdps(120):
        m, s = mpmath.mpf(mu), mpmath.mpf(sigma)
        ends = [-mpmath.inf, *map(mpmath.mpf, f.kinks.tolist()), mpmath.inf]
        total = mpmath.mpf(0)
        parts = f.pieces.intercepts
        for i, slope in enumerate(f.slopes.tolist()):
            a, b = (ends[i] - m) / s, (ends[i + 1] - m) / s
            intercept = mpmath.mpf(float(parts.high[i])) + mpmath.mpf(float(parts.low[i]))
            height, steep = slope * m + intercept, slope * s
            mass = mpmath.erfc(a / mpmath.sqrt(2)) / 2 - mpmath.erfc(b / mpmath.sqrt(2)) / 2
            first = density(a) - density(b)
            second = mass + moment(a) - moment(b)
            if power == 1:
                total += height * mass + steep * first
            else:
                total += height**2 * mass + 2 * height * steep * first + steep**2 * second
        return float(total)


def density(z):
    return mpmath.npdf(z) if mpmath.isfinite(z) else mpmath.mpf(0)


def moment(z):
    return z * mpmath.npdf(z) if mpmath.isfinite(z) else mpmath.mpf(0)


def moments(f, mu, sigma):
    return f.gaussian_mean(mu, sigma), f.gaussian_second_moment(mu, sigma)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize(("mu", "sigma"), [(0.0, 1.0), (-1.3, 0.4), (0.7, 5.0)])
def test_catalogue_against_quadrature(name, mu, sigma):
    f = CATALOGUE[name][0]
    for power, value in enumerate(moments(f, mu, sigma), start=1):
        assert type(value) is float
        assert value == pytest.approx(by_quadrature(f, power, mu, sigma), rel=1e-12, abs=1e-12)


@modest
@given(functions(), st.floats(-10, 10), st.floats(0.01, 20))
def test_random_functions_against_many_digits(f, mu, sigma):
    mean, second = moments(f, mu, sigma)
    true_mean, true_second = by_mpmath(f, 1, mu, sigma), by_mpmath(f, 2, mu, sigma)
    # the mean may cancel between signs, which no method can undo: its scale is the root mean square
    assert mean == pytest.approx(true_mean, rel=1e-13, abs=1e-13 * true_second**0.5)
    assert second == pytest.approx(true_second, rel=1e-13)


@pytest.mark.parametrize("mu", [-3.0, -4.0, -9.0, -20.0, -30.0])
@pytest.mark.parametrize("f", [hf.relu(), hf.clipped_relu(0.05), hf.clipped_relu(1.0)])
def test_tails_keep_their_relative_accuracy(f, mu):
    for power, value in enumerate(moments(f, mu, 1.0), start=1):
        assert value == pytest.approx(by_mpmath(f, power, mu, 1.0), rel=2e-13, abs=0)


@pytest.mark.parametrize("sigma", [1e-9, 1e-3, 1e3, 1e6])
def test_pieces_much_wider_and_narrower_than_the_gaussian(sigma):
    for name in ("hard_tanh", "clipped_relu", "two_sided_relu_double_well", "from_points"):
        f = CATALOGUE[name][0]
        second = f.gaussian_second_moment(0.3, sigma)
        assert second == pytest.approx(by_mpmath(f, 2, 0.3, sigma), rel=1e-13)
        assert f.gaussian_mean(0.3, sigma) == pytest.approx(
            by_mpmath(f, 1, 0.3, sigma), abs=1e-13 * second**0.5
        )


def test_the_known_relu_formulas():
    from scipy.stats import norm

    mu, sigma = np.linspace(-3, 3, 7), 1.7
    a = mu / sigma
    mean = mu * norm.cdf(a) + sigma * norm.pdf(a)
    np.testing.assert_allclose(hf.relu().gaussian_mean(mu, sigma), mean, rtol=1e-13)
    second = (mu**2 + sigma**2) * norm.cdf(a) + mu * sigma * norm.pdf(a)
    np.testing.assert_allclose(hf.relu().gaussian_second_moment(mu, sigma), second, rtol=1e-13)


def test_arrays_broadcast_and_agree_with_scalars():
    f = CATALOGUE["relu_sum"][0]
    mu, sigma = np.linspace(-6, 6, 5)[:, None], np.array([0.0, 0.01, 1.0])
    for method in (f.gaussian_mean, f.gaussian_second_moment):
        values = method(mu, sigma)
        assert values.shape == (5, 3)
        scalars = [[method(m, s) for s in sigma.tolist()] for m in mu.ravel().tolist()]
        np.testing.assert_allclose(values, scalars, rtol=1e-15)
        assert method(np.zeros((0, 2)), 1.0).shape == (0, 2)
        assert type(method(1, 2)) is float


def test_point_masses_and_limits():
    keep = hf.thresholded_relu(2.0, "keep")
    assert keep.gaussian_mean(2.0, 0.0) == 0.0  # the left piece
    assert keep.gaussian_second_moment(3.0, 0.0) == 9.0
    assert hf.relu().gaussian_mean(np.inf, 1.0) == np.inf
    assert hf.relu().gaussian_mean(-np.inf, 1.0) == 0.0
    assert np.isnan(hf.relu().gaussian_mean(np.nan, 1.0))
    assert hf.relu().gaussian_mean(1.0, 1e-320) == 1.0


@pytest.mark.parametrize("sigma", [-1.0, np.nan, np.inf])
def test_bad_deviations(sigma):
    with pytest.raises(HalfwaveError, match=f"`sigma` must be finite and not negative; got {sigma}"):
        hf.relu().gaussian_mean(0.0, np.array([1.0, sigma]))


def test_bad_shapes():
    with pytest.raises(HalfwaveError, match=r"\(2,\) and \(3,\)"):
        hf.relu().gaussian_mean(np.zeros(2), np.ones(3))
    with pytest.raises(HalfwaveError, match="`mu` must be real numbers"):
        hf.relu().gaussian_mean("a", 1.0)
