"""Ratios that can be trusted on a shared machine: interleaved repeats, processor time, medians."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

__all__ = ["compare"]


def compare(
    title: str, cases: dict[str, Callable[[], object]], rounds: int = 41, warm: int = 5
) -> dict[str, float]:
    """Time each case in turn, round after round, and print milliseconds and ratios to the first case.

    Args:
        title: heading of the table.
        cases: label → function; the first is what the others are compared with.
        rounds: visits of each case; the median over rounds is reported.
        warm: calls of each case before timing.

    Returns:
        The median over rounds of (time of the case)/(time of the first case), by label.
    """
    for case in cases.values():
        for _ in range(warm):
            case()
    times: dict[str, list[float]] = {label: [] for label in cases}
    for _ in range(rounds):
        for label, case in cases.items():
            start = time.process_time()
            case()
            times[label].append(time.process_time() - start)
    base = times[next(iter(cases))]
    print(f"\n{title}")
    print(f"{'':44s} {'ms':>9s} {'quartiles':>17s} {'ratio':>7s}")
    ratios = {}
    for label, values in times.items():
        low, middle, high = statistics.quantiles(values, n=4)
        ratios[label] = statistics.median(value / first for value, first in zip(values, base, strict=True))
        print(
            f"{label:44s} {middle * 1e3:9.3f} {low * 1e3:8.3f}–{high * 1e3:8.3f} {ratios[label]:7.2f}",
            flush=True,
        )
    return ratios
