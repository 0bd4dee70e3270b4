"""Moments of a piecewise-linear function of a Gaussian variable, in closed form."""

from __future__ import annotations

from typing import Any

from halfwave.functions.calculus.gaussian_arrays import moment_of_arrays
from halfwave.functions.evaluation import is_torch_tensor
from halfwave.functions.pieces import Pieces

__all__ = ["moment"]


def moment(pieces: Pieces, power: int, mu: Any, sigma: Any) -> Any:
    """``E f(μ + σ Z)^power`` for power 1 or 2, in the broadcast shape of mu and sigma.

    A float for scalars; a tensor that can be differentiated if either of the two is a tensor.
    """
    if is_torch_tensor(mu) or is_torch_tensor(sigma):
        from halfwave.functions.calculus.gaussian_tensors import moment_of_tensors  # imports torch

        return moment_of_tensors(pieces, power, mu, sigma)
    return moment_of_arrays(pieces, power, mu, sigma)
