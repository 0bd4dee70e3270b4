"""Gaussian moments on torch tensors, differentiable as often as one likes; the only file here that needs torch.

The mean ``M(μ, σ) = E g(μ + σ Z)`` obeys the heat equation ``∂M/∂σ = σ ∂²M/∂μ²``, so that both derivatives are
means of derivatives of g, with a density for each jump and each kink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from halfwave.errors import HalfwaveError
from halfwave.functions.algebra import differentiate
from halfwave.functions.calculus.gaussian_arrays import moment_of_arrays
from halfwave.functions.checks import real_array
from halfwave.functions.double_double import Vector, exact, exact_product
from halfwave.functions.pieces import Pieces, build, quiet

_FAR = 40.0  # standard deviations; the density underflows before


@dataclass(frozen=True, slots=True)
class _Integrand:
    """``g = f^power`` with its derivative, and at the kinks of f the jumps of g and of the derivative."""

    f: Pieces
    power: int
    derivative: Pieces
    jumps: Vector  # (k,)
    turns: Vector  # (k,)


def moment_of_tensors(f: Pieces, power: int, mu: Any, sigma: Any) -> torch.Tensor:
    """``E f(μ + σ Z)^power`` for power 1 or 2, in the promoted dtype and on the device of mu and sigma."""
    mean, deviation = _as_tensors(mu, sigma)
    dtype = torch.result_type(mean, deviation)
    if not dtype.is_floating_point:
        dtype = torch.get_default_dtype()
    # The kernel is NumPy's, and Apple's device has no float64.
    wide = [tensor.to("cpu", torch.float64) for tensor in (mean, deviation)]
    try:
        wide = torch.broadcast_tensors(*wide)
    except RuntimeError as error:
        shapes = f"{tuple(mean.shape)} and {tuple(deviation.shape)}"
        raise HalfwaveError(f"`mu` and `sigma` must have shapes that broadcast; got {shapes}") from error
    return _mean(_integrand(f, power), *wide).to(mean.device, dtype)


def _as_tensors(mu: Any, sigma: Any) -> tuple[torch.Tensor, torch.Tensor]:
    device = mu.device if isinstance(mu, torch.Tensor) else sigma.device
    mean, deviation = (
        value if isinstance(value, torch.Tensor) else torch.as_tensor(_plain(name, value), device=device)
        for name, value in (("`mu`", mu), ("`sigma`", sigma))
    )
    for name, tensor in (("`mu`", mean), ("`sigma`", deviation)):
        if tensor.is_complex():
            raise HalfwaveError(f"{name} must be real numbers; got a tensor of dtype {tensor.dtype}")
    return mean, deviation


def _plain(name: str, value: Any) -> Any:
    # A Python number takes the dtype of the tensor beside it; an array keeps its own.
    return value if isinstance(value, (int, float)) else real_array(name, value)


@quiet
def _integrand(f: Pieces, power: int) -> _Integrand:
    left = f.left_values()
    if power == 1:
        return _Integrand(f, 1, differentiate(f), f.jumps, np.diff(f.slopes))
    # (f²)′ = 2 f f′ is again piecewise linear
    turns = 2 * (f.slopes[1:] * f.right_values() - f.slopes[:-1] * left)
    slopes = exact_product(2 * f.slopes, f.slopes)
    derivative = build(f.kinks, slopes, f.intercepts * exact(2 * f.slopes), turns)
    return _Integrand(f, 2, derivative, f.jumps * (2 * left + f.jumps), turns)


def _mean(g: _Integrand, mu: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return _Mean.apply(mu, sigma, g)  # pyright: ignore[reportReturnType]


class _Mean(torch.autograd.Function):
    """The NumPy kernel forwards; backwards further means, which are differentiable themselves."""

    @staticmethod
    def forward(ctx: Any, mu: torch.Tensor, sigma: torch.Tensor, g: _Integrand) -> torch.Tensor:
        ctx.save_for_backward(mu, sigma)
        ctx.integrand = g
        values = moment_of_arrays(g.f, g.power, mu.detach().numpy(), sigma.detach().numpy())
        return torch.as_tensor(values, dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        mu, sigma = ctx.saved_tensors
        g: _Integrand = ctx.integrand
        by_mu = grads[0] * _slope(g, mu, sigma) if ctx.needs_input_grad[0] else None
        by_sigma = grads[0] * _spread(g, mu, sigma) if ctx.needs_input_grad[1] else None
        return by_mu, by_sigma, None


def _slope(g: _Integrand, mu: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """``∂M/∂μ = E g′ + Σ_k jump_k φ(z_k)/σ``; for σ = 0 the jumps, of infinite slope, are left out."""
    total = _mean(_integrand(g.derivative, 1), mu, sigma)
    spread = torch.where(sigma > 0, sigma, torch.inf)
    for at, jump in zip(g.f.kinks.tolist(), g.jumps.tolist(), strict=True):
        if jump:
            total = total + jump * _density(_standard(at, mu, sigma)) / spread
    return total


def _spread(g: _Integrand, mu: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """``∂M/∂σ = σ E g″ + Σ_k φ(z_k) (turn_k + jump_k z_k/σ)``, with g″ as on the pieces."""
    total = sigma * _mean(_integrand(differentiate(g.derivative), 1), mu, sigma)
    spread = torch.where(sigma > 0, sigma, torch.inf)
    for at, turn, jump in zip(*(v.tolist() for v in (g.f.kinks, g.turns, g.jumps)), strict=True):
        z = _standard(at, mu, sigma)
        total = total + _density(z) * (turn + jump * z / spread)
    return total


def _standard(at: float, mu: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """``(at − μ)/σ``, cut where the density is zero anyway; for σ = 0 the limit from above."""
    distance = at - mu
    limit = torch.where(distance == 0, distance, torch.copysign(torch.full_like(distance, _FAR), distance))
    z = torch.where(sigma > 0, distance / torch.where(sigma > 0, sigma, 1.0), limit.detach())
    return z.clamp(-_FAR, _FAR)


def _density(z: torch.Tensor) -> torch.Tensor:
    return torch.exp(-0.5 * z * z) / (2 * torch.pi) ** 0.5
