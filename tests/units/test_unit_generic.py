"""Every unit times every property: sums and quadrature over all values, derivatives, samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from halfwave.units import Unit

from . import chance, distribution
from .registry import (
    average,
    each_continuous_unit,
    each_discrete_unit,
    each_unit,
    exact_probabilities,
    example,
    example_inputs,
    outcomes,
    tracked,
)


def per_component(unit: Unit, gamma: Tensor) -> Tensor:
    """Γ of each site, summed over the layer so that its gradient is the layer's."""
    return gamma.sum(tuple(range(gamma.ndim)))


def grad(value: Tensor, *arguments: Tensor, create_graph: bool = False) -> tuple[Tensor, ...]:
    return torch.autograd.grad(value, arguments, create_graph=create_graph)


@each_unit
def test_density_is_normalised(name):
    unit = example(name)
    inputs = example_inputs(unit)
    _, probabilities = exact_probabilities(unit, inputs)
    total = probabilities.sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=1e-11, atol=0)


@each_unit
def test_moments_are_those_of_the_density(name):
    unit = example(name)
    inputs = example_inputs(unit)
    values, probabilities = exact_probabilities(unit, inputs)
    mean = average(values, probabilities)
    torch.testing.assert_close(unit.mean_from_inputs(inputs), mean, rtol=1e-10, atol=1e-12)
    variance = average((values - mean).square(), probabilities)
    torch.testing.assert_close(unit.var_from_inputs(inputs), variance, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(unit.std_from_inputs(inputs), variance.sqrt(), rtol=1e-10, atol=1e-12)
    absolute = average(values.abs(), probabilities)
    torch.testing.assert_close(unit.mean_abs_from_inputs(inputs), absolute, rtol=1e-10, atol=1e-12)


@each_unit
def test_expected_statistics_are_those_of_the_density(name):
    unit = example(name)
    inputs = example_inputs(unit)
    values, probabilities = exact_probabilities(unit, inputs)
    expected = unit.statistics_from_inputs(inputs)
    found = unit.statistics(values)
    assert tuple(expected) == tuple(found) == unit.statistic_names
    for key, value in expected.items():
        torch.testing.assert_close(value, average(found[key], probabilities), rtol=1e-10, atol=1e-12)
    mean = unit.mean_from_statistics(expected)
    torch.testing.assert_close(mean, unit.mean_from_inputs(inputs), rtol=1e-12, atol=1e-14)


@each_unit
def test_log_probs_are_input_times_value_minus_energy_minus_cgf(name):
    unit = example(name)
    inputs = example_inputs(unit)
    values, _ = outcomes(unit)
    values = values[:: max(1, len(values) // 50)]
    parts = inputs * values - unit.energies(values)
    expected = (parts.sum(-1) if name == "Potts" else parts) - unit.cgfs(inputs)
    got = unit.log_probs(values, inputs)
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-10)
    with torch.enable_grad():
        followed = tracked(name).log_probs(values, inputs)
    torch.testing.assert_close(followed.detach(), expected, rtol=1e-11, atol=1e-10)
    whole = unit.log_prob(values.expand(len(values), len(inputs), *unit.shape), inputs)
    torch.testing.assert_close(whole, expected.flatten(2).sum(-1), rtol=1e-11, atol=1e-9)


@each_unit
def test_mean_and_variance_are_derivatives_of_the_cgf(name):
    unit = example(name)
    inputs = example_inputs(unit).requires_grad_()
    first = grad(per_component(unit, unit.cgfs(inputs)), inputs, create_graph=True)[0]
    torch.testing.assert_close(first.detach(), unit.mean_from_inputs(inputs.detach()), rtol=1e-12, atol=1e-14)
    # the components of Potts share a Γ: the diagonal of the Hessian, one component at a time
    picks = torch.eye(unit.shape[-1], dtype=unit.dtype) if name == "Potts" else [1.0]
    second = sum(grad((first * pick).sum(), inputs, create_graph=True)[0] * pick for pick in picks)
    torch.testing.assert_close(second.detach(), unit.var_from_inputs(inputs.detach()), rtol=1e-11, atol=1e-14)


@each_unit
def test_variance_is_the_derivative_of_the_mean(name):
    unit = example(name)
    inputs = example_inputs(unit).requires_grad_()
    mean = unit.mean_from_inputs(inputs)
    picks = torch.eye(unit.shape[-1], dtype=unit.dtype) if name == "Potts" else [1.0]
    slope = sum(grad((mean * pick).sum(), inputs, create_graph=True)[0] * pick for pick in picks)
    torch.testing.assert_close(slope.detach(), unit.var_from_inputs(inputs.detach()), rtol=1e-11, atol=1e-14)


@each_unit
def test_values_do_not_depend_on_whether_autograd_follows(name):
    unit, followed = example(name), tracked(name)
    inputs = example_inputs(unit)
    for method in ("cgfs", "mean_from_inputs", "var_from_inputs", "mean_abs_from_inputs", "mode_from_inputs"):
        plain, with_graph = getattr(unit, method)(inputs), getattr(followed, method)(inputs).detach()
        torch.testing.assert_close(with_graph, plain, rtol=1e-12, atol=1e-14, msg=method)


@each_unit
def test_parameter_gradients_of_the_cgf_are_minus_the_expected_energy_gradients(name):
    unit = tracked(name)
    inputs = example_inputs(unit)
    parameters = dict(unit.named_parameters())
    gradients = dict(zip(parameters, grad(unit.cgfs(inputs).sum(), *parameters.values()), strict=True))
    moments = {key: value.sum(0).detach() for key, value in unit.statistics_from_inputs(inputs).items()}
    expected = unit.energy_gradients(moments)
    assert set(expected) == set(gradients)
    for key, value in expected.items():
        torch.testing.assert_close(gradients[key], -value, rtol=1e-10, atol=1e-12)


@each_unit
def test_energy_gradients_of_sample_moments_are_the_gradient_of_the_mean_energy(name):
    unit = tracked(name)
    inputs = example_inputs(unit)
    samples = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(5))
    weights = torch.linspace(0.0, 2.0, len(samples), dtype=unit.dtype)
    energy = (unit.energy(samples) * weights).sum() / weights.sum()
    parameters = dict(unit.named_parameters())
    gradients = dict(zip(parameters, grad(energy, *parameters.values()), strict=True))
    expected = unit.energy_gradients(unit.moments_from_samples(samples, weights))
    for key, value in expected.items():
        assert value.shape == unit.shape
        assert not value.requires_grad
        torch.testing.assert_close(gradients[key], value.to(gradients[key]), rtol=1e-11, atol=1e-12)


@each_unit
def test_moments_are_weighted_averages(name):
    unit = example(name)
    inputs = example_inputs(unit)
    samples = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(1))
    weights = torch.tensor([0, 1, 0, 2, 3, 0, 0, 1, 1])
    repeated = samples.repeat_interleave(weights, 0)
    from_weights, from_copies = (
        unit.moments_from_samples(samples, weights),
        unit.moments_from_samples(repeated),
    )
    for key, value in from_weights.items():
        torch.testing.assert_close(value, from_copies[key], rtol=1e-12, atol=1e-13)
    averaged = unit.moments_from_inputs(inputs.reshape(3, 3, *unit.shape), weights)
    copies = unit.moments_from_inputs(inputs.repeat_interleave(weights, 0))
    for key, value in averaged.items():
        torch.testing.assert_close(value, copies[key], rtol=1e-12, atol=1e-13)


