"""ReLUs that learn by gradient, beside the optimum: Adam, L-BFGS, and dynamic programming.

"ReLUs can be added together to form any function; gradient descent finds the parameters." It finds some: each start
leads to another local minimum. Run it with

    python examples/fit_gradient.py --output fit_gradient
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import halfwave as hw
from halfwave.files import write_atomically
from halfwave.plots.fit.animation import gradient_animation

TERMS = 6
NOISE = 0.15


def data() -> tuple[np.ndarray, np.ndarray, hw.functions.PiecewiseLinear]:
    """A broken line with six kinks, and noise."""
    random = np.random.default_rng(1)
    truth = hw.functions.from_points([0, 1, 1.6, 3, 4.2, 5, 7, 8], [0, 0, 2.5, 0.5, 2, 3.5, -0.5, 1])
    x = np.sort(random.uniform(0.0, 8.0, 250))
    return x, truth(x) + NOISE * random.normal(size=len(x)), truth


def main() -> None:
    """Fit in three ways, compare the sums of squares, and draw still and film."""
    parser = argparse.ArgumentParser(description="Compare fits by gradient with the optimum.")
    parser.add_argument("--output", type=Path, default=Path("fit_gradient"), help="folder for the files")
    parser.add_argument("--steps", type=int, default=2000, help="of Adam, and at most of L-BFGS")
    parser.add_argument("--frames", type=int, default=50, help="of the film")
    options = parser.parse_args()

    x, y, truth = data()
    best = hw.fitting.fit_relu_sum(x, y, kinks=TERMS)
    assert best.sse <= ((y - truth(x)) ** 2).sum()
    print(f"optimum: mean squared error {best.sse / len(x):.5f}, variance of the noise {NOISE**2:.5f}")
    print(f"  kinks at {best.kinks.round(2).tolist()}, in truth at {truth.kinks.tolist()}")

    paths = {}
    for optimizer in ("adam", "lbfgs"):
        path = hw.fitting.fit_by_gradient(x, y, TERMS, optimizer, steps=options.steps)
        ratio = path.sse / best.sse
        print(
            f"{optimizer}: {len(path) - 1} steps, mean squared error {path.losses.min():.5f}, "
            f"{ratio:.2f} times the optimum"
        )
        # a fit by gradient has as many kinks at most, so it cannot be better
        assert ratio > 1 - 1e-9
        paths[optimizer] = path

    others = [
        hw.fitting.fit_by_gradient(x, y, TERMS, "lbfgs", steps=options.steps, seed=seed).sse / best.sse
        for seed in range(1, 4)
    ]
    print(
        f"L-BFGS from three other starts: {', '.join(f'{ratio:.2f}' for ratio in others)} times the optimum"
    )

    for optimizer, path in paths.items():
        figure = hw.plots.gradient_path(path, x, y, best)
        print(hw.plots.save_figure(figure, options.output / f"{optimizer}.png"))
    film = options.output / "adam.gif"
    write_atomically(film, gradient_animation(paths["adam"], x, y, best, options.frames))
    print(film)


if __name__ == "__main__":
    main()
