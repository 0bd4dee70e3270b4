"""Exact piecewise-linear functions of one variable: rectifiers, their sums, and their algebra.

Numbers or formulas enter; functions that can be added, composed, differentiated and integrated exactly leave. Read
`pieces` first, the data of a function, then `piecewise_linear`.

>>> from halfwave.functions import relu
>>> f = relu() - 2 * relu().compose(identity() - 1)
>>> f(1.5), f.roots(), f.integrate(0.0, 2.0)
(0.5, [-inf, 0.0, 2.0], 1.0)
"""

from __future__ import annotations

from halfwave.functions.calculus.convex_conjugate import ConvexConjugate
from halfwave.functions.calculus.piecewise_quadratic import PiecewiseQuadratic
from halfwave.functions.catalogue import (
    absolute,
    clipped_relu,
    double_relu,
    from_points,
    hard_tanh,
    hard_threshold,
    identity,
    leaky_relu,
    rectified_linear,
    relu,
    relu_sum,
    soft_threshold,
    step,
    thresholded_relu,
    two_sided_relu,
)
from halfwave.functions.parsing.parser import parse
from halfwave.functions.piecewise_linear import PiecewiseLinear

__all__ = [
    "ConvexConjugate",
    "PiecewiseLinear",
    "PiecewiseQuadratic",
    "absolute",
    "clipped_relu",
    "double_relu",
    "from_points",
    "hard_tanh",
    "hard_threshold",
    "identity",
    "leaky_relu",
    "parse",
    "rectified_linear",
    "relu",
    "relu_sum",
    "soft_threshold",
    "step",
    "thresholded_relu",
    "two_sided_relu",
]
