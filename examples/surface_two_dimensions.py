"""Surfaces as sums of ReLUs in two dimensions: what they can be, and what they cannot.

In one dimension every continuous piecewise-linear function is a sum of ReLUs. In two it is not: a ReLU bends along a
whole line, so a finite sum does, and ``max(0, x, y)`` bends along three rays that end at a point. More ReLUs come
nearer and never arrive; a maximum of three planes is it. Run it with

    python examples/surface_two_dimensions.py --output surface_two_dimensions
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import halfwave as hw
from halfwave.plots.fit.surface import creases, surface, surface_panel
from halfwave.plots.style import DATA, NEUTRAL, new_figure, style

COUNTS = (1, 2, 3, 4, 6, 8, 12)
SHOWN = 6
RANGE = (-1.0, 1.0)


def corner(x: np.ndarray) -> np.ndarray:
    """``max(0, x, y)`` at points (n, 2)."""
    return np.maximum(0.0, x.max(axis=1))


def peaks(x: np.ndarray) -> np.ndarray:
    """A hill and a hollow, smooth."""
    left, right = x - np.array([-0.4, -0.2]), x - np.array([0.5, 0.4])
    return np.exp(-4.0 * (left**2).sum(axis=1)) - 0.7 * np.exp(-6.0 * (right**2).sum(axis=1))


def even_part_error(x: np.ndarray) -> float:
    """The error of three ReLUs that are known: an upper bound on that of the best three.

    ``max(0, x, y)`` is an even function, which is ``(|x| + |y| + |x − y|)/4``, and so three ReLUs and a plane,
    plus an odd one. Least squares leaves of the odd part what no plane is.
    """
    odd = (corner(x) - corner(-x)) / 2
    plane = x @ np.linalg.lstsq(x, odd, rcond=None)[0]
    return rms(odd - plane)


def rms(difference: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(difference**2)))


def draw(
    sums: dict[int, hw.fitting.HingeSum], planes: hw.fitting.MaxAffine, errors: dict[int, float]
) -> Figure:
    """The sum of some ReLUs beside the maximum of planes, and the error against the number of ReLUs."""
    with style():
        figure = new_figure(11.0, 3.4, "max(0, x, y) by ReLUs and by planes, and the error of the former.")
        first, second, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
        panels = ((first, sums[SHOWN], f"{SHOWN} ReLUs and a plane"), (second, planes, "Maximum of 3 planes"))
        for axes, function, title in panels:
            filled = surface_panel(axes, function, RANGE, RANGE, value_range=(-0.1, 1.1))
            axes.set(title=f"{title}: where it bends", xlabel="x", ylabel="y")
            axes.locator_params(nbins=5)
        bar = figure.colorbar(filled, ax=second, ticks=[0.0, 0.5, 1.0], spacing="proportional")
        bar.outline.set_visible(False)
        third.loglog(list(errors), list(errors.values()), "o-", color=DATA, label="sums of ReLUs")
        third.set_xticks(list(errors), [str(count) for count in errors])
        third.minorticks_off()
        words = "a maximum of 3 planes has\nno error: it is not on this scale"
        third.text(0.04, 0.05, words, color=NEUTRAL, transform=third.transAxes, fontsize=8.5)
        third.set(title="Error of sums of ReLUs", xlabel="number of ReLUs", ylabel="root mean square error")
    return figure


def main() -> None:
    """Fit a smooth surface and ``max(0, x, y)``, compare errors with bounds, and draw."""
    parser = argparse.ArgumentParser(description="Fit surfaces by sums of ReLUs and by maxima of planes.")
    parser.add_argument(
        "--output", type=Path, default=Path("surface_two_dimensions"), help="folder for the files"
    )
    options = parser.parse_args()

    # a smooth surface from noisy data
    random = np.random.default_rng(0)
    points = random.uniform(*RANGE, (800, 2))
    noisy = peaks(points) + 0.05 * random.normal(size=len(points))
    smooth = hw.fitting.fit_hinge_sum(points, noisy, terms=12).function
    error, spread = rms(smooth(points) - peaks(points)), float(peaks(points).std())
    print(f"12 ReLUs for a hill and a hollow: rms error {error:.3f}, rms of the surface {spread:.3f}")
    print(f"  {smooth.formula(names=('x', 'y'), digits=3)}")
    assert error < 0.15 * spread

    # max(0, x, y) without noise: the error falls and does not vanish
    axis = np.linspace(*RANGE, 41)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    heights = corner(grid)
    sums = {count: hw.fitting.fit_hinge_sum(grid, heights, count).function for count in COUNTS}
    errors = {count: rms(f(grid) - heights) for count, f in sums.items()}
    for count, value in errors.items():
        print(f"max(0, x, y) by {count:2d} ReLU{'s' * (count > 1)}: rms error {value:.4f}")
    assert (np.diff(list(errors.values())) < 0).all()
    assert errors[max(errors)] > 1e-3
    bound = even_part_error(grid)
    print(f"three ReLUs that are known in theory reach {bound:.4f}")
    assert errors[3] <= bound

    # each ReLU bends from one edge of the square to another, max(0, x, y) from the edges to the origin
    ends = creases(sums[max(sums)], RANGE, RANGE)
    np.testing.assert_allclose(np.abs(ends).max(axis=2), 1.0, rtol=1e-9)
    planes = hw.fitting.fit_max_affine(grid, heights, pieces=3).function
    reach = np.abs(creases(planes, RANGE, RANGE)).max(axis=2)
    np.testing.assert_allclose(np.sort(reach, axis=1), [[0.0, 1.0]] * 3, atol=1e-9)
    exact = rms(planes(grid) - heights)
    rounded = hw.fitting.MaxAffine(planes.slopes.round(9) + 0.0, planes.intercepts.round(9) + 0.0)
    print(f"by a maximum of 3 planes: rms error {exact:.0e}, {rounded.formula(names=('x', 'y'))}")
    assert exact < 1e-6

    figure = surface(smooth, RANGE, RANGE, data=(points, noisy))
    print(hw.plots.save_figure(figure, options.output / "sum_of_relus.png"))
    figure = draw(sums, planes, errors)
    print(hw.plots.save_figure(figure, options.output / "surface_two_dimensions.png"))


if __name__ == "__main__":
    main()
