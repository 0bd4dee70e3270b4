"""New weights for dead units, chosen from data or from a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor, nn

from halfwave.audit.batches import Inputs
from halfwave.audit.counting.moments import Floats
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reviving.passes import Candidates, ReadDead, observed
from halfwave.audit.reviving.plan import Plan
from halfwave.audit.reviving.writing import Outcome, Placement, put
from halfwave.errors import HalfwaveError

__all__ = ["revive_plans"]

_VARIES = 1e-6
"""A deviation below this part of the mean size is rounding."""


def revive_plans(
    network: nn.Module,
    plans: list[Plan],
    batches: Iterable[Any] | None,
    inputs: Inputs,
    optimizer: torch.optim.Optimizer | None,
    rate: float,
    generator: torch.Generator | None,
) -> dict[Plan, Outcome]:
    """Carry plans out, those first whose layers have inputs that vary."""
    closed = _closed(plans, units_of=_put_by_report if batches is None else lambda plan: plan.units)
    waiting = [plan for plan in plans if _starved(plan, closed).any()]
    first = [plan for plan in plans if plan not in waiting]
    if waiting and isinstance(batches, Iterator) and len(plans) > 1:
        raise HalfwaveError(
            "`batches` of revive must be readable again, since all inputs of units of layer "
            f"{waiting[0].layer.name} are dead; got a {type(batches).__name__}"
        )
    outcomes: dict[Plan, Outcome] = {}
    for some in [first, *([plan] for plan in waiting)]:
        if not some:
            continue
        if batches is None:
            placements = [_from_report(plan, closed, rate, generator) for plan in some]
        else:
            placements = _from_data(network, some, batches, inputs, closed, rate, generator)
        for placement in placements:
            outcomes[placement.plan] = put(placement, optimizer)
    return outcomes


def _closed(plans: list[Plan], units_of: Callable[[Plan], Tensor]) -> dict[int, Tensor]:
    """Entries of weights, by their ids, that read units to be revived."""
    closed: dict[int, Tensor] = {}
    for reader, units in ((reader, units_of(plan)) for plan in plans for reader in plan.readers):
        mask = reader.outgoing_mask(units)
        known = closed.get(id(reader.weight))
        closed[id(reader.weight)] = mask if known is None else known | mask
    return closed


def _starved(plan: Plan, closed: dict[int, Tensor]) -> Tensor:
    """Entries of the weight of those units for which everything that they read is dead."""
    mask = closed.get(id(plan.weight))
    if mask is None:
        return torch.zeros_like(plan.weight, dtype=torch.bool)
    across = 1 if "transpose" in plan.operation else 0
    hungry = mask.movedim(across, 0).flatten(1).all(1)
    return plan.incoming(plan.units[hungry[plan.units]])


def _open(plan: Plan, weight: Tensor, closed: dict[int, Tensor]) -> Tensor:
    """New weights that do not read other new units, unless there is nothing else to read."""
    mask = closed.get(id(plan.weight))
    return weight if mask is None else weight.masked_fill(mask & ~_starved(plan, closed), 0.0)


def _from_data(
    network: nn.Module,
    plans: list[Plan],
    batches: Iterable[Any],
    inputs: Inputs,
    closed: dict[int, Tensor],
    rate: float,
    generator: torch.Generator | None,
) -> list[Placement]:
    candidates = [Candidates(plan, _open(plan, _directions(plan, generator), closed)) for plan in plans]
    read, uses = observed(network, batches, inputs, candidates)
    return [_judged(candidate, read[candidate.plan], uses, rate) for candidate in candidates]


def _directions(plan: Plan, generator: torch.Generator | None) -> Tensor:
    """Random weights as He would draw them, of every unit of the layer."""
    fan_in = plan.weight[0].numel() if "transpose" not in plan.operation else plan.weight[:, 0].numel()
    return (_normal(plan.weight.shape, generator) * (2 / fan_in) ** 0.5).to(plan.weight)


def _normal(shape: Sequence[int], generator: torch.Generator | None) -> Tensor:
    device = "cpu" if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=device)


def _judged(candidate: Candidates, read: list[ReadDead], uses: Counter[int], rate: float) -> Placement:
    """What the data say about new units, and about the old ones' outputs."""
    plan, moments = candidate.plan, candidate.moments
    quantile, std = candidate.quantiles(1 - rate), np.sqrt(moments.variance)
    placement = Placement(
        plan, candidate.weight, moments.mean, std, quantile, np.ones(len(plan.units), dtype=np.bool_)
    )
    if any(reader.call is None for reader in read) or not moments.count.all():
        placement.leave(placement.alive, "are not reached by `batches`")
    elif any(uses[id(parameter)] > 1 for parameter in plan.parameters):
        placement.leave(placement.alive, "have neighbours whose weights are used more than once in a pass")
    else:
        _check_inputs(placement, np.maximum(np.abs(moments.low), np.abs(moments.high)))
        for reader in read:
            _check_constant(placement, reader)
        for reader in read:
            _move_constant(placement, reader)
    return placement


