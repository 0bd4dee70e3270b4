"""Puts new units into a model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from halfwave.audit.counting.moments import Floats
from halfwave.audit.reviving.parts import forget
from halfwave.audit.reviving.plan import Plan

__all__ = ["Outcome", "Placement", "put"]


@dataclass(slots=True)
class Outcome:
    """What became of a plan."""

    revived: tuple[int, ...] = ()
    left: list[str] = field(default_factory=list)
    """Why other dead units were left alone."""


@dataclass(slots=True)
class Placement:
    """New weights of a plan's units, and what their pre-activations without a bias are on the data."""

    plan: Plan
    weight: Tensor
    mean: Floats
    std: Floats
    quantile: Floats
    """The value above which they are to fire."""
    alive: np.ndarray
    """Which of the plan's units can be revived (units,)."""
    left: list[str] = field(default_factory=list)

    def leave(self, bad: np.ndarray, why: str) -> None:
        """Leave units alone and say why."""
        number = int((bad & self.alive).sum())
        if number:
            self.left.append(f"{number} {'unit' if number == 1 else 'units'} {why}")
        self.alive = self.alive & ~bad


@torch.no_grad()
def put(placement: Placement, optimizer: torch.optim.Optimizer | None) -> Outcome:
    """Write new units into the model."""
    plan, alive = placement.plan, placement.alive
    units = plan.units[torch.from_numpy(alive).to(plan.units.device)]
    changed: list[tuple[Tensor, Tensor]] = []
    if len(units):
        changed += _put_before(placement, units)
        for reader in plan.readers:
            mask = reader.outgoing_mask(units)
            reader.weight.masked_fill_(mask, 0.0)
            changed.append((reader.weight, mask))
        for norm, layout in plan.norms_after:
            places = layout.places(units).flatten()
            zeros = torch.zeros(len(places), device=places.device)
            changed += _put_norm(norm, places, zeros, zeros + 1.0, zeros)
    forget(optimizer, changed)
    return Outcome(tuple(units.tolist()), placement.left)


def _put_before(placement: Placement, units: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Incoming weights, bias and normalisation; which entries were written."""
    plan, alive = placement.plan, placement.alive
    kink, size = _target(plan, units)
    mean, std, quantile = (
        torch.from_numpy(value[alive]).to(units.device)
        for value in (placement.mean, placement.std, placement.quantile)
    )
    gain = (size if plan.norm is None else 1.0) / std
    mask = plan.incoming(units)
    _scaled(placement, units, gain)
    plan.weight.copy_(torch.where(mask, placement.weight, plan.weight))
    changed: list[tuple[Tensor, Tensor]] = [(plan.weight, mask)]
    if plan.bias is not None:
        # in front of a normalisation, so that its mean is 0
        plan.bias[units] = (-mean / std if plan.norm is not None else kink - gain * quantile).to(plan.bias)
        changed.append((plan.bias, _at(plan.bias, units)))
    if plan.norm is not None:
        centre = torch.zeros_like(mean) if plan.bias is not None else mean / std
        changed += _put_norm(plan.norm, units, kink - size * (quantile - mean) / std, size, centre)
    return changed


def _scaled(placement: Placement, units: Tensor, gain: Tensor) -> None:
    """Multiply the new weights of each unit."""
    whole = torch.ones(placement.plan.layer.channels, dtype=torch.float64, device=units.device)
    whole[units] = gain
    shape = [1] * placement.weight.ndim
    shape[1 if "transpose" in placement.plan.operation else 0] = -1
    placement.weight = (placement.weight * whole.view(shape)).to(placement.weight.dtype)


def _target(plan: Plan, units: Tensor) -> tuple[Tensor, Tensor]:
    """The kink at which units are placed, and the deviation that their inputs get."""
    layer, numbers = plan.layer, units.cpu().numpy()
    lower, upper = layer.lower[numbers], None if layer.upper is None else layer.upper[numbers]
    kink, size = (upper if layer.kind == "two-sided" and upper is not None else lower), np.ones(len(numbers))
    if layer.kind == "clipped" and upper is not None:
        size = np.minimum(size, (upper - lower) / 2)
    return torch.from_numpy(kink).to(units.device), torch.from_numpy(size).to(units.device)


def _put_norm(
    norm: _BatchNorm, places: Tensor, shift: Tensor, scale: Tensor, mean: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Set channels of a batch normalisation to a scale and a shift and to statistics of a variance of 1."""
    new = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": torch.ones_like(mean)}
    changed = []
    for name, values in new.items():
        kept = getattr(norm, name)
        if kept is not None:
            kept[places] = values.to(kept)
            changed.append((kept, _at(kept, places)))
    return changed


def _at(vector: Tensor, places: Tensor) -> Tensor:
    return torch.zeros_like(vector, dtype=torch.bool).index_fill_(0, places, True)
