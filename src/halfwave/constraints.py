"""Constraints on parameters and values, declared as data, with one generator of messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError

__all__ = ["CONSTRAINTS", "Constraint", "first_index", "require"]


@dataclass(frozen=True)
class Constraint:
    """A rule for the elements of a tensor: its wording and its test."""

    words: str
    holds: Callable[[Tensor], Tensor]


CONSTRAINTS = {
    "finite": Constraint("finite", torch.isfinite),
    "positive": Constraint("positive", lambda x: torch.isfinite(x) & (x > 0)),
    "inside (-1, 1)": Constraint("inside (-1, 1)", lambda x: x.abs() < 1),
    "0 or 1": Constraint("0 or 1", lambda x: (x == 0) | (x == 1)),
    "-1 or 1": Constraint("-1 or 1", lambda x: x.abs() == 1),
    "at least 0": Constraint("at least 0", lambda x: torch.isfinite(x) & (x >= 0)),
}


def first_index(bad: Tensor) -> tuple[int, ...]:
    """Index of the first true element of a boolean tensor."""
    return tuple(int(i) for i in torch.nonzero(bad)[0])


def require(value: Tensor, rule: str, name: str) -> None:
    """Raise `HalfwaveError` unless every element of ``value`` obeys ``CONSTRAINTS[rule]``.

    >>> require(torch.tensor([1.0, -0.3]), "positive", "`gamma_pos` of DReLU")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: `gamma_pos` of DReLU must be positive; got -0.3 at index (1,)
    """
    constraint = CONSTRAINTS[rule]
    bad = ~constraint.holds(value)
    if bool(bad.any()):
        index = first_index(bad)
        found = f"{value[index].item():.6g}"
        place = f" at index {index}" if index else ""
        raise HalfwaveError(f"{name} must be {constraint.words}; got {found}{place}")
