"""How often the fit is the best known: random problems of 400 points and 8 segments, pwlf where it is installed.

``python benchmarks/relu_sum_reliability.py [--slow] [FIRST [LAST]]`` runs the problems of some seeds, by default 0
to 49; ``--slow`` adds ``pwlf.fit`` and ``fitfast`` with 50 starts, some 10 s to two minutes a problem.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

import numpy as np
from relu_sum_fit import Data, installed, ours, synthetic, with_pwlf

from halfwave.fitting import fit_relu_sum
from halfwave.fitting.observations import observe
from halfwave.fitting.search.cells import cells_of
from halfwave.fitting.search.polish import refine, solve
from halfwave.fitting.search.rules import Rules

__all__ = ["main"]

POINTS, SEGMENTS = 400, 8
RESTARTS = 40
NEAR = 1e-3  # of the best sum of squares known: what counts as found


def restarted(data: Data, segments: int, seed: int) -> float:
    """The best of many fits, each begun at the kinks of a fit with random weights: the Bayesian bootstrap.

    Source: Rubin (1981), Ann. Statist. 9(1), 130-134.
    """
    rng, rules = np.random.default_rng(seed), Rules(min_points=2)
    observed = observe(*data)
    cells, best = cells_of(observed), np.inf
    for _ in range(RESTARTS):
        weights = rng.exponential(size=len(data[0]))
        kinks = fit_relu_sum(*data, kinks=segments - 1, weights=weights, min_points=2).kinks
        start = solve(cells, np.concatenate(([-1.0], observed.scale.inside(kinks), [1.0])), rules)
        if start is not None:
            best = min(best, refine(cells, start, rules, 8.0, 1.0).cost)
    return float(best) * observed.scale.y_unit**2


def excesses(seed: int, slow: bool) -> dict[str, float]:
    """By how much each search is above the best sum of squares known for a problem, as a fraction."""
    data = synthetic(POINTS, SEGMENTS, seed)
    found = {"ours": ours(data, SEGMENTS)(), "ours, restarted": restarted(data, SEGMENTS, seed)}
    if slow and installed("pwlf"):
        found["fitfast 50"] = with_pwlf(data, SEGMENTS, "fitfast", pop=50)
        found["pwlf fit"] = with_pwlf(data, SEGMENTS, "fit")
    best = min(found.values())
    return {name: sse / best - 1 for name, sse in found.items()}


def main(arguments: Sequence[str] = ()) -> None:
    """Print each problem's excesses, then how many problems each search solved."""
    warnings.simplefilter("ignore")
    given = [int(each) for each in arguments if each.isdigit()]
    first, last = (given + [0, 49][len(given) :])[:2]
    every = []
    for seed in range(first, last + 1):
        every.append(excesses(seed, "--slow" in arguments))
        print(
            f"seed {seed:3d}: " + ", ".join(f"{name} {each:.2e}" for name, each in every[-1].items()),
            flush=True,
        )
    for name in every[0]:
        near = sum(each[name] <= NEAR for each in every)
        print(f"{name:16s} within {NEAR:.1%} of the best known on {near} of {len(every)}")


if __name__ == "__main__":
    main(sys.argv[1:])
