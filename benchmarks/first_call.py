"""What the first call of a process costs: processor time of fresh processes, all threads, imports included.

Each round starts one process a case; the median over rounds is printed, with that of a second call in the same
process. Kernels that were never compiled are compiled by a round that does not count.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["main"]

ROUNDS = 7
MEASURED = """
import time
start = time.process_time()
import halfwave as hw
light = time.process_time() - start
import numpy as np
numpy = time.process_time() - start - light
rng = np.random.default_rng(2)
x = np.sort(rng.uniform(0, 10, {n}))
knots = np.concatenate(([0.0], np.sort(rng.uniform(0.5, 9.5, 9)), [10.0]))
y = np.interp(x, knots, rng.normal(0, 3, 11)) + 0.5 * rng.normal(size={n})
times = []
for _ in range(2):
    start = time.process_time()
    {call}
    times.append(time.process_time() - start)
print(light, numpy, *times)
"""
CASES = {
    "fit of 100 points, 3 kinks": (100, "hw.fitting.fit_relu_sum(x, y, 3)"),
    "fit of 1e5 points, 3 kinks": (100_000, "hw.fitting.fit_relu_sum(x, y, 3)"),
    "fit of 1e5 points, 10 kinks": (100_000, "hw.fitting.fit_relu_sum(x, y, 10)"),
    "fit of 1e5 points, auto": (100_000, "hw.fitting.fit_relu_sum(x, y)"),
    "approximation, 4 kinks": (100, "hw.fitting.approximate(np.sin, 0, 3, 4)"),
    "expression read": (100, "hw.functions.parse('relu(x) - relu(x - 1)')"),
}


def measured(n: int, call: str) -> list[float]:
    """Seconds: `import halfwave`, `import numpy`, the first call with what it imports, the second call."""
    code = MEASURED.format(n=n, call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(part) for part in done.stdout.split()]


def main(rounds: int = ROUNDS) -> None:
    """Print the table."""
    for case in CASES.values():
        measured(*case)
    times: dict[str, list[list[float]]] = {label: [] for label in CASES}
    for _ in range(rounds):
        for label, case in CASES.items():
            times[label].append(measured(*case))
    print("\nfirst calls: seconds of processor time in a fresh process, medians")
    heads: Sequence[str] = ("halfwave", "numpy", "first", "in all", "second")
    print(f"{'':30s}" + "".join(f"{head:>10s}" for head in heads))
    for label, rows in times.items():
        light, numpy, first, second = (statistics.median(column) for column in zip(*rows, strict=True))
        in_all = statistics.median(row[1] + row[2] for row in rows)
        cells = "".join(f"{value:10.3f}" for value in (light, numpy, first, in_all, second))
        print(f"{label:30s}{cells}", flush=True)


if __name__ == "__main__":
    main()
