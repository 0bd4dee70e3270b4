"""Formulas in plain text and LaTeX: what they look like, and that `parse` reads them back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from function_cases import CATALOGUE, functions, modest, probes
from hypothesis import given

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear

SUMS = {
    "absolute": "relu(x) + relu(-x)",
    "clipped_relu": "relu(x) - relu(x - 2)",
    "double_relu": "relu(2*x + 1) + relu(-0.5*x + 3)",
    "hard_tanh": "relu(x + 1) - relu(x - 1) - 1",
    "hard_threshold": "relu(x - 1.5) - relu(-x - 1.5) + 1.5*step(x + 1.5) + 1.5*step(x - 1.5) - 1.5",
    "identity": "x",
    "leaky_relu": "0.2*x + relu(0.8*x)",
    "rectified_linear": "relu(3*x - 2)",
    "rectified_linear_falling": "relu(-3*x + 1)",
    "relu": "relu(x)",
    "soft_threshold": "relu(x - 0.75) - relu(-x - 0.75)",
    "step": "-2*step(x - 0.5)",
    "thresholded_relu_floor": "relu(x + 1) - 1",
    "thresholded_relu_keep": "relu(x - 1) + step(x - 1)",
    "thresholded_relu_subtract": "relu(x - 1)",
    "two_sided_relu": "relu(0.5*x - 0.5) - 4*relu(-x - 0.5)",
}


def assert_equal_up_to_rounding(f, g):
    """Same kinks and jumps; slopes and values at kinks and at zero within a few roundings of the largest."""
    np.testing.assert_array_equal(f.kinks, g.kinks)
    np.testing.assert_array_equal(f.jumps, g.jumps)
    steep = np.abs(g.slopes).max()
    reach = steep * np.abs(g.kinks).max(initial=0.0) + np.abs(g.intercepts).max() + np.abs(g.jumps).sum()
    np.testing.assert_allclose(f.slopes, g.slopes, rtol=0, atol=1e-15 * steep)
    np.testing.assert_allclose(f.intercepts, g.intercepts, rtol=0, atol=1e-15 * reach)


@pytest.mark.parametrize("name", SUMS)
def test_sums_of_the_catalogue(name):
    f = CATALOGUE[name][0]
    assert f.formula() == str(f) == SUMS[name]
    assert hf.parse(SUMS[name]) == f


@modest
@given(functions())
def test_parse_reads_every_formula_back(f):
    assert_equal_up_to_rounding(hf.parse(f.formula()), f)


@modest
@given(functions(jumps=False))
def test_formulas_are_right_to_a_reader(f):
    # read as Python with its own relu, step and arithmetic, away from kinks
    names = {"relu": lambda x: np.maximum(x, 0), "step": lambda x: np.where(x > 0, 1.0, 0.0)}
    x = probes(f)
    by_formula = eval(f.formula(), names | {"x": x})
    np.testing.assert_allclose(np.broadcast_to(by_formula, x.shape), f(x), rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1.5",
        "x",
        "-x + 3",
        "0.1*x + 0.2*relu(x - 0.3)",
        "relu(1.2*x + 1.2) + relu(-1.2*x - 1.2)",
        "relu(2.1*x + 0.3) + relu(-0.5*x + 3)",
        "relu(3*x - 0.1) + relu(-3*x + 0.1) + 1",
        "relu(x) - 2*relu(x - 1) + relu(x - 2)",
        "3*relu(x - 0.1)",
        "relu(3*x + 0.1)",
        "0.1*(x - 1000000000)",
        "1e+16*x",
        "1e-07*step(x - 3)",
        "step(x + 0.3) + step(x + 0.2) + step(x + 0.1) - 0.6",
        "-relu(x) - relu(-x)",
        "x + relu(7e-16*x)",
    ],
)
def test_natural_formulas_come_back_letter_for_letter(text):
    assert hf.parse(text).formula() == text


def test_many_kinks():
    rng = np.random.default_rng(5)
    f = hf.from_points(np.sort(rng.normal(size=120)), rng.normal(size=120))
    assert_equal_up_to_rounding(hf.parse(str(f)), f)


def test_slopes_that_differ_by_more_than_floats_hold():
    steep = PiecewiseLinear([0.0, 1.0], [0.0, 1.5e308, -1.5e308], [0.0, 0.0, 1.5e308])
    with pytest.raises(HalfwaveError, match="a change of slope must be finite; got -inf"):
        steep.formula()
    assert steep.formula(style="cases").startswith("0 if x <= 0, 1.5e+308*x if 0 < x <= 1")


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (hf.identity() - 1, "x - 1"),
        (hf.relu(), "0 if x <= 0, x if x > 0"),
        (hf.thresholded_relu(1.0), "0 if x <= 1, x - 1 if x > 1"),
        (hf.hard_tanh(), "-1 if x <= -1, x if -1 < x <= 1, 1 if x > 1"),
    ],
)
def test_cases(f, text):
    assert f.formula(style="cases") == text


def test_another_variable_and_fewer_digits():
    f = hf.rectified_linear(1 / 3, -2e-7) + 123456.0
    assert f.formula("t", digits=2) == "relu(0.33*t - 2e-07) + 120000"
    assert f.formula("t", "cases", 3) == "123000 if t <= 6e-07, 0.333*t + 123000 if t > 6e-07"
    assert hf.relu_sum([1.0000001], [0]).formula(digits=3) == "relu(x)"


@pytest.mark.parametrize(
    ("f", "style", "text"),
    [
        (hf.relu(), "cases", r"\begin{cases} 0 & x \le 0 \\ x & x > 0 \end{cases}"),
        (hf.identity() - 1, "cases", "x - 1"),
        (
            hf.hard_tanh(),
            "cases",
            r"\begin{cases} -1 & x \le -1 \\ x & -1 < x \le 1 \\ 1 & x > 1 \end{cases}",
        ),
        (hf.absolute(), "relu", r"x^{+} + \left(-x\right)^{+}"),
        (hf.rectified_linear(1.2, 1.2), "relu", r"\left(1.2 x + 1.2\right)^{+}"),
        (
            2 * hf.step(1) - 1e-7,
            "relu",
            r"2 \mathbf{1}\left[x > 1\right] - 1 \cdot 10^{-7}",
        ),
        (0.1 * (hf.identity() - 1e9), "relu", r"0.1 \left(x - 1000000000\right)"),
    ],
)
def test_latex(f, style, text):
    assert f.latex(style=style) == text


def test_notebooks_show_latex_of_short_functions():
    assert (hf.relu() / 3)._repr_latex_() == (
        r"$\displaystyle \begin{cases} 0 & x \le 0 \\ 0.333333 x & x > 0 \end{cases}$"
    )
    assert hf.from_points(range(100), np.arange(100) % 2)._repr_latex_() is None


def test_parabolas():
    F = hf.hard_tanh().antiderivative()
    assert str(F) == "-x - 0.5 if x <= -1, 0.5*x^2 if -1 < x <= 1, x - 0.5 if x > 1"
    assert F.formula("t", digits=1).startswith("-t - 0.5 if t <= -1, 0.5*t^2")
    assert hf.identity().antiderivative(1.0).latex() == "0.5 x^2 - 0.5"


@modest
@given(functions())
def test_parabolas_are_right(f):
    F = f.antiderivative(at=0.5)
    for row in F.formula().split(", "):
        value, condition = row.split(" if ") if " if " in row else (row, "True")
        for x in probes(f).tolist():
            if eval(condition):
                exact = eval(value.replace("^", "**"), {"x": Fraction(x)})
                assert float(exact) == pytest.approx(F(x), rel=1e-10, abs=1e-9)


def test_conjugates():
    conjugate = (hf.relu() + hf.absolute().compose(hf.identity() - 1)).conjugate()
    assert str(conjugate) == "-1 if -1 <= p <= 0, p - 1 if 0 < p <= 2, inf otherwise"
    assert conjugate.latex(digits=2).endswith(r"\infty & \text{otherwise} \end{cases}")


@pytest.mark.parametrize("bad", ["sum", "", None, []])
def test_unknown_styles(bad):
    for method in (hf.relu().formula, hf.relu().latex):
        with pytest.raises(HalfwaveError, match=r'`style` of a formula must be "relu" or "cases"; got '):
            method(style=bad)


@pytest.mark.parametrize("bad", [0, -1, 2.5, "3", True])
def test_bad_digits(bad):
    with pytest.raises(HalfwaveError, match="`digits` must be a whole number of at least 1, or None; got "):
        hf.relu().formula(digits=bad)
