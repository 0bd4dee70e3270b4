"""Piecewise polynomials on scalars, NumPy arrays and torch tensors, without importing torch.

Piece i of a table is ``Σ_n c[n][i] (x − anchors[i])^n``. It owns the points
``kinks[i − 1] < x ≤ kinks[i]``, so that a kink belongs to the piece on its left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import real_array
from halfwave.functions.double_double import Vector

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers that an evaluation reads: kinks (k,), anchors (k+1,), coefficients of (k+1,) by power."""

    kinks: Vector
    anchors: Vector
    coefficients: tuple[Vector, ...]


def evaluate(table: Table, x: Any) -> Any:
    """The piecewise polynomial at `x`, in the kind, shape and floating dtype of `x`."""
    if isinstance(x, (int, float)):
        try:
            number = float(x)
        except OverflowError:
            raise HalfwaveError("`x` must be at most 1.8e308 in size; got a larger integer") from None
        return float(_on_array(table, np.asarray(number)))
    if is_torch_tensor(x):
        return _on_tensor(table, x)
    values = _on_array(table, real_array("`x`", x))
    return values[()] if isinstance(x, np.generic) else values


def is_torch_tensor(x: Any) -> bool:
    """Whether `x` is a torch tensor (or a subclass), told without importing torch."""
    return any(c.__module__ == "torch" and c.__name__ == "Tensor" for c in type(x).__mro__)


def _on_array(table: Table, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # In float64 at least: a kink that float32 cannot hold still separates the float32 numbers around it.
    wide = x.astype(np.result_type(x.dtype, np.float64))
    piece = np.searchsorted(table.kinks, wide, side="left")
    distance = wide - table.anchors[piece]
    total = table.coefficients[-1][piece]
    with np.errstate(over="ignore"):
        for coefficient in reversed(table.coefficients[:-1]):
            # A flat piece at x = ±inf has the limit 0 · inf = 0.
            step = np.where((total == 0) & np.isinf(distance), 0.0, distance)
            total = total * step + coefficient[piece]
        return np.asarray(total).astype(x.dtype)


def _on_tensor(table: Table, x: torch.Tensor) -> torch.Tensor:
    import torch

    if x.is_complex():
        raise HalfwaveError(f"`x` must be real numbers; got a tensor of dtype {x.dtype}")
    if not x.is_floating_point():
        x = x.to(torch.get_default_dtype())
    # float64 as in _on_array; Apple's device has none
    dtype = torch.float32 if x.device.type == "mps" else torch.float64

    def constant(values: Vector) -> torch.Tensor:
        return torch.tensor(values.tolist(), dtype=dtype, device=x.device)

    wide = x.to(dtype)
    piece = torch.searchsorted(constant(table.kinks), wide.detach().contiguous(), right=False)
    piece = piece.clamp(max=len(table.kinks))
    distance = wide - constant(table.anchors)[piece]
    total = constant(table.coefficients[-1])[piece]
    for coefficient in reversed(table.coefficients[:-1]):
        step = torch.where((total == 0) & torch.isinf(distance), torch.zeros_like(distance), distance)
        total = total * step + constant(coefficient)[piece]
    return total.to(x.dtype)
