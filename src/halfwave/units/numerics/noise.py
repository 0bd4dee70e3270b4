"""Uniform random numbers in (0, 1], and the excess of a normal variable over a threshold made from them.

Samplers are split in two: numbers drawn from an explicit ``torch.Generator``, and a pure function of them that
can be compiled, differentiated in thought, and tested deterministically.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from halfwave.units.numerics import coefficients
from halfwave.units.numerics.tails import Tail, greater, rational, tail

__all__ = ["as_uniform", "excess_from_uniform", "random_words", "uniform"]

_SWITCH = 5.0
"""Thresholds above this use the integrated hazard, those below the normal quantile."""


def random_words(
    shape: Sequence[int],
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Raw material for uniform numbers, shape ``shape``: what `as_uniform` turns into numbers in (0, 1].

    Single precision on the CPU takes two 32-bit integers from each 64-bit draw: 1.3 ns a number instead of the
    2.2 ns of ``torch.rand``, and a resolution of 2⁻³¹ near zero instead of 2⁻²⁴, which matters for rare events.
    They stay integers until a sampler uses them, so that a compiled sampler converts them on the fly.
    """
    device = torch.device(device)
    if dtype == torch.float32 and device.type == "cpu":
        count = math.prod(shape)
        bits = torch.empty((count + 1) // 2, dtype=torch.int64).random_(-(2**63), None, generator=generator)
        return bits.view(torch.int32)[:count].reshape(tuple(shape))
    return torch.rand(tuple(shape), generator=generator, dtype=dtype, device=device)


def as_uniform(words: Tensor) -> Tensor:
    """Uniform numbers in (0, 1], never 0, from `random_words`; uniform floats may be given as well.

    >>> as_uniform(torch.tensor([0, 2**30, -(2**31)], dtype=torch.int32))
    tensor([2.3283e-10, 5.0000e-01, 1.0000e+00])
    """
    if words.dtype == torch.int32:
        return words.to(torch.float32).abs_().add_(0.5).mul_(2.0**-31)
    return words.clamp(min=2.0**-60 if words.dtype == torch.float64 else 2.0**-32, max=1.0)


def uniform(
    shape: Sequence[int],
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Independent uniform numbers in (0, 1], never 0, shape ``shape``."""
    return as_uniform(random_words(shape, generator, dtype, device))


def _normal_quantile(survival: Tensor) -> Tensor:
    """z with P(Z > z) = ``survival`` in (0, 1]."""
    side = torch.sign(0.5 - survival)
    smaller = torch.minimum(survival, 1.0 - survival)
    if survival.dtype == torch.float64:
        return -torch.special.ndtri(smaller.clamp_(min=1e-40)).mul_(side)
    w = torch.log(smaller.clamp_(min=1e-17) * 2.0).neg_().clamp_(min=0.0)
    return rational(coefficients.QUANTILE_SINGLE, w).mul_(w).mul_(side)


def _excess_far(a: Tensor, values: Tail, exponential: Tensor) -> Tensor:
    """Solve ``∫ₐ^{a+e} hazard = exponential`` for ``a ≥ 5``: second-order solution, third-order correction."""
    hazard = a + values.mean
    slope = 1.0 - values.variance
    root = torch.sqrt(hazard * hazard + 2.0 * slope * exponential)
    excess = 2.0 * exponential / (hazard + root)
    curvature = values.mean - values.variance * (hazard + values.mean)
    return excess - curvature * excess * excess * excess / (6.0 * root)


def _polish(a: Tensor, excess: Tensor, exponential: Tensor) -> Tensor:
    """Two Newton steps on the integrated hazard bring double precision to its own accuracy."""
    start = tail(a)
    for _ in range(2):
        end = tail(a + excess)
        # a ratio of two numbers next to each other: the difference of their logs would be less accurate
        integrated = (a + 0.5 * excess) * excess + torch.log(start.scale / end.scale)
        excess = excess - (integrated - exponential) * end.scale
    return excess


def excess_from_uniform(a: Tensor, values: Tail, numbers: Tensor) -> Tensor:
    """The excess ``e ≥ 0`` of a standard normal over ``a`` whose survival probability is ``numbers`` in (0, 1].

    Args:
        a: thresholds in standard deviations, any shape.
        values: ``tail(a)``.
        numbers: survival probabilities, same shape.

    Returns:
        ``e`` with ``P(Z − a > e | Z > a) = numbers``; relative error about 1e-6 in float32 up to 1e6 standard
        deviations.
    """
    exponential = -torch.log(numbers)
    # for a > 0 this is φ(a)·mills(a) = P(Z > a), for a < 0 the scale already is √2π·P(Z > a)
    above = greater(a, 0.0)
    density = torch.exp(a * a * -0.5)
    mass = (
        values.scale * torch.lerp(torch.ones_like(density), density, above) * (1.0 / math.sqrt(2.0 * math.pi))
    )
    near = _normal_quantile(mass * numbers) - a
    clamped = a.clamp(min=_SWITCH)
    far = _excess_far(clamped, values, exponential)
    if a.dtype == torch.float64:
        far = _polish(clamped, far, exponential)
    return torch.lerp(near, far, greater(a, _SWITCH)).clamp_(min=0.0)
