"""What annealing runs return, and how their weights combine into estimates of ``log Z``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["AnnealingResult", "Sandwich", "bennett", "summarise"]


@dataclass(frozen=True)
class AnnealingResult:
    """What one annealing run says about ``log Z``."""

    log_partition: float
    """The estimate, in nats: biased low if forward, high if reverse."""
    standard_error: float
    """Of the estimate, from the spread of the weights; too small where the effective sample size is a few."""
    direction: Literal["forward", "reverse"]
    """Forward: from the reference to the machine. Reverse: from samples of the machine to the reference."""
    log_weights: Tensor
    """Each chain's own estimate ``ℓ`` of ``log Z`` ``(chains,)``, double precision. ``log_partition`` is
    ``log mean exp ℓ`` forward and ``−log mean exp(−ℓ)`` in reverse."""
    effective_sample_size: float
    """``(Σ w)²/Σ w²`` of the weights ``w = exp(±ℓ)``, between 1 and the number of chains."""
    betas: Tensor
    """The temperatures, increasing from 0 to 1, double precision."""

    @property
    def bound(self) -> Literal["lower", "upper"]:
        """Which side of ``log Z`` the estimate lies on, in expectation."""
        return "lower" if self.direction == "forward" else "upper"


@dataclass(frozen=True)
class Sandwich:
    """``log Z`` between annealing in both directions."""

    lower: float
    """The forward estimate, a lower bound in expectation."""
    lower_error: float
    """Its standard error."""
    upper: float
    """The reverse estimate, an upper bound in expectation if the chains started at equilibrium."""
    upper_error: float
    """Its standard error."""
    estimate: float
    """Bennett's acceptance ratio: the best estimate that both sets of weights allow together."""
    estimate_error: float
    """Its standard error."""
    forward: AnnealingResult
    reverse: AnnealingResult

    @property
    def width(self) -> float:
        """``upper − lower``; what is not due to the standard errors is lack of temperatures or of equilibrium."""
        return self.upper - self.lower


def summarise(
    direction: Literal["forward", "reverse"], log_weights: Tensor, schedule: Sequence[float]
) -> AnnealingResult:
    """The result that the chains' own estimates of ``log Z`` ``(chains,)`` and the temperatures make."""
    sign, count = (1.0 if direction == "forward" else -1.0), len(log_weights)
    mean = (sign * log_weights).logsumexp(0).item() - math.log(count)
    ratios = (sign * log_weights - mean).exp()
    return AnnealingResult(
        log_partition=sign * mean,
        # delta method: the relative error of the mean weight
        standard_error=(ratios.std() / math.sqrt(count)).item(),
        direction=direction,
        log_weights=log_weights,
        effective_sample_size=(count**2 / ratios.square().sum()).item(),
        betas=torch.tensor(schedule, dtype=torch.float64),
    )


def bennett(forward: Tensor, reverse: Tensor) -> tuple[float, float]:
    """``log Z`` from the chains of both directions, and its standard error.

    The solution ``z`` of ``Σ σ(ℓ_f − z − M) = Σ σ(z − ℓ_r + M)`` with ``M = log(n_f/n_r)``, Bennett's acceptance
    ratio: of all estimates from both sets of weights the one with the least variance.

    Args:
        forward, reverse: each chain's own estimate of ``log Z``, ``(chains,)``.

    >>> ones = torch.ones(3, dtype=torch.float64)
    >>> [round(value, 9) for value in bennett(ones[:2], ones)]
    [1.0, 0.0]

    Source: Bennett, J. Comput. Phys. 22 (1976) 245, eqs. 10 and 12.
    """
    offset = math.log(len(forward) / len(reverse))
    low = min(forward.min().item(), reverse.min().item()) - abs(offset)
    high = max(forward.max().item(), reverse.max().item()) + abs(offset)

    def log_terms(z: float) -> tuple[Tensor, Tensor]:
        return F.logsigmoid(forward - z - offset), F.logsigmoid(z - reverse + offset)

    for _ in range(100):  # halvings: more than double precision resolves
        z = 0.5 * (low + high)
        ahead, behind = log_terms(z)
        low, high = (z, high) if bool(ahead.logsumexp(0) > behind.logsumexp(0)) else (low, z)
    ahead, behind = log_terms(low)
    variance = _relative_variance(ahead) + _relative_variance(behind)
    return low, math.sqrt(variance)


def _relative_variance(log_terms: Tensor) -> float:
    """Variance of the mean of positive terms over its square; from logs, for terms that underflow."""
    ratio = (2.0 * log_terms).logsumexp(0) - 2.0 * log_terms.logsumexp(0)
    return max(math.expm1(ratio.item() + math.log(len(log_terms))), 0.0) / len(log_terms)
