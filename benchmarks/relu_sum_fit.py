"""Fits of one variable against the peers that are installed: sums of squares and times, same data, same K.

K counts segments here, as the peers do: pwlf, piecewise-regression and pwlreg, all of which allow segments of two
points. ``python benchmarks/relu_sum_fit.py [--slow] [SET …]`` runs some sets or all; ``--slow`` adds ``pwlf.fit``,
``fitfast`` with 50 starts, and the other two, which take minutes on the larger sets.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from halfwave.fitting import fit_relu_sum

__all__ = ["main"]

Data = tuple[np.ndarray, np.ndarray]


def synthetic(n: int, segments: int, seed: int) -> Data:
    """A random continuous piecewise-linear function plus noise of deviation 0.5."""
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 10, n))
    kinks = np.concatenate(([0.0], np.sort(rng.uniform(0.5, 9.5, segments - 1)), [10.0]))
    return x, np.interp(x, kinks, rng.normal(0, 3, segments + 1)) + 0.5 * rng.normal(size=n)


def motorcycle(seed: int = 0) -> Data:
    """133 points of the shape of the motorcycle accident data: repeated x, a dip and a rebound, uneven noise."""
    rng = np.random.default_rng(seed)
    x = np.sort(np.round(5 * np.concatenate((rng.uniform(2.4, 60, 53), rng.uniform(13, 40, 80)))) / 5)
    middle = np.interp(x, [2.4, 14, 21, 32, 40, 60], [0, 0, -125, 30, 0, 0])
    return x, np.round(middle + np.interp(x, [13, 15, 40, 60], [2, 24, 24, 12]) * rng.normal(size=len(x)), 1)


def real_sets() -> dict[str, tuple[Data, int]]:
    """Nile, sunspots, CO₂, Engel (statsmodels) and diabetes (scikit-learn), with their numbers of segments."""
    from sklearn.datasets import load_diabetes

    body, target = load_diabetes(return_X_y=True)
    sets: dict[str, tuple[Data, int]] = {"diabetes": ((body[:, 2], target), 4)}
    if importlib.util.find_spec("statsmodels") is None:
        return sets
    from statsmodels import datasets

    nile = datasets.nile.load_pandas().data
    spots = datasets.sunspots.load_pandas().data
    carbon = datasets.co2.load_pandas().data["co2"].dropna().to_numpy()
    engel = datasets.engel.load_pandas().data
    return sets | {
        "nile": ((nile["year"].to_numpy(), nile["volume"].to_numpy()), 4),
        "sunspots": ((spots["YEAR"].to_numpy(), spots["SUNACTIVITY"].to_numpy()), 20),
        "co2": ((np.arange(len(carbon), dtype=float), carbon), 10),
        "engel": ((engel["income"].to_numpy(), engel["foodexp"].to_numpy()), 3),
    }


def all_sets() -> dict[str, tuple[Data, int]]:
    """Every set with its number of segments."""
    return {
        "s1e3_k5": (synthetic(1000, 5, 1), 5),
        "motorcycle": (motorcycle(), 5),
        **real_sets(),
        "s1e5_k10": (synthetic(100_000, 10, 2), 10),
    }


def timed(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Sum of squares and median processor time of a fit."""
    spent, sse = [], np.inf
    for _ in range(repeats):
        start = time.process_time()
        sse = run()
        spent.append(time.process_time() - start)
    return sse, float(np.median(spent))


def ours(data: Data, segments: int, **options: Any) -> Callable[[], float]:
    return lambda: fit_relu_sum(*data, kinks=segments - 1, min_points=2, **options).sse


def with_pwlf(data: Data, segments: int, method: str, **options: Any) -> float:
    """The sum of squares of ``pwlf``, whose search is random: seeded, the best it returns."""
    import pwlf  # pyright: ignore[reportMissingImports]

    model = pwlf.PiecewiseLinFit(*data, seed=0)
    getattr(model, method)(segments, **options)
    return float(model.ssr)


def with_piecewise_regression(data: Data, segments: int) -> float:
    """The sum of squares of ``piecewise-regression``; NaN where it does not converge."""
    import piecewise_regression  # pyright: ignore[reportMissingImports]

    np.random.seed(0)  # noqa: NPY002  (its restarts draw from the global generator)
    results = piecewise_regression.Fit(*data, n_breakpoints=segments - 1).get_results()
    return float(results["rss"]) if results["converged"] else float("nan")


def with_pwlreg(data: Data, segments: int) -> float:
    """The sum of squares of ``pwlreg``."""
    import pwlreg  # pyright: ignore[reportMissingImports]

    np.random.seed(0)  # noqa: NPY002
    model = pwlreg.AutoPiecewiseRegression(n_segments=segments)
    model.fit(*data)
    return float(((data[1] - model.predict(data[0])) ** 2).sum())


@dataclass(frozen=True)
class Peer:
    """Another package's fit, and the largest number of points with which it ends within minutes."""

    package: str
    fit: Callable[[Data, int], float]
    largest: int
    is_slow: bool = True


PEERS = {
    "fitfast": Peer("pwlf", partial(with_pwlf, method="fitfast"), 1_000_000, is_slow=False),
    "fitfast 50": Peer("pwlf", partial(with_pwlf, method="fitfast", pop=50), 3000),
    "pwlf fit": Peer("pwlf", partial(with_pwlf, method="fit"), 3000),
    "piecewise-r.": Peer("piecewise_regression", with_piecewise_regression, 1_000_000),
    "pwlreg": Peer("pwlreg", with_pwlreg, 3000),
}


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def row(data: Data, segments: int, peers: dict[str, Peer], repeats: int = 5) -> list[str]:
    """Our times and sum of squares, then each peer's time and the ratio of its sum of squares to ours."""
    sse, plain = timed(ours(data, segments, use_numba=False), repeats)
    compiled = "–"
    if installed("numba"):
        ours(data, segments, use_numba=True)()  # loads the kernels
        compiled = f"{1e3 * timed(ours(data, segments, use_numba=True), repeats)[1]:.1f}"
    cells = [str(len(data[0])), f"{1e3 * plain:.1f}", compiled, f"{sse:.8g}"]
    for each in peers.values():
        if len(data[0]) > each.largest:
            cells += ["–", "–"]
            continue
        theirs, spent = timed(partial(each.fit, data, segments), 1)
        cells += [f"{1e3 * spent:.0f}", f"{theirs / sse:.7f}"]
    return cells


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    sets = all_sets()
    names = [name for name in arguments if name in sets] or list(sets)
    slow = "--slow" in arguments
    peers = {
        name: each for name, each in PEERS.items() if installed(each.package) and (slow or not each.is_slow)
    }
    print("\nfits with K segments: milliseconds of processor time, sums of squares, and the peers' over ours")
    heads = [
        "set, K",
        "n",
        "NumPy",
        "numba",
        "SSE",
        *(head for name in peers for head in (name, "SSE ratio")),
    ]
    print(f"{heads[0]:16s}" + "".join(f"{head:>13s}" for head in heads[1:]))
    for name in names:
        data, segments = sets[name]
        label = f"{name} {segments}"
        print(f"{label:16s}" + "".join(f"{cell:>13s}" for cell in row(data, segments, peers)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
