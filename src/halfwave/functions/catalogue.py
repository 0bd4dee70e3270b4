"""The named functions: rectifiers, shrinkages, and the mode of a two-sided unit."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import (
    finite_number,
    finite_vector,
    increasing_vector,
    non_negative_number,
    positive_number,
)
from halfwave.functions.double_double import DoubleDouble, exact, exact_product, join, running_sum
from halfwave.functions.pieces import build, from_floats, quiet, through_points
from halfwave.functions.piecewise_linear import PiecewiseLinear, from_pieces

Form = Literal["subtract", "keep", "floor"]


def identity() -> PiecewiseLinear:
    """The function ``x``, from which compositions start.

    >>> (2 * identity() + 1)(3.0)
    7.0
    """
    return PiecewiseLinear([], [1.0], [0.0])


def step(location: float = 0.0, height: float = 1.0) -> PiecewiseLinear:
    """A step ``height · 1[x > location]``, 0 at the location itself.

    Args:
        location: where it jumps; finite.
        height: the jump; finite.

    Raises:
        HalfwaveError: if an argument is not a finite number.

    >>> step()(np.array([-1.0, 0.0, 1.0]))
    array([0., 0., 1.])
    """
    at = np.array([finite_number("`location` of step", location)])
    jump = finite_number("`height` of step", height)
    return from_pieces(from_floats(at, np.zeros(2), np.array([0.0, jump]), np.array([jump])))


def relu() -> PiecewiseLinear:
    """The rectifier ``x⁺ = max(0, x)``, with derivative ``1[x > 0]``: 0 at 0, as in PyTorch.

    >>> relu()(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return thresholded_relu(0.0)


def rectified_linear(m: float, b: float) -> PiecewiseLinear:
    """One rectified linear term ``(m x + b)⁺``.

    Its kink is at ``−b/m``. The derivative there is the left one, hence 0 for m > 0 and m for m < 0.

    Args:
        m: slope; finite.
        b: intercept; finite.

    Raises:
        HalfwaveError: if an argument, or the kink, is not a finite number.

    >>> f = rectified_linear(-2.0, 1.0)
    >>> f(0.0), f(1.0), f.kinks
    (1.0, 0.0, array([0.5]))
    """
    return relu_sum(
        [finite_number("`m` of rectified_linear", m)], [finite_number("`b` of rectified_linear", b)]
    )


def double_relu(m1: float, b1: float, m2: float, b2: float) -> PiecewiseLinear:
    """The sum of two rectified linear terms ``(m1 x + b1)⁺ + (m2 x + b2)⁺``.

    Args:
        m1: slope of the first term; finite.
        b1: intercept of the first term; finite.
        m2: slope of the second term; finite.
        b2: intercept of the second term; finite.

    Raises:
        HalfwaveError: if an argument, or a kink, is not a finite number.

    >>> double_relu(1.0, 0.0, -1.0, 0.0) == absolute()
    True
    """
    named = {"m1": m1, "b1": b1, "m2": m2, "b2": b2}
    first, offset, second, other = (finite_number(f"`{k}` of double_relu", v) for k, v in named.items())
    return relu_sum([first, second], [offset, other])


@quiet
def relu_sum(
    slopes: npt.ArrayLike,
    intercepts: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    slope: float = 0.0,
    offset: float = 0.0,
) -> PiecewiseLinear:
    """A sum of rectified linear terms ``Σ_k weights[k] (slopes[k] x + intercepts[k])⁺ + slope x + offset``.

    Args:
        slopes: slope inside each term (n,); finite.
        intercepts: intercept inside each term (n,); finite.
        weights: factor before each term (n,); finite, of either sign; all 1 by default.
        slope: slope of the linear part; finite.
        offset: value of the linear part at zero; finite.

    Raises:
        HalfwaveError: if lengths differ, or a number or a kink is not finite.

    >>> hat = relu_sum([1, 1, 1], [0, -1, -2], weights=[1, -2, 1])
    >>> hat(np.array([0.5, 1.0, 1.5, 7.0]))
    array([0.5, 1. , 0.5, 0. ])
    """
    m = finite_vector("`slopes` of relu_sum", slopes)
    b = finite_vector("`intercepts` of relu_sum", intercepts, len(m))
    w = np.ones_like(m) if weights is None else finite_vector("`weights` of relu_sum", weights, len(m))
    line = np.array([finite_number("`slope` of relu_sum", slope)])
    level = np.array([finite_number("`offset` of relu_sum", offset)])
    kinks, weighted_slopes, weighted_intercepts = -b / m, exact_product(w, m), exact_product(w, b)
    # On the far left the falling terms are active, and constant ones where they are positive.
    begins = (m < 0) | ((m == 0) & (b > 0))
    order = np.argsort(kinks[m != 0], kind="stable")

    def along(terms: DoubleDouble, start: npt.NDArray[np.float64]) -> DoubleDouble:
        """The active terms summed on each piece, from left to right: rising terms enter, falling ones leave."""
        turning = terms[m != 0][order]
        leaves = (m[m != 0] < 0)[order]
        entering = DoubleDouble(np.where(leaves, -1, 1) * turning.high, np.where(leaves, -1, 1) * turning.low)
        first = running_sum(join((exact(start), terms[begins])))[-1:]
        return running_sum(join((first, entering)))

    slopes_on_pieces, intercepts_on_pieces = along(weighted_slopes, line), along(weighted_intercepts, level)
    at = kinks[m != 0][order]
    return from_pieces(build(at, slopes_on_pieces, intercepts_on_pieces, np.zeros_like(at)))


def thresholded_relu(threshold: float, form: Form = "subtract") -> PiecewiseLinear:
    """The thresholded rectifier, in one of the three forms that carry the name; T is the threshold.

    "subtract" is ``(x − T)⁺``; "keep" is ``x · 1[x > T]`` (ONNX, Keras, Caffe2), with a jump of T at T;
    "floor" is ``max(x, T)``. The derivative of each is ``1[x > T]``, for thresholds of either sign.

    Args:
        threshold: T; finite.
        form: "subtract", "keep" or "floor".

    Raises:
        HalfwaveError: if `threshold` is not a finite number or `form` is none of the three.

    >>> [thresholded_relu(1.0, form=form)(3.0) for form in ("subtract", "keep", "floor")]
    [2.0, 3.0, 3.0]
    >>> [thresholded_relu(1.0, form=form)(1.0) for form in ("subtract", "keep", "floor")]
    [0.0, 0.0, 1.0]
    """
    t = finite_number("`threshold` of thresholded_relu", threshold)
    lines = {"subtract": (0.0, -t, 0.0), "keep": (0.0, 0.0, t), "floor": (t, 0.0, 0.0)}
    if form not in tuple(lines):  # a tuple compares where a dictionary would hash
        raise HalfwaveError(f'`form` of thresholded_relu must be "subtract", "keep" or "floor"; got {form!r}')
    below, above, jump = lines[form]
    return from_pieces(
        from_floats(np.array([t]), np.array([0.0, 1.0]), np.array([below, above]), np.array([jump]))
    )


def leaky_relu(a: float = 0.01) -> PiecewiseLinear:
    """The leaky rectifier: ``x`` for x > 0, ``a x`` otherwise (derivative a at 0, as in PyTorch).

    Args:
        a: slope on the negative side; finite.

    Raises:
        HalfwaveError: if `a` is not a finite number.

    >>> leaky_relu(0.25)(np.array([-4.0, 2.0]))
    array([-1.,  2.])
    """
    return PiecewiseLinear([0.0], [finite_number("`a` of leaky_relu", a), 1.0], [0.0, 0.0])


def clipped_relu(c: float = 6.0) -> PiecewiseLinear:
    """The clipped rectifier ``min(max(0, x), c)``, ReLU6 for c = 6.

    Args:
        c: the ceiling; positive.

    Raises:
        HalfwaveError: if `c` is not a positive number.

    >>> clipped_relu()(np.array([-1.0, 2.0, 9.0]))
    array([0., 2., 6.])
    """
    ceiling = positive_number("`c` of clipped_relu", c)
    return PiecewiseLinear([0.0, ceiling], [0.0, 1.0, 0.0], [0.0, 0.0, ceiling])


def soft_threshold(lam: float = 0.5) -> PiecewiseLinear:
    """Soft thresholding ``sign(x) (|x| − λ)⁺``.

    Args:
        lam: λ, half the width of the dead zone; not negative.

    Raises:
        HalfwaveError: if `lam` is negative or not finite.

    >>> soft_threshold(1.0)(np.array([-3.0, 0.5, 3.0]))
    array([-2.,  0.,  2.])
    """
    half = non_negative_number("`lam` of soft_threshold", lam)
    return two_sided_relu(half, -half, 1.0, 1.0)


def hard_threshold(lam: float = 0.5) -> PiecewiseLinear:
    """Hard thresholding: ``x`` where |x| > λ, 0 between.

    The jumps belong to their left pieces, so that the value is −λ at −λ (the left line) and 0 at λ.

    Args:
        lam: λ, half the width of the gap; not negative.

    Raises:
        HalfwaveError: if `lam` is negative or not finite.

    >>> hard_threshold(1.0)(np.array([-3.0, 0.5, 3.0]))
    array([-3.,  0.,  3.])
    """
    half = non_negative_number("`lam` of hard_threshold", lam)
    jumps = np.array([half, half])
    return from_pieces(from_floats(np.array([-half, half]), np.array([1.0, 0.0, 1.0]), np.zeros(3), jumps))


def hard_tanh() -> PiecewiseLinear:
    """The hard hyperbolic tangent ``min(max(−1, x), 1)``.

    >>> hard_tanh()(np.array([-3.0, 0.5, 3.0]))
    array([-1. ,  0.5,  1. ])
    """
    return PiecewiseLinear([-1.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 1.0])


def absolute() -> PiecewiseLinear:
    """The absolute value ``|x|``; its derivative at 0 is the left one, −1.

    >>> absolute()(np.array([-3.0, 0.5]))
    array([3. , 0.5])
    """
    return PiecewiseLinear([0.0], [-1.0, 1.0], [0.0, 0.0])


@quiet
def two_sided_relu(theta_pos: float, theta_neg: float, gamma_pos: float, gamma_neg: float) -> PiecewiseLinear:
    """The mode of a dReLU unit, ``argmax_h [x h − U(h)]``, as a function of its input x.

    With ``t± = x − θ±``: for ``θ⁻ ≤ θ⁺`` it is ``(t⁺)⁺/γ⁺ + (t⁻)⁻/γ⁻``, a soft threshold with the dead zone
    ``[θ⁻, θ⁺]``. For ``θ⁺ < θ⁻`` both sides are wells between the thresholds, and the mode jumps from
    ``t⁻/γ⁻`` to ``t⁺/γ⁺`` where the wells are equally deep, ``(t⁺)²/γ⁺ = (t⁻)²/γ⁻``: at
    ``x = θ⁺ + (θ⁻ − θ⁺) √γ⁺/(√γ⁺ + √γ⁻)``, by ``(θ⁻ − θ⁺)/√(γ⁺γ⁻)``. At that one point the unit's own tie
    rule takes the positive side; this function, like every one here, takes the left piece, the negative side.

    Args:
        theta_pos: θ⁺, threshold of the positive side; finite.
        theta_neg: θ⁻, threshold of the negative side; finite.
        gamma_pos: γ⁺, curvature of the positive side; positive.
        gamma_neg: γ⁻, curvature of the negative side; positive.

    Raises:
        HalfwaveError: if a threshold is not finite or a curvature not positive.

    The dReLU potential is that of Tubiana, Cocco and Monasson, eLife 8, e39397 (2019).

    >>> two_sided_relu(1.0, -1.0, 1.0, 2.0)(np.array([-3.0, 0.0, 3.0]))
    array([-1.,  0.,  2.])
    >>> two_sided_relu(-1.0, 1.0, 1.0, 1.0).point_masses()
    [(0.0, 2.0)]
    """
    pos = finite_number("`theta_pos` of two_sided_relu", theta_pos)
    neg = finite_number("`theta_neg` of two_sided_relu", theta_neg)
    curve_pos = positive_number("`gamma_pos` of two_sided_relu", gamma_pos)
    curve_neg = positive_number("`gamma_neg` of two_sided_relu", gamma_neg)
    if neg <= pos:
        slopes, thresholds = np.array([1 / curve_neg, 0.0, 1 / curve_pos]), np.array([neg, 0.0, pos])
        at = np.array([neg, pos])
        return from_pieces(through_points(at, slopes, thresholds, np.zeros(3), np.zeros(2)))
    root_pos, root_neg = np.sqrt(curve_pos), np.sqrt(curve_neg)
    at = np.array([pos + (neg - pos) * (root_pos / (root_pos + root_neg))])
    jump = np.array([(neg - pos) / root_pos / root_neg])
    slopes, thresholds = np.array([1 / curve_neg, 1 / curve_pos]), np.array([neg, pos])
    return from_pieces(through_points(at, slopes, thresholds, np.zeros(2), jump))


@quiet
def from_points(x: npt.ArrayLike, y: npt.ArrayLike) -> PiecewiseLinear:
    """Linear interpolation through the points (x[i], y[i]); the end slopes continue outwards.

    Args:
        x: abscissae (n,), n ≥ 2, finite, strictly increasing.
        y: ordinates (n,), finite.

    Raises:
        HalfwaveError: if there are fewer than two points, lengths differ, a number is not finite, or `x` is
            unsorted or has duplicates.

    >>> f = from_points([0, 1, 3], [0, 2, 0])
    >>> f(np.array([-1.0, 0.5, 2.0, 5.0]))
    array([-2.,  1.,  1., -2.])
    """
    at = increasing_vector("`x` of from_points", x)
    heights = finite_vector("`y` of from_points", y, len(at))
    if len(at) < 2:
        raise HalfwaveError(f"from_points needs at least two points; got {len(at)}")
    x_exact, y_exact = exact(at), exact(heights)
    slopes = (y_exact[1:] - y_exact[:-1]) / (x_exact[1:] - x_exact[:-1])
    intercepts = y_exact[:-1] - slopes * x_exact[:-1]
    return from_pieces(build(at[1:-1], slopes, intercepts, np.zeros(len(at) - 2)))
