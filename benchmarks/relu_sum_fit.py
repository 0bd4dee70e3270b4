"""Fits of one variable against the peers that are installed (pwlf): sums of squares and times, same data, same K.

K counts segments here, as the peers do. ``python benchmarks/relu_sum_fit.py --slow`` also runs ``pwlf.fit``, which
takes minutes on the larger sets.
"""

from __future__ import annotations

import importlib.util
import sys
import time
import warnings
from collections.abc import Callable
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


def peer(data: Data, segments: int, method: str) -> Callable[[], float]:
    """``pwlf``, whose search is random: seeded, the best it returns."""
    import pwlf  # pyright: ignore[reportMissingImports]

    def run() -> float:
        model = pwlf.PiecewiseLinFit(*data, seed=0)
        getattr(model, method)(segments)
        return float(model.ssr)

    return run


def main() -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    sets = {"s1e3_k5": (synthetic(1000, 5, 1), 5), **real_sets(), "s1e5_k10": (synthetic(100_000, 10, 2), 10)}
    has_peer, has_numba = (importlib.util.find_spec(name) is not None for name in ("pwlf", "numba"))
    print(
        f"\nfits with K segments, milliseconds of processor time and SSE; pwlf {'found' if has_peer else 'missing'}"
    )
    heads = ("n", "NumPy", "numba", "SSE", "fitfast", "SSE ratio", "fit", "SSE ratio")
    widths = (7, 9, 9, 14, 9, 10, 9, 10)
    print(
        f"{'set, K':16s} " + " ".join(f"{head:>{width}s}" for head, width in zip(heads, widths, strict=True))
    )
    for name, (data, segments) in sets.items():
        sse, plain = timed(ours(data, segments, use_numba=False), 5)
        row = f"{name + ' ' + str(segments):16s} {len(data[0]):7d} {1e3 * plain:9.1f} "
        row += (
            f"{1e3 * timed(ours(data, segments, use_numba=True), 5)[1]:9.1f} " if has_numba else f"{'–':>9s} "
        )
        row += f"{sse:14.7g} "
        for method in ("fitfast", "fit") if has_peer else ():
            if method == "fit" and ("--slow" not in sys.argv or len(data[0]) > 3000):
                continue
            theirs, spent = timed(peer(data, segments, method), 1)
            row += f"{1e3 * spent:9.0f} {theirs / sse:10.6f} "
        print(row, flush=True)


if __name__ == "__main__":
    main()
