"""Food and income of Belgian households: what the frugal, the middle and the lavish spend, as broken lines.

The data of Engel (1857) are those on which quantile regression was first shown (Koenker and Bassett 1982,
Econometrica 50, 43). All three fits pass through the origin: who has nothing spends nothing. Run it with

    python examples/fit_engel_quantiles.py --output fit_engel_quantiles
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from statsmodels.datasets import engel

import halfwave as hw
from halfwave.plots.style import COLOURS, DASHES, DATA, new_figure, style

QUANTILES = (0.1, 0.5, 0.9)


def draw(income: np.ndarray, food: np.ndarray, fits: dict[float, hw.fitting.ReLUSumFit]) -> Figure:
    """The households and the three fits."""
    with style():
        figure = new_figure(7.0, 4.4, "Three quantiles of what households spend on food, against income.")
        axes = figure.subplots()
        axes.scatter(income, food, s=9, color=DATA, alpha=0.4, linewidths=0)
        for (quantile, fit), colour, dashes in zip(fits.items(), COLOURS[1:], DASHES, strict=False):
            x = np.concatenate(([0.0], fit.kinks, [income.max()]))
            axes.plot(x, fit.function(x), color=colour, linestyle=dashes, label=f"{quantile:.0%} spend less")
        axes.set(xlabel="income, francs", ylabel="spent on food, francs", title=f"{len(food)} households")
        axes.legend(loc="upper left")
    return figure


def main() -> None:
    """Fit three quantiles with one kink each, check their shares, and draw."""
    parser = argparse.ArgumentParser(description="Quantiles of food against income.")
    parser.add_argument(
        "--output", type=Path, default=Path("fit_engel_quantiles"), help="folder for the files"
    )
    options = parser.parse_args()

    table = engel.load_pandas().data
    income, food = table["income"].to_numpy(), table["foodexp"].to_numpy()
    fits = {
        quantile: hw.fitting.fit_relu_sum(
            income, food, kinks=1, loss="quantile", quantile=quantile, through=[(0.0, 0.0)], min_points=20
        )
        for quantile in QUANTILES
    }
    for quantile, fit in fits.items():
        below = np.mean(fit.residuals < -1e-6)
        print(
            f"{quantile:.0%}: kink at {fit.kinks[0]:6.0f}, slopes {fit.slopes.round(3).tolist()}, {below:.1%} below"
        )
        assert abs(fit.function(0.0)) < 1e-9
        # at most as many below as the quantile says, and not many fewer: those on the line
        assert quantile - 4 / len(food) <= below <= quantile
    # the spread of habits grows with income: last slopes differ more than first ones do in francs
    last = [fit.slopes[-1] for fit in fits.values()]
    print(f"of one more franc the three spend {', '.join(f'{slope:.2f}' for slope in last)}")
    at = np.array([500.0, 2000.0])
    spread = fits[0.9].function(at) - fits[0.1].function(at)
    assert spread[1] > 2 * spread[0] > 0

    print(hw.plots.save_figure(draw(income, food, fits), options.output / "fit_engel_quantiles.png"))


if __name__ == "__main__":
    main()
