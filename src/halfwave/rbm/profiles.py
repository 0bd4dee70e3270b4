"""How hidden units respond to the data: their inputs, response curves and exact distributions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.units.base import Unit
from halfwave.units.binary import Binary
from halfwave.units.potts import Potts

__all__ = ["QUANTILES", "HiddenProfiles", "hidden_inputs", "hidden_profiles"]

QUANTILES = (0.05, 0.5, 0.95)
"""Quantiles of the inputs at which `hidden_profiles` gives the conditional distribution."""

_SLICE = 2048
_MARGINAL_INPUTS = 2000
_REACH = 4.5
"""Standard deviations around the conditional means that the grid of values covers."""


@dataclass(frozen=True, eq=False, repr=False)
class HiddenProfiles:
    """How chosen hidden units respond to the data; NumPy arrays with one row a unit.

    Args:
        indices: position of each unit in the flattened hidden layer, ``(units,)``.
        discrete: whether the units take finitely many values.
        edges: of the bins of the inputs ``I = Wᵀv`` over the data, ``(units, bins + 1)``.
        input_density: share of the samples in each bin divided by its width, ``(units, bins)``.
        inputs: evenly spaced inputs over the same range, ``(units, points)``.
        mean: ``E[h | I]`` there, ``(units, points)``.
        mode: the most probable ``h`` there, ``(units, points)``.
        quantile_inputs: inputs at the `QUANTILES`, ``(units, 3)``.
        values: grid of ``h``, ``(units, points)``; the values themselves, ``(units, 2)``, if discrete.
        conditional: ``p(h | I)`` at the three inputs, ``(units, 3, values)``; probabilities if discrete.
        marginal: ``p(h)`` averaged over the data, ``(units, values)``; probabilities if discrete.

    >>> from halfwave.units import Binary, DReLU
    >>> hidden_profiles(RBM(Binary(3), DReLU(4)), torch.ones(9, 3), [2, 0], points=50).mean.shape
    (2, 50)
    """

    indices: np.ndarray
    discrete: bool
    edges: np.ndarray
    input_density: np.ndarray
    inputs: np.ndarray
    mean: np.ndarray
    mode: np.ndarray
    quantile_inputs: np.ndarray
    values: np.ndarray
    conditional: np.ndarray
    marginal: np.ndarray


@torch.no_grad()
def hidden_profiles(
    rbm: RBM, data: Tensor, indices: Sequence[int] | Tensor, points: int = 200, bins: int = 40
) -> HiddenProfiles:
    """How chosen hidden units respond to the data: their inputs, response curves and exact distributions.

    One colour of a Potts unit is treated as a unit of its own with values 0 and 1, the inputs of the other colours
    held at their average; its marginal is exact.

    Args:
        rbm: the machine.
        data: samples ``(n, *visible.shape)``, at least 1.
        indices: positions in the flattened hidden layer, ``(units,)``.
        points: number of inputs and of hidden values on the grids, at least 2.
        bins: number of bins of the histogram of the inputs, at least 1.

    Raises:
        HalfwaveError: if there are no samples, an index is out of range or repeated, or a count is too small.

    >>> from halfwave.units import Binary, Spin
    >>> profiles = hidden_profiles(RBM(Binary(3), Spin(4)), torch.ones(9, 3), [1])
    >>> profiles.values, profiles.marginal
    (array([[-1.,  1.]], dtype=float32), array([[0.5, 0.5]], dtype=float32))
    """
    chosen = _check_indices(indices, rbm.hidden.size)
    if points < 2 or bins < 1:
        raise HalfwaveError(f"`points` must be at least 2 and `bins` at least 1; got {points} and {bins}")
    _checked(rbm, data)
    every = torch.cat([inputs.flatten(1)[:, chosen] for inputs in hidden_inputs(rbm, data)])
    layer = _selected(rbm, data, chosen)
    edges, density = _histogram(every, bins)
    inputs = _between(edges[0], edges[-1], points)
    quantiles = (
        every.double().quantile(torch.tensor(QUANTILES, device=every.device).double(), dim=0).to(every)
    )
    stratified = _stratified(every)
    values = _values(layer, torch.cat([quantiles, stratified]), points)
    arrays = {
        "indices": chosen,
        "edges": edges.T,
        "input_density": density.T,
        "inputs": inputs.T,
        "mean": layer.mean_from_inputs(inputs).T,
        "mode": layer.mode_from_inputs(inputs).T,
        "quantile_inputs": quantiles.T,
        "values": values.T,
        "conditional": _distribution(layer, values, quantiles).permute(2, 0, 1),
        "marginal": _marginal(rbm, data, layer, chosen, values, stratified).T,
    }
    plain = {key: value.contiguous().cpu().numpy() for key, value in arrays.items()}
    return HiddenProfiles(discrete=layer.discrete, **plain)


def _checked(rbm: RBM, data: Tensor) -> Tensor:
    if data.ndim != len(rbm.visible.shape) + 1 or not len(data):
        raise HalfwaveError(
            f"data must hold at least 1 sample of shape {rbm.visible.shape}; got an array of shape {tuple(data.shape)}"
        )
    return rbm.visible.check_inputs(data, "data")


def hidden_inputs(rbm: RBM, data: Tensor) -> Iterator[Tensor]:
    """Inputs ``(≤ 2048, *hidden.shape)`` of the hidden layer, slice by slice; `HalfwaveError` if there are no data."""
    data = _checked(rbm, data)
    for start in range(0, len(data), _SLICE):
        yield rbm.inputs_h_from_v(data[start : start + _SLICE])


# parts of the above; arrays of the chosen units are (..., units), as a layer wants them


def _check_indices(indices: Sequence[int] | Tensor, size: int) -> Tensor:
    chosen = torch.as_tensor(indices).flatten().cpu()
    if not len(chosen) or chosen.is_floating_point():
        raise HalfwaveError(f"indices must list at least 1 whole number; got {chosen.tolist()}")
    for index in chosen.tolist():
        if not 0 <= index < size:
            raise HalfwaveError(f"an index must be from 0 to {size - 1}, the last hidden unit; got {index}")
    return chosen.long()


def _selected(rbm: RBM, data: Tensor, chosen: Tensor) -> Unit:
    """The chosen hidden units as a layer of their own, ``(units,)``."""
    hidden = rbm.hidden
    if isinstance(hidden, Potts):
        total = sum(inputs.double().sum(0) for inputs in hidden_inputs(rbm, data))
        t = (hidden.field + total / len(data)).to(hidden.dtype)
        # log-odds of a colour against all others
        others = t.unsqueeze(-2).masked_fill(
            torch.eye(hidden.colours, dtype=torch.bool, device=t.device), -torch.inf
        )
        return Binary(field=(hidden.field - others.logsumexp(-1)).flatten()[chosen])
    parameters: dict[str, Any] = {key: value.flatten()[chosen] for key, value in hidden.named_parameters()}
    return type(hidden)(**parameters)


def _histogram(inputs: Tensor, bins: int) -> tuple[Tensor, Tensor]:
    """Edges ``(bins + 1, units)`` and densities ``(bins, units)`` of inputs ``(n, units)``."""
    low, high = inputs.amin(0), inputs.amax(0)
    # a unit that always gets the same input still deserves a bin of some width
    pad = torch.where(high > low, 0.0, 0.5 + 1e-3 * low.abs())
    low, high = low - pad, high + pad
    width = (high - low) / bins
    slot = ((inputs - low) / width).long().clamp_(0, bins - 1)
    counts = torch.zeros(bins, inputs.shape[1], device=inputs.device, dtype=inputs.dtype)
    counts.scatter_add_(0, slot, torch.ones_like(inputs))
    return _between(low, high, bins + 1), counts / (len(inputs) * width)


def _between(low: Tensor, high: Tensor, points: int) -> Tensor:
    share = torch.linspace(0.0, 1.0, points, dtype=low.dtype, device=low.device).unsqueeze(-1)
    return torch.lerp(low.expand(points, -1), high.expand(points, -1), share)


def _stratified(inputs: Tensor) -> Tensor:
    """At most 2,000 order statistics, evenly spaced: they stand for all inputs in an average."""
    count = min(len(inputs), _MARGINAL_INPUTS)
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * len(inputs) / count).long()
    return inputs.sort(0).values[places.to(inputs.device)]


def _values(layer: Unit, inputs: Tensor, points: int) -> Tensor:
    """The grid of hidden values that holds the distributions at these inputs."""
    if layer.discrete:
        low = 0.0 if isinstance(layer, Binary) else -1.0
        return torch.tensor([[low], [1.0]], dtype=layer.dtype, device=layer.device).expand(2, *layer.shape)
    mean, std = layer.mean_from_inputs(inputs), layer.std_from_inputs(inputs)
    low, high = (mean - _REACH * std).amin(0), (mean + _REACH * std).amax(0)
    if layer.value_rule == "at least 0":
        low = torch.zeros_like(low)
    grid = _between(low, high, points)
    # a density may have a kink at zero
    return torch.where(grid.abs() <= 0.5 * (high - low) / (points - 1), 0.0, grid)


def _distribution(layer: Unit, values: Tensor, inputs: Tensor) -> Tensor:
    """``p(h | I)``, ``(inputs, values, units)``."""
    return layer.log_probs(values, inputs.unsqueeze(1)).exp()


def _marginal(rbm: RBM, data: Tensor, layer: Unit, chosen: Tensor, values: Tensor, inputs: Tensor) -> Tensor:
    if isinstance(rbm.hidden, Potts):
        means = [rbm.hidden.mean_from_inputs(part).flatten(1)[:, chosen] for part in hidden_inputs(rbm, data)]
        one = torch.cat(means).mean(0)
        return torch.stack([1.0 - one, one])
    parts = [_distribution(layer, values, part).sum(0) for part in inputs.split(200)]
    return torch.stack(parts).sum(0) / len(inputs)
