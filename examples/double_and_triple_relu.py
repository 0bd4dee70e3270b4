"""Sums of two and of three rectified linear terms: where they turn, how steep they are, what they enclose.

Run it with

    python examples/double_and_triple_relu.py --output double_and_triple_relu
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import halfwave as hw

TERMS = {
    "double": [(-1.2, -1.2), (0.5, 2.0)],
    "triple": [(-1.2, -1.2), (0.5, 2.0), (1.0, -1.5)],
}
"""Slope m and intercept b of each term (m x + b)⁺."""


def main() -> None:
    """Compare each sum with NumPy's, and write a picture of both, one of each, and JSON files."""
    parser = argparse.ArgumentParser(description="Draw sums of two and of three rectified linear terms.")
    parser.add_argument(
        "--output", type=Path, default=Path("double_and_triple_relu"), help="folder for the files"
    )
    options = parser.parse_args()

    x = np.linspace(-6.0, 4.0, 1001)
    double = hw.functions.double_relu(*(number for term in TERMS["double"] for number in term))
    triple = double + hw.functions.rectified_linear(*TERMS["triple"][-1])
    for name, f in (("double", double), ("triple", triple)):
        expected = sum(np.maximum(m * x + b, 0.0) for m, b in TERMS[name])
        slopes = sum(np.where(m * x + b > 0, m, 0.0) for m, b in TERMS[name])
        smooth = np.abs(x[:, None] - f.kinks).min(axis=1) > 1e-9
        np.testing.assert_allclose(f(x), expected, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(f.derivative()(x)[smooth], slopes[smooth], rtol=1e-13)

        # each term turns where m x + b = 0; the integral of a term is ((m x + b)⁺)²/2m
        kinks = sorted(-b / m for m, b in TERMS[name])
        area = sum(np.diff(np.maximum(m * x[[0, -1]] + b, 0.0) ** 2 / (2 * m))[0] for m, b in TERMS[name])
        np.testing.assert_allclose(f.kinks, kinks, rtol=1e-15)
        np.testing.assert_allclose(f.integrate(-6.0, 4.0), area, rtol=1e-14)
        print(f"{name} ReLU: largest difference from NumPy's sum {np.abs(f(x) - expected).max():.1e}")
        print(f"  kinks at {f.kinks.round(6).tolist()}, slopes {f.slopes.round(6).tolist()}")
        print(f"  integral from −6 to 4: {f.integrate(-6.0, 4.0):.6f}, in theory {area:.6f}")
        print(f"  {f.save_curve(options.output / f'{name}.json', x)}")
        figure = hw.plots.function(f, x_range=(-6.0, 4.0))
        print(f"  {hw.plots.save_figure(figure, options.output / f'{name}.png')}")

    figure = hw.plots.compare([double, triple], ["double ReLU", "triple ReLU"], x_range=(-6.0, 4.0))
    print(hw.plots.save_figure(figure, options.output / "double_and_triple_relu.png"))


if __name__ == "__main__":
    main()
