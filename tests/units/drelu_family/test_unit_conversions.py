"""Conversions among the parametrisations of the dReLU unit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from halfwave import HalfwaveError
from halfwave.units import DReLU, Gaussian, NSReLU, PReLU, Unit, XReLU

from .. import distribution
from ..registry import each_dtype, each_family_unit, example, example_inputs

TO: dict[str, Callable[[Unit], Unit]] = {
    "DReLU": lambda unit: unit.to_drelu(),
    "PReLU": lambda unit: unit.to_prelu(),
    "XReLU": lambda unit: unit.to_xrelu(),
    "NSReLU": lambda unit: unit.to_nsrelu(),
}
SCALED = ("DReLU", "PReLU", "XReLU")


def random_drelu(ratio: float, dtype: torch.dtype, count: int = 200) -> DReLU:
    """Curvatures up to this ratio apart, thresholds of both orders."""
    generator = np.random.default_rng(17)
    gamma_pos = 10 ** generator.uniform(-2, 2, count)
    gamma_neg = gamma_pos * ratio ** generator.uniform(-1, 1, count)
    gamma_neg[:2] = gamma_pos[:2] * np.array([ratio, 1 / ratio])
    thetas = generator.normal(size=(2, count)) * 10 ** generator.uniform(-1, 2, (2, count))
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    values = (torch.tensor(row, dtype=dtype) for row in (*thetas, gamma_pos, gamma_neg))
    return DReLU(**dict(zip(names, values, strict=True)))


def agree(first: DReLU, second: DReLU, ulps: float | Tensor) -> None:
    """Curvatures relatively, thresholds relative to the larger of the two (their mean and difference are stored)."""
    epsilon = torch.finfo(first.dtype).eps
    theta = torch.maximum(first.theta_pos.abs(), first.theta_neg.abs())
    for key in ("theta_pos", "theta_neg"):
        error = (first.get_parameter(key) - second.get_parameter(key)).abs()
        assert (error <= ulps * epsilon * theta).all(), (key, float((error / theta).max() / epsilon))
    for key in ("gamma_pos", "gamma_neg"):
        error = (first.get_parameter(key) / second.get_parameter(key) - 1.0).abs()
        assert (error <= ulps * epsilon).all(), (key, float(error.max() / epsilon))


@each_dtype
def test_round_trip_through_xrelu_is_lossless_at_a_curvature_ratio_of_a_million(dtype):
    unit = random_drelu(1e6, dtype)
    assert float((unit.gamma_neg / unit.gamma_pos).max()) > 9e5
    agree(unit.to_xrelu().to_drelu(), unit, 8)


@each_dtype
def test_round_trip_through_prelu_is_lossless_up_to_the_resolution_of_eta(dtype):
    unit = random_drelu(1e6 if dtype == torch.float64 else 1e3, dtype)
    # η near ±1 holds 1 − |η| to one unit of 1: that is a property of the parametrisation
    larger, smaller = (
        torch.maximum(unit.gamma_pos, unit.gamma_neg),
        torch.minimum(unit.gamma_pos, unit.gamma_neg),
    )
    agree(unit.to_prelu().to_drelu(), unit, 8 + 2 * larger / smaller)


@each_family_unit
@pytest.mark.parametrize("target", TO)
@each_dtype
def test_conversions_keep_the_distribution(name, target, dtype):
    unit = example(name, dtype)
    if target == "NSReLU" and name != "NSReLU":
        with pytest.raises(HalfwaveError, match="NSReLU has γ = 1"):
            TO[target](unit)
        return
    converted = TO[target](unit)
    assert converted.name == target
    assert (converted.shape, converted.dtype) == (unit.shape, dtype)
    inputs = example_inputs(unit)
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-12}[dtype]
    for method in ("cgfs", "mean_from_inputs", "var_from_inputs", "energies"):
        got, expected = getattr(converted, method)(inputs), getattr(unit, method)(inputs)
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance, msg=method)


@pytest.mark.parametrize("first", SCALED)
@pytest.mark.parametrize("second", SCALED)
def test_round_trips_among_all_pairs(first, second):
    unit = TO[first](random_drelu(100.0, torch.float64))
    drelu, back = unit.to_drelu(), TO[first](TO[second](unit)).to_drelu()
    larger = torch.maximum(drelu.gamma_pos, drelu.gamma_neg)
    agree(back, drelu, 16 + 4 * larger / torch.minimum(drelu.gamma_pos, drelu.gamma_neg))


def test_conversion_agrees_with_the_published_formulas():
    for name in ("PReLU", "XReLU", "NSReLU"):
        unit = example(name)
        expected = distribution.drelu_parameters(unit)
        for value, number in zip(unit.to_drelu().parameters(), expected, strict=True):
            np.testing.assert_allclose(value.numpy(), number, rtol=1e-14)


def test_inverse_conversion_agrees_with_the_published_formulas():
    unit = random_drelu(30.0, torch.float64)
    theta_pos, theta_neg, gamma_pos, gamma_neg = (value.numpy() for value in unit.parameters())
    total = gamma_pos + gamma_neg
    expected = {
        "gamma": 2 * gamma_pos * gamma_neg / total,
        "eta": (gamma_neg - gamma_pos) / total,
        "theta": (theta_pos * gamma_neg + theta_neg * gamma_pos) / total,
        "delta": 2 * gamma_pos * gamma_neg / total * (theta_pos - theta_neg) / total,
    }
    expected["xi"] = expected["eta"] / (1 - np.abs(expected["eta"]))
    for converted in (unit.to_prelu(), unit.to_xrelu()):
        for key, value in converted.named_parameters():
            np.testing.assert_allclose(value.numpy(), expected[key], rtol=1e-12, atol=1e-12)


@each_dtype
def test_nsrelu_round_trip_and_refusal(dtype):
    unit = example("NSReLU", dtype)
    back = unit.to_drelu().to_nsrelu()
    tolerance = 64 * torch.finfo(dtype).eps
    for key, value in unit.named_parameters():
        scale = 1.0 + value.abs() * (1.0 + unit.xi.abs())
        assert ((back.get_parameter(key) - value).abs() <= tolerance * scale).all(), key
    other = XReLU(
        **{key: torch.tensor([0.5, 0.5]) for key in ("theta", "delta", "xi")}, gamma=torch.tensor([1.0, 1.7])
    )
    with pytest.raises(HalfwaveError, match=r"γ = 1 .*γ = 1\.7 at index \(1,\)"):
        other.to_nsrelu()


def test_to_prelu_refuses_an_asymmetry_that_rounds_to_one():
    unit = DReLU(theta_pos=[0.0], theta_neg=[0.0], gamma_pos=[1.0], gamma_neg=[1e9])
    with pytest.raises(
        HalfwaveError, match=r"`eta` of PReLU must be inside \(-1, 1\); got 1 at index \(0,\)"
    ):
        unit.to_prelu()
    agree(unit.to_xrelu().to_drelu(), unit, 8)


@each_dtype
def test_gaussian_is_the_drelu_with_equal_sides(dtype):
    unit = example("Gaussian", dtype)
    inputs = example_inputs(unit)
    tolerance = {torch.float32: 2e-5, torch.float64: 1e-13}[dtype]
    for converted in (unit.to_drelu(), unit.to_prelu(), unit.to_xrelu()):
        for method in ("cgfs", "mean_from_inputs", "var_from_inputs", "mode_from_inputs", "energies"):
            got, expected = getattr(converted, method)(inputs), getattr(unit, method)(inputs)
            torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance, msg=method)
        got, expected = converted.mean_abs_from_inputs(inputs), unit.mean_abs_from_inputs(inputs)
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance)
        assert converted.dtype == dtype


def test_default_units_are_standard_normal():
    inputs = torch.linspace(-3, 3, 7, dtype=torch.float64).reshape(-1, 1)
    gaussian = Gaussian(1, dtype=torch.float64)
    for unit_class in (DReLU, PReLU, XReLU, NSReLU):
        unit = unit_class(1, dtype=torch.float64)
        for method in ("cgfs", "mean_from_inputs", "var_from_inputs"):
            got, expected = getattr(unit, method)(inputs), getattr(gaussian, method)(inputs)
            torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-14)


def test_conversions_copy():
    unit = example("DReLU")
    for converted in (unit.to_drelu(), unit.to_xrelu()):
        assert not any(p.requires_grad for p in converted.parameters())
        before = unit.mean_from_inputs(torch.zeros(unit.shape, dtype=unit.dtype))
        for parameter in converted.parameters():
            parameter.data.add_(0.1)
        assert torch.equal(unit.mean_from_inputs(torch.zeros(unit.shape, dtype=unit.dtype)), before)


def test_asymmetry_stays_inside_its_interval_however_large_xi_is():
    xi = torch.tensor([-1e30, -1e6, 1e6, 1e30])
    unit = XReLU(theta=torch.zeros(4), gamma=torch.ones(4), delta=torch.zeros(4), xi=xi)
    drelu = unit.to_drelu()
    for value in drelu.parameters():
        assert torch.isfinite(value).all()
    assert (drelu.gamma_pos > 0).all()
    assert (drelu.gamma_neg > 0).all()
