"""How often 95 % intervals of kinks cover the truth: profile and delta method, four designs, 300 data sets each."""

from __future__ import annotations

import sys

import numpy as np

from halfwave.fitting import fit_relu_sum

__all__ = ["main"]

DESIGNS = ((100, 0.5, 2.0), (100, 0.5, 0.6), (1000, 0.5, 0.3), (1000, 0.5, 1.0))  # n, noise, change of slope
KINKS = np.array([3.0, 7.0])


def hits(n: int, noise: float, change: float, seed: int) -> dict[str, np.ndarray]:
    """Which of both kinks, of opposite sign, each method's intervals cover in one data set."""
    rng = np.random.default_rng((seed, n, int(100 * change)))
    x = np.sort(rng.uniform(0, 10, n))
    y = change * (np.maximum(x - KINKS[0], 0) - np.maximum(x - KINKS[1], 0)) + noise * rng.normal(size=n)
    fit = fit_relu_sum(x, y, 2)
    covered = {}
    for method in ("profile", "delta"):
        low, high = fit.intervals(method=method).kinks.T
        covered[method] = (low <= KINKS) & (high >= KINKS)
    return covered


def main() -> None:
    """Print the table; ``--sets N`` for another number of data sets."""
    sets = int(sys.argv[sys.argv.index("--sets") + 1]) if "--sets" in sys.argv else 300
    print(f"\ncoverage of 95 % intervals, {sets} data sets a design (one standard error: 1.3 % for 300)")
    print(f"{'n, noise, change':>20s} {'profile':>16s} {'delta':>16s}")
    for n, noise, change in DESIGNS:
        covered = [hits(n, noise, change, seed) for seed in range(sets)]
        row = [np.mean([one[method] for one in covered], axis=0) for method in ("profile", "delta")]
        cells = ["  ".join(f"{100 * share:5.1f}" for share in shares) for shares in row]
        print(f"{f'{n}, {noise}, {change}':>20s} {cells[0]:>16s} {cells[1]:>16s}", flush=True)


if __name__ == "__main__":
    main()
