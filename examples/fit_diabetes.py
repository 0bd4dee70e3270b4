"""Body mass index and the progress of diabetes: a straight line is enough, and the criterion says so.

Run it with

    python examples/fit_diabetes.py --output fit_diabetes
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

import halfwave as hw


def main() -> None:
    """Let BIC and cross-validation choose, compare with other programs, and draw."""
    parser = argparse.ArgumentParser(description="Fit the progress of diabetes by body mass index.")
    parser.add_argument("--output", type=Path, default=Path("fit_diabetes"), help="folder for the files")
    options = parser.parse_args()

    data = load_diabetes(scaled=False)
    index, progress = data.data[:, 2], data.target

    fit = hw.fitting.fit_relu_sum(index, progress)
    print(f"BIC chooses {len(fit.kinks)} kinks")
    line = LinearRegression().fit(index[:, None], progress)
    print(f"slope {fit.function.slopes[0]:.4f}, by scikit-learn {line.coef_[0]:.4f}")
    assert len(fit.kinks) == 0
    np.testing.assert_allclose(fit.function(index), line.predict(index[:, None]), rtol=1e-10)

    # BIC charges six parameters for three kinks: they must lower the sum of squares by 1 − n^(−6/n)
    three = hw.fitting.fit_relu_sum(index, progress, kinks=3, min_points=2)
    gain, price = 1 - three.sse / fit.sse, 1 - len(index) ** (-6 / len(index))
    print(f"3 kinks: SSE {three.sse:,.0f}, {gain:.1%} below the line's; BIC asks for {price:.1%}")
    assert gain < price
    np.testing.assert_allclose(three.sse, 1_668_087, rtol=1e-6)
    low, high = three.intervals().kinks.T
    for kink, left, right in zip(three.kinks, low, high, strict=True):
        print(f"  kink at {kink:.1f}, 95 % from {left:.1f} to {right:.1f}")

    # data that were not seen agree
    folds = KFold(5, shuffle=True, random_state=0)
    scores = {
        f"{kinks} kinks": cross_val_score(
            hw.fitting.ReLUSumRegressor(kinks=kinks), index[:, None], progress, cv=folds
        ).mean()
        for kinks in (0, 3)
    }
    print("R² on left-out data: " + ", ".join(f"{name} {score:.3f}" for name, score in scores.items()))
    assert max(scores, key=scores.__getitem__) == "0 kinks"

    labels = ("body mass index, kg/m²", "progress of the disease")
    print(hw.plots.save_figure(hw.plots.fit(fit, labels=labels), options.output / "fit_diabetes.png"))
    figure = hw.plots.fit(three, three.intervals(), labels=labels)
    print(hw.plots.save_figure(figure, options.output / "three_kinks.png"))


if __name__ == "__main__":
    main()
