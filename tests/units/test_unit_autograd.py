"""Derivatives through the units: numerical checks in body and tails, exact ones far out, and at ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mpmath import mpf
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from halfwave.units import UNITS, DReLU, ReLU, Unit

from . import reference
from .registry import ALL, each_unit, example

# (I, parameters) in the body, in both tails, and where the two sides are nearly in balance
POINTS: dict[str, dict[str, list[float]]] = {
    "Binary": {"inputs": [-9.0, 0.2, 3.0], "field": [1.0, -0.2, 4.0]},
    "Spin": {"inputs": [-4.0, 0.2, 3.0], "field": [1.0, -0.2, 1.0]},
    "Gaussian": {"inputs": [-4.0, 0.2, 3.0], "theta": [1.0, -0.2, 1.0], "gamma": [0.4, 1.0, 7.0]},
    "ReLU": {
        "inputs": [-40.0, 0.2, 3.0, -70.0],
        "theta": [1.0, -0.2, -9.0, 0.0],
        "gamma": [0.4, 1.0, 7.0, 1.0],
    },
    "DReLU": {
        "inputs": [0.1, -3.0, 2.0, 0.5, 12.0],
        "theta_pos": [0.0, 3.0, -1.5, 30.0, -3.0],
        "theta_neg": [0.0, -3.0, 1.0, -20.0, 28.0],
        "gamma_pos": [1.0, 0.5, 2.0, 1.0, 1.1],
        "gamma_neg": [1.0, 2.0, 0.7, 1.5, 1.0],
    },
    "PReLU": {
        "inputs": [0.1, -3.0, 2.0],
        "theta": [0.0, 1.0, -1.0],
        "gamma": [1.0, 2.0, 0.5],
        "delta": [0.1, 2.0, -1.5],
        "eta": [0.1, -0.8, 0.6],
    },
    "XReLU": {
        "inputs": [0.1, -3.0, 2.0],
        "theta": [0.0, 1.0, -1.0],
        "gamma": [1.0, 2.0, 0.5],
        "delta": [0.1, 2.0, -1.5],
        "xi": [0.1, -4.0, 2.0],
    },
    "NSReLU": {
        "inputs": [0.1, -3.0, 2.0],
        "theta": [0.0, 1.0, -1.0],
        "delta": [0.1, 2.0, -1.5],
        "xi": [0.1, -4.0, 2.0],
    },
}
each_point_set = pytest.mark.parametrize("name", POINTS)


def arguments(name: str) -> tuple[Tensor, ...]:
    """Inputs and parameters as tensors to differentiate."""
    return tuple(torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in POINTS[name].values())


def unit_with(name: str, values: tuple[Tensor, ...]) -> Unit:
    """A unit whose parameters are these tensors themselves, so that gradients reach them."""
    unit = UNITS[name](values[0].shape, dtype=torch.float64)
    for key, value in zip(unit.parameter_rules, values, strict=True):
        unit._parameters[key] = value  # type: ignore[assignment]
    return unit


def method(name: str, which: str):
    """The unit's method as a function of inputs and parameters."""

    def call(inputs: Tensor, *values: Tensor) -> Tensor:
        return getattr(unit_with(name, values), which)(inputs)

    return call


@each_point_set
@pytest.mark.parametrize("which", ["cgfs", "mean_from_inputs"])
@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_two_derivatives_in_inputs_and_parameters(name, which, fast):
    """Fast: along a random direction; else entry by entry."""
    function, values = method(name, which), arguments(name)
    assert gradcheck(function, values, fast_mode=fast)
    assert gradgradcheck(function, values, atol=1e-4, fast_mode=fast)


@each_point_set
@pytest.mark.parametrize("which", ["var_from_inputs", "mean_abs_from_inputs", "std_from_inputs"])
def test_first_derivatives_in_inputs_and_parameters(name, which):
    values = tuple(value[:3].detach().requires_grad_() for value in arguments(name))
    assert gradcheck(method(name, which), values, atol=1e-4)


@each_point_set
def test_expected_statistics_are_differentiable(name):
    def call(inputs: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        return tuple(unit_with(name, values).statistics_from_inputs(inputs).values())

    values = tuple(value[:3].detach().requires_grad_() for value in arguments(name))
    assert gradcheck(call, values, atol=1e-4)


@each_point_set
@pytest.mark.parametrize("which", ["energies", "log_probs"])
def test_energies_and_log_densities_are_differentiable(name, which):
    values = tuple(value[:3].detach().requires_grad_() for value in arguments(name))
    x = torch.tensor([1.0, 1.0, 1.0], dtype=torch.float64)
    if name not in ("Binary", "Spin"):
        x = torch.tensor([0.3, 1.2, 2.0], dtype=torch.float64)
        x = x if name == "ReLU" else x * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)
    x.requires_grad_(name not in ("Binary", "Spin"))

    def call(inputs: Tensor, *rest: Tensor) -> Tensor:
        *parameters, point = rest
        unit = unit_with(name, tuple(parameters))
        return unit.energies(point) if which == "energies" else unit.log_probs(point, inputs)

    assert gradcheck(call, (*values, x))
    if which == "log_probs":
        assert gradgradcheck(call, (*values, x), atol=1e-4)


