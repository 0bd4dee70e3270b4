"""The ReLU on one card: its values, its derivative, its integral, as a picture and as numbers.

Run it with

    python examples/relu_card.py --output relu_card
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import halfwave as hw


def main() -> None:
    """Compare the function with its definition, and write ``relu.png``, ``relu.svg`` and ``relu.json``."""
    parser = argparse.ArgumentParser(description="Draw the ReLU with its derivative and its integral.")
    parser.add_argument("--output", type=Path, default=Path("relu_card"), help="folder for the files")
    parser.add_argument("--points", type=int, default=601, help="points in the JSON file")
    options = parser.parse_args()

    relu = hw.functions.relu()
    x = np.linspace(-3.0, 3.0, options.points)

    # the definitions: max(0, x); 1 where x > 0, so 0 at 0 as in PyTorch; x²/2 where x > 0
    theory = {
        "values": (relu(x), np.maximum(x, 0.0)),
        "derivative": (relu.derivative()(x), np.where(x > 0, 1.0, 0.0)),
        "integral": (relu.antiderivative()(x), np.maximum(x, 0.0) ** 2 / 2),
    }
    for name, (computed, expected) in theory.items():
        print(f"{name}: largest difference from the definition {np.abs(computed - expected).max():.1e}")
        np.testing.assert_allclose(computed, expected, rtol=1e-14)
    print(f"kink at {relu.kinks[0]:g}, slopes {relu.slopes[0]:g} and {relu.slopes[1]:g}")

    # for a standard normal Z: E ReLU(Z) = 1/√(2π)
    mean = relu.gaussian_mean(0.0, 1.0)
    print(f"mean under a standard normal: {mean:.12f}, in theory {1 / np.sqrt(2 * np.pi):.12f}")
    np.testing.assert_allclose(mean, 1 / np.sqrt(2 * np.pi), rtol=1e-14)

    file = relu.save_curve(options.output / "relu.json", x)
    curve = json.loads(file.read_text())
    print(f"{file}: {', '.join(curve)} with {len(curve['x'])} numbers each")
    figure = hw.plots.function(relu, x_range=(-3.0, 3.0))
    for suffix in ("png", "svg"):
        print(hw.plots.save_figure(figure, options.output / f"relu.{suffix}"))


if __name__ == "__main__":
    main()
