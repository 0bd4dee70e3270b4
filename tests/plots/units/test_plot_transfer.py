"""Means at several temperatures: against quadrature of the density, and drawn as computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from halfwave import HalfwaveError
from halfwave.nn import UnitMean
from halfwave.plots import unit_mean_and_mode
from halfwave.units import Binary, DReLU, Gaussian, ReLU


def drelu(theta_pos: float, theta_neg: float, gamma_pos: float, gamma_neg: float) -> DReLU:
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    values = (theta_pos, theta_neg, gamma_pos, gamma_neg)
    return DReLU(**{key: torch.tensor([value]) for key, value in zip(names, values, strict=True)})


DEAD_ZONE, WELLS = drelu(2.0, -1.0, 1.0, 0.5), drelu(-1.0, 2.0, 0.5, 1.0)
UNITS = {
    "dead zone": DEAD_ZONE,
    "two wells": WELLS,
    "prelu": DEAD_ZONE.to_prelu(),
    "xrelu": WELLS.to_xrelu(),
    "relu": ReLU(theta=torch.tensor([0.5]), gamma=torch.tensor([2.0])),
    "gaussian": Gaussian(theta=torch.tensor([0.5]), gamma=torch.tensor([2.0])),
}


def mean_at_temperature(unit, inputs: np.ndarray, temperature: float) -> np.ndarray:
    wide = type(unit).from_parameters({key: value.double() for key, value in unit.named_parameters()})
    return UnitMean(wide, temperature)(torch.from_numpy(inputs)[:, None])[:, 0].numpy()


def by_quadrature(unit, inputs: np.ndarray, temperature: float) -> np.ndarray:
    """∫ h exp((I h − U(h))/t) dh / ∫ exp(…) dh on a fine grid; a ReLU unit lives on h ≥ 0."""
    unit = type(unit).from_parameters({key: value.double() for key, value in unit.named_parameters()})
    low = 0.0 if isinstance(unit, ReLU) else -80.0
    h = torch.linspace(low, 80.0, 320_001, dtype=torch.float64)[:, None]
    exponents = (torch.from_numpy(inputs) * h - unit.energies(h)) / temperature
    weights = torch.exp(exponents - exponents.amax(0))
    weights[[0, -1]] /= 2
    return ((weights * h).sum(0) / weights.sum(0)).numpy()


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("temperature", [4.0, 1.0, 0.1])
def test_means_are_those_of_the_density(name, temperature):
    inputs = np.linspace(-4.0, 5.0, 13)
    mean = mean_at_temperature(UNITS[name], inputs, temperature)
    np.testing.assert_allclose(mean, by_quadrature(UNITS[name], inputs, temperature), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", UNITS)
def test_cold_means_are_the_mode(name):
    mode = UNITS[name].mode_function(0)
    inputs = np.linspace(-4.0, 5.0, 90)
    inputs = inputs[np.abs(inputs[:, None] - mode.kinks).min(1, initial=np.inf) > 0.05]
    gaps = [
        np.abs(mean_at_temperature(UNITS[name], inputs, t) - mode(inputs)).max() for t in (1e-2, 1e-4, 1e-6)
    ]
    assert gaps[2] < 1e-3
    assert gaps[0] + 1e-12 >= gaps[1] >= gaps[2] - 1e-12


@pytest.mark.parametrize("name", UNITS)
def test_curves_are_the_means_and_the_mode(name):
    unit, mode = UNITS[name], UNITS[name].mode_function(0)
    axes = unit_mean_and_mode(unit, (0.1, 2.0)).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    corners = lines["mode: temperature 0"].get_xydata()
    assert set(mode.kinks) == set(corners[1:-1, 0])
    np.testing.assert_allclose(corners[[0, -1], 1], mode(corners[[0, -1], 0]), rtol=1e-14)
    for temperature in (2.0, 0.1):
        x, y = lines[f"mean at temperature {temperature:g}"].get_data()
        np.testing.assert_array_equal(y, mean_at_temperature(unit, x, temperature))
        low, high = axes.get_ylim()
        assert low < y.min() <= y.max() < high
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["mode: temperature 0", "mean at temperature 2", "mean at temperature 0.1"]
    assert axes.get_title("left").startswith(f"{unit.name}:")


def test_one_unit_of_a_layer_is_chosen_by_its_index():
    layer = DReLU((2, 3))
    layer.theta_pos.data[1, 2] = 1.5
    figure = unit_mean_and_mode(layer, (1.0,), index=(1, 2), x_range=(-1.0, 3.0))
    assert "θ⁺ = 1.5" in figure.axes[0].get_title("left")
    x, y = figure.axes[0].lines[3].get_data()
    layer_means = layer.double().mean_from_inputs(torch.from_numpy(x)[:, None, None].expand(-1, 2, 3))
    np.testing.assert_allclose(y, layer_means[:, 1, 2].detach(), rtol=1e-12)
    assert "θ⁺ = 0" in unit_mean_and_mode(layer).axes[0].get_title("left")
    assert "θ⁺ = 0" in unit_mean_and_mode(DReLU(())).axes[0].get_title("left")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: unit_mean_and_mode(Binary(1)), "piecewise-linear mode; Binary has none"),
        (lambda: unit_mean_and_mode(DReLU(1), (1.0, 0.0)), "positive number; got 0.0"),
        (lambda: unit_mean_and_mode(DReLU(1), (float("nan"),)), "positive number; got nan"),
        (lambda: unit_mean_and_mode(DReLU(1), ()), "at least one temperature; got none"),
        (lambda: unit_mean_and_mode(DReLU(1), index=3), "must name one unit"),
        (lambda: unit_mean_and_mode(DReLU(1), x_range=(1.0, 0.0)), "lower one first"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(HalfwaveError, match=words):
        call()
