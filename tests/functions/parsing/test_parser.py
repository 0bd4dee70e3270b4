"""Expressions: what they mean, and where the caret points when they mean nothing."""

from __future__ import annotations

import numpy as np
import pytest
from function_cases import functions, modest, probes
from hypothesis import given
from hypothesis import strategies as st

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.functions.parsing.names import KNOWN

x = hf.identity()


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("3", 0 * x + 3),
        (" x ", x),
        ("-x", -x),
        ("--x", x),
        ("+x - -2", x + 2),
        ("2 - 3 - x", -x - 1),
        ("2−x", -x + 2),
        ("1 + 2*x/4", x / 2 + 1),
        ("8/4/2*x", x),
        ("1/2x", x / 2),
        ("2x", 2 * x),
        ("2(x+1)", 2 * x + 2),
        ("x(2)", 2 * x),
        ("(x+1)(1 + 1)", 2 * x + 2),
        ("2relu(x)", 2 * hf.relu()),
        ("-2 relu(x)", -2 * hf.relu()),
        (".5x + 1e-3", 0.5 * x + 1e-3),
        ("1.e2", 0 * x + 100),
        ("(x - x + 3)*x", 3 * x),
        ("x / relu(2)", x / 2),
        ("relu", hf.relu()),
        ("2absolute - hard_tanh", 2 * hf.absolute() - hf.hard_tanh()),
        ("relu(x + 1)", hf.relu().compose(x + 1)),
        ("abs(x)", hf.absolute()),
        ("absolute(1 - 2x)", hf.absolute().compose(1 - 2 * x)),
        ("identity(relu)", hf.relu()),
        ("max(x, 0)", hf.relu()),
        ("max(0, x, 2 - x, 1)", hf.relu().maximum(2 - x).maximum(1)),
        ("min(relu, 6)", hf.clipped_relu()),
        ("min(3, 2)", 0 * x + 2),
        ("step(x - 1)", hf.step(1.0)),
        ("step(-x)", hf.step().compose(-x)),
        ("clip(x, -1, 1)", hf.hard_tanh()),
        ("clip(relu(x), 1, 1)", 0 * x + 1),
        ("leaky_relu(x, 0.25)", hf.leaky_relu(0.25)),
        ("relu6(x)", hf.clipped_relu(6.0)),
        ("relu6", hf.clipped_relu(6.0)),
        ("clipped_relu(x, 2)", hf.clipped_relu(2.0)),
        ("thresholded_relu(x, -1)", hf.thresholded_relu(-1.0)),
        ("thresholded_relu(x, 1, keep)", hf.thresholded_relu(1.0, "keep")),
        ("thresholded_relu(2x, 1, floor)", hf.thresholded_relu(1.0, "floor").compose(2 * x)),
        ("thresholded_relu(x, 1, subtract)", hf.thresholded_relu(1.0)),
        ("soft_threshold(x, 1/2)", hf.soft_threshold()),
        ("hard_threshold(x, max(1, 2))", hf.hard_threshold(2.0)),
        ("hard_tanh(x)", hf.hard_tanh()),
        ("rectified_linear(-1.2, 3)", hf.rectified_linear(-1.2, 3)),
        ("double_relu(1, 0, -1, 0)", hf.absolute()),
        ("two_sided_relu(-1, 1, 1, 2*2)", hf.two_sided_relu(-1, 1, 1, 4)),
        ("(" * 50 + "x" + ")" * 50, x),
        ("-" * 5000 + "x", x),
        ("\tx\n+ 1", x + 1),
    ],
)
def test_meaning(text, f):
    assert hf.parse(text) == f


@pytest.mark.parametrize(
    ("text", "caret", "sentence"),
    [
        ("", 0, "an expression must not be empty"),
        ("   ", 3, "an expression must not be empty"),
        ("rellu(x)", 0, "`rellu` is no known name; did you mean `relu`?"),
        ("1 + foo", 4, "`foo` is no known name; known are x, abs, absolute, clip"),
        ("x2", 0, "`x2` is no known name; did you mean `x`?"),
        ("x ^ 2", 2, "an expression has no character '^'"),
        ("x + é", 4, "an expression has no character 'é'"),
        ("x\n+ $", 4, "an expression has no character '$'"),
        ("2*(x + 1", 2, "every `(` must be closed; this one is not"),
        ("relu(x", 4, "every `(` must be closed; this one is not"),
        ("x + 1)", 5, "every `)` must have a `(` before it; this one has none"),
        ("x, 1", 1, "a comma must stand between the arguments of a function"),
        ("(x, 1)", 2, "a comma must stand between the arguments of a function"),
        ("x 2", 2, "before a number must stand an operator; got `2`"),
        ("relu(x 2)", 7, "before a number must stand an operator; got `2`"),
        ("x +", 3, "here must stand a number, x, a function or `(`; the expression ends"),
        ("* x", 0, "here must stand a number, x, a function or `(`; got `*`"),
        ("x**2", 2, "here must stand a number, x, a function or `(`; got `*`"),
        ("relu(, x)", 5, "here must stand a number, x, a function or `(`; got `,`"),
        ("()", 1, "here must stand a number, x, a function or `(`; got `)`"),
        ("x * relu(x)", 2, "the product of two functions of x is not piecewise linear"),
        ("x relu(x)", 2, "the product of two functions of x is not piecewise linear"),
        ("1/(x + 1)", 2, "a divisor must be a number; got a function of x"),
        ("x/(1 - 1)", 2, "a divisor must not be zero; got 0"),
        ("1 + relu()", 4, "`relu` is called as relu(e); got 0 arguments"),
        ("relu(x, 1)", 0, "`relu` is called as relu(e); got 2 arguments"),
        ("clip(x, 1)", 0, "`clip` is called as clip(e, lo, hi); got 2 arguments"),
        ("double_relu(1)", 0, "`double_relu` is called as double_relu(m1, b1, m2, b2); got 1 argument"),
        ("max(x)", 0, "`max` needs at least two arguments; got 1 argument"),
        ("2 leaky_relu", 2, "`leaky_relu` needs arguments; write leaky_relu(x, slope)"),
        ("rectified_linear", 0, "`rectified_linear` needs arguments; write rectified_linear(m, b)"),
        ("min", 0, "`min` needs arguments; write min(x, 0)"),
        ("clip(x, 0, 2x)", 11, "`hi` of `clip` must be a number; got a function of x"),
        ("thresholded_relu(x, 1, kept)", 23, "is one of subtract, keep, floor; got `kept`"),
        ("thresholded_relu(x, 1, ", 23, "is one of subtract, keep, floor; the expression ends"),
        ("clipped_relu(x, -1)", 16, "`c` of clipped_relu must be positive; got -1.0"),
        ("clip(x, 2, 1)", 0, "`hi` of clip must be at least `lo`; got lo = 2.0, hi = 1.0"),
        ("two_sided_relu(0, 0, 1, -0.3)", 0, "must be positive; got -0.3"),
        ("x + 1e999", 4, "a number must be finite; got 1e999"),
        ("1e308*10", 5, "a number must be finite; got inf"),
        ("1e308x + 1e308x", 7, "the slopes of a piecewise-linear function must be finite; got inf"),
    ],
)
def test_errors_point_at_the_place(text, caret, sentence):
    with pytest.raises(HalfwaveError) as caught:
        hf.parse(text)
    first, shown, mark = str(caught.value).split("\n")
    assert sentence in first
    assert shown == "  " + text.replace("\n", " ")
    assert mark == " " * (2 + caret) + "^"