@each_unit
def test_mode_is_the_highest_point_of_the_density(name):
    unit = example(name)
    inputs = example_inputs(unit)
    values, _ = outcomes(unit)
    mode = unit.mode_from_inputs(inputs)
    height, heights = inputs * mode - unit.energies(mode), inputs * values - unit.energies(values)
    if name == "Potts":
        height, heights = height.sum(-1), heights.sum(-1)
    assert (height >= heights.amax(0) - 1e-12).all()
    unit.check_values(mode)


@each_unit
def test_law_of_total_variance(name):
    unit = example(name)
    inputs = example_inputs(unit)
    mean, variance = unit.mean_from_inputs(inputs), unit.var_from_inputs(inputs)
    values, probabilities = exact_probabilities(unit, inputs)
    mixed = probabilities.mean(1, keepdim=True)  # an input drawn at random
    center = average(values, mixed)
    total = average((values - center).square(), mixed)[0]
    within, between = variance.mean(0), mean.var(0, unbiased=False)
    torch.testing.assert_close(within + between, total, rtol=1e-10, atol=1e-12)


@each_continuous_unit
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_samples_follow_the_exact_distribution(name, dtype):
    unit = example(name, dtype)
    inputs = example_inputs(unit)[1:8:3]
    many = inputs.expand(20_000, *inputs.shape)
    samples = unit.sample_from_inputs(many, torch.Generator().manual_seed(11))
    assert samples.dtype == dtype
    exact = distribution.cdf(unit, many, samples).reshape(len(samples), -1)
    for column in exact.T:
        chance.follows(column, column)


