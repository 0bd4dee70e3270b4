"""What a page shows of one hidden unit: weights, potential, responses, and the data that it prefers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.explorer.machine.opening import OpenRun
from halfwave.explorer.machine.pictures import signed
from halfwave.rbm.features import HiddenProfiles, hidden_profiles
from halfwave.rbm.machine import RBM
from halfwave.units import Potts, Unit

__all__ = ["check_value", "describe_move", "describe_unit", "hidden_range"]

_POINTS = 101
_BINS = 40
_DIGITS = 4
_NEIGHBOURS = 8


@torch.no_grad()
def describe_unit(run: OpenRun, rank: int) -> dict[str, Any]:
    """A hidden unit by its rank: numbers with all digits, curves rounded to what a screen can show."""
    unit = run.order[rank]
    profiles = _profiles(run, unit)
    activity = run.activities[:, unit]
    weights = run.weights[:, unit]
    reach = float(weights.abs().max()) or 1.0
    values = profiles.values[0]
    curves = {
        "edges": profiles.edges[0],
        "input_density": profiles.input_density[0],
        "inputs": profiles.inputs[0],
        "mean": profiles.mean[0],
        "mode": profiles.mode[0],
        "values": values,
        "conditional": profiles.conditional[0],
        "marginal": profiles.marginal[0],
        "potential": _potential(run.rbm.hidden, unit, values),
    }
    low, high = hidden_range(run, rank)
    return {
        "name": run.name,
        "unit": unit,
        "rank": rank,
        "importance": float(run.importance[unit]),
        "activity": [float(activity.mean()), float(activity.min()), float(activity.max())],
        "range": [low, high],
        "movable": not isinstance(run.rbm.hidden, Potts),
        "discrete": profiles.discrete,
        "parameters": {key: value.flatten()[unit].item() for key, value in run.rbm.hidden.named_parameters()},
        "quantile_inputs": [float(value) for value in profiles.quantile_inputs[0]],
        "reach": reach,
        "weights": signed(weights, reach),
        **{key: _rounded(np.asarray(curve)) for key, curve in curves.items()},
    }


def hidden_range(run: OpenRun, rank: int) -> tuple[float, float]:
    """Lowest and highest value that the page offers for a hidden unit.

    The two values of a discrete unit; else the ends of the densities that `hidden_profiles` gives.
    """
    hidden = run.rbm.hidden
    if hidden.discrete:
        return (-1.0, 1.0) if hidden.name == "Spin" else (0.0, 1.0)
    values = _profiles(run, run.order[rank]).values[0]
    return float(values.min()), float(values.max())


def _profiles(run: OpenRun, unit: int) -> HiddenProfiles:
    """Profiles of one unit, kept as long as the run is open."""
    if unit not in run.profiles:
        rbm, index = run.rbm, unit
        if not isinstance(rbm.hidden, Potts):
            # the unit alone, with its own weights, gets the same inputs for a fraction of the work
            alone = {key: value.detach().flatten()[[unit]] for key, value in rbm.hidden.named_parameters()}
            hidden = type(rbm.hidden).from_parameters(alone)
            rbm, index = RBM(rbm.visible, hidden, rbm.weight_matrix[:, [unit]].detach()), 0
        run.profiles[unit] = hidden_profiles(rbm, run.data, [index], points=_POINTS, bins=_BINS)
    return run.profiles[unit]


def check_value(run: OpenRun, rank: int, value: float) -> float:
    """The value if the hidden unit of this rank can be moved there, else `HalfwaveError`."""
    hidden = run.rbm.hidden
    if isinstance(hidden, Potts):
        raise HalfwaveError("one colour of a Potts unit cannot be moved alone")
    low, high = hidden_range(run, rank)
    if hidden.discrete and value not in (low, high):
        raise HalfwaveError(f"a {hidden.name} unit is {low:g} or {high:g}; got {value:g}")
    # the page sends what its slider shows, which is rounded
    slack = 1e-3 * (high - low)
    if not low - slack <= value <= high + slack:
        raise HalfwaveError(f"`value` must be from {low:.6g} to {high:.6g}; got {value:.6g}")
    return value


@torch.no_grad()
def describe_move(run: OpenRun, rank: int, value: float | None) -> dict[str, Any]:
    """``E[v | h]`` with one hidden unit at a value and the others at their mean over the data; the nearest data.

    Without a value the unit is at its mean over the data too.
    """
    unit = run.order[rank]
    means = run.activities.mean(0)
    value = float(means[unit]) if value is None else check_value(run, rank, value)
    h = means.clone()
    h[unit] = value
    prefers = run.rbm.mean_v_from_h(h.reshape(1, *run.rbm.hidden.shape))
    activity = run.activities[:, unit]
    nearest = torch.argsort((activity - value).abs(), stable=True)[:_NEIGHBOURS]
    # for the eye they stand in the order of their activity
    nearest = nearest[torch.argsort(activity[nearest], stable=True)]
    return {
        "name": run.name,
        "value": value,
        "prefers": run.scale.means(prefers),
        "nearest": run.scale.pictures(run.data[nearest]),
        "activities": [float(activity[index]) for index in nearest],
    }


def _potential(hidden: Unit, unit: int, values: np.ndarray) -> Tensor:
    """``U(h)`` of one unit on a grid; minus the field of a colour of a Potts unit."""
    if isinstance(hidden, Potts):
        return -hidden.field.flatten()[unit] * torch.as_tensor(values)
    own: dict[str, Tensor] = {key: value.detach().flatten()[unit] for key, value in hidden.named_parameters()}
    return type(hidden).from_parameters(own).energies(torch.as_tensor(values))


def _rounded(values: np.ndarray) -> list[Any]:
    """Numbers with a few significant digits, as nested lists."""
    flat = [_digits(float(value)) for value in values.reshape(-1)]
    return np.asarray(flat, dtype=object).reshape(values.shape).tolist()


def _digits(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
