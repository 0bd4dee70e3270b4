"""New life for dead units, without a change to what the network computes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from halfwave.audit.batches import Inputs
from halfwave.audit.bounds.ways import Ways
from halfwave.audit.quiet import uncompiled
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reporting.report import Report
from halfwave.audit.reporting.verdicts import saturated_units
from halfwave.audit.reviving.plan import Obstacle, Plan, planned
from halfwave.audit.reviving.units import revive_plans
from halfwave.audit.reviving.writing import Outcome
from halfwave.audit.swapping import chosen_names, text_table
from halfwave.errors import HalfwaveError
from halfwave.functions.checks import finite_number
from halfwave.words import counted

__all__ = ["Revival", "RevivedLayer", "revive"]


@dataclass(frozen=True, slots=True)
class RevivedLayer:
    """What became of the dead units of one rectifier."""

    name: str
    channels: int
    dead: tuple[int, ...]
    """Units that never fired in the report: the dead and the saturated."""
    saturated: tuple[int, ...]
    """Those of them that were beyond a limit of their activation."""
    revived: tuple[int, ...]
    """Those that have new weights."""
    left: str
    """Why the others were left alone; empty where there are none."""


@dataclass(frozen=True, slots=True)
class Revival:
    """Which units `revive` gave new weights, and which it left alone."""

    layers: tuple[RevivedLayer, ...]
    """One for each rectifier that was looked at, in the order of the report."""

    @property
    def revived(self) -> int:
        """Number of units with new weights."""
        return sum(len(layer.revived) for layer in self.layers)

    @property
    def dead(self) -> int:
        """Number of units that never fired: dead or saturated."""
        return sum(len(layer.dead) for layer in self.layers)

    @property
    def saturated(self) -> int:
        """Number of those that were beyond a limit."""
        return sum(len(layer.saturated) for layer in self.layers)

    def layer(self, name: str) -> RevivedLayer:
        """What became of one rectifier.

        Raises:
            HalfwaveError: if there is none of that name.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(repr(layer.name) for layer in self.layers)
        raise HalfwaveError(f"`name` must be a layer that was looked at, of {names}; got {name!r}")

    def table(self) -> str:
        """The layers as lines of text."""
        heads = ["layer", "units", "dead", "saturated", "revived", "left alone"]
        rows: list[list[Any]] = [
            [
                *(layer.name, layer.channels, len(layer.dead) - len(layer.saturated)),
                *(len(layer.saturated), len(layer.revived), layer.left),
            ]
            for layer in self.layers
        ]
        if not self.saturated:  # as in the table of a report
            for row in (heads, *rows):
                del row[3]
        return text_table(heads, rows)

    def __str__(self) -> str:
        if not self.saturated:
            return f"{self.revived} of {counted(self.dead, 'dead unit')} revived.\n\n{self.table()}"
        units = (
            f"{counted(self.dead, 'unit')}, {self.dead - self.saturated} dead and {self.saturated} saturated"
        )
        return f"{self.revived} of {units}, revived.\n\n{self.table()}"


