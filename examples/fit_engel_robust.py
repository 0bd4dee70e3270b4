"""Food and income of Belgian households, with false entries added: squares are led astray, robust losses are not.

Engel (1857) found that the share of income spent on food falls with income; the data are those of Koenker and Bassett
(1982). One entry in fifteen is made false. Run it with

    python examples/fit_engel_robust.py --output fit_engel_robust
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from statsmodels.datasets import engel

import halfwave as hw
from halfwave.plots.style import COLOURS, DASHES, DATA, NEUTRAL, new_figure, style

LOSSES = {"squares": "least squares", "huber": "Huber", "tukey": "Tukey"}


def with_false_entries(income: np.ndarray, food: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expenses four to seven times too high for some of the poorer households, and which those are."""
    random = np.random.default_rng(0)
    poor = np.flatnonzero(income < np.median(income))
    false = random.choice(poor, len(income) // 15, replace=False)
    changed = food.copy()
    changed[false] *= random.uniform(4.0, 7.0, len(false))
    return changed, np.isin(np.arange(len(income)), false)


def draw(
    income: np.ndarray,
    food: np.ndarray,
    false: np.ndarray,
    fits: dict[str, hw.fitting.ReLUSumFit],
    clean: hw.fitting.ReLUSumFit,
) -> Figure:
    """Data and fits on the left, how far each fit is from that to the true data on the right."""
    with style():
        figure = new_figure(9.5, 4.0, "Robust fits beside least squares, and how far each is led astray.")
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1.0))
        look = {"s": 18, "marker": "x", "color": "black", "linewidths": 1.0}
        left.scatter(income[~false], food[~false], s=9, color=DATA, alpha=0.4, linewidths=0, label="true")
        left.scatter(income[false], food[false], label="false", **look)
        ends = np.array([income.min(), income.max()])
        right.axhline(0.0, color=NEUTRAL, linewidth=0.8)
        for (loss, fit), colour, dashes in zip(fits.items(), COLOURS[1:], DASHES, strict=False):
            line = {"color": colour, "linestyle": dashes, "label": LOSSES[loss]}
            x = np.sort(np.concatenate((ends, fit.kinks, clean.kinks)))
            left.plot(x, fit.function(x), **line)
            right.plot(x, fit.function(x) - clean.function(x), **line)
        title = f"{len(food)} households, {false.sum()} false entries, one kink"
        left.set(title=title, xlabel="income, francs", ylabel="spent on food, francs")
        left.legend(loc="upper right")
        right.set(title="Minus the fit without false entries", xlabel="income, francs", ylabel="francs")
        right.legend(loc="lower right")
    return figure


def main() -> None:
    """Fit one kink with each loss to the changed data, compare with the fit to the true ones, and draw."""
    parser = argparse.ArgumentParser(description="Compare robust fits with least squares.")
    parser.add_argument("--output", type=Path, default=Path("fit_engel_robust"), help="folder for the files")
    options = parser.parse_args()

    table = engel.load_pandas().data
    income, food = table["income"].to_numpy(), table["foodexp"].to_numpy()
    changed, false = with_false_entries(income, food)
    print(f"{false.sum()} of {len(food)} entries made false")

    clean = hw.fitting.fit_relu_sum(income, food, kinks=1, loss="tukey")
    fits = {loss: hw.fitting.fit_relu_sum(income, changed, kinks=1, loss=loss) for loss in LOSSES}
    errors = {}
    for loss, fit in fits.items():
        difference = fit.function(income) - clean.function(income)
        errors[loss] = float(np.sqrt(np.mean(difference**2)))
        print(
            f"{LOSSES[loss]:>14}: kink at {fit.kinks[0]:6.0f}, slopes {fit.function.slopes.round(3).tolist()}, "
            f"{errors[loss]:5.1f} francs from the fit without false entries"
        )
    print(
        f"{'without them':>14}: kink at {clean.kinks[0]:6.0f}, slopes {clean.function.slopes.round(3).tolist()}"
    )

    # Huber's loss bounds what a false entry can do, Tukey's forgets it
    assert errors["tukey"] < 0.1 * errors["squares"]
    assert errors["tukey"] < errors["huber"] < 0.5 * errors["squares"]
    weights = fits["tukey"].weights
    print(f"largest Tukey weight of a false entry: {weights[false].max():.2g}")
    assert weights[false].max() < 1e-3
    # Engel's law: the richer spend a smaller share of what they earn more
    assert (np.diff(fits["tukey"].function.slopes) < 0).all()

    figure = draw(income, changed, false, fits, clean)
    print(hw.plots.save_figure(figure, options.output / "fit_engel_robust.png"))


if __name__ == "__main__":
    main()
