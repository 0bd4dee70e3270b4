"""At what density of its inputs a sparse product stops being faster than a dense one."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor

from halfwave.nn.sparse.rows import dense_product, nonzero_positions, sum_of_rows

__all__ = ["crossover_at", "measured_crossover", "shortest_time", "stored_crossovers"]

_BATCHES = (1, 2, 4, 8, 16, 32, 64)

# Nanoseconds per weight, one thread of an AVX-512 server: of a dense product with 1, 2, 8 and 64 samples, whose
# weights are laid out in rows of outputs, and of a row that is added, per sample. The matrices were 512 × 512 to
# 11008 × 4096 (docs/decisions.md).
_COSTS = {
    torch.float32: ((0.13, 0.25, 0.45, 1.85), 0.165),
    torch.bfloat16: ((0.34, 0.34, 0.36, 0.63), 0.12),
    torch.float16: ((0.26, 0.32, 0.65, 2.2), 0.13),
    torch.float64: ((0.40, 0.60, 1.45, 3.6), 0.95),
}
_MEASURED_AT = (1, 2, 8, 64)

# microseconds of a call: the handful of operations that find the rows, against one operation
_SPARSE_CALL, _DENSE_CALL = 25.0, 3.0
_SCAN = 1.8
"""Nanoseconds to look at an input and see whether it is zero."""


@cache
def stored_crossovers(inputs: int, outputs: int, dtype: torch.dtype, device: str) -> dict[int, float]:
    """Batch size → the share of non-zero inputs below which the sparse product is faster, as far as can be known.

    Computed from stored costs, so that it is the same on every machine and in every run. On other devices than
    CPUs nothing was measured, and the dense product is taken.

    >>> found = stored_crossovers(11008, 4096, torch.float32, "cpu")
    >>> round(found[1], 2), round(found[64], 2), stored_crossovers(64, 10, torch.float32, "cpu")[1]
    (0.78, 0.17, 0.0)
    """
    if device != "cpu" or dtype not in _COSTS:
        return dict.fromkeys(_BATCHES, 0.0)
    dense, row = _COSTS[dtype]
    found = {}
    for batch in _BATCHES:
        spent = _interpolated(batch, dense) * inputs * outputs + 1e3 * (_DENSE_CALL - _SPARSE_CALL)
        share = (spent - _SCAN * batch * inputs) / (row * batch * inputs * outputs)
        found[batch] = min(1.0, max(0.0, share))
    return found


def _interpolated(batch: int, costs: tuple[float, ...]) -> float:
    place = min(len(costs) - 1, max(1, bisect_left(_MEASURED_AT, batch)))
    (x0, x1), (y0, y1) = _MEASURED_AT[place - 1 : place + 1], costs[place - 1 : place + 1]
    return y0 + (y1 - y0) * (batch - x0) / (x1 - x0)


def crossover_at(crossovers: Mapping[int, float], batch: int) -> float:
    """The entry of the smallest batch that is not below ``batch``, or of the largest one.

    >>> crossover_at({1: 0.9, 8: 0.4}, 2), crossover_at({1: 0.9, 8: 0.4}, 100)
    (0.4, 0.4)
    """
    batches = sorted(crossovers)
    return crossovers[batches[min(len(batches) - 1, bisect_left(batches, batch))]]


_MEASURED: dict[tuple[object, ...], float] = {}


def measured_crossover(weight: Tensor, batch: int) -> float:
    """The same share measured here and now; once in a process for each shape, dtype, device and number of threads.

    Args:
        weight: (out, in), the transpose of a contiguous matrix; what it holds does not matter.
        batch: number of samples.
    """
    key = (*weight.shape, weight.dtype, weight.device, torch.get_num_threads(), batch)
    if key not in _MEASURED:
        _MEASURED[key] = _measure(weight.detach(), batch)
    return _MEASURED[key]


def _measure(weight: Tensor, batch: int) -> float:
    """Where the straight line through two times of the sparse product meets the time of the dense one."""
    low, high = 0.02, 0.2
    x = torch.rand(batch, weight.shape[1], generator=torch.Generator().manual_seed(0)).to(weight)
    with torch.no_grad():
        dense = shortest_time(lambda: dense_product(x, weight, None))
        at_low, at_high = (
            shortest_time(lambda some=x * (x < share): sum_of_rows(some, weight, nonzero_positions(some)))
            for share in (low, high)
        )
    if at_high <= at_low:  # nothing but the cost of a call, and noise
        return float(at_low < dense)
    return min(1.0, max(0.0, low + (dense - at_low) * (high - low) / (at_high - at_low)))


def shortest_time(function: Callable[[], object]) -> float:
    """Seconds that a call takes when nothing comes between: the shortest of 5 to 50 repeats after a first call."""
    function()
    times: list[float] = []
    while len(times) < 5 or (len(times) < 50 and sum(times) < 5e-3):
        start = time.perf_counter()
        function()
        _wait()
        times.append(time.perf_counter() - start)
    return min(times)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
