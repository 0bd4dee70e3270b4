"""Exact values of the rectified units in 50-digit arithmetic, and how strongly they depend on their arguments.

Everything is computed with mpmath from the definitions (complementary error function, logistic mixture), with
enough guard digits that the cancellation of ``hazard − a`` and of its powers up to ``a = 2e6`` leaves 50 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from mpmath import erfc, exp, log, mp, mpf, pi, sqrt

DIGITS = 50
GUARD = 60


class Excess(NamedTuple):
    """Excess ``Z − a`` of a standard normal over ``a``, given that it is positive."""

    mean: mpf
    variance: mpf
    log_mills: mpf
    """log ∫₀^∞ exp(−e²/2 − a e) de"""
    scale: mpf
    """The same integral without its factor exp(a²/2) for a < 0."""


class Side(NamedTuple):
    """One side of a dReLU unit: its Γ and the moments of ``|x|``."""

    cgf: mpf
    mean: mpf
    second: mpf


def excess(a: mpf) -> Excess:
    """Moments and normalisation of the excess over ``a``."""
    with mp.workdps(DIGITS + GUARD):
        mass = erfc(a / sqrt(2))
        mean = exp(-a * a / 2) * sqrt(2 / pi) / mass - a
        scale = mass * sqrt(pi / 2) * exp(max(a, mpf(0)) ** 2 / 2)
        return Excess(mean, 1 - mean * (mean + a), log(scale) + min(a, mpf(0)) ** 2 / 2, scale)


def third_cumulant(a: mpf) -> mpf:
    """Third cumulant of the excess over ``a``, ``−d variance/d a``."""
    with mp.workdps(DIGITS + GUARD):
        mean, variance, *_ = excess(a)
        return mean - variance * (a + 2 * mean)


def fourth_cumulant(a: mpf) -> mpf:
    """Fourth cumulant of the excess over ``a``, ``−d third_cumulant/d a``."""
    with mp.workdps(DIGITS + GUARD):
        mean, variance, *_ = excess(a)
        return 2 * variance * (1 - variance) - third_cumulant(a) * (a + 2 * mean)


def survival(a: mpf, e: mpf) -> mpf:
    """``P(Z − a > e | Z > a)``."""
    with mp.workdps(DIGITS):
        return erfc((a + e) / sqrt(2)) / erfc(a / sqrt(2))


@lru_cache(maxsize=4096)
def side(t: mpf, gamma: mpf) -> Side:
    """The side ``x ≥ 0`` with potential ``γ x²/2 − t x``."""
    with mp.workdps(DIGITS + GUARD):
        mean, variance, log_mills, _ = excess(-t / sqrt(gamma))
        return Side(log_mills - log(gamma) / 2, mean / sqrt(gamma), (variance + mean * mean) / gamma)


def relu(t: mpf, gamma: mpf) -> dict[str, mpf]:
    """Exact values of a ReLU unit driven by ``t = I − θ``."""
    with mp.workdps(DIGITS + GUARD):
        cgf, mean, second = side(t, gamma)
        variance = second - mean * mean
        return {
            "cgf": cgf,
            "mean": mean,
            "variance": variance,
            "std": sqrt(variance),
            "mean_abs": mean,
            "x": mean,
            "x_squared": second,
        }


def drelu(t_pos: mpf, t_neg: mpf, gamma_pos: mpf, gamma_neg: mpf) -> dict[str, mpf]:
    """Exact values of a dReLU unit driven by ``t± = I − θ±``."""
    with mp.workdps(DIGITS + GUARD):
        pos, neg = side(t_pos, gamma_pos), side(-t_neg, gamma_neg)
        prob_pos = 1 / (1 + exp(neg.cgf - pos.cgf))
        prob_neg = 1 / (1 + exp(pos.cgf - neg.cgf))
        x_pos, x_neg = prob_pos * pos.mean, -prob_neg * neg.mean
        between = prob_pos * prob_neg * (pos.mean + neg.mean) ** 2
        within = prob_pos * (pos.second - pos.mean**2) + prob_neg * (neg.second - neg.mean**2)
        return {
            "cgf": max(pos.cgf, neg.cgf) + log(1 + exp(-abs(pos.cgf - neg.cgf))),
            "mean": x_pos + x_neg,
            "variance": within + between,
            "std": sqrt(within + between),
            "mean_abs": x_pos - x_neg,
            "x_pos": x_pos,
            "x_neg": x_neg,
            "x_pos_squared": prob_pos * pos.second,
            "x_neg_squared": prob_neg * neg.second,
            "prob_pos": prob_pos,
            "prob_neg": prob_neg,
        }


def log_density(x: mpf, t_pos: mpf, t_neg: mpf, gamma_pos: mpf, gamma_neg: mpf) -> dict[str, mpf]:
    """Exact log density of a dReLU unit at ``x``, driven by ``t± = I − θ±``."""
    with mp.workdps(DIGITS + GUARD):
        pos, neg = side(t_pos, gamma_pos).cgf, side(-t_neg, gamma_neg).cgf
        cgf = max(pos, neg) + log(1 + exp(-abs(pos - neg)))
        exponent = t_pos * x - gamma_pos * x * x / 2 if x >= 0 else t_neg * x - gamma_neg * x * x / 2
        return {"log_prob": exponent - cgf}


def relu_log_density(x: mpf, t: mpf, gamma: mpf) -> dict[str, mpf]:
    """Exact log density of a ReLU unit at ``x ≥ 0``, driven by ``t = I − θ``."""
    with mp.workdps(DIGITS + GUARD):
        return {"log_prob": t * x - gamma * x * x / 2 - side(t, gamma).cgf}


def asymmetric(
    inputs: mpf, theta: mpf, gamma: mpf, delta: mpf, one_plus: mpf, one_minus: mpf
) -> dict[str, mpf]:
    """Exact values of a unit of the dReLU family from ``1 + η`` and ``1 − η``."""
    with mp.workdps(DIGITS + GUARD):
        theta_pos, theta_neg = theta + delta / one_plus, theta - delta / one_minus
        return drelu(inputs - theta_pos, inputs - theta_neg, gamma / one_plus, gamma / one_minus)


def prelu(inputs: mpf, theta: mpf, gamma: mpf, delta: mpf, eta: mpf) -> dict[str, mpf]:
    """Exact values of a pReLU unit."""
    with mp.workdps(DIGITS + GUARD):
        return asymmetric(inputs, theta, gamma, delta, 1 + eta, 1 - eta)


def xrelu(inputs: mpf, theta: mpf, gamma: mpf, delta: mpf, xi: mpf) -> dict[str, mpf]:
    """Exact values of an xReLU unit."""
    with mp.workdps(DIGITS + GUARD):
        return prelu(inputs, theta, gamma, delta, xi / (1 + abs(xi)))


def nsrelu(inputs: mpf, theta: mpf, delta: mpf, xi: mpf) -> dict[str, mpf]:
    """Exact values of an nsReLU unit."""
    return xrelu(inputs, theta, mpf(1), delta, xi)


def movement(
    function: Callable[..., dict[str, mpf]], arguments: tuple[mpf, ...], relative: float
) -> dict[str, mpf]:
    """By how much the values of an exact function move when each argument in turn moves by this relative amount.

    The function is evaluated at the moved points; of up and down the larger movement counts, and the movements
    are summed over the arguments. This is the conditioning of the problem: no algorithm that rounds its
    arguments to this precision can be expected to come closer than that.
    """
    exact = function(*arguments)
    total = dict.fromkeys(exact, mpf(0))
    for place, argument in enumerate(arguments):
        up, down = (
            function(*arguments[:place], argument * factor, *arguments[place + 1 :])
            for factor in (1 + mpf(relative), 1 - mpf(relative))
        )
        for key, value in exact.items():
            total[key] += max(abs(up[key] - value), abs(down[key] - value))
    return total
