"""Sixteen dReLU units: a million samples of each, with the exact density on top.

A dReLU unit has its own curvature and threshold on each side of zero. Run it with

    python examples/drelu_layer.py --output drelu_layer.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import halfwave as hw
from halfwave.units.histograms import layer_histograms


def build_layer() -> hw.units.DReLU:
    """One layer of shape (2, 2, 2, 2); its axes are θ⁺, θ⁻, γ⁺, γ⁻."""
    thresholds, curvatures = torch.tensor([-3.0, 3.0]), torch.tensor([0.5, 1.0])
    theta_pos, theta_neg, gamma_pos, gamma_neg = torch.meshgrid(
        thresholds, thresholds, curvatures, curvatures, indexing="ij"
    )
    return hw.units.DReLU(theta_pos=theta_pos, theta_neg=theta_neg, gamma_pos=gamma_pos, gamma_neg=gamma_neg)


def main() -> None:
    """Build the layer, sample it, compare with the density, and draw."""
    parser = argparse.ArgumentParser(description="Draw samples of dReLU units against their exact densities.")
    parser.add_argument("--samples", type=int, default=1_000_000, help="samples of each of the 16 units")
    parser.add_argument(
        "--output", type=Path, default=Path("drelu_layer.png"), help="where to save the picture"
    )
    options = parser.parse_args()

    layer = build_layer()
    inputs = torch.zeros(layer.shape)  # what the other layer of a machine would send

    # a few samples by hand: the batch comes first
    generator = torch.Generator().manual_seed(0)
    few = layer.sample_from_inputs(inputs.expand(5, *layer.shape), generator)
    print(f"5 samples of a layer of shape {layer.shape}: an array of shape {tuple(few.shape)}")

    # their densities, from the potential and the cumulant generating function
    densities = torch.exp(inputs * few - layer.energies(few) - layer.cgfs(inputs))
    print(f"highest density among them: {densities.max():.3f}")

    # many samples, counted slice by slice, and drawn
    figure = hw.plots.drelu_panels(
        layer_histograms(layer, options.samples, inputs=inputs, generator=generator)
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.output, dpi=200)
    print(f"the picture is in {options.output.resolve()}")


if __name__ == "__main__":
    main()
