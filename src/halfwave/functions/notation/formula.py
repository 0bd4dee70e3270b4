"""Functions as formulas: sums of rectified terms or cases, as plain text or in LaTeX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.functions.double_double import DoubleDouble, exact, exact_product
from halfwave.functions.evaluation import Table
from halfwave.functions.notation.numbers import Plain
from halfwave.functions.pieces import Pieces, quiet
from halfwave.functions.relu_terms import Term, line_terms, relu_terms

Style = Literal["relu", "cases"]


def write(f: Pieces, notation: Plain, style: Style) -> str:
    """A piecewise-linear function in one of the two styles."""
    styles: dict[str, Callable[[Pieces, Plain], str]] = {"relu": _as_sum, "cases": _as_cases}
    if style not in tuple(styles):  # a tuple compares where a dictionary would hash
        raise HalfwaveError(f'`style` of a formula must be "relu" or "cases"; got {style!r}')
    return styles[style](f, notation)


def write_on_interval(f: Pieces, notation: Plain, domain: tuple[float, float]) -> str:
    """A function that is infinite outside a closed interval, as cases."""
    low, high = domain
    starts = np.concatenate(([low], f.kinks)).tolist()
    ends = np.concatenate((f.kinks, [high])).tolist()
    rows = [
        (notation.sum(line_terms(f, i)), notation.interval(start, end, closed=i == 0))
        for i, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    return notation.cases(rows, rest=True)


@quiet
def write_parabolas(f: Pieces, table: Table, notation: Plain) -> str:
    """An antiderivative of f, whose table this is, as cases."""
    anchors, (values, _, curvatures) = table.anchors, table.coefficients
    below = exact_product(curvatures, anchors) + f.intercepts
    constants: DoubleDouble = exact(values) - below * exact(anchors)
    columns = (curvatures, f.intercepts.high, constants.high)
    rows = [
        (notation.sum([Term(a, "square"), Term(b, "line"), Term(c)]), notation.interval(start, end))
        for a, b, c, start, end in zip(*(c.tolist() for c in (*columns, f.starts, f.ends)), strict=True)
    ]
    return notation.cases(rows)


def _as_sum(f: Pieces, notation: Plain) -> str:
    return notation.sum(relu_terms(f))


def _as_cases(f: Pieces, notation: Plain) -> str:
    bounds = zip(f.starts.tolist(), f.ends.tolist(), strict=True)
    return notation.cases(
        [(notation.sum(line_terms(f, i)), notation.interval(*ends)) for i, ends in enumerate(bounds)]
    )