def test_potts_derivatives():
    field = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    inputs = torch.tensor([[0.3, 9.0, -8.0], [0.0, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    for which in ("cgfs", "mean_from_inputs"):
        assert gradcheck(method("Potts", which), (inputs, field))
        assert gradgradcheck(method("Potts", which), (inputs, field))


@each_unit
def test_derivatives_at_zero_input_of_a_default_unit(name):
    # the tie of every symmetric unit: |t| and max have no derivative there, Γ has
    unit = UNITS[name]((1, 3) if name == "Potts" else (3,), dtype=torch.float64)
    inputs = torch.zeros(unit.shape, dtype=torch.float64, requires_grad=True)
    first = torch.autograd.grad(unit.cgfs(inputs).sum(), inputs, create_graph=True)[0]
    torch.testing.assert_close(first.detach(), unit.mean_from_inputs(inputs.detach()), rtol=1e-14, atol=0)
    second = torch.autograd.grad(first[..., 0].sum(), inputs)[0][..., 0]
    variance = unit.var_from_inputs(inputs.detach())[..., 0]
    torch.testing.assert_close(second, variance, rtol=1e-13, atol=0)


@pytest.mark.parametrize("threshold", [1e3, 1e4, 1e6])
def test_cgf_derivatives_are_exact_far_beyond_the_threshold(threshold):
    # gradcheck compares with differences of Γ and cannot see an error of 1e-8 here
    unit = DReLU(
        theta_pos=torch.tensor(threshold, dtype=torch.float64),
        theta_neg=torch.tensor(-1.5 * threshold, dtype=torch.float64),
        gamma_pos=torch.tensor(1.0, dtype=torch.float64),
        gamma_neg=torch.tensor(1.0, dtype=torch.float64),
    ).requires_grad_()
    inputs = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
    first = torch.autograd.grad(unit.cgfs(inputs), inputs, create_graph=True)[0]
    second = torch.autograd.grad(first, inputs, create_graph=True)[0]
    exact = reference.drelu(mpf(-threshold), mpf(1.5 * threshold), mpf(1), mpf(1))
    assert abs(first.item() - exact["mean"]) <= 1e-10 * abs(exact["mean"])
    assert abs(second.item() - exact["variance"]) <= 1e-10 * exact["variance"]
    gradients = torch.autograd.grad(unit.cgfs(inputs), list(unit.parameters()))
    names = ("x_pos", "x_neg", "x_pos_squared", "x_neg_squared")
    for gradient, key, factor in zip(gradients, names, (1, 1, 0.5, 0.5), strict=True):
        assert abs(gradient.item() + factor * exact[key]) <= 1e-10 * abs(exact[key]), key


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_parameter_gradients_are_minus_the_statistics_far_beyond_the_thresholds(dtype, tolerance):
    # the chain rule through θ/√γ would lose a² units in the last place here: all digits in single precision
    distance = torch.tensor([10.0, 30.0, 1e3, 1e4, 1e6], dtype=dtype)
    gamma_pos, gamma_neg = torch.full_like(distance, 0.7), torch.full_like(distance, 1.3)
    unit = DReLU(theta_pos=distance, theta_neg=-1.2 * distance, gamma_pos=gamma_pos, gamma_neg=gamma_neg)
    expected = unit.energy_gradients(unit.statistics_from_inputs(torch.zeros_like(distance)))
    unit.requires_grad_()
    gradients = torch.autograd.grad(unit.cgfs(torch.zeros_like(distance)).sum(), list(unit.parameters()))
    for gradient, (key, value) in zip(gradients, expected.items(), strict=True):
        torch.testing.assert_close(-gradient, value, rtol=tolerance, atol=0, msg=key)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_relu_derivative_of_the_cgf_is_the_mean_from_minus_a_million_to_a_million(dtype, tolerance):
    a = np.array([-1e6, -1e3, -30.0, -1.0, 0.0, 1.0, 30.0, 1e3, 1e4, 1e6])
    unit = ReLU(theta=torch.tensor(a, dtype=dtype), gamma=torch.ones(len(a), dtype=dtype))
    inputs = torch.zeros(len(a), dtype=dtype, requires_grad=True)
    mean = torch.autograd.grad(unit.cgfs(inputs).sum(), inputs)[0]
    for value, threshold in zip(mean.tolist(), unit.theta.tolist(), strict=True):
        exact = reference.excess(mpf(threshold)).mean
        assert abs(value - exact) <= tolerance * exact


@pytest.mark.parametrize("name", [name for name in ALL if name != "Potts"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_derivatives_are_finite_at_extreme_inputs(name, dtype):
    unit = example(name, dtype).requires_grad_()
    scale = 1e4 * torch.linspace(-1.0, 1.0, 9, dtype=dtype).reshape(-1, 1)
    inputs = scale.expand(-1, *unit.shape).clone().requires_grad_()
    first = torch.autograd.grad(unit.cgfs(inputs).sum(), inputs, create_graph=True)[0]
    assert torch.isfinite(first).all()
    second = torch.autograd.grad(first.sum(), [inputs, *unit.parameters()], allow_unused=True)
    assert all(part is None or torch.isfinite(part).all() for part in second)