def _check_inputs(placement: Placement, peak: Floats) -> None:
    placement.leave(~np.isfinite(placement.std), "have inputs that are NaN or infinite")
    placement.leave(~(placement.std > _VARIES * peak), "have inputs that do not vary")


def _check_constant(placement: Placement, read: ReadDead) -> None:
    """Units whose outputs vary are alive after all; a constant other than 0 needs a place to go."""
    varying = (read.low != read.high).any(1).cpu().numpy()
    placement.leave(varying, "whose outputs vary on `batches`")
    lasting = (read.low != 0).any(1).cpu().numpy() & placement.alive
    if not lasting.any():
        return
    if read.reader.bias is None:
        placement.leave(lasting, "whose constant output has no bias behind it to move into")
    elif read.shift(torch.from_numpy(lasting).to(read.low.device)) is None:
        placement.leave(lasting, "whose constant output meets padding with zeros behind it")


def _move_constant(placement: Placement, read: ReadDead) -> None:
    units = torch.from_numpy(placement.alive).to(read.low.device)
    bias = read.reader.bias
    if bias is not None and bool(read.low[units].any()):
        shift = read.shift(units)
        assert shift is not None
        with torch.no_grad():
            bias += shift.to(bias)


def _from_report(
    plan: Plan, closed: dict[int, Tensor], rate: float, generator: torch.Generator | None
) -> Placement:
    """Mixtures ``Σ_j a_j (z_j − mean_j) / std_j`` of the layer's units, with ``a_j ~ N(0, 1/n)``: of variance 1."""
    layer, units = plan.layer, plan.units.cpu().numpy()
    mean, std = _without_bias(plan)
    usable = np.isfinite(mean) & (std > _VARIES * np.abs(mean)) & np.isfinite(std)
    share = _normal((len(units), int(usable.sum())), generator).to("cpu", torch.float64)
    mixing = share.numpy() / np.sqrt(max(1, usable.sum())) / std[usable]
    weight = torch.zeros_like(plan.weight)
    across = 1 if "transpose" in plan.operation else 0
    rows = plan.weight.detach().movedim(across, 0)[torch.from_numpy(usable)].to(torch.float64)
    new = torch.tensordot(torch.from_numpy(mixing).to(rows.device), rows, dims=1)
    weight.movedim(across, 0)[plan.units] = new.to(weight)
    middle = mixing @ mean[usable]
    one = np.ones(len(units))
    placement = Placement(
        plan, _open(plan, weight, closed), middle, one, middle + special.ndtri(1 - rate), one > 0
    )
    placement.leave(~_always_zero(layer)[units], "whose output is not 0, for which revive needs `batches`")
    if plan.norms_after or not plan.mixable or _starved(plan, closed).any() or usable.sum() < 2:
        placement.leave(placement.alive, "for which revive needs `batches`")
    return placement


def _always_zero(layer: LayerReport) -> np.ndarray:
    """Units whose output was 0 throughout (channels,)."""
    silent = (layer.min_after == 0) & (layer.max_after == 0)
    one_sided = (layer.rate_below == 1) | (layer.rate_above == 1) | (layer.kind == "two-sided")
    return silent & one_sided


def _put_by_report(plan: Plan) -> Tensor:
    """The units of a plan that can be replaced without data.

    The others go on giving the layers behind a constant, which the moments in the report hold; the new units of those
    layers must read it too, or they would be placed by moments that they do not have.
    """
    if plan.norms_after or not plan.mixable:
        return plan.units[:0]
    return plan.units[torch.from_numpy(_always_zero(plan.layer)).to(plan.units.device)[plan.units]]


def _without_bias(plan: Plan) -> tuple[Floats, Floats]:
    """Mean and deviation of what each unit is given, before a normalisation and without the layer's bias."""
    mean, std, norm = plan.layer.mean_before, plan.layer.std_before, plan.norm
    if norm is not None and norm.running_mean is not None and norm.running_var is not None:
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        shift = torch.zeros_like(scale)
        if norm.affine:
            scale, shift = scale * norm.weight.detach(), norm.bias.detach().double()
        centre = norm.running_mean.double().cpu().numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = 1 / scale.cpu().numpy()
            mean, std = (mean - shift.cpu().numpy()) * factor + centre, std * np.abs(factor)
    return mean if plan.bias is None else mean - plan.bias.detach().double().cpu().numpy(), std
