"""The transfer function of a dReLU unit from warm to cold: its mean tends to its piecewise-linear mode.

At temperature t the density is ``exp((I h − U(h)) / t)`` up to its norm. Run it with

    python examples/drelu_transfer.py --output drelu_transfer
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

import halfwave as hw

TEMPERATURES = (4.0, 1.0, 0.25, 0.05)


def unit() -> hw.units.DReLU:
    """One unit with a dead zone from −1 to 2."""
    parameters = {"theta_pos": 2.0, "theta_neg": -1.0, "gamma_pos": 1.0, "gamma_neg": 0.5}
    return hw.units.DReLU(**{key: torch.tensor([value]).double() for key, value in parameters.items()})


def mean_at(layer: hw.units.DReLU, inputs: np.ndarray, temperature: float) -> np.ndarray:
    """The mean as an activation, which is how a network would use it."""
    return hw.nn.UnitMean(layer, temperature)(torch.from_numpy(inputs)[:, None])[:, 0].numpy()


def mean_by_quadrature(layer: hw.units.DReLU, inputs: np.ndarray, temperature: float) -> np.ndarray:
    """The mean from the density itself, by the trapezoid rule on a fine grid that meets its edge at zero."""
    h = torch.linspace(-60.0, 60.0, 240_001, dtype=torch.float64)[:, None]
    exponents = (torch.from_numpy(inputs) * h - layer.energies(h)) / temperature
    weights = torch.exp(exponents - exponents.amax(0))
    return ((weights * h).sum(0) / weights.sum(0)).numpy()


def main() -> None:
    """Compare means with quadrature, their distance from the mode with its law, and draw."""
    parser = argparse.ArgumentParser(description="Draw the mean of a dReLU unit at falling temperatures.")
    parser.add_argument("--output", type=Path, default=Path("drelu_transfer"), help="folder for the files")
    options = parser.parse_args()

    layer, inputs = unit(), np.linspace(-4.0, 5.0, 10)
    mode = layer.mode_function(0)
    print(f"mode: kinks at {mode.kinks.tolist()}, slopes {mode.slopes.tolist()}")
    for temperature in TEMPERATURES:
        mean = mean_at(layer, inputs, temperature)
        exact = mean_by_quadrature(layer, inputs, temperature)
        np.testing.assert_allclose(mean, exact, rtol=1e-6, atol=1e-6)
        print(
            f"temperature {temperature:g}: largest distance from quadrature {np.abs(mean - exact).max():.1e}, "
            f"from the mode {np.abs(mean - mode(inputs)).max():.3f}"
        )

    # at a threshold the cold unit is half a normal distribution of variance t/γ: its mean is √(2t/πγ)
    for temperature in (1e-2, 1e-4, 1e-6):
        mean = mean_at(layer, np.array([2.0]), temperature)[0]
        law = np.sqrt(2.0 * temperature / np.pi)
        print(f"temperature {temperature:g}: mean at I = θ⁺ {mean:.6f}, √(2t/πγ⁺) = {law:.6f}")
    np.testing.assert_allclose(mean, law, rtol=1e-3)

    print(mode.save_curve(options.output / "mode.json", np.linspace(-4.0, 5.0, 901)))
    figure = hw.plots.unit_mean_and_mode(layer, TEMPERATURES)
    print(hw.plots.save_figure(figure, options.output / "drelu_transfer.png"))


if __name__ == "__main__":
    main()
