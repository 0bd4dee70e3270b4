"""The mode of a dReLU unit against maximising I h − U(h) directly."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from function_cases import modest
from hypothesis import given
from hypothesis import strategies as st

from halfwave.functions import two_sided_relu

thresholds = st.floats(-5, 5).map(lambda number: round(number, 2))
curvatures = st.floats(0.05, 20).map(lambda number: round(number, 2))


def gain(h, x, theta_pos, theta_neg, gamma_pos, gamma_neg):
    """``x h − U(h)`` as the potential is written."""
    up, down = max(h, 0), min(h, 0)
    return x * h - (gamma_pos / 2 * up**2 + theta_pos * up + gamma_neg / 2 * down**2 + theta_neg * down)


def best_candidate(x, *parameters):
    """The mode by comparing both closed-form candidates and 0 in rational arithmetic; ties go up."""
    x, (tp, tn, gp, gn) = Fraction(x), (Fraction(p) for p in parameters)
    candidates = [max((x - tp) / gp, Fraction(0)), Fraction(0), min((x - tn) / gn, Fraction(0))]
    return max(candidates, key=lambda h: gain(h, x, tp, tn, gp, gn))


@modest
@given(thresholds, thresholds, curvatures, curvatures)
def test_against_the_better_candidate(theta_pos, theta_neg, gamma_pos, gamma_neg):
    parameters = (theta_pos, theta_neg, gamma_pos, gamma_neg)
    f = two_sided_relu(*parameters)
    inputs = np.concatenate((np.linspace(-8, 8, 65), f.kinks - 1e-9, f.kinks + 1e-9, f.kinks - 1e-3))
    # at the jump itself the two rules differ on purpose
    for x in inputs[np.abs(inputs[:, None] - f.kinks).min(axis=1, initial=np.inf) > 1e-10].tolist():
        assert f(x) == pytest.approx(float(best_candidate(x, *parameters)), rel=1e-14, abs=1e-14)


@modest
@given(thresholds, thresholds, curvatures, curvatures)
def test_against_a_grid_of_values(theta_pos, theta_neg, gamma_pos, gamma_neg):
    parameters = (theta_pos, theta_neg, gamma_pos, gamma_neg)
    f = two_sided_relu(*parameters)
    for x in np.linspace(-8, 8, 9).tolist():
        on_grid = max(gain(h, x, *parameters) for h in np.linspace(-30, 30, 601).tolist())
        assert gain(f(x), x, *parameters) >= on_grid - 1e-10


@modest
@given(thresholds, st.floats(0.01, 8), curvatures, curvatures)
def test_the_double_well_jumps_where_both_wells_are_equally_deep(theta_pos, gap, gamma_pos, gamma_neg):
    theta_neg = theta_pos + gap
    f = two_sided_relu(theta_pos, theta_neg, gamma_pos, gamma_neg)
    ((location, jump),) = f.point_masses()
    with mpmath.workdps(40):
        tp, tn, gp, gn = map(mpmath.mpf, (theta_pos, theta_neg, gamma_pos, gamma_neg))
        true = (tp * mpmath.sqrt(gn) + tn * mpmath.sqrt(gp)) / (mpmath.sqrt(gp) + mpmath.sqrt(gn))
        assert location == pytest.approx(float(true), rel=1e-15, abs=1e-15)
        assert float((true - tp) ** 2 / gp - (true - tn) ** 2 / gn) == pytest.approx(0, abs=1e-30)
        below, above = float((true - tn) / gn), float((true - tp) / gp)
    # the two sides, and the left one at the jump itself, where the unit's tie rule would take the right one
    assert f(location) == pytest.approx(below, rel=1e-12, abs=1e-13)
    assert f(np.nextafter(location, np.inf)) == pytest.approx(above, rel=1e-12, abs=1e-13)
    assert jump == pytest.approx(above - below, rel=1e-14)
    assert f.derivative()(location) == 1 / gamma_neg
    assert (
        float(
            best_candidate(
                np.nextafter(location, -np.inf) - 1e-12, *(theta_pos, theta_neg, gamma_pos, gamma_neg)
            )
        )
        < 0
    )


def test_the_tie_rule_differs_from_the_unit_at_the_jump_only():
    parameters = (-1.0, 1.0, 1.0, 1.0)
    f = two_sided_relu(*parameters)
    assert f.kinks.tolist() == [0.0]
    assert float(best_candidate(0.0, *parameters)) == 1.0
    assert f(0.0) == -1.0
    assert f(5e-324) == 1.0


@modest
@given(thresholds, thresholds, curvatures, curvatures)
def test_mirrored_units_have_mirrored_modes(theta_pos, theta_neg, gamma_pos, gamma_neg):
    f = two_sided_relu(theta_pos, theta_neg, gamma_pos, gamma_neg)
    g = two_sided_relu(-theta_neg, -theta_pos, gamma_neg, gamma_pos)
    x = np.linspace(-7.03, 7.01, 57)
    clear = np.abs(x[:, None] - f.kinks).min(axis=1, initial=np.inf) > 1e-9
    np.testing.assert_allclose(-g(-x)[clear], f(x)[clear], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(("gamma_pos", "gamma_neg"), [(1e-4, 1e4), (1e4, 1e-4), (1e-300, 1e-300)])
def test_extreme_curvatures(gamma_pos, gamma_neg):
    f = two_sided_relu(-1.0, 2.0, gamma_pos, gamma_neg)
    ((location, jump),) = f.point_masses()
    assert -1.0 <= location <= 2.0
    assert jump == pytest.approx(3.0 / (gamma_pos**0.5 * gamma_neg**0.5), rel=1e-14)


def test_a_dead_zone_far_from_zero():
    f = two_sided_relu(1e9 + 1, 1e9, 0.1, 0.3)
    assert f(1e9 + 0.5) == 0.0
    assert f(float(np.nextafter(1e9 + 1, 2e9))) == pytest.approx(2.0**-23 / 0.1, rel=1e-15)
    assert f(float(np.nextafter(1e9, 0))) == pytest.approx(-(2.0**-23) / 0.3, rel=1e-15)
