"""Best approximations of known functions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from halfwave.errors import HalfwaveError
from halfwave.fitting import approximate
from halfwave.functions import from_points


def test_a_piecewise_linear_function_is_its_own_approximation() -> None:
    f = from_points([0, 1, 2.3, 4], [0, 3, 1, 2])
    found = approximate(f, 0, 4, 2)
    assert found.kinks == pytest.approx([1, 2.3], abs=1e-7)
    assert found.l2_error < 1e-7


def test_errors_are_those_of_exact_integrals() -> None:
    f = from_points([0, 1, 2.3, 4], [0, 3, 1, 2])
    found = approximate(f, 0, 4, 1)
    assert found.l2_error == pytest.approx(f.l2_distance(found.function, 0, 4), rel=1e-12)
    sine = approximate(np.sin, 0, 6, 3)
    knots = [0, *sine.kinks, 6]
    square = sum(quad(lambda x: (np.sin(x) - sine.function(x)) ** 2, a, b)[0] for a, b in pairwise(knots))
    assert sine.l2_error == pytest.approx(np.sqrt(square), rel=1e-9)


def test_parabola_has_equally_spaced_kinks_and_the_known_error() -> None:
    # On each of n equal pieces of length h, x² minus its best line has square integral h⁵/180; meeting at the
    # kinks costs nothing, because all pieces are the same by symmetry.
    for kinks in (1, 3, 7):
        found = approximate(lambda x: x**2, 0, 1, kinks)
        assert found.kinks == pytest.approx(np.arange(1, kinks + 1) / (kinks + 1), abs=1e-3)
        assert found.l2_error == pytest.approx(np.sqrt((kinks + 1) ** -4 / 180), rel=1e-6)


def test_tolerance_takes_as_few_kinks_as_it_can() -> None:
    found = approximate(np.exp, 0, 2, tolerance=5e-3)
    assert found.l2_error <= 5e-3
    assert approximate(np.exp, 0, 2, len(found.kinks) - 1).l2_error > 5e-3
    with pytest.raises(HalfwaveError, match="needs more than max_kinks=2 kinks"):
        approximate(np.exp, 0, 2, tolerance=1e-4, max_kinks=2)


def test_units_do_not_matter() -> None:
    plain = approximate(np.sin, 0, 6, 4)
    moved = approximate(lambda x: 1e6 * np.sin((x - 1e5) / 1e-2), 1e5, 1e5 + 6e-2, 4)
    assert (moved.kinks - 1e5) / 1e-2 == pytest.approx(plain.kinks, abs=1e-5)
    assert moved.l2_error == pytest.approx(plain.l2_error * 1e6 * 0.1, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.sin, 1, 1, 2), {}, "`a` must be below `b`; got 1.0 and 1.0"),
        ((np.sin, 0, np.inf, 2), {}, "`b` must be finite"),
        ((np.sin, 0, 1), {}, "either `kinks` or `tolerance`"),
        ((np.sin, 0, 1, 2), {"tolerance": 1}, "either `kinks` or `tolerance`"),
        ((np.sin, 0, 1, -2), {}, "`kinks` must be a whole number of at least 0; got -2"),
        ((np.sin, 0, 1, 1000), {}, "must be at most"),
        ((np.sin, 0, 1), {"tolerance": 0}, "`tolerance` must be positive"),
        ((lambda x: np.full_like(x, np.inf), 0, 1, 2), {}, "`f` must be finite"),
        ((lambda x: 1.0, 0, 1, 2), {}, "`f` must return an array of the shape"),
    ],
)
def test_bad_input_is_refused(arguments: tuple, options: dict[str, float], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        approximate(*arguments, **options)
