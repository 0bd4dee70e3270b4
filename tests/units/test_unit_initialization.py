"""`initialize_from_moments`: the unit at zero input has the given mean and variance, as far as it can."""

from __future__ import annotations

import pytest
import torch

from halfwave.units import NSReLU, Potts, ReLU

from .registry import ALL, each_dtype, example

TWO_MOMENTS = ("Gaussian", "DReLU", "PReLU", "XReLU")


@pytest.mark.parametrize("name", TWO_MOMENTS)
@each_dtype
def test_real_units_take_mean_and_variance(name, dtype):
    unit = example(name, dtype)
    count = unit.size
    mean, variance = (
        torch.linspace(-30.0, 40.0, count, dtype=dtype),
        torch.logspace(-2, 3, count, dtype=dtype),
    )
    unit.initialize_from_moments(mean, variance)
    zero = torch.zeros(count, dtype=dtype)
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12}[dtype]
    spread = mean.abs() + variance.sqrt()
    assert ((unit.mean_from_inputs(zero) - mean).abs() <= tolerance * spread).all()
    # epsilon keeps the variance of constant data away from zero
    torch.testing.assert_close(unit.var_from_inputs(zero), variance + 1e-6, rtol=10 * tolerance, atol=0)
    assert unit.dtype == dtype


@pytest.mark.parametrize("name", ALL)
def test_constant_data_give_a_usable_unit(name):
    unit = example(name, torch.float32)
    x = unit.mode_from_inputs(torch.zeros(unit.shape))
    unit.initialize_from_moments(x, torch.zeros_like(x))
    assert all(torch.isfinite(value).all() for value in unit.parameters())
    zero = torch.zeros(unit.shape)
    assert torch.isfinite(unit.mean_from_inputs(zero)).all()
    assert torch.isfinite(unit.sample_from_inputs(zero)).all()
    assert ((unit.mean_from_inputs(zero) - x).abs() < 0.01).all()


@each_dtype
@pytest.mark.parametrize("name", ["Binary", "Spin"])
def test_two_state_units_take_the_mean(name, dtype):
    unit = example(name, dtype)
    low = 0.0 if name == "Binary" else -1.0
    mean = torch.linspace(low + 0.01, 0.99, unit.size, dtype=dtype)
    unit.initialize_from_moments(mean, torch.zeros_like(mean))
    torch.testing.assert_close(unit.mean_from_inputs(torch.zeros_like(mean)), mean)
    ends = torch.tensor([low, 1.0], dtype=dtype).repeat(unit.size)[: unit.size]
    unit.initialize_from_moments(ends, torch.zeros_like(ends))
    assert torch.isfinite(unit.field).all()
    torch.testing.assert_close(unit.mean_from_inputs(torch.zeros_like(ends)), ends, rtol=0, atol=4e-6)


@each_dtype
def test_potts_takes_the_frequencies(dtype):
    frequencies = torch.tensor([[0.5, 0.25, 0.25], [0.9, 0.1, 0.0], [1.0, 0.0, 0.0]], dtype=dtype)
    unit = Potts((3, 3), dtype=dtype)
    unit.initialize_from_moments(frequencies, frequencies)
    torch.testing.assert_close(
        unit.mean_from_inputs(torch.zeros(3, 3, dtype=dtype)), frequencies, rtol=0, atol=3e-6
    )
    torch.testing.assert_close(unit.field.sum(-1), torch.zeros(3, dtype=dtype), rtol=0, atol=1e-5)


@each_dtype
def test_relu_takes_mean_and_variance_where_a_truncated_normal_can(dtype):
    ratios = torch.tensor(
        [1e-5, 1e-3, 0.1, 0.36338, 0.6, 0.9, 0.97], dtype=dtype
    )  # variance over squared mean
    means = torch.tensor([1e-2, 1.0, 300.0], dtype=dtype)
    mean = means.repeat_interleave(len(ratios))
    variance = mean.square() * ratios.repeat(len(means))
    unit = ReLU(len(mean), dtype=dtype)
    unit.initialize_from_moments(mean, variance)
    zero = torch.zeros_like(mean)
    tolerance = {torch.float32: 2e-3, torch.float64: 1e-9}[dtype]
    torch.testing.assert_close(unit.mean_from_inputs(zero), mean, rtol=tolerance, atol=0)
    torch.testing.assert_close(unit.var_from_inputs(zero), variance, rtol=tolerance, atol=0)


@each_dtype
def test_relu_keeps_the_mean_where_the_variance_is_out_of_reach(dtype):
    mean = torch.tensor([1.0, 2.0, 0.5], dtype=dtype)
    unit = ReLU(3, dtype=dtype)
    unit.initialize_from_moments(mean, 5.0 * mean.square())
    zero = torch.zeros(3, dtype=dtype)
    torch.testing.assert_close(unit.mean_from_inputs(zero), mean, rtol=1e-4, atol=0)
    ratio = unit.var_from_inputs(zero) / mean.square()
    assert ((ratio > 0.97) & (ratio < 1.0)).all()


def test_nsrelu_takes_the_mean_and_keeps_its_scale():
    unit = example("NSReLU")
    mean = torch.linspace(-2.0, 3.0, 4, dtype=torch.float64)
    unit.initialize_from_moments(mean, torch.full_like(mean, 7.0))
    zero = torch.zeros_like(mean)
    torch.testing.assert_close(unit.mean_from_inputs(zero), mean)
    torch.testing.assert_close(unit.var_from_inputs(zero), torch.ones_like(mean))
    assert isinstance(unit, NSReLU)


@pytest.mark.parametrize("name", ALL)
def test_initialization_works_in_place_on_units_that_autograd_follows(name):
    unit = example(name).requires_grad_()
    before = [parameter.data_ptr() for parameter in unit.parameters()]
    x = unit.sample_from_inputs(
        torch.zeros(50, *unit.shape, dtype=unit.dtype), torch.Generator().manual_seed(0)
    )
    unit.initialize_from_moments(x.mean(0), x.var(0))
    assert [parameter.data_ptr() for parameter in unit.parameters()] == before
    assert all(parameter.requires_grad and parameter.grad_fn is None for parameter in unit.parameters())
