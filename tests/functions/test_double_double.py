"""The 32-digit numbers against rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from halfwave.functions.double_double import (
    DoubleDouble,
    exact,
    exact_product,
    exact_sum,
    join,
    running_sum,
)


def as_fractions(numbers):
    return [
        Fraction(h) + Fraction(t) for h, t in zip(numbers.high.tolist(), numbers.low.tolist(), strict=True)
    ]


@pytest.fixture
def operands():
    rng = np.random.default_rng(5)
    high = rng.normal(size=(2, 200)) * 10.0 ** rng.integers(-12, 12, size=(2, 200))
    low = high * rng.uniform(-1e-17, 1e-17, size=(2, 200))
    return DoubleDouble(high[0], low[0]), DoubleDouble(high[1], low[1])


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__mul__", "__truediv__"])
def test_operations_keep_thirty_digits(operands, operation):
    a, b = operands
    result = as_fractions(getattr(a, operation)(b))
    for x, y, z in zip(as_fractions(a), as_fractions(b), result, strict=True):
        true = getattr(x, operation)(y)
        assert abs(z - true) <= abs(true) * Fraction(1, 10**30)


def test_sums_and_products_of_floats_are_exact(operands):
    a, b = operands[0].high, operands[1].high
    for x, y, total, product in zip(
        a.tolist(), b.tolist(), as_fractions(exact_sum(a, b)), as_fractions(exact_product(a, b)), strict=True
    ):
        assert total == Fraction(x) + Fraction(y)
        assert product == Fraction(x) * Fraction(y)


def test_low_parts_survive_when_the_high_parts_cancel(operands):
    a, b = operands
    opposite = DoubleDouble(-a.high, a.low * b.high / b.high.max())
    for x, y, z in zip(as_fractions(a), as_fractions(opposite), as_fractions(a + opposite), strict=True):
        assert abs(z - (x + y)) <= abs(x + y) * Fraction(1, 10**28)


def test_cancellation_leaves_the_true_difference():
    a = exact_product(np.array([0.1]), np.array([1e9]))
    left_over = as_fractions(a - exact([1e8]))[0]
    assert left_over == Fraction(0.1) * 10**9 - 10**8


def test_running_sum_does_not_lose_small_terms():
    terms = join((exact([1e17]), exact([1.0, 1.0, -1e17])))
    assert as_fractions(running_sum(terms)) == [10**17, 10**17 + 1, 10**17 + 2, 2]


def test_overflow_gives_infinity_and_not_nan():
    with np.errstate(all="ignore"):
        product = exact_product(np.array([1e300]), np.array([1e300]))
    assert product.high[0] == np.inf
    assert product.low[0] == 0
