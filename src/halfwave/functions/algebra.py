"""Sums, multiples, maxima, compositions and inverses of piecewise-linear functions.

Every operation writes its result as lines with 32-digit slopes and intercepts and lets `build` round them, so
that no operation loses more than the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.double_double import DoubleDouble, Vector, exact, exact_product, exact_sum, where
from halfwave.functions.pieces import Pieces, build, difference, from_floats, quiet, zeros

Index = npt.NDArray[np.intp]


@quiet
def add(f: Pieces, g: Pieces) -> Pieces:
    """The pieces of f + g."""
    kinks = np.union1d(f.kinks, g.kinks)
    i, j = _line_on_each_piece(f, kinks), _line_on_each_piece(g, kinks)
    slopes = exact_sum(f.slopes[i], g.slopes[j])
    return build(kinks, slopes, f.intercepts[i] + g.intercepts[j], _jumps_at(f, kinks) + _jumps_at(g, kinks))


@quiet
def scale(f: Pieces, factor: float) -> Pieces:
    """The pieces of factor · f."""
    by = np.full_like(f.slopes, factor)
    return build(f.kinks, exact_product(f.slopes, by), f.intercepts * exact(by), f.jumps * factor)


@quiet
def divide(f: Pieces, divisor: float) -> Pieces:
    """The pieces of f / divisor."""
    by = exact(np.full_like(f.slopes, divisor))
    return build(f.kinks, exact(f.slopes) / by, f.intercepts / by, f.jumps / divisor)


@quiet
def maximum(f: Pieces, g: Pieces) -> Pieces:
    """The pieces of max(f, g)."""
    gap = add(f, scale(g, -1.0))
    crossings = zeros(gap)
    kinks = np.union1d(np.union1d(f.kinks, g.kinks), crossings[np.isfinite(crossings)])
    first = _is_positive_on_pieces(gap, kinks)
    i, j = _line_on_each_piece(f, kinks), _line_on_each_piece(g, kinks)
    slopes = exact(np.where(first, f.slopes[i], g.slopes[j]))
    jumps = _jumps_of_choice(f, g, kinks, first)
    return build(kinks, slopes, where(first, f.intercepts[i], g.intercepts[j]), jumps)


@quiet
def compose(outer: Pieces, inner: Pieces) -> Pieces:
    """The pieces of x ↦ outer(inner(x))."""
    begins, ends = _end_values(inner)
    kinks: list[Vector] = []
    outer_lines: list[Index] = []
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        crossed, visited = _outer_lines_visited(outer.kinks, begin, end, inner.slopes[i])
        preimages = _solve(inner, i, crossed)
        kinks.append(np.concatenate((preimages, inner.kinks[i : i + 1])))
        outer_lines.append(visited)
    inner_lines = np.repeat(np.arange(len(begins)), [len(visited) for visited in outer_lines])
    o, grid = np.concatenate(outer_lines), np.concatenate(kinks)
    slopes = exact_product(outer.slopes[o], inner.slopes[inner_lines])
    intercepts = inner.intercepts[inner_lines] * exact(outer.slopes[o]) + outer.intercepts[o]
    return build(grid, slopes, intercepts, _jumps_of_composition(outer, inner, o, inner_lines))


@quiet
def invert(f: Pieces) -> Pieces:
    """The pieces of the inverse of a continuous f whose slopes are all positive or all negative."""
    order = slice(None, None, 1 if f.slopes[0] > 0 else -1)
    # Two kinks a hair apart may have heights in the wrong order by a rounding error.
    kinks = np.maximum.accumulate(f.left_values()[order])
    slopes = exact(np.ones_like(f.slopes)) / exact(f.slopes)
    intercepts = -f.intercepts / exact(f.slopes)
    return build(kinks, slopes[order], intercepts[order], np.zeros_like(kinks))


def differentiate(f: Pieces) -> Pieces:
    """The pieces of the derivative, the left slope at every kink."""
    return from_floats(f.kinks, np.zeros_like(f.slopes), f.slopes, np.diff(f.slopes))


def norm(f: Pieces, a: float, b: float) -> float:
    """``(∫ from a to b of f²)^½``, as a sum of squares, in which nothing cancels."""
    if b < a:
        raise HalfwaveError(f"`b` of l2_distance must be at least `a`; got a = {a!r}, b = {b!r}")
    inside = f.kinks[(f.kinks > a) & (f.kinks < b)]
    starts, ends = np.concatenate(([a], inside)), np.concatenate((inside, [b]))
    index = np.searchsorted(f.kinks, ends, side="left")
    left, right = f.line(index, starts), f.line(index, ends)
    squares = (ends - starts) / 6 * (left**2 + right**2 + (left + right) ** 2)
    return float(np.sqrt(squares.sum()))


def _line_on_each_piece(f: Pieces, kinks: Vector) -> Index:
    # The right end of a piece belongs to it, so the line of f there is the line on the whole piece.
    return np.searchsorted(f.kinks, np.concatenate((kinks, [np.inf])), side="left")


def _jumps_at(f: Pieces, kinks: Vector) -> Vector:
    """Jumps of f at points (n,) that include all its kinks."""
    jumps = np.zeros_like(kinks)
    jumps[np.searchsorted(kinks, f.kinks)] = f.jumps
    return jumps


def _is_positive_on_pieces(f: Pieces, kinks: Vector) -> npt.NDArray[np.bool_]:
    """Whether f, whose kinks and zeros are all among the points, is positive on each of the k + 1 pieces."""
    if len(kinks) == 0:
        return f.values > 0
    reach = np.maximum(1.0, np.abs(kinks[[0, -1]]))
    edges = np.concatenate(([kinks[0] - reach[0]], kinks, [kinks[-1] + reach[1]]))
    # Not at a point between: neighbouring floats have none.
    index = _line_on_each_piece(f, kinks)
    return f.line(index, edges[:-1]) + f.line(index, edges[1:]) > 0


def _jumps_of_choice(f: Pieces, g: Pieces, kinks: Vector, first: npt.NDArray[np.bool_]) -> Vector:
    """Jumps at the kinks of the function that is f where `first` holds and g elsewhere."""
    jumps_f, jumps_g = _jumps_at(f, kinks), _jumps_at(g, kinks)
    i, j = _line_on_each_piece(f, kinks), _line_on_each_piece(g, kinks)
    left = np.where(first[:-1], f.line(i[:-1], kinks), g.line(j[:-1], kinks))
    right = np.where(first[1:], f.line(i[1:], kinks), g.line(j[1:], kinks))
    switched = np.where((jumps_f == 0) & (jumps_g == 0), 0.0, difference(right, left))
    return np.where(first[:-1] != first[1:], switched, np.where(first[1:], jumps_f, jumps_g))


def _end_values(f: Pieces) -> tuple[Vector, Vector]:
    """Limits (k+1,) at the left and at the right end of each piece."""
    ends = np.where(f.slopes == 0, f.values, np.inf * np.sign(f.slopes + (f.slopes == 0)))
    first = f.values[0] if f.slopes[0] == 0 else -ends[0]
    return np.concatenate(([first], f.right_values())), np.concatenate((f.left_values(), ends[-1:]))


def _outer_lines_visited(kinks: Vector, begin: float, end: float, slope: float) -> tuple[Vector, Index]:
    """The kinks passed strictly between two heights, in order of travel, and the n + 1 lines in between."""
    if slope == 0:
        return kinks[:0], np.searchsorted(kinks, [end], side="left")
    low = int(np.searchsorted(kinks, min(begin, end), side="right"))
    high = max(low, int(np.searchsorted(kinks, max(begin, end), side="left")))
    crossed, visited = kinks[low:high], np.arange(low, high + 1)
    return (crossed, visited) if slope > 0 else (crossed[::-1], visited[::-1])


def _solve(f: Pieces, i: int, heights: Vector) -> Vector:
    """Where line i of f takes each height, inside its piece."""
    if len(heights) == 0:
        return heights
    slope = exact(np.full_like(heights, f.slopes[i]))
    intercept = DoubleDouble(
        *(np.full_like(heights, part[i]) for part in (f.intercepts.high, f.intercepts.low))
    )
    return np.clip(((exact(heights) - intercept) / slope).high, f.starts[i], f.ends[i])


def _jumps_of_composition(outer: Pieces, inner: Pieces, outer_lines: Index, inner_lines: Index) -> Vector:
    left_values, right_values = inner.left_values(), inner.right_values()
    jumps = np.zeros(len(outer_lines) - 1)
    for n in range(len(jumps)):
        before, after = outer_lines[n], outer_lines[n + 1]
        i = inner_lines[n]
        if inner_lines[n + 1] == i or inner.jumps[i] == 0:
            # The inner function moves through outer kinks continuously: it collects their jumps, each with
            # the sign of its own direction.
            passed = outer.jumps[min(before, after) : max(before, after)].sum()
            jumps[n] = passed if after > before else -passed
        else:
            heights = outer.line(outer_lines[[n, n + 1]], np.array([left_values[i], right_values[i]]))
            jumps[n] = difference(heights[1:], heights[:1])[0]
    return jumps
