"""The layers before and after each rectifier, and what interval bounds prove about its units."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from halfwave.audit.bounds.intervals import Interval
from halfwave.audit.bounds.probe import Node, Probe
from halfwave.audit.counting.moments import Floats
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.quiet import evaluating
from halfwave.audit.rectifiers.rectifier import Rectifier
from halfwave.errors import HalfwaveError

__all__ = ["InputRange", "Neighbour", "Proof", "Wiring", "checked_range", "wiring_of"]

InputRange = tuple[Any, Any] | None

_LINEAR = ("linear", *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)))

# functions that hand every channel on by itself
_BEFORE = ("batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "contiguous", "clone", "detach")
_AFTER = (
    *_BEFORE,
    *(f"{kind}{n}d" for kind in ("max_pool", "avg_pool") for n in (1, 2, 3)),
    *(f"adaptive_{kind}{n}d" for kind in ("max_pool", "avg_pool") for n in (1, 2, 3)),
    *("flatten", "view", "reshape", "squeeze", "unsqueeze"),
)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A linear layer or convolution next to a rectifier."""

    module: str
    """Path of the module in whose forward it is called."""
    operation: str
    """Such as "linear" or "conv2d"."""
    weight: str | None
    """Name of its weight among the model's parameters."""
    bias: str | None
    """Name of its bias."""
    between: tuple[str, ...]
    """What lies between it and the rectifier, in the order of the pass, such as "bn1 (batch_norm)"."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What holds for every input inside the domain; arrays of shape (channels,)."""

    low: Floats
    """Lower bounds of what the units are given."""
    high: Floats
    dead: npt.NDArray[np.bool_]
    always_on: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What one pass showed of one rectifier."""

    before: Neighbour | None
    """The layer that it rectifies, where only a normalisation or dropout lies between."""
    after: tuple[Neighbour, ...]
    """The layers that read it."""
    after_is_complete: bool
    """Whether nothing else reads it: no sum, no gate, not the model's result."""
    bounds: tuple[Interval, Rectifier] | None

    def proof(self, dimension: int, channels: int) -> Proof | None:
        """What the bounds prove about the units along a dimension; None where nothing is bounded."""
        if self.bounds is None or not -self.bounds[0].low.ndim <= dimension < self.bounds[0].low.ndim:
            return None
        interval, rectifier = self.bounds
        if interval.low.shape[dimension] != channels or not interval.low.numel():
            return None
        dead, always_on = _verdict(interval, rectifier)

        def along(values: Tensor) -> Tensor:
            return values.movedim(dimension, 0).reshape(channels, -1)

        return Proof(
            along(interval.low).amin(1).cpu().numpy(),
            along(interval.high).amax(1).cpu().numpy(),
            along(dead).all(1).cpu().numpy(),
            along(always_on).all(1).cpu().numpy(),
        )


def _verdict(x: Interval, rectifier: Rectifier) -> tuple[Tensor, Tensor]:
    """Elements that are constant, and elements that are on one straight piece, for every input.

    A unit at its kink does not fire (see `Rectifier`): behind another ReLU, whose smallest output is 0, no unit of a
    ReLU is always on.
    """
    kinks = [kink.detach().double() if isinstance(kink, Tensor) else kink for kink in rectifier.kinks]
    lower, upper = kinks[0], kinks[-1]
    if rectifier.kind == "clipped":
        return (x.high <= lower) | (x.low >= upper), (x.low > lower) & (x.high < upper)
    if rectifier.kind == "two-sided":
        return (x.low >= lower) & (x.high <= upper), (x.low > upper) | (x.high < lower)
    neither = torch.zeros_like(x.low, dtype=torch.bool)
    if rectifier.kind == "soft":
        return neither, neither
    if rectifier.kind == "leaky":
        return neither, (x.low > lower) | (x.high <= lower)
    return x.high <= lower, x.low > lower


def wiring_of(
    model: nn.Module,
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    input_range: InputRange,
) -> dict[SiteKey, Wiring]:
    """One pass of one sample through a module of the model, without a trace.

    Args:
        model: the model, whose names are used.
        module: the module to call.
        args, kwargs: one sample.
        input_range: bounds of every floating-point input; None for no bounds.
    """
    leaves = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, Tensor)]
    inputs = [(leaf, _domain(leaf, input_range)) for leaf in leaves]
    probe = Probe(model, inputs)
    with warnings.catch_warnings(), evaluating(model), torch.no_grad(), probe:
        warnings.simplefilter("ignore")  # the user's own passes have said it all
        result = module(*args, **kwargs)
    results = probe.ends(list(result.values()) if isinstance(result, Mapping) else result)
    return {key: _wiring(probe, key, node, results) for key, node in probe.nodes.items()}


def _domain(x: Tensor, input_range: InputRange) -> Interval | None:
    if not x.is_floating_point():
        return None
    if input_range is None:
        return Interval.unknown(x.shape, x.device)
    low, high = (torch.as_tensor(end, dtype=torch.float64, device=x.device) for end in input_range)
    try:
        return Interval(low.expand(x.shape), high.expand(x.shape))
    except RuntimeError as error:
        raise HalfwaveError(
            f"`input_range` must hold numbers or broadcast to one sample of shape {tuple(x.shape)}; "
            f"got shapes {tuple(low.shape)} and {tuple(high.shape)}"
        ) from error


def checked_range(input_range: Any) -> InputRange:
    """The option as it is, or `HalfwaveError`."""
    if input_range is None:
        return None
    if not isinstance(input_range, (tuple, list)) or len(input_range) != 2:
        raise HalfwaveError(f"`input_range` must be a pair (low, high); got {input_range!r}")
    low, high = (torch.as_tensor(end, dtype=torch.float64) for end in input_range)
    if not bool((low <= high).all()):
        raise HalfwaveError(f"`input_range` must be a pair with low ≤ high; got {input_range!r}")
    return (low, high)


def _wiring(probe: Probe, key: SiteKey, node: Node, results: list[Node]) -> Wiring:
    after: list[Neighbour] = []
    complete = _collect_after(node, (), after, results)
    return Wiring(_before(node), tuple(after), complete, probe.bounds.get(key))


def _before(node: Node) -> Neighbour | None:
    between: tuple[str, ...] = ()
    while len(node.parents) == 1:
        node = node.parents[0]
        if node.operation in _LINEAR:
            return Neighbour(node.module, node.operation, node.weight, node.bias, between)
        if node.operation not in _BEFORE:
            return None
        between = (_described(node), *between)
    return None


def _collect_after(node: Node, between: tuple[str, ...], found: list[Neighbour], results: list[Node]) -> bool:
    """Gather the layers that read a call; whether that is all that reads it."""
    complete = node not in results and bool(node.children)
    for child in node.children:
        if child.operation in _LINEAR:
            found.append(Neighbour(child.module, child.operation, child.weight, child.bias, between))
        elif child.operation in _AFTER:
            complete &= _collect_after(child, (*between, _described(child)), found, results)
        else:
            complete = False
    return complete


def _described(node: Node) -> str:
    return f"{node.module} ({node.operation})" if node.module else node.operation
