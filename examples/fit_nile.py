"""The flow of the Nile from 1871 to 1970 as a line and a few ReLUs: how many, where, and how surely.

The flow fell between 1898 and 1899, when building of the first dam at Aswan began (Cobb 1978, Biometrika 65, 243).
Run it with

    python examples/fit_nile.py --output fit_nile
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from statsmodels.datasets import nile

import halfwave as hw


def main() -> None:
    """Choose the number of kinks, ask how well the data determine them, and draw."""
    parser = argparse.ArgumentParser(description="Fit a broken line to the flow of the Nile.")
    parser.add_argument("--output", type=Path, default=Path("fit_nile"), help="folder for the files")
    options = parser.parse_args()

    table = nile.load_pandas().data
    year, flow = table["year"].to_numpy(), table["volume"].to_numpy()

    fit = hw.fitting.fit_relu_sum(year, flow)
    intervals = fit.intervals()
    print(f"{len(fit.kinks)} kinks chosen by {fit.criterion}; the least BIC of 0 to {len(fit.table) - 1}")
    for kink, (low, high) in zip(fit.kinks, intervals.kinks, strict=True):
        print(f"  kink at {kink:.1f}, 95 % from {low:.1f} to {high:.1f}")
    for slope, (low, high) in zip(fit.function.slopes, intervals.slopes, strict=True):
        print(f"  slope {slope:8.2f} a year, 95 % from {low:.2f} to {high:.2f}".replace("-", "−"))
    fall = fit.function(fit.kinks[1]) - fit.function(fit.kinks[0])
    print(f"between the kinks the flow changes by {fall:.0f} · 10⁸ m³".replace("-", "−"))

    bics = [row.criteria["bic"] for row in fit.table]
    assert len(fit.kinks) == int(np.argmin(bics)) == 2
    # the fall of 1898/99 lies between the outer ends of the intervals
    assert intervals.kinks[0, 0] < 1898 < 1899 < intervals.kinks[1, 1]
    # a broken line needs a kink at either side of a fall; its size is about the difference of the means
    means = flow[year <= 1898].mean(), flow[year > 1898].mean()
    print(f"means before and after: {means[0]:.0f} and {means[1]:.0f}")
    np.testing.assert_allclose(fall, means[1] - means[0], rtol=0.35)

    # no other fit with three kinks is known to be better than this one
    three = hw.fitting.fit_relu_sum(year, flow, kinks=3)
    print(f"with 3 kinks: SSE {three.sse:,.0f}, no fit below {three.lower_bound:,.0f}; {three.certificate}")
    np.testing.assert_allclose(three.sse, 1_459_093, rtol=1e-6)

    # the fall was sudden: pieces that need not meet say so with one jump, and put it between the right two years
    jump = hw.fitting.fit_relu_sum(year, flow, continuous=False, flat="both")
    low, high = jump.intervals().kinks[0]
    print(f"as a jump: at {jump.kinks[0]:.1f}, 95 % from {low:.0f} to {high:.0f}, SSE {jump.sse:,.0f}")
    assert jump.kinks.tolist() == [1898.5]
    assert jump.criterion == "bic"
    assert jump.table[1].criteria["bic"] < bics[2]

    file = options.output / "nile.json"
    options.output.mkdir(parents=True, exist_ok=True)
    numbers = {"kinks": fit.kinks.tolist(), "intervals": intervals.kinks.tolist(), "sse": fit.sse}
    file.write_text(json.dumps({**numbers, "formula": fit.function.formula(), "bic": bics}, indent=1) + "\n")
    print(file)
    figure = hw.plots.fit(fit, intervals, labels=("year", "flow of the Nile, 10⁸ m³"))
    print(hw.plots.save_figure(figure, options.output / "fit_nile.png"))
    figure = hw.plots.fit(jump, jump.intervals(), labels=("year", "flow of the Nile, 10⁸ m³"))
    print(hw.plots.save_figure(figure, options.output / "fit_nile_jump.png"))


if __name__ == "__main__":
    main()
