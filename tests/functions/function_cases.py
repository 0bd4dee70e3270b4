"""Functions for the tests of this folder, each beside an independent way to evaluate it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from halfwave import functions as hf
from halfwave.functions import PiecewiseLinear

settings.register_profile("functions", max_examples=30, deadline=None, derandomize=True)
modest = settings.get_profile("functions")


def formula_two_sided(x, theta_pos, theta_neg, gamma_pos, gamma_neg):
    """The dead-zone form as written in the literature."""
    return np.maximum(x - theta_pos, 0) / gamma_pos + np.minimum(x - theta_neg, 0) / gamma_neg


# name: (function, formula written with NumPy); the formulas agree with the left convention at every kink
CATALOGUE = {
    "absolute": (hf.absolute(), np.abs),
    "clipped_relu": (hf.clipped_relu(2.0), lambda x: np.clip(x, 0, 2)),
    "double_relu": (
        hf.double_relu(2.0, 1.0, -0.5, 3.0),
        lambda x: np.maximum(2 * x + 1, 0) + np.maximum(-0.5 * x + 3, 0),
    ),
    "from_points": (
        hf.from_points([-2.0, -1.0, 0.5, 2.0], [1.0, -1.0, 0.0, 3.0]),
        lambda x: np.where(x <= -1, -2 * x - 3, np.where(x <= 0.5, (x + 1) / 1.5 - 1, 2 * (x - 0.5))),
    ),
    "hard_tanh": (hf.hard_tanh(), lambda x: np.clip(x, -1, 1)),
    "hard_threshold": (hf.hard_threshold(1.5), lambda x: np.where((x > 1.5) | (x <= -1.5), x, 0)),
    "identity": (hf.identity(), lambda x: x),
    "leaky_relu": (hf.leaky_relu(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    "rectified_linear": (hf.rectified_linear(3.0, -2.0), lambda x: np.maximum(3 * x - 2, 0)),
    "rectified_linear_falling": (hf.rectified_linear(-3.0, 1.0), lambda x: np.maximum(-3 * x + 1, 0)),
    "relu": (hf.relu(), lambda x: np.maximum(x, 0)),
    "relu_sum": (
        hf.relu_sum([1.0, -2.0, 0.0, 0.0], [0.5, 1.0, 2.0, -2.0], [1.0, -3.0, 0.5, 9.0], 0.25, -1.0),
        lambda x: np.maximum(x + 0.5, 0) - 3 * np.maximum(-2 * x + 1, 0) + 1 + 0.25 * x - 1,
    ),
    "soft_threshold": (hf.soft_threshold(0.75), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.75, 0)),
    "step": (hf.step(0.5, -2.0), lambda x: np.where(x > 0.5, -2.0, 0.0)),
    "thresholded_relu_floor": (hf.thresholded_relu(-1.0, "floor"), lambda x: np.maximum(x, -1)),
    "thresholded_relu_keep": (hf.thresholded_relu(1.0, "keep"), lambda x: np.where(x > 1, x, 0)),
    "thresholded_relu_keep_negative": (
        hf.thresholded_relu(-1.0, "keep"),
        lambda x: np.where(x > -1, x, 0),
    ),
    "thresholded_relu_subtract": (hf.thresholded_relu(1.0), lambda x: np.maximum(x - 1, 0)),
    "two_sided_relu": (
        hf.two_sided_relu(1.0, -0.5, 2.0, 0.25),
        lambda x: formula_two_sided(x, 1.0, -0.5, 2.0, 0.25),
    ),
    "two_sided_relu_double_well": (
        # equal depths where (x + 1)²/1 = (x − 2)²/4
        hf.two_sided_relu(-1.0, 2.0, 1.0, 4.0),
        lambda x: np.where(x > 0, x + 1, (x - 2) / 4),
    ),
}

# eighths, so that many laws hold to the last bit and coincidences happen, and decimals, so that most do not
numbers = st.one_of(
    st.integers(-64, 64).map(lambda n: n / 8), st.floats(-8, 8).map(lambda number: round(number, 3))
)


@st.composite
def functions(draw, jumps=True, max_kinks=4, slopes=numbers):
    """Random functions, some with jumps."""
    kinks = sorted(draw(st.lists(numbers, max_size=max_kinks, unique=True)))
    steep = draw(st.lists(slopes, min_size=len(kinks) + 1, max_size=len(kinks) + 1))
    intercepts = [draw(numbers)]
    for i, kink in enumerate(kinks):
        jump = draw(st.one_of(st.just(0.0), numbers)) if jumps else 0.0
        intercepts.append(intercepts[-1] + (steep[i] - steep[i + 1]) * kink + jump)
    return PiecewiseLinear(kinks, steep, intercepts)


def monotone_functions():
    """Continuous functions that rise everywhere or fall everywhere."""
    steep = numbers.map(lambda number: abs(number) + 0.125)
    rising = functions(jumps=False, slopes=steep)
    return st.builds(lambda f, sign: f * sign, rising, st.sampled_from([1.0, -1.0]))


def probes(*several):
    """Points (n,) at, just beside, between and far beyond all the kinks."""
    kinks = np.unique(np.concatenate([f.kinks for f in several] + [np.zeros(1)]))
    beside = np.concatenate((np.nextafter(kinks, np.inf), np.nextafter(kinks, -np.inf)))
    around = (kinks[:, None] + np.array([-1e-3, 1e-3])).ravel()
    between = (kinks[1:] + kinks[:-1]) / 2
    return np.sort(np.concatenate((kinks, beside, around, between, [-37.5, -11.3, 12.7, 41.0])))


def exact_value(f, x):
    """f(x) in rational arithmetic from the stored numbers, by a plain walk along the pieces."""
    piece = sum(1 for kink in f.kinks.tolist() if kink < x)
    intercepts = f.pieces.intercepts
    intercept = Fraction(float(intercepts.high[piece])) + Fraction(float(intercepts.low[piece]))
    return Fraction(float(f.slopes[piece])) * Fraction(x) + intercept
