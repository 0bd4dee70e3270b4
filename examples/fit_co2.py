"""Carbon dioxide at Mauna Loa from 1958 to 2001: what happens when neighbouring residuals are alike.

Every criterion that counts points takes the season for structure, and asks for as many kinks as it may have.
`fit_relu_sum` warns; ``correlation="correct"`` counts as many points as independent ones would tell as much. Run it
with

    python examples/fit_co2.py --output fit_co2
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from statsmodels.datasets import co2

import halfwave as hw

YEAR = 365.25 * 86_400
"""Seconds in a year: datetimes count in seconds."""


def main() -> None:
    """Fit with the warning, with the correction, and to means of years, which have no season."""
    parser = argparse.ArgumentParser(description="Choose kinks of a series with correlated residuals.")
    parser.add_argument("--output", type=Path, default=Path("fit_co2"), help="folder for the files")
    options = parser.parse_args()

    series = co2.load_pandas().data["co2"].dropna()
    weeks, level = series.index.to_numpy(), series.to_numpy()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        naive = hw.fitting.fit_relu_sum(weeks, level)
    assert [warning.category for warning in caught] == [hw.fitting.AutocorrelationWarning]
    print(f"without correction {len(naive.kinks)} kinks, as many as allowed, and a warning:")
    print(f"  {caught[0].message}")
    assert len(naive.kinks) == len(naive.table) - 1 == 12

    fit = hw.fitting.fit_relu_sum(weeks, level, correlation="correct")
    assert len(fit.kinks) == 1
    print(f"corrected: {len(fit.kinks)} kink, {fit.kink_times[0].astype('datetime64[D]')}")

    # growth was some 0.8 ppm a year in the 1960s and some 1.5 in the 1980s and 1990s (NOAA's record)
    growth = fit.function.slopes * YEAR
    print(f"growth {growth[0]:.2f} ppm a year before and {growth[1]:.2f} after")
    np.testing.assert_allclose(growth, [0.9, 1.5], rtol=0.1)

    # means of whole years have no season, and say more
    years = series.groupby(series.index.year).agg(["mean", "size"])
    years = years[years["size"] >= 45]
    yearly = hw.fitting.fit_relu_sum(years.index.to_numpy() + 0.5, years["mean"], correlation="correct")
    slopes = ", ".join(f"{slope:.2f}" for slope in yearly.function.slopes)
    print(
        f"means of {len(years)} years: kinks at {yearly.kinks.round(1).tolist()}, growth {slopes} ppm a year"
    )

    pictures = {"as_it_is": naive, "corrected": fit, "yearly": yearly}
    for name, result in pictures.items():
        figure = hw.plots.fit(result, labels=("year", "CO₂ at Mauna Loa, ppm"))
        print(hw.plots.save_figure(figure, options.output / f"{name}.png"))


if __name__ == "__main__":
    main()
