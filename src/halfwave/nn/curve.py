"""Points, values and derivatives of any activation."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from halfwave.errors import HalfwaveError
from halfwave.functions import curves
from halfwave.functions.checks import real_array

__all__ = ["curve"]


def curve(
    module: nn.Module | Callable[[Tensor], Tensor],
    x: npt.ArrayLike | Tensor,
    path: str | os.PathLike[str] | None = None,
) -> dict[str, list[float]]:
    """Points, values and derivatives of any activation, the derivative from autograd.

    Args:
        module: a torch module or function of one tensor that treats every row by itself and maps (n, 1) to (n, 1):
            any element-wise activation, or a network with one input and one output.
        x: points (n,): numbers, an array, or a floating-point tensor. The module is evaluated in the dtype of its
            own parameters, in float64 if it has none (a tensor keeps its dtype then).
        path: where to write the curve as JSON as well; missing folders are created, an old file is replaced at once.

    Returns:
        ``{"x": […], "y": […], "yp": […]}``, lists of n floats.

    Raises:
        HalfwaveError: if ``x`` is an integer tensor, which cannot carry a gradient, is not one-dimensional or has
            no numbers, if the module does not map (n, 1) to (n, 1) row by row, or is not differentiable, or if a
            value to be written is not finite, which JSON cannot hold.

    >>> curve(nn.ReLU(), [-1.0, 0.0, 2.0])
    {'x': [-1.0, 0.0, 2.0], 'y': [0.0, 0.0, 2.0], 'yp': [0.0, 0.0, 1.0]}
    """
    points = _points(x, module)
    inputs = points.unsqueeze(-1).clone().requires_grad_()
    with torch.enable_grad():
        outputs = module(inputs.clone())  # some work in place, which a leaf would refuse
    if not isinstance(outputs, Tensor) or outputs.shape != inputs.shape:
        found = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise HalfwaveError(f"an activation must map {tuple(inputs.shape)} to the same shape; got {found}")
    derivative = _derivative(outputs, inputs)
    result = {
        "x": points.tolist(),
        "y": outputs.detach().flatten().tolist(),
        "yp": derivative.flatten().tolist(),
    }
    if path is not None:
        curves.write_curve(path, result)
    return result


def _points(x: Any, module: Any) -> Tensor:
    own = (
        next((p for p in module.parameters() if p.is_floating_point()), None)
        if isinstance(module, nn.Module)
        else None
    )
    if isinstance(x, Tensor):
        if not x.is_floating_point():
            raise HalfwaveError(
                f"`x` of curve must be a floating-point tensor, which can carry a gradient; got {x.dtype}"
            )
        points = x.detach()
    else:
        points = torch.from_numpy(np.array(real_array("`x` of curve", x), dtype=np.float64))
    if points.ndim > 1:
        raise HalfwaveError(f"`x` of curve must be one-dimensional; got shape {tuple(points.shape)}")
    return points.flatten() if own is None else points.flatten().to(device=own.device, dtype=own.dtype)


def _derivative(outputs: Tensor, inputs: Tensor) -> Tensor:
    """dy/dx of every row, after a check that no row depends on another."""
    if not outputs.requires_grad:
        if inputs.numel():
            raise HalfwaveError(
                "the activation is not differentiable: its output does not depend on `x` in autograd"
            )
        return torch.zeros_like(inputs)
    one = torch.ones_like(outputs)
    derivative = torch.autograd.grad(outputs, inputs, one, retain_graph=True)[0]
    # With a diagonal Jacobian, weights on the outputs come back as the same weights on the derivatives.
    # Fractions of a golden ratio do not repeat, so that no two rows have the same weight.
    places = torch.arange(len(one), device=one.device, dtype=torch.float64).unsqueeze(-1)
    weights = (1.0 + (places * 0.6180339887498949).remainder(1.0)).to(one.dtype)
    weighted = torch.autograd.grad(outputs, inputs, weights)[0]
    tolerance = max(1e-3, 16 * torch.finfo(one.dtype).eps)
    if not torch.allclose(weighted, derivative * weights, rtol=tolerance, atol=tolerance, equal_nan=True):
        raise HalfwaveError(
            "an activation must treat every row by itself; this one mixes the points of a batch"
        )
    return derivative
