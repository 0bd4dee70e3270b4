"""Values on scalars, arrays and tensors: conventions, limits, dtypes, accuracy far from zero."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from function_cases import CATALOGUE, exact_value, functions, modest, probes
from hypothesis import given

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear


@pytest.mark.parametrize("name", CATALOGUE)
def test_catalogue_against_its_formula(name):
    f, formula = CATALOGUE[name]
    x = np.concatenate((probes(f), np.linspace(-5, 5, 41)))
    np.testing.assert_allclose(f(x), formula(x), rtol=1e-14, atol=1e-15)


@modest
@given(functions())
def test_values_have_full_relative_accuracy(f):
    for x in probes(f).tolist():
        true = exact_value(f, x)
        # 1e-300: the smallest floats have fewer digits
        assert abs(Fraction(f(x)) - true) <= abs(true) * Fraction(1, 10**15) + Fraction(1, 10**300)


@modest
@given(functions())
def test_a_kink_belongs_to_its_left_piece(f):
    for i, kink in enumerate(f.kinks.tolist()):
        assert f(kink) == pytest.approx(f.slopes[i] * kink + f.intercepts[i], abs=1e-12)
        assert f.derivative()(kink) == f.slopes[i]
        assert f.derivative()(np.nextafter(kink, np.inf)) == f.slopes[i + 1]


@modest
@given(functions())
def test_infinities_are_limits_and_nan_stays(f):
    for sign, slope, intercept in ((-1, f.slopes[0], f.intercepts[0]), (1, f.slopes[-1], f.intercepts[-1])):
        limit = intercept if slope == 0 else sign * np.sign(slope) * np.inf
        assert f(sign * np.inf) == limit
        assert f.derivative()(sign * np.inf) == slope
    assert np.isnan(f(np.nan))
    assert np.isnan(f.derivative()(np.nan))
    assert f(torch.tensor(np.nan)).isnan()


def test_infinities_of_antiderivatives():
    F = hf.hard_tanh().antiderivative()
    np.testing.assert_array_equal(F(np.array([-np.inf, np.inf])), [np.inf, np.inf])
    np.testing.assert_array_equal(hf.relu().antiderivative()(np.array([-np.inf, np.inf])), [0.0, np.inf])
    assert hf.identity().antiderivative()(-np.inf) == np.inf
    assert np.isnan(F(np.nan))


def test_scalars_give_floats():
    for x in (2, 2.0, True, np.float64(2)):
        assert type(hf.relu()(x)) is float
    assert hf.relu()(2) == 2.0
    assert isinstance(hf.relu()(np.float32(2)), np.float32)
    assert isinstance(hf.relu()(np.int64(2)), np.float64)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_keep_shape_and_floating_dtype(dtype, shape):
    x = np.full(shape, 0.5, dtype=dtype)
    for f in (hf.hard_tanh(), hf.hard_tanh().antiderivative()):
        y = f(x)
        assert isinstance(y, np.ndarray)
        assert (y.shape, y.dtype) == (shape, dtype)
    np.testing.assert_array_equal(hf.hard_tanh()(x), x)


def test_integers_and_lists_become_float64():
    for x in (np.array([-1, 2]), np.array([0, 2], dtype=np.uint8), np.array([False, True]), [-1, 2]):
        assert hf.relu()(x).dtype == np.float64
    np.testing.assert_array_equal(hf.relu()([-1, 2]), [0.0, 2.0])


def test_overflow_is_infinite_without_a_warning():
    assert (10 * hf.identity())(1e308) == np.inf
    assert (10 * hf.identity())(np.float16(60000)) == np.inf


def test_float32_inputs_are_compared_with_the_unrounded_kink():
    # float32(0.1) lies above 0.1; with the threshold rounded to float32 it would count as equal
    x = np.float32(0.1)
    assert hf.thresholded_relu(0.1, "keep")(x) == x
    assert hf.thresholded_relu(0.1, "keep")(torch.tensor(0.1)).item() == x


@pytest.mark.parametrize("values", [np.array([1j]), "abc", ["a"], None, [[1.0], [1.0, 2.0]]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(HalfwaveError, match="`x` must be"):
        hf.relu()(values)


def test_complex_tensors_are_refused():
    with pytest.raises(HalfwaveError, match="complex64"):
        hf.relu()(torch.ones(2, dtype=torch.complex64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_keep_dtype_and_shape(dtype):
    x = torch.tensor([[-2.0, -0.5, 0.0], [0.5, 1.0, 2.0]], dtype=dtype)
    for y in (hf.hard_tanh()(x), hf.hard_tanh()(x.T).T):
        assert y.dtype == dtype
        torch.testing.assert_close(y, x.clamp(-1, 1), rtol=0, atol=0)
    assert hf.relu()(torch.empty(0, 3, dtype=dtype)).shape == (0, 3)


def test_integer_tensors_take_the_default_dtype():
    y = hf.relu()(torch.tensor([-1, 2]))
    assert y.dtype == torch.get_default_dtype()
    assert y.tolist() == [0.0, 2.0]


@modest
@given(functions())
def test_tensors_agree_with_arrays_and_their_gradient_is_the_left_slope(f):
    x = np.concatenate((probes(f), [np.inf, -np.inf]))
    t = torch.tensor(x, requires_grad=True)
    y = f(t)
    np.testing.assert_array_equal(y.detach().numpy(), f(x))
    y.sum().backward()
    assert t.grad is not None
    np.testing.assert_array_equal(t.grad.numpy(), f.derivative()(x))


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_gradient_at_nan_is_the_last_slope(name):
    # as with torch.relu; the numbers beside it keep their own gradients
    f = CATALOGUE[name][0]
    t = torch.tensor([np.nan, -100.0], requires_grad=True)
    f(t).sum().backward()
    assert t.grad is not None
    assert t.grad.tolist() == np.float32([f.slopes[-1], f.slopes[0]]).tolist()


@modest
@given(functions())
def test_the_gradient_of_the_antiderivative_is_the_function(f):
    x = probes(f)
    t = torch.tensor(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(f.antiderivative()(t).sum(), t, create_graph=True)
    np.testing.assert_allclose(gradient.detach().numpy(), f(x), rtol=1e-11, atol=1e-11)
    (second,) = torch.autograd.grad(gradient.sum(), t)
    np.testing.assert_array_equal(second.numpy(), f.derivative()(x))


def test_parameters_count_as_tensors():
    parameter = torch.nn.Parameter(torch.tensor([-1.0, 2.0]))
    hf.relu()(parameter).sum().backward()
    assert parameter.grad is not None
    assert parameter.grad.tolist() == [0.0, 1.0]


def test_relu_shifted_to_a_billion_is_exact():
    f = hf.relu().compose(hf.identity() - 1e9)
    for x in (np.nextafter(1e9, 2e9), 1e9 + 1e-6, 1e9 + 0.125, 2e9):
        assert f(float(x)) == x - 1e9
    assert f(1e9) == 0.0
    quadratic = f.antiderivative()
    assert quadratic(1e9 + 2.0**-10) == 2.0**-21


@pytest.mark.parametrize(("m", "b"), [(0.1, -1e8), (-0.3, 1e9), (1 / 3, 7e12), (7e-5, -0.1)])
def test_rectified_terms_are_accurate_beside_a_far_kink(m, b):
    f = hf.rectified_linear(m, b)
    x = float(f.kinks[0])
    for _ in range(20):
        x = float(np.nextafter(x, np.inf if m > 0 else -np.inf))
        true = Fraction(m) * Fraction(x) + Fraction(b)
        assert f(x) > 0
        assert abs(Fraction(f(x)) - true) <= true * Fraction(1, 10**15)


@pytest.mark.parametrize(
    "f",
    [
        hf.hard_tanh(),
        hf.relu_sum([1, 1], [1, -1], [1, -1], offset=-1),
        hf.clipped_relu(2e9).compose(hf.identity() + 1e9) - 1e9,
        10 * hf.hard_tanh().compose(hf.identity() / 10),
        hf.from_points([-1e9, 1e9], [-1e9, 1e9]),
        hf.two_sided_relu(0, 0, 1, 3),
        hf.identity().maximum(-1e9).minimum(1e9),
    ],
    ids=["hard_tanh", "relu_sum", "shifted", "stretched", "from_points", "two_sided", "clamp"],
)
def test_small_values_between_far_kinks_survive(f):
    assert f(1e-20) == 1e-20


def test_sums_of_far_functions_do_not_drift():
    f = hf.relu_sum([0.1] * 10, [-1e8] * 10)
    x = 1e9 + 1.0
    assert abs(f(x) - float(10 * (Fraction(0.1) * Fraction(x) - 10**8))) < 1e-15


@pytest.mark.parametrize("module", ["torch", "scipy"])
def test_importing_the_room_is_light(module):
    code = f"import sys, halfwave.functions as f; f.relu()(1.0); sys.exit('{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_subclass_of_an_array_that_is_no_tensor():
    x = np.ma.masked_array([-1.0, 2.0], mask=[False, False])
    np.testing.assert_array_equal(np.asarray(hf.relu()(x)), [0.0, 2.0])


def test_a_function_without_kinks():
    line = PiecewiseLinear([], [2.0], [1.0])
    np.testing.assert_array_equal(line(np.array([-1.0, 0.0, np.inf])), [-1.0, 1.0, np.inf])
    assert line(torch.tensor(3.0)).item() == 7.0


def test_what_is_no_number_or_function_is_one_sentence():
    import torch

    f = hf.relu()
    for call, words in (
        (lambda: f.compose("a"), "must be a real number; got 'a'"),
        (lambda: f.l2_distance("a", 0, 1), "must be a real number; got 'a'"),
        (lambda: f(10**400), "must be at most 1.8e308 in size"),
        (lambda: f.curve(torch.ones(2, requires_grad=True)), "must be numbers"),
    ):
        with pytest.raises(HalfwaveError, match=words):
            call()
    assert f.compose(3).slopes.tolist() == [0.0]
