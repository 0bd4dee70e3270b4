"""Three functions are called thresholded ReLU: they share a derivative and nothing else.

Run it with

    python examples/thresholded_relu.py --threshold 1 --output thresholded_relu
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import halfwave as hw


def main() -> None:
    """Compare each form with its definition, and write the picture and a JSON file for each."""
    parser = argparse.ArgumentParser(description="Draw the three forms of the thresholded ReLU.")
    parser.add_argument("--output", type=Path, default=Path("thresholded_relu"), help="folder for the files")
    parser.add_argument("--threshold", type=float, default=1.0, help="where the slope 1 begins")
    options = parser.parse_args()

    t = options.threshold
    x = np.linspace(-3.0, 3.0, 601)
    above = x > t
    # antiderivatives on the side above T, up to a constant; below it each form is constant
    square = np.where(above, (x**2 - t**2) / 2, 0.0)
    definitions = {
        "subtract": (np.maximum(x - t, 0.0), np.where(above, (x - t) ** 2 / 2, 0.0)),
        "keep": (np.where(above, x, 0.0), square),
        "floor": (np.maximum(x, t), t * np.minimum(x, t) + square),
    }
    for form, (values, integral) in definitions.items():
        f = hw.functions.thresholded_relu(t, form)
        np.testing.assert_allclose(f(x), values, rtol=1e-14, atol=1e-14)
        np.testing.assert_array_equal(f.derivative()(x), above.astype(float))
        from_left = f.antiderivative(at=x[0])(x)
        np.testing.assert_allclose(from_left, integral - integral[0], rtol=1e-13, atol=1e-13)
        jumps = f.point_masses()
        print(
            f"{form}: value at T {f(t):g}, at T + 1 {f(t + 1):g}; "
            f"{f'jumps by {jumps[0][1]:g} at {jumps[0][0]:g}' if jumps else 'continuous'}; "
            f"integral from −3 to 3 {f.integrate(-3.0, 3.0):g}"
        )
        print(f.save_curve(options.output / f"{form}.json", x))

    figure = hw.plots.thresholded_forms(t, x_range=(-3.0, 3.0))
    print(hw.plots.save_figure(figure, options.output / "thresholded_relu.png"))


if __name__ == "__main__":
    main()
