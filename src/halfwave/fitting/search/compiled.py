"""What is worth compiling with numba, where it is installed: the step of the dynamic programme, and descents.

The kernel here does what `dynamic_programme._extend` does, one knot at a time instead of one operation at a time.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.search.cells import Cells, Indices
from halfwave.fitting.search.envelope import Parabolas
from halfwave.fitting.search.segment_table import Mask, SegmentTable
from halfwave.functions.double_double import Vector

# Loading takes nearly a second, and some ten the very first time; for each cell and segment NumPy takes 2 to 10 µs
# longer than the kernels. So the first fits do without them, until together they have lost as much time as loading
# takes: a single fit costs no more than it must, and many small ones at most twice that.
_WORTH_LOADING = 200_000
_OVERHEAD = 1000  # cells: what an operation on a short array costs
_loaded = False
_work = 0  # cells times segments of the fits so far that did without


def wanted(use_numba: bool | None, cells: int = 0, segments: int = 0) -> bool:
    """Whether to use the kernels: as asked, or where numba is installed and the kernels are loaded or worth it.

    Args:
        use_numba: what the user asked for.
        cells: of the data that are to be fitted; 0 within a fit.
        segments: of all fits to them together.

    Raises:
        HalfwaveError: if it is asked for and numba is not installed.
    """
    global _work
    if use_numba is False:
        return False
    if use_numba is None and not _loaded:
        _work += (cells + _OVERHEAD) * segments
        if segments == 0 or _work < _WORTH_LOADING:
            return False
    if _loaded and not use_numba:
        return True
    found = importlib.util.find_spec("numba") is not None
    if use_numba and not found:
        raise HalfwaveError("`use_numba=True` needs the package numba; got an environment without it")
    return found


def descend(
    cells: Cells,
    knots: Vector,
    heights: Vector,
    cost: float,
    movable: Mask,
    rules: tuple[float, ...],
    quick: bool,
) -> tuple[Vector, Vector, float]:
    """Knots (k + 1,), heights and cost after Gauss–Newton steps; `polish.descend` says which.

    Args:
        cells: the data.
        knots: ends and kinks (k + 1,).
        heights: there (k + 1,).
        cost: of this fit.
        movable: which kinks may move (k − 1,).
        rules: least points, least length, whether the first piece is flat, and the last one.
        quick: whether to stop after a few steps.
    """
    global _loaded
    kernel: Any = importlib.import_module("halfwave.fitting.search.kernels")
    knots, heights = knots.copy(), heights.copy()
    # Read-only arrays are another type to numba: it would compile all again.
    moments = tuple(
        np.require(part, requirements=["C", "W"])
        for part in (cells.x, cells.weight, cells.y, cells.xx, cells.xy, cells.yy)
    )
    limits, flats = (float(rules[0]), float(rules[1])), (bool(rules[2]), bool(rules[3]))
    cost = kernel.descend(
        moments,
        np.require(cells.start, requirements=["C", "W"]),
        np.require(cells.distinct, requirements=["C", "W"]),
        knots,
        heights,
        cost,
        movable,
        limits,
        flats,
        quick,
    )
    # only now: a thread that fits meanwhile should not wait until the kernels are compiled
    _loaded = True
    return knots, heights, float(cost)


def extend(
    layer: Parabolas, table: SegmentTable, targets: Indices, slack: Vector, budget: int
) -> tuple[Parabolas, bool]:
    """The next layer at the target knots, and whether nothing was left out for want of room."""
    parts = (table.error, table.aa, table.ab, table.bb, table.left, table.right, table.determinant)
    room = max(1024, 4 * len(layer))
    while True:
        knot, parent = np.empty(room, np.intp), np.empty(room, np.intp)
        curvature, vertex, cost = np.empty(room), np.empty(room), np.empty(room)
        count, whole = _kernel()(
            *(layer.knot, layer.curvature, layer.vertex, layer.cost, *parts, targets, slack, budget),
            *(knot, curvature, vertex, cost, parent),
        )
        if count >= 0:
            used = slice(count)
            new = Parabolas(knot[used], curvature[used], vertex[used], cost[used], parent[used])
            return new, bool(whole)
        room *= 4


@functools.cache
def _kernel() -> Callable[..., tuple[int, bool]]:
    import numba  # pyright: ignore[reportMissingImports]

    compile_: Any = numba.njit(cache=True, nogil=True)
    return compile_(_extend_each)


def _extend_each(
    knot, curvature, vertex, cost, error, aa, ab, bb, left, right, determinant,
    targets, slack, budget, out_knot, out_curvature, out_vertex, out_cost, out_parent,
):  # fmt: skip
    size = len(knot)
    bent, lowest, total = np.empty(size), np.empty(size), np.empty(size)
    parent = np.empty(size, np.intp)
    used = np.empty(size, np.bool_)
    count, compared, whole = 0, 0, True
    for j in targets:
        # 1. Parabolas that may still lead to an optimum.
        level, found, best = slack[j], 0, 0
        for p in range(size):
            i = knot[p]
            if cost[p] + error[i, j] > level:
                continue
            apart = curvature[p] * (vertex[p] - left[i, j])
            common = curvature[p] * bb[i, j] + determinant[i, j]
            sum_ = cost[p] + error[i, j] + apart * (vertex[p] - left[i, j]) * determinant[i, j] / common
            if sum_ > level:
                continue
            bent[found] = common / (curvature[p] + aa[i, j])
            lowest[found] = right[i, j] - apart * ab[i, j] / common
            total[found], parent[found] = sum_, p
            if sum_ < total[best]:
                best = found
            found += 1
        compared += found
        if compared > budget:
            whole = False
            found = min(found, 1)
            if found:
                bent[0], lowest[0], total[0], parent[0] = bent[best], lowest[best], total[best], parent[best]
                best = 0
        # 2. Without those that are nowhere below the cheapest one.
        kept, start, end = 0, math.inf, -math.inf
        if found == 0:
            continue
        bent_b, lowest_b, total_b = bent[best], lowest[best], total[best]
        for q in range(found):
            turn = bent[q] - bent_b
            apart = (lowest[q] - lowest_b) ** 2
            if q != best and turn >= 0 and (total[q] - total_b) * turn >= bent[q] * bent_b * apart:
                continue
            reach = math.sqrt(max(level - total[q], 0.0) / bent[q])
            start, end = min(start, lowest[q] - reach), max(end, lowest[q] + reach)
            bent[kept], lowest[kept], total[kept], parent[kept] = bent[q], lowest[q], total[q], parent[q]
            used[kept] = False
            kept += 1
        # 3. Sweep the envelope from left to right.
        current, height = 0, math.inf
        for q in range(kept):
            here = bent[q] * (start - lowest[q]) ** 2 + total[q]
            if here < height:
                current, height = q, here
        at = start
        # Two parabolas cross twice at most: more pieces than that are equal ones changing places.
        for _ in range(2 * kept):
            used[current] = True
            nearest, step = current, math.inf
            behind = at - lowest[current]
            for q in range(kept):
                ahead = at - lowest[q]
                turn = bent[q] - bent[current]
                tilt = 2 * (bent[q] * ahead - bent[current] * behind)
                gap = bent[q] * ahead**2 + total[q] - (bent[current] * behind**2 + total[current])
                gap = max(gap, 0.0)
                inside = tilt**2 - 4 * turn * gap
                if inside <= 0:
                    continue
                root = math.sqrt(inside) - tilt
                if root > 0 and 2 * gap / root < step:
                    nearest, step = q, 2 * gap / root
            at += step
            if not at < end:
                break
            current = nearest
        for q in range(kept):
            if used[q]:
                if count == len(out_knot):
                    return -1, whole
                out_knot[count], out_parent[count] = j, parent[q]
                out_curvature[count], out_vertex[count], out_cost[count] = bent[q], lowest[q], total[q]
                count += 1
    return count, whole
