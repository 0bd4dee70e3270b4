"""Importance and response of hidden units."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from halfwave import HalfwaveError
from halfwave.rbm.features import (
    feature_importance,
    hidden_profiles,
    order_by_importance,
    standardised_weights,
)
from halfwave.rbm.machine import RBM
from halfwave.units import UNITS, Binary, DReLU, Gaussian, Potts, Unit

HIDDEN = ["Binary", "Spin", "Potts", "Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU"]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer(name: str, shape: tuple[int, ...]) -> Unit:
    """A layer with parameters away from their defaults."""
    unit = UNITS[name](shape, dtype=torch.float64)
    for key, value in unit.named_parameters():
        value.data.add_(torch.rand(value.shape, generator=seeded(len(key)), dtype=torch.float64), alpha=0.3)
    return unit


def machine_and_data(name: str, samples: int = 300) -> tuple[RBM, torch.Tensor]:
    hidden = layer(name, (2, 3))
    weights = torch.randn(12, 6, generator=seeded(1), dtype=torch.float64)
    data = (torch.rand(samples, 3, 4, generator=seeded(2)) < 0.4).double()
    return RBM(layer("Binary", (3, 4)), hidden, weights), data


@pytest.mark.parametrize("name", HIDDEN)
def test_importance_is_norm_times_standard_deviation(name):
    rbm, data = machine_and_data(name)
    mean, variance = rbm.mean_h_from_v(data).flatten(1), rbm.var_h_from_v(data).flatten(1)
    std = (mean.var(0, unbiased=False) + variance.mean(0)).sqrt()
    weights = rbm.weights.clone()
    if name == "Potts":
        weights -= weights.mean(-1, keepdim=True)
    expected = weights.reshape(12, 6).norm(dim=0) * std
    torch.testing.assert_close(feature_importance(rbm, data), expected)
    torch.testing.assert_close(standardised_weights(rbm, data), weights.reshape(12, 6) * std)


@pytest.mark.parametrize("name", ["Gaussian", "ReLU", "DReLU", "PReLU", "XReLU"])
def test_importance_does_not_change_with_the_scale_of_hidden_units(name):
    rbm, data = machine_and_data(name)
    before = feature_importance(rbm, data)
    scale = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    for key, power in rbm.hidden.scale_powers.items():
        rbm.hidden.get_parameter(key).data.mul_(scale**power)
    rbm.weights.data.mul_(scale)
    torch.testing.assert_close(feature_importance(rbm, data), before)


@pytest.mark.parametrize("hidden", ["DReLU", "Potts"])
def test_importance_does_not_change_with_constants_over_colours(hidden):
    visible = Potts((5, 4), dtype=torch.float64)
    weights = torch.randn(5, 4, 2, 3, generator=seeded(), dtype=torch.float64)
    data = visible.sample_from_inputs(torch.zeros(50, 5, 4, dtype=torch.float64), seeded(1))
    constant = torch.randn(5, 1, 2, 3, generator=seeded(2), dtype=torch.float64)
    moved = RBM(visible, layer(hidden, (2, 3)), weights + constant)
    # the constants reach each hidden unit as one fixed input, which goes into its parameters
    moved.hidden.absorb_inputs(-constant.sum((0, 1)))
    plain = RBM(visible, layer(hidden, (2, 3)), weights)
    torch.testing.assert_close(feature_importance(moved, data), feature_importance(plain, data))


def test_importance_holds_far_from_zero_in_single_precision():
    hidden = Gaussian(theta=torch.tensor([-1e4]), gamma=torch.tensor([1.0]))
    rbm = RBM(Binary(1), hidden, torch.ones(1, 1))
    data = torch.tensor([[0.0], [1.0]])
    torch.testing.assert_close(feature_importance(rbm, data), torch.tensor([1.25**0.5]), rtol=1e-4, atol=0)


def test_order_is_descending_and_stable():
    assert order_by_importance(torch.tensor([1.0, 3.0, 1.0, 2.0])).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("name", HIDDEN)
def test_profiles_are_normalised_and_average_to_the_means(name):
    rbm, data = machine_and_data(name)
    chosen = [4, 0, 5]
    profiles = hidden_profiles(rbm, data, chosen, points=2001)
    assert profiles.indices.tolist() == chosen
    width = np.diff(profiles.edges)
    np.testing.assert_allclose((profiles.input_density * width).sum(-1), 1.0, rtol=1e-6)

    def total(density, values=None):
        weighed = density if values is None else density * values
        return weighed.sum(-1) if profiles.discrete else np.trapezoid(weighed, profiles.values)

    assert profiles.discrete == rbm.hidden.discrete
    np.testing.assert_allclose(total(profiles.marginal), 1.0, rtol=1e-3)
    for k in range(3):
        area = profiles.conditional[:, k]
        np.testing.assert_allclose(total(area), 1.0, rtol=1e-3)
    means = rbm.mean_h_from_v(data).flatten(1).mean(0)[chosen].numpy()
    np.testing.assert_allclose(total(profiles.marginal, profiles.values), means, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("name", [name for name in HIDDEN if name != "Potts"])
def test_response_curves_are_those_of_the_unit(name):
    rbm, data = machine_and_data(name)
    profiles = hidden_profiles(rbm, data, [3, 1])
    inputs = rbm.inputs_h_from_v(data).flatten(1)[:, [3, 1]]
    np.testing.assert_allclose(profiles.edges[:, 0], inputs.amin(0))
    np.testing.assert_allclose(profiles.edges[:, -1], inputs.amax(0))
    np.testing.assert_allclose(profiles.quantile_inputs[:, 1], inputs.quantile(0.5, 0))
    for row, unit in enumerate((3, 1)):
        full = torch.zeros(200, 2, 3, dtype=torch.float64)
        full.view(200, 6)[:, unit] = torch.from_numpy(profiles.inputs[row])
        np.testing.assert_allclose(profiles.mean[row], rbm.hidden.mean_from_inputs(full).flatten(1)[:, unit])
        np.testing.assert_allclose(profiles.mode[row], rbm.hidden.mode_from_inputs(full).flatten(1)[:, unit])


def test_a_potts_colour_is_a_binary_unit_with_the_others_at_their_average():
    rbm, data = machine_and_data("Potts")
    profiles = hidden_profiles(rbm, data, [4])
    inputs = rbm.inputs_h_from_v(data).mean(0).expand(200, 2, 3).clone()
    inputs[:, 1, 1] = torch.from_numpy(profiles.inputs[0])
    np.testing.assert_allclose(profiles.mean[0], rbm.hidden.mean_from_inputs(inputs)[:, 1, 1])
    exact = rbm.mean_h_from_v(data)[:, 1, 1].mean().item()
    np.testing.assert_allclose(profiles.marginal[0], [1 - exact, exact])


def test_large_data_are_read_in_slices_and_averaged():
    rbm, data = machine_and_data("DReLU", samples=5000)
    profiles = hidden_profiles(rbm, data, [2], points=801)
    mean = np.trapezoid(profiles.marginal[0] * profiles.values[0], profiles.values[0])
    exact = rbm.mean_h_from_v(data).flatten(1)[:, 2].mean().item()
    np.testing.assert_allclose(mean, exact, atol=5e-3)


def test_a_unit_with_constant_input_still_has_a_profile():
    profiles = hidden_profiles(RBM(Binary(3), DReLU(2)), torch.ones(4, 3), [1])
    assert np.isfinite(profiles.input_density).all()
    assert profiles.edges[0, 0] < 0 < profiles.edges[0, -1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda rbm: feature_importance(rbm, torch.ones(0, 3)), "at least 1 sample of shape"),
        (lambda rbm: feature_importance(rbm, torch.ones(2, 4)), r"must end in the layer's shape \(3,\)"),
        (lambda rbm: hidden_profiles(rbm, torch.ones(2, 3), [2]), "from 0 to 1, the last hidden unit; got 2"),
        (lambda rbm: hidden_profiles(rbm, torch.ones(2, 3), []), "at least 1 whole number"),
        (lambda rbm: hidden_profiles(rbm, torch.ones(2, 3), [0.5]), r"got \[0.5\]"),
        (lambda rbm: hidden_profiles(rbm, torch.ones(2, 3), [0], points=1), "`points` must be at least 2"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(HalfwaveError, match=words):
        call(RBM(Binary(3), DReLU(2)))
