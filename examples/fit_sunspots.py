"""Sunspots since 1700: too few kinks leave correlated residuals, enough of them follow each cycle.

A cycle of some eleven years rises and falls, so 28 cycles need some 56 kinks. Asked for at most 12, no criterion can
say how many are right: residuals of neighbouring years are alike, and `fit_relu_sum` warns. Run it with

    python examples/fit_sunspots.py --output fit_sunspots
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from statsmodels.datasets import sunspots

import halfwave as hw


def main() -> None:
    """Fit with few kinks and with many, and read the length of the cycle off the kinks."""
    parser = argparse.ArgumentParser(description="Fit a broken line to the yearly number of sunspots.")
    parser.add_argument("--output", type=Path, default=Path("fit_sunspots"), help="folder for the files")
    options = parser.parse_args()

    table = sunspots.load_pandas().data
    year, number = table["YEAR"].to_numpy(), table["SUNACTIVITY"].to_numpy()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        few = hw.fitting.fit_relu_sum(year, number)
    assert [warning.category for warning in caught] == [hw.fitting.AutocorrelationWarning]
    print(f"at most 12 kinks: {len(few.kinks)} chosen, and a warning:\n  {caught[0].message}")
    corrected = hw.fitting.fit_relu_sum(year, number, correlation="correct")
    print(f"corrected: {len(corrected.kinks)} kinks: these data do not show that a trend bends")
    assert len(corrected.kinks) < len(few.kinks)

    # the best known fit with 19 kinks, which other programs miss by a fifth and more
    nineteen = hw.fitting.fit_relu_sum(year, number, kinks=19, min_points=2)
    print(f"19 kinks: SSE {nineteen.sse:,.0f}")
    assert nineteen.sse < 206_387 * (1 + 1e-6)

    # two kinks a cycle suffice: what is left is no longer correlated, and the criterion can be trusted
    late = year >= 1900
    many = hw.fitting.fit_relu_sum(year[late], number[late], max_kinks=24)
    print(
        f"at most 24 kinks for the years since 1900: {len(many.kinks)} chosen, correlation of neighbouring residuals "
        f"{many.autocorrelation:.2f} instead of {few.autocorrelation:.2f}".replace("-", "−")
    )
    assert len(many.kinks) < 24
    assert many.autocorrelation < 0.1

    # Schwabe's cycle of eleven years
    every = hw.fitting.fit_relu_sum(year, number, kinks=56)
    heights = every.function(every.kinks)
    tops = every.kinks[1:-1][(heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])]
    length = np.diff(tops).mean()
    print(f"56 kinks for all years: {len(tops)} maxima, one every {length:.2f} years")
    np.testing.assert_allclose(length, 11.0, atol=0.6)

    for name, result in (("few", few), ("many", many)):
        figure = hw.plots.fit(result, labels=("year", "sunspots"))
        print(hw.plots.save_figure(figure, options.output / f"{name}.png"))


if __name__ == "__main__":
    main()
