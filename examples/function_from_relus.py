"""A smooth function built from K ReLUs: twice as many, a quarter of the error.

Interpolation at K + 2 points is a line and K ReLUs, one at each inner point. Its error in the mean square is, for
many ReLUs, ``√(∫ f″² h⁴ / 120)`` with the local distance h of the points: ``h² √(∫ f″² / 120)`` for even ones, and
least, ``(∫ |f″|^(2/5))^(5/2) / (√120 (K + 1)²)``, for points as dense as ``|f″|^(2/5)``. Run it with

    python examples/function_from_relus.py --output function_from_relus
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.integrate import trapezoid

import halfwave as hw
from halfwave.plots.functions.piecewise import draw_pieces
from halfwave.plots.style import COLOURS, new_figure, style

COUNTS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
FINE = np.linspace(-1.0, 1.0, 200_001)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


def target(x: np.ndarray) -> np.ndarray:
    """Runge's function, on which polynomials through even points fail."""
    return 1.0 / (1.0 + 25.0 * x**2)


def curvature(x: np.ndarray) -> np.ndarray:
    """Its second derivative."""
    return 50.0 * (75.0 * x**2 - 1.0) / (1.0 + 25.0 * x**2) ** 3


def placed(count: int, density: np.ndarray) -> np.ndarray:
    """Points from −1 to 1 with the same share of the density between each two."""
    shares = np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2)))
    points = np.interp(np.linspace(0.0, shares[-1], count), shares, FINE)
    return (points - points[::-1]) / 2  # symmetric to the last bit, like the function


def error(f: hw.functions.PiecewiseLinear, points: np.ndarray) -> float:
    """``(∫ (f − target)²)^½`` by Gauss's rule between each two points."""
    halves = np.diff(points)[:, None] / 2
    x = points[:-1, None] + halves * (1.0 + NODES)
    return float(np.sqrt((WEIGHTS * halves * (f(x) - target(x)) ** 2).sum()))


def theory(density: np.ndarray) -> float:
    """Limit of ``(K + 1)² · error`` for points of this density, with ``h = ∫ density / (density (K + 1))``."""
    spacing = trapezoid(density, FINE) / density
    return float(np.sqrt(trapezoid(curvature(FINE) ** 2 * spacing**4, FINE) / 120.0))


def draw(
    errors: dict[str, list[float]], constants: dict[str, float], f: hw.functions.PiecewiseLinear
) -> Figure:
    """A function of few ReLUs beside the target, and the errors beside their law."""
    with style():
        figure = new_figure(9.0, 3.8, "A smooth function from eight ReLUs, and errors that fall as K⁻².")
        left, right = figure.subplots(1, 2)
        left.plot(FINE, target(FINE), color="#9CA3AF", linewidth=3.0, label="1/(1 + 25x²)")
        words = f"{len(f.kinks)} ReLUs"
        draw_pieces(left, f, (-1.0, 1.0), colour=COLOURS[0], label=f"{words} and a line")
        left.plot(f.kinks, f(f.kinks), "o", color=COLOURS[0], markersize=4.0)
        left.set(title=f"{words}, dense where the function bends", xlabel="x", xlim=(-1.0, 1.0))
        left.set_ylim(-0.08, 1.12)
        left.legend(loc="upper left", fontsize=8.0)
        counts = np.array(COUNTS)
        for (name, values), marker, colour in zip(errors.items(), "os", COLOURS[1:], strict=False):
            right.loglog(counts, values, marker, color=colour, markersize=5, label=name)
            right.loglog(counts, constants[name] / (counts + 1.0) ** 2, color=colour, linewidth=1.0)
        right.set(
            title="Error, and its limit in theory (lines)", xlabel="number of ReLUs, K", ylabel="L2 error"
        )
        right.legend()
    return figure


def main() -> None:
    """Build the function from more and more ReLUs, fit the rate, and draw."""
    parser = argparse.ArgumentParser(description="Approximate a smooth function by sums of ReLUs.")
    parser.add_argument(
        "--output", type=Path, default=Path("function_from_relus"), help="folder for the files"
    )
    options = parser.parse_args()

    densities = {"even points": np.ones_like(FINE), "points as |f″|^(2/5)": np.abs(curvature(FINE)) ** 0.4}
    # where f″ vanishes the density would, and the points there be infinitely far apart
    densities = {name: np.maximum(density, 1e-3) for name, density in densities.items()}
    constants = {name: theory(density) for name, density in densities.items()}
    errors: dict[str, list[float]] = {}
    for name, density in densities.items():
        errors[name] = []
        for count in COUNTS:
            points = placed(count + 2, density)
            f = hw.functions.from_points(points, target(points))
            errors[name].append(error(f, points))
        many = slice(-4, None)
        rate = np.polyfit(np.log(np.array(COUNTS[many]) + 1.0), np.log(errors[name][many]), 1)[0]
        reached = errors[name][-1] * (COUNTS[-1] + 1.0) ** 2
        print(
            f"{name}: error {errors[name][0]:.2e} with {COUNTS[0]} ReLUs, {errors[name][-1]:.2e} with {COUNTS[-1]}"
        )
        print(
            f"  rate K^{rate:.3f}, in theory K^-2; (K + 1)² · error {reached:.4f}, in theory {constants[name]:.4f}"
        )
        np.testing.assert_allclose([rate / -2.0, reached / constants[name]], 1.0, atol=0.02)

    points = placed(10, densities["points as |f″|^(2/5)"])
    f = hw.functions.from_points(points, target(points))
    terms = f.as_relu_sum()
    np.testing.assert_allclose(hw.functions.relu_sum(**terms)(FINE), f(FINE), atol=1e-14)
    print(f"{len(terms['weights'])} ReLUs with weights {np.round(terms['weights'], 3).tolist()}")
    print(f.save_curve(options.output / "function_from_relus.json", np.linspace(-1.0, 1.0, 401)))
    picture = draw(errors, constants, f)
    print(hw.plots.save_figure(picture, options.output / "function_from_relus.png"))


if __name__ == "__main__":
    main()
