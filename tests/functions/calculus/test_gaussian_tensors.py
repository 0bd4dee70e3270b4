"""Gaussian moments on torch tensors: values, derivatives, dtypes, the limit σ = 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from function_cases import CATALOGUE, functions, modest
from hypothesis import given
from hypothesis import strategies as st
from test_gaussian_moments import by_quadrature

from halfwave import functions as hf
from halfwave.errors import HalfwaveError


def column(*values, **options):
    return torch.tensor(values, dtype=torch.float64, **options)


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_against_quadrature(name):
    f = CATALOGUE[name][0]
    mu, sigma = column(0.0, -1.3, 0.7), column(1.0, 0.4, 5.0)
    for power, method in enumerate((f.gaussian_mean, f.gaussian_second_moment), start=1):
        true = [by_quadrature(f, power, m, s) for m, s in zip(mu.tolist(), sigma.tolist(), strict=True)]
        np.testing.assert_allclose(method(mu, sigma).numpy(), true, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_derivatives_against_finite_differences(name, fast):
    """Fast: along a random direction; else entry by entry."""
    f = CATALOGUE[name][0]
    mu = column(-1.3, 0.1, 0.7, requires_grad=True)
    sigma = column(0.4, 1.0, 3.0, requires_grad=True)
    for method in (f.gaussian_mean, f.gaussian_second_moment):
        assert torch.autograd.gradcheck(method, (mu, sigma), fast_mode=fast)
        assert torch.autograd.gradgradcheck(method, (mu, sigma), fast_mode=fast)


@modest
@given(functions(), st.floats(-6, 6), st.floats(0.2, 6))
def test_derivatives_of_random_functions(f, mu, sigma):
    at = (column(mu, requires_grad=True), column(sigma, requires_grad=True))
    for method in (f.gaussian_mean, f.gaussian_second_moment):
        gradients = [float(g) for g in torch.autograd.grad(method(*at).sum(), at)]
        h = 1e-4  # fourth-order differences
        for gradient, (dm, ds) in zip(gradients, ((h, 0.0), (0.0, h)), strict=True):
            values = [method(mu + k * dm, sigma + k * ds) for k in (-2, -1, 1, 2)]
            slope = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
            scale = f.gaussian_second_moment(mu, sigma)
            assert gradient == pytest.approx(slope, rel=1e-6, abs=1e-7 * (1 + scale))


def test_the_derivatives_of_relu_in_closed_form():
    mu, sigma = column(-1.5, 0.0, 2.0, requires_grad=True), column(0.5, 1.0, 3.0, requires_grad=True)
    by_mu, by_sigma = torch.autograd.grad(hf.relu().gaussian_mean(mu, sigma).sum(), (mu, sigma))
    z = (mu / sigma).detach()
    torch.testing.assert_close(by_mu, torch.special.ndtr(z), rtol=1e-12, atol=0)
    torch.testing.assert_close(by_sigma, torch.exp(-z * z / 2) / (2 * torch.pi) ** 0.5, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", CATALOGUE)
def test_zero_deviation_is_the_function_itself(name):
    f = CATALOGUE[name][0]
    mu = torch.cat((torch.tensor(f.kinks.copy()), column(-2.6, 0.35, 4.1))).requires_grad_()
    sigma = torch.zeros_like(mu, requires_grad=True)
    mean = f.gaussian_mean(mu, sigma)
    torch.testing.assert_close(mean, f(mu), rtol=0, atol=0)
    second = f.gaussian_second_moment(mu, sigma)
    torch.testing.assert_close(second, f(mu) ** 2, rtol=0, atol=0)
    for value in (mean, second):
        by_mu, by_sigma = torch.autograd.grad(value.sum(), (mu, sigma), retain_graph=True)
        expected = torch.autograd.grad((f(mu) if value is mean else f(mu) ** 2).sum(), mu)[0]
        torch.testing.assert_close(by_mu, expected, rtol=1e-14, atol=1e-14)
        assert by_sigma.isfinite().all()
        assert (by_sigma[len(f.kinks) :] == 0).all()


def test_the_derivative_in_sigma_at_zero_is_the_limit_from_above():
    mu, sigma = column(0.0), column(0.0, requires_grad=True)
    (at_zero,) = torch.autograd.grad(hf.relu().gaussian_mean(mu, sigma), sigma)
    assert float(at_zero) == pytest.approx(hf.relu().gaussian_mean(0.0, 1e-6) / 1e-6, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes_are_kept(dtype):
    mu = torch.linspace(-2, 2, 5, dtype=dtype, requires_grad=True)
    for sigma in (0.5, 1, torch.tensor(0.5, dtype=dtype)):
        value = hf.hard_tanh().gaussian_mean(mu, sigma)
        assert value.dtype == dtype
        expected = hf.hard_tanh().gaussian_mean(mu.detach().double().numpy(), float(sigma))
        np.testing.assert_array_equal(value.detach().double(), torch.tensor(expected).to(dtype).double())
        (gradient,) = torch.autograd.grad(value.sum(), mu)
        assert gradient.dtype == dtype


def test_shapes_and_mixed_arguments():
    f = CATALOGUE["relu_sum"][0]
    mu, sigma = torch.linspace(-6, 6, 5)[:, None], torch.tensor([0.0, 0.01, 1.0])
    assert f.gaussian_mean(mu, sigma).shape == (5, 3)
    assert f.gaussian_mean(torch.zeros(0, 2), 1.0).shape == (0, 2)
    assert f.gaussian_mean(0.3, torch.tensor(1.0)).shape == ()
    assert f.gaussian_mean(np.zeros(2), torch.ones(3, 1)).dtype == torch.float64
    assert f.gaussian_mean(torch.tensor([1, 2]), 1).dtype == torch.get_default_dtype()
    assert hf.relu().gaussian_mean(column(np.inf, -np.inf, np.nan), 1.0).tolist()[:2] == [np.inf, 0.0]


def test_only_the_arguments_that_need_a_gradient_get_one():
    mu = column(0.5, requires_grad=True)
    hf.relu().gaussian_mean(mu, 1.0).backward()
    assert mu.grad is not None
    assert not hf.relu().gaussian_mean(mu.detach(), 1.0).requires_grad


@pytest.mark.parametrize(
    ("mu", "sigma", "message"),
    [
        (torch.zeros(2), torch.ones(3), r"shapes that broadcast; got \(2,\) and \(3,\)"),
        (torch.zeros(2), -1.0, "`sigma` must be finite and not negative; got -1.0"),
        (torch.zeros(2), torch.tensor(np.nan), "`sigma` must be finite and not negative; got nan"),
        (torch.zeros(2), "a", "`sigma` must be real numbers; got an array of dtype <U1"),
        (torch.zeros(2, dtype=torch.complex64), 1.0, "`mu` must be real numbers; got a tensor .*complex64"),
    ],
)
def test_bad_tensors(mu, sigma, message):
    with pytest.raises(HalfwaveError, match=message):
        hf.relu().gaussian_mean(mu, sigma)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu_stay_there():
    mu = torch.zeros(3, device="cuda", requires_grad=True)
    value = hf.relu().gaussian_mean(mu, 1.0)
    assert value.device == mu.device
    value.sum().backward()
    assert mu.grad is not None
    assert mu.grad.device == mu.device