@pytest.mark.parametrize(
    "text", ["x + " * 30 + "y" + " + x" * 30, "(" * 51 + "x" + ")" * 51, "x+" * 60_000 + "x"]
)
def test_long_expressions_are_shown_in_part(text):
    with pytest.raises(HalfwaveError) as caught:
        hf.parse(text)
    _, shown, mark = str(caught.value).split("\n")
    assert len(shown) <= 74
    position = (2 * 30 * 2) if "y" in text else 50 if "(" in text else 100_000
    assert shown[mark.index("^")] == text[position]


def test_limits_on_nesting_length_and_kinks():
    with pytest.raises(HalfwaveError, match="at most 50 brackets may be nested"):
        hf.parse("(" * 4999 + "x" + ")" * 4999)
    with pytest.raises(HalfwaveError, match="at most 100000 characters; got 100001"):
        hf.parse(" " * 100_000 + "x")
    doubling = "x"
    for i in range(20, 0, -1):
        doubling = f"abs({doubling} - {2**i})"
    with pytest.raises(HalfwaveError, match="at most 1000 kinks; got 1023 here"):
        hf.parse(doubling)


@pytest.mark.parametrize("bad", [3, None, b"x", ["x"]])
def test_only_strings(bad):
    with pytest.raises(HalfwaveError, match="an expression must be a string; got "):
        hf.parse(bad)


words = st.sampled_from([*KNOWN, "x", "keep", *"+-*/(),−^ ", "2", "1e-3", ".5", "1e999", "\n"])


@modest
@given(
    st.one_of(
        st.text(max_size=40), st.lists(words, max_size=25).map("".join), st.from_regex(r"[x0-9e.+*/() -]+")
    )
)
def test_any_text_is_a_function_or_an_error(text):
    try:
        outcome = hf.parse(text)
    except HalfwaveError as error:
        outcome = str(error)
    assert isinstance(outcome, PiecewiseLinear) or outcome.endswith("^")


@st.composite
def expressions(draw, depth=3):
    """Texts of the grammar, with the value they have read as Python."""
    if depth == 0:
        return draw(st.sampled_from(["x", "2", "0.5", "x"]))
    part = expressions(depth=depth - 1)
    pattern = draw(
        st.sampled_from(
            [
                "({}) + {}",
                "{} - ({})",
                "2*({})",
                "({})/4",
                "relu({})",
                "abs({})",
                "max({}, {})",
                "min({}, {})",
                "-({})",
            ]
        )
    )
    return pattern.format(*(draw(part) for _ in range(pattern.count("{}"))))


@modest
@given(expressions())
def test_expressions_have_their_value_in_python(text):
    def several(choose):
        return lambda *values: choose.reduce(np.broadcast_arrays(*values))

    names = {
        "abs": np.abs,
        "relu": lambda v: np.maximum(v, 0),
        "max": several(np.maximum),
        "min": several(np.minimum),
    }
    f = hf.parse(text)
    points = probes(f)
    value = eval(text, names | {"x": points})
    np.testing.assert_allclose(f(points), np.broadcast_to(value, points.shape), rtol=1e-12, atol=1e-12)


@modest
@given(functions(), functions())
def test_formulas_are_expressions_inside_expressions(f, g):
    text = f"max({f}, {g}) - 2({f})"
    points = probes(f, g)
    clear = np.abs(points[:, None] - np.concatenate((f.kinks, g.kinks))).min(axis=1, initial=np.inf) > 1e-6
    expected = np.maximum(f(points), g(points)) - 2 * f(points)
    np.testing.assert_allclose(hf.parse(text)(points)[clear], expected[clear], rtol=1e-11, atol=1e-9)