def revive(
    model: nn.Module,
    report: Report,
    batches: Iterable[Any] | None = None,
    *,
    inputs: Inputs = None,
    layers: Sequence[str] | str | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    rate: float = 0.5,
    generator: torch.Generator | None = None,
) -> Revival:
    """Give dead units new incoming weights and outgoing weights of zero, in place; the network's function stays.

    A new unit reads along a random direction u, scaled and shifted so that it fires on the share r of the data:

        z = kink + s (u·x − q) / std(u·x)

    with q the (1 − r)-quantile of u·x, and s = 1 (or half the distance between the kinks of a clipped rectifier, if
    that is smaller); the kink is the lower one, or the upper one of a two-sided rectifier. All layers that read the
    unit get zeros in its place, so that in evaluation mode the model's outputs stay as they are, up to rounding;
    where a dead unit's constant output is not 0, it moves into the biases of those layers. A batch normalisation in
    front gets statistics of 0 and 1 and carries scale and shift; one behind begins anew.

    In the first step afterwards only the zeros learn, since no gradient passes them; from the second one on the new
    directions learn too. New units of a layer do not read those of the layer before, unless they have nothing else.

    Between a rectifier and the layers that read it may lie dropout, batch normalisation, pooling, means, sums, ``amax``
    and ``amin`` over places, ``interpolate``, ``pad`` with zeros or by repeating places, ``permute`` and ``transpose``,
    ``flatten`` and ``view``, and ``cat`` along the channels; the units are looked up in what all of these make of them
    when `halfwave.audit.audit` makes the report (one of `halfwave.audit.watch` knows pooling, normalisation and
    ``flatten`` only).

    Left alone are units that are always on or soft, which have gradients; layers that something else reads too, which
    is named in the result (a sum with a residual, a gate, another rectifier, ``pixel_shuffle``, indexing, attention,
    the model's result), so that zeros elsewhere would not silence their units; weights used in several places, frozen
    or computed from others; units that fire on ``batches`` after all.

    Args:
        model: any module; parameters and statistics of dead units' neighbours change, training flags do not.
        report: an audit of it, whose `dead` says which units count.
        batches: data as for `audit`, read once, and again for each layer with units whose inputs were all dead.
            Without, new directions are random mixtures of the layer's old ones, each in deviations from its mean in
            the report, and units whose output is not 0 stay.
        inputs: what of a batch the model is given, see `halfwave.audit.audit`.
        layers: names of layers, with wildcards, instead of all.
        optimizer: whose memory of the replaced weights (momenta, mean squares) is set to 0; its steps stay counted.
        rate: r, the share of the data on which a new unit fires, inside (0, 1).
        generator: for the random directions; torch's own by default.

    Returns:
        Which units were revived and why others were not; ``print`` shows a table.

    Raises:
        HalfwaveError: if the report is not of this model, there is no batch, or an option makes no sense.

    >>> from halfwave.audit import audit
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> _ = nn.init.constant_(model[0].bias, 1.0), nn.init.constant_(model[0].bias[:3], -100.0)
    >>> x = torch.randn(1000, 2)
    >>> y = model(x)
    >>> revive(model, audit(model, x), x).layer("1").revived
    (0, 1, 2)
    >>> torch.equal(model(x), y), audit(model, x).layer("1").dead.any()
    (True, np.False_)

    Source: zero outgoing weights as in Chen, Goodfellow, Shlens, "Net2Net", ICLR 2016; scale and shift from data as in
    Salimans, Kingma, "Weight normalization", NeurIPS 2016, section 3.
    """
    network = uncompiled(model, "revive", inside=True)
    if not isinstance(report, Report):
        raise HalfwaveError(
            f"`report` of revive must be a halfwave.audit.Report; got {type(report).__name__}"
        )
    _check_optimizer(network, optimizer)
    share = finite_number("`rate` of revive", rate)
    if not 0 < share < 1:
        raise HalfwaveError(f"`rate` of revive must be inside (0, 1); got {rate!r}")
    every = report.layers
    names = chosen_names([layer.name for layer in every], layers, "revive")
    chosen = [layer for layer in every if layer.name in names]
    plans, reasons = _plans(network, chosen, every, report.ways)
    found = revive_plans(network, plans, batches, inputs, optimizer, share, generator)
    outcomes = {plan.layer.name: outcome for plan, outcome in found.items()}
    return Revival(tuple(_described(layer, outcomes.get(layer.name), reasons) for layer in chosen))


def _check_optimizer(network: nn.Module, optimizer: Any) -> None:
    if optimizer is None:
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        kind = type(optimizer).__name__
        raise HalfwaveError(f"`optimizer` of revive must be a torch.optim.Optimizer; got {kind}")
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    if not any(id(parameter) in held for parameter in network.parameters()):
        raise HalfwaveError("`optimizer` of revive must hold parameters of the model; it holds none of them")


def _plans(
    network: nn.Module, chosen: list[LayerReport], every: Sequence[LayerReport], ways: Ways
) -> tuple[list[Plan], dict[str, str]]:
    """What is to be done, and why layers are left alone, by name."""
    plans, reasons = [], {}
    for layer in chosen:
        if layer.dead.any():
            try:
                plans.append(planned(network, layer, every, ways))
            except Obstacle as obstacle:
                reasons[layer.name] = str(obstacle)
    return plans, reasons


def _described(layer: LayerReport, outcome: Outcome | None, reasons: dict[str, str]) -> RevivedLayer:
    dead = tuple(layer.dead.nonzero()[0].tolist())
    left = [reasons[layer.name]] if layer.name in reasons else [] if outcome is None else outcome.left
    always_on = int(layer.always_on.sum())
    if always_on:
        are = "unit is" if always_on == 1 else "units are"
        left = [*left, f"{always_on} {are} always on, which is not dead"]
    saturated = tuple(saturated_units(layer).nonzero()[0].tolist())
    revived = () if outcome is None else outcome.revived
    return RevivedLayer(layer.name, layer.channels, dead, saturated, revived, "; ".join(left))
