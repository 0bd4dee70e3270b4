"""A piecewise-linear function taken apart into few, plain terms: a line, rectified terms, steps, constants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Literal

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.functions.algebra import add, compose, scale
from halfwave.functions.checks import finite_number
from halfwave.functions.pieces import ROUNDING, Pieces, from_floats, quiet

_MOST_KINKS = 6  # up to which every choice of falling terms is tried

Kind = Literal["line", "relu", "step", "square", "constant"]


@dataclass(frozen=True, slots=True)
class Term:
    """``weight · kind(slope x + intercept)``; of a constant only the weight counts."""

    weight: float
    kind: Kind = "constant"
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True)
class _Base:
    """The line that all rectified terms leave alone: rising ones begin on its right, falling ones on its left."""

    slope: float
    intercept: Fraction
    falling: int  # kinks 0 … falling − 1 carry a falling term
    rising: int  # kinks rising … k − 1 carry a rising term


@quiet
def relu_terms(f: Pieces) -> list[Term]:
    """Terms whose sum is f, up to the rounding of weights: few, and without a line where f has a flat piece.

    HalfwaveError if f turns by more than a float holds.
    """
    base = _base(f)
    plain = _outward_terms(f, base)
    candidates = [*(terms for terms in _sums_without_line(f) if len(terms) < len(plain)), plain]
    if base.falling > base.rising and len(f.kinks) <= _MOST_KINKS:
        # The height of a turning point is rounded, the intercept of a piece need not be.
        candidates += [_outward_terms(f, _piece_as_base(f, i)) for i in range(len(f.slopes))]
    if len(candidates) == 1:
        return plain
    return next((terms for terms in candidates if _is_exactly(terms, f)), plain)


def _outward_terms(f: Pieces, base: _Base) -> list[Term]:
    terms = _rectified(f, base, range(base.rising, len(f.kinks)), 1)
    terms += _rectified(f, base, reversed(range(base.falling)), -1)
    lines, constants = _line(base.slope, base.intercept)
    # A step on the left of the base has risen there already.
    constants += (-f.jumps[: base.rising]).tolist()
    return lines + terms + _steps(f) + _constants(constants)


def line_terms(f: Pieces, piece: int) -> list[Term]:
    """One line of f as terms."""
    lines, constants = _line(float(f.slopes[piece]), _intercept(f, piece))
    return lines + _constants(constants)


def _base(f: Pieces) -> _Base:
    """Where to begin: a flat piece, if possible at zero; a turning point; or else the least steep piece."""
    candidates = [_piece_as_base(f, i) for i in np.flatnonzero(f.slopes == 0).tolist()]
    turns = np.flatnonzero(f.slopes[:-1] * np.sign(f.slopes[1:]) < 0).tolist()
    candidates = candidates or [_kink_as_base(f, i) for i in turns]
    zero = [base for base in candidates if base.intercept == 0]
    return (zero + candidates + [_piece_as_base(f, int(np.abs(f.slopes).argmin()))])[0]


def _piece_as_base(f: Pieces, piece: int) -> _Base:
    return _Base(float(f.slopes[piece]), _intercept(f, piece), piece, piece)


def _kink_as_base(f: Pieces, kink: int) -> _Base:
    """A flat piece without width, at the height of the kink."""
    at, slope = float(f.kinks[kink]), Fraction(float(f.slopes[kink]))
    height = slope * Fraction(at) + _intercept(f, kink)
    # The kink is the float nearest the true one, so that |0.3 x − 1| misses zero there.
    if abs(height) <= abs(slope) * Fraction(float(np.spacing(abs(at)))):
        height = Fraction(0)
    return _Base(0.0, Fraction(_rounded(height)), kink + 1, kink)


def _rectified(f: Pieces, base: _Base, kinks: Iterable[int], side: Literal[1, -1]) -> list[Term]:
    """The terms on one side of the base, outwards: rising for side 1, falling for side −1."""
    terms: list[Term] = []
    reached, line = base.slope, (Fraction(base.slope), base.intercept)
    for i in kinks:
        piece = i + 1 if side == 1 else i
        change = finite_number("a change of slope", _shortest_step(reached, float(f.slopes[piece])))
        beyond = (Fraction(float(f.slopes[piece])), _intercept(f, piece))
        at = float(f.kinks[i])
        # The rounding of a weight must not move its kink; nor may a jump, which a step shows, move it.
        faithful = beyond[0] - line[0] == Fraction(change) and not f.jumps[i]
        intercept = beyond[1] - line[1] if faithful else -Fraction(change) * Fraction(at)
        if change:
            terms.append(_rectified_term(change, intercept, at, side))
        reached, line = reached + change, beyond
    return terms


def _sums_without_line(f: Pieces) -> Iterable[list[Term]]:
    """Sums of one rectified term a kink, in which no line is needed though no piece is flat.

    ``(2x + 1)⁺ + (3 − x)⁺`` is such a sum: on the far left only falling terms count, so that their slopes add
    up to the first slope.
    """
    turns = np.diff(f.slopes)
    bending = np.flatnonzero(turns).tolist()
    noise = ROUNDING * float(np.abs(f.slopes).max())
    if len(bending) > _MOST_KINKS or not (np.abs(turns[bending]) > noise).all():
        return
    for count in range(1, len(bending) + 1):
        for falling in combinations(bending, count):
            if abs(f.slopes[0] + turns[list(falling)].sum()) <= noise:
                yield _sum_without_line(f, bending, falling, noise)


def _sum_without_line(f: Pieces, bending: list[int], falling: tuple[int, ...], noise: float) -> list[Term]:
    terms: list[Term] = []
    constant, size = _intercept(f, 0), abs(_intercept(f, 0))
    for i in bending:
        at, change = float(f.kinks[i]), _tidy(float(f.slopes[i + 1] - f.slopes[i]), noise)
        intercept = _intercept(f, i + 1) - _intercept(f, i)
        if f.jumps[i]:
            intercept = -Fraction(change) * Fraction(at)
        tidy = Fraction(_tidy(_rounded(intercept), ROUNDING * _rounded(abs(intercept))))
        side = -1 if i in falling else 1
        terms.append(_rectified_term(side * change, side * tidy, at, side))
        if i in falling:
            constant, size = constant + intercept, size + abs(intercept)
    return terms + _steps(f) + _constants([_tidy(_rounded(constant), ROUNDING * _rounded(size))])


def _steps(f: Pieces) -> list[Term]:
    jumping = np.flatnonzero(f.jumps)
    pairs = zip(f.jumps[jumping].tolist(), f.kinks[jumping].tolist(), strict=True)
    return [Term(jump, "step", 1.0, -at) for jump, at in pairs]


def _total(terms: list[Term]) -> Pieces:
    """The sum of the terms, in the order and the arithmetic in which `parse` adds them."""
    nothing = np.zeros(0)
    outer = {
        "relu": from_floats(np.zeros(1), np.array([0.0, 1.0]), np.zeros(2), np.zeros(1)),
        "line": from_floats(nothing, np.ones(1), np.zeros(1), nothing),
        "step": from_floats(np.zeros(1), np.zeros(2), np.array([0.0, 1.0]), np.ones(1)),
        "constant": from_floats(nothing, np.zeros(1), np.ones(1), nothing),
    }
    total = from_floats(nothing, np.zeros(1), np.zeros(1), nothing)
    for term in terms:
        inner = from_floats(nothing, np.array([term.slope]), np.array([term.intercept]), nothing)
        total = add(total, scale(compose(outer[term.kind], inner), term.weight))
    return total


def _is_exactly(terms: list[Term], f: Pieces) -> bool:
    try:
        g = _total(terms)
    except HalfwaveError:  # a partial sum overflows
        return False
    pairs = [(f.kinks, g.kinks), (f.slopes, g.slopes), (f.intercepts.high, g.intercepts.high)]
    return all(np.array_equal(a, b) for a, b in [*pairs, (f.jumps, g.jumps)])


def _rectified_term(change: float, intercept: Fraction, at: float, side: Literal[1, -1]) -> Term:
    """``(change x + intercept)`` beyond a kink: with the weight inside where that is as exact."""
    weight, size = side * change, abs(change)
    sign = 1 if weight > 0 else -1
    inside = Term(float(sign), "relu", side * size, _rounded(sign * intercept))
    outside = Term(weight, "relu", float(side), -side * at)
    if -inside.intercept / inside.slope != at:
        return outside
    errors = [abs(Fraction(t.weight) * Fraction(t.intercept) - intercept) for t in (inside, outside)]
    return inside if errors[0] < errors[1] or (errors[0] == errors[1] and weight > 0) else outside


def _line(slope: float, intercept: Fraction) -> tuple[list[Term], list[float]]:
    """The line ``slope x + intercept`` as ``slope (x − zero)`` where no float holds the intercept."""
    constant = _rounded(intercept)
    if not slope:
        return [], [constant]
    zero = _rounded(-intercept / Fraction(slope))
    by_constant = abs(Fraction(constant) - intercept)
    if np.isfinite(zero) and abs(-Fraction(slope) * Fraction(zero) - intercept) < by_constant:
        return [Term(slope, "line", 1.0, -zero)], []
    return [Term(slope, "line")], [constant]


def _constants(values: list[float]) -> list[Term]:
    """One constant if a float holds the sum, otherwise one for each."""
    total = sum(map(Fraction, values), Fraction(0))
    rounded = _rounded(total)
    return [Term(value) for value in ([rounded] if rounded == total else values) if value]


def _shortest_step(start: float, end: float) -> float:
    """The number with fewest digits that leads from start as near to end as floats allow."""
    step = end - start
    if not start or not step:
        return step
    shorter = [float(f"{step:.{digits}g}") for digits in range(1, 17)]
    hits = [number for number in shorter if start + number == end]
    return next((number for number in hits or shorter if start + number in (end, start + step)), step)


def _tidy(number: float, noise: float) -> float:
    """The number with fewest digits that is as near as the noise."""
    if abs(number) <= noise:
        return 0.0
    shorter = (float(f"{number:.{digits}g}") for digits in range(1, 17))
    return next((near for near in shorter if abs(near - number) <= noise), number)


def _intercept(f: Pieces, piece: int) -> Fraction:
    return Fraction(float(f.intercepts.high[piece])) + Fraction(float(f.intercepts.low[piece]))


def _rounded(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
