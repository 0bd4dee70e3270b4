"""Gaussian moments on NumPy arrays: closed forms where they keep their digits, quadrature where they would not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import real_array
from halfwave.functions.double_double import Vector
from halfwave.functions.pieces import Pieces

__all__ = ["moment_of_arrays"]

_FAR = 40.0  # standard deviations; the density underflows beyond 38.6
_TAIL = 1.0  # standard deviations, from where on the closed forms lose digits
_DEPTH = 40.0  # the exponent falls by this much over the part of a tail that counts
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(30)


def moment_of_arrays(pieces: Pieces, power: int, mu: Any, sigma: Any) -> Any:
    """``E f(μ + σ Z)^power`` for power 1 or 2, in the broadcast shape of mu and sigma; a float for scalars."""
    mean, deviation = _broadcast(real_array("`mu`", mu), real_array("`sigma`", sigma))
    bad = ~((deviation >= 0) & np.isfinite(deviation))
    if bad.any():
        raise HalfwaveError(f"`sigma` must be finite and not negative; got {float(deviation[bad][0])!r}")
    # A point mass: σ = 0, or a mean so far out that the whole distribution is there.
    point = (deviation == 0) | ~np.isfinite(mean)
    with np.errstate(over="ignore"):
        result = np.asarray(pieces(mean) ** power)
        result[~point] = _moment(pieces, power, mean[~point], deviation[~point])
    return result if result.ndim else float(result)


def _broadcast(mu: npt.NDArray[Any], sigma: npt.NDArray[Any]) -> tuple[Vector, Vector]:
    try:
        mean, deviation = np.broadcast_arrays(mu, sigma)
    except ValueError as error:
        raise HalfwaveError(
            f"`mu` and `sigma` must have shapes that broadcast; got {mu.shape} and {sigma.shape}"
        ) from error
    return mean.astype(np.float64), deviation.astype(np.float64)


def _moment(pieces: Pieces, power: int, mu: Vector, sigma: Vector) -> Vector:
    total = np.zeros_like(mu)
    for i, (start, end) in enumerate(zip(pieces.starts, pieces.ends, strict=True)):
        alpha, beta = (start - mu) / sigma, (end - mu) / sigma
        width = (end - start) / sigma
        # The end nearer the mean, with the z axis turned so that the piece begins there.
        flip = np.abs(beta) < np.abs(alpha)
        near = np.where(flip, -beta, alpha)
        cancels = (near > _TAIL) | (width * (1 + np.maximum(np.abs(alpha), np.abs(beta))) < 1)
        slope = pieces.slopes[i] * sigma
        part = _wide_moment(power, pieces.line(np.intp(i), mu), slope, alpha, beta)
        if cancels.any():
            height = pieces.line(np.intp(i), np.where(flip, end, start)[cancels])
            turned = np.where(flip, -slope, slope)[cancels]
            part[cancels] = _small_moment(power, height, turned, near[cancels], width[cancels])
        total += part
    return total


def _wide_moment(power: int, height: Vector, slope: Vector, alpha: Vector, beta: Vector) -> Vector:
    """``∫ (height + slope z)^power φ(z) dz`` over [alpha, beta] in closed form."""
    from scipy.special import ndtr

    alpha, beta = np.clip(alpha, -_FAR, _FAR), np.clip(beta, -_FAR, _FAR)
    # Differences of tail probabilities lose digits unless they are taken in the tail they lie in.
    mass = np.where(alpha > 0, ndtr(-alpha) - ndtr(-beta), ndtr(beta) - ndtr(alpha))
    first = _density(alpha) - _density(beta)
    if power == 1:
        return height * mass + slope * first
    second = mass + alpha * _density(alpha) - beta * _density(beta)
    return height * height * mass + 2 * height * slope * first + slope * slope * second


def _small_moment(power: int, height: Vector, slope: Vector, near: Vector, width: Vector) -> Vector:
    """``∫ (height + slope u)^power φ(near + u) du`` over [0, width] for a narrow piece or one in a tail.

    There the closed form subtracts nearly equal numbers. Thirty Gauss-Legendre nodes are exact to rounding.
    """
    length = np.minimum(width, np.sqrt(near * near + 2 * _DEPTH) - near)
    total = np.zeros_like(near)
    for node, weight in zip((1 + _NODES) / 2, _WEIGHTS / 2, strict=True):
        total += weight * (height + slope * length * node) ** power * _density(near + length * node)
    return total * length


def _density(z: Vector) -> Vector:
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