@each_discrete_unit
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_samples_have_the_exact_probabilities(name, dtype):
    unit = example(name, dtype)
    inputs = example_inputs(unit)[1:8:3]
    many = inputs.expand(50_000, *inputs.shape)
    samples = unit.sample_from_inputs(many, torch.Generator().manual_seed(11))
    unit.check_values(samples)
    highest = (samples > 0).sum(0).flatten().tolist()
    exact = example(name).mean_from_inputs(inputs.double())
    exact = (exact + 1) / 2 if name == "Spin" else exact
    for hits, probability in zip(highest, exact.flatten().tolist(), strict=True):
        chance.has_probability(hits, len(samples), probability)


@each_unit
def test_statistics_of_samples_have_their_expectations(name):
    unit = example(name)
    inputs = example_inputs(unit)[2:7:2]
    many = inputs.expand(40_000, *inputs.shape)
    samples = unit.sample_from_inputs(many, torch.Generator().manual_seed(3))
    found, expected = unit.statistics(samples), unit.statistics_from_inputs(inputs)
    values, probabilities = exact_probabilities(unit, inputs)
    for key, value in unit.statistics(values).items():
        mean = average(value, probabilities)
        std = average((value - mean).square(), probabilities).sqrt()
        kurtosis = average((value - mean).pow(4), probabilities) / std.pow(4)
        common = kurtosis < chance.LARGEST_KURTOSIS
        chance.has_mean(
            found[key][:, common].numpy(), expected[key][common].numpy(), std[common].numpy(), f"{name} {key}"
        )


@each_unit
def test_samples_with_statistics_are_the_samples_and_the_statistics(name):
    unit = example(name)
    inputs = example_inputs(unit)
    noise = unit.draw_noise((len(inputs),), torch.Generator().manual_seed(2))
    samples, statistics = unit.sample_with_statistics(inputs, noise)
    assert torch.equal(samples, unit.sample_from_noise(inputs, noise))
    for key, value in unit.statistics_from_inputs(inputs).items():
        torch.testing.assert_close(statistics[key], value, rtol=1e-13, atol=0)


@each_unit
def test_absorbed_inputs_act_like_inputs(name):
    unit, absorbed = example(name), example(name)
    inputs = example_inputs(unit)
    constant = torch.linspace(-1.0, 2.0, unit.size, dtype=unit.dtype).reshape(unit.shape)
    absorbed.absorb_inputs(constant)
    for method in ("mean_from_inputs", "var_from_inputs", "cgfs"):
        got, expected = getattr(absorbed, method)(inputs), getattr(unit, method)(inputs + constant)
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-13, msg=method)


@each_continuous_unit
def test_scaled_parameters_shrink_the_values(name):
    unit, scaled = example(name), example(name)
    inputs = example_inputs(unit)
    if not unit.scale_powers:
        assert name == "NSReLU"
        return
    scale = 3.0
    for key, power in unit.scale_powers.items():
        scaled.get_parameter(key).data.mul_(scale**power)
    mean, variance = unit.mean_from_inputs(inputs) / scale, unit.var_from_inputs(inputs) / scale**2
    torch.testing.assert_close(scaled.mean_from_inputs(inputs * scale), mean, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(scaled.var_from_inputs(inputs * scale), variance, rtol=1e-12, atol=1e-13)


@each_unit
def test_energies_of_impossible_values_and_infinite_potentials(name):
    unit = example(name)
    if name == "ReLU":
        assert (unit.energies(torch.full(unit.shape, -1e-3, dtype=unit.dtype)) == torch.inf).all()
    assert np.isfinite(unit.energy(unit.mode_from_inputs(example_inputs(unit))).numpy()).all()
