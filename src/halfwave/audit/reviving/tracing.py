"""The layers that read a rectifier behind what averages, joins or resizes it, and where in them its units lie."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.bounds.probe import Node, Probe
from halfwave.audit.bounds.ways import Layout, Way, Ways
from halfwave.audit.bounds.wiring import Neighbour
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.examples import Arguments, repeated
from halfwave.audit.quiet import evaluating
from halfwave.audit.reporting.layer import LayerReport

__all__ = ["ways_of"]


class _Stop(Exception):
    """Why something cannot be followed, in words."""


@dataclass(frozen=True, slots=True)
class _Call:
    """What a function of torch was given and made."""

    args: tuple[Any, ...]
    options: dict[str, Any]
    parts: tuple[tuple[Node | None, torch.Size], ...]
    """Calls that its first argument, or the tensors in that, come from, and their shapes."""
    shape: torch.Size

    def option(self, names: str, place: int, default: Any = None) -> Any:
        """An argument by one of its names or its place."""
        given = next((self.options[name] for name in names.split() if name in self.options), default)
        return self.args[place] if len(self.args) > place else given


@dataclass(frozen=True, slots=True)
class _Here:
    """Where the units are in some tensor."""

    shape: torch.Size
    axis: int
    """The dimension along which they lie."""
    layout: Layout
    norms: tuple[tuple[str, Layout], ...] = ()


class _Tracer(Probe):
    """Keeps what every function was given in a pass of one sample."""

    def __init__(self, model: nn.Module, inputs: list[Tensor]) -> None:
        super().__init__(model, [(x, None) for x in inputs])
        self.calls: dict[Node, _Call] = {}
        self.shapes: dict[Node, torch.Size] = {}

    def end(self, token: Any, y: Any) -> None:
        super().end(token, y)
        if token is not None and isinstance(y, Tensor):
            self.shapes[token[0]] = y.shape

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        first = tree_leaves(args[0] if args else kwargs.get("input", kwargs.get("tensors")))
        parts = tuple((self._of(x).node, x.shape) for x in first if isinstance(x, Tensor))
        super().follow(function, args, kwargs, result)
        if isinstance(result, Tensor):
            node = self._of(result).node
            if node is not None and node not in self.calls:
                self.calls[node] = _Call(args, kwargs, parts, result.shape)


def ways_of(
    model: nn.Module, examples: Mapping[nn.Module, tuple[Arguments, int]], layers: Iterable[LayerReport]
) -> Ways:
    """The ways from rectifiers with units that never fired to the layers that read them from farther off.

    Args:
        model: that was audited.
        examples: modules that were called from outside, each with one sample and the size of its batches.
        layers: what was found.
    """
    wanted = {layer.key: layer for layer in layers if layer.dead.any() and not layer.after_is_complete}
    found: dict[SiteKey, tuple[Way, ...] | str] = {}
    for module, (sample, length) in examples.items() if wanted else ():
        # a model that does not run on one sample has no neighbours either, which a note of the report says
        with contextlib.suppress(Exception):
            try:
                tracer, results = _traced(model, module, sample)
            except Exception:  # it may insist on the size of its batches
                tracer, results = _traced(model, module, repeated(sample, length))
            found |= {
                key: _ways(tracer, wanted[key], node, results)
                for key, node in tracer.nodes.items()
                if key in wanted
            }
    return found


def _traced(model: nn.Module, module: nn.Module, arguments: Arguments) -> tuple[_Tracer, list[Node]]:
    tensors = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)]
    tracer = _Tracer(model, tensors)
    with warnings.catch_warnings(), evaluating(model), torch.no_grad(), tracer:
        warnings.simplefilter("ignore")  # the user's own passes have said it all
        result = module(*arguments[0], **arguments[1])
    return tracer, tracer.ends(tree_leaves(result))


def _ways(tracer: _Tracer, layer: LayerReport, node: Node, results: list[Node]) -> tuple[Way, ...] | str:
    shape, axis = tracer.shapes.get(node, torch.Size()), layer.channel_dimension
    if not axis < len(shape) or shape[axis] != layer.channels:
        return "one sample does not show where its units lie"
    used = Counter(call.weight for call in tracer.calls if call.weight is not None)
    try:
        return tuple(_behind(tracer, node, _Here(shape, axis, Layout(layer.channels)), results, used))
    except _Stop as stop:
        return str(stop)


def _behind(
    tracer: _Tracer, node: Node, here: _Here, results: list[Node], used: Counter[str]
) -> Iterable[Way]:
    """All layers that read a call, or `_Stop`."""
    if node in results:
        raise _Stop("it is part of the model's result")
    if not node.children:
        raise _Stop(f"nothing that could be followed reads the result of `{node.operation}`")
    for child in node.children:
        if child.operation in _SHAPES:
            continue
        call, reads = tracer.calls.get(child), f"`{child.operation.strip('_') or 'something'}` reads it"
        if (
            call is None
            or [part for part, _ in call.parts].count(node) != 1
            or node.children.count(child) > 1
        ):
            raise _Stop(reads)
        if _spatial(child.operation) is not None:
            if here.axis != len(here.shape) - 1 - (_spatial(child.operation) or 0):
                raise _Stop(f"{reads} across its units")
            if child.weight is not None and used[child.weight] > 1:
                raise _Stop(f"its neighbours' parameter {child.weight} is used in more than one place")
            reader = Neighbour(child.module, child.operation, child.weight, child.bias, ())
            yield Way(reader, here.layout, here.norms)
            continue
        there = _RULES.get(child.operation, lambda *given: None)(call, here, node)
        if there is None or there.shape != call.shape:
            raise _Stop(reads)
        if child.operation == "batch_norm":
            there = replace(there, norms=(*there.norms, (child.module, there.layout)))
        yield from _behind(tracer, child, there, results, used)


def _spatial(operation: str) -> int | None:
    """Dimensions behind the channels of what a layer reads; None for what is not such a layer."""
    if operation == "linear":
        return 0
    kind = operation.removeprefix("conv_transpose").removeprefix("conv")
    return int(kind[0]) if operation.startswith("conv") and kind in ("1d", "2d", "3d") else None


# where the units are behind a function; None where it mixes them or is not known


def _each(call: _Call, here: _Here, node: Node) -> _Here:
    return here


def _normalised(call: _Call, here: _Here, node: Node) -> _Here | None:
    return here if here.axis == 1 else None


def _resized(call: _Call, here: _Here, node: Node) -> _Here | None:
    """Pooling and interpolation, which change the places behind dimension 1, or of one image behind dimension 0."""
    first = 1 if len(call.shape) > 2 else 0
    same = len(call.shape) == len(here.shape) and call.shape[: first + 1] == here.shape[: first + 1]
    return replace(here, shape=call.shape) if here.axis <= first and same else None


def _reduced(call: _Call, here: _Here, node: Node) -> _Here | None:
    """Means, sums and extremes over places."""
    given = call.option("dim axis", 1)
    if given is None:
        return None
    rank = len(here.shape)
    gone = {d % rank for d in ([given] if isinstance(given, int) else given)}
    if not gone or here.axis in gone:
        return None
    if call.option("keepdim keepdims", 2, False):
        return replace(here, shape=torch.Size(1 if d in gone else n for d, n in enumerate(here.shape)))
    shape = torch.Size(n for d, n in enumerate(here.shape) if d not in gone)
    return replace(here, shape=shape, axis=here.axis - sum(d < here.axis for d in gone))


def _reshaped(call: _Call, here: _Here, node: Node) -> _Here | None:
    """The dimension that holds all units, perhaps with what lay before and behind them."""
    if any(isinstance(value, torch.dtype) for value in (*call.args, *call.options.values())):
        return None
    layout = here.layout
    before = math.prod(here.shape[: here.axis]) * layout.outer
    behind = math.prod(here.shape[here.axis + 1 :]) * layout.inner
    for axis, width in enumerate(call.shape):
        left, right = math.prod(call.shape[:axis]), math.prod(call.shape[axis + 1 :])
        if left and right and before % left == 0 and behind % right == 0:
            new = replace(layout, outer=before // left, inner=behind // right)
            if new.width == width:
                return replace(here, shape=call.shape, axis=axis, layout=new)
    return None


def _permuted(call: _Call, here: _Here, node: Node) -> _Here:
    given = call.option("dims", 1)
    order = given if isinstance(given, (tuple, list)) else call.args[1:]
    return _ordered(here, [d % len(here.shape) for d in order])


def _transposed(call: _Call, here: _Here, node: Node) -> _Here:
    order = list(range(len(here.shape)))
    one, other = call.option("dim0 axis0", 1), call.option("dim1 axis1", 2)
    order[one], order[other] = order[other], order[one]
    return _ordered(here, order)


def _ordered(here: _Here, order: list[int]) -> _Here:
    return replace(here, shape=torch.Size(here.shape[d] for d in order), axis=order.index(here.axis))


def _padded(call: _Call, here: _Here, node: Node) -> _Here | None:
    """More places, which hold 0, as dead units do, or what other places hold."""
    pad, mode = call.option("pad", 1), call.option("mode", 2, "constant")
    value = mode if isinstance(mode, (int, float)) else call.option("value", 3)  # the kernel has no mode
    place = 2 * (len(here.shape) - 1 - here.axis)
    if any(pad[place : place + 2]) or ((not isinstance(mode, str) or mode == "constant") and value):
        return None
    return replace(here, shape=call.shape)


def _joined(call: _Call, here: _Here, node: Node) -> _Here | None:
    """Parts side by side along the units."""
    dim = call.option("dim axis", 1, 0) % len(here.shape)
    if dim != here.axis or here.layout.width != here.layout.total:
        return None
    place = [part for part, _ in call.parts].index(node)
    before = sum(shape[dim] for _, shape in call.parts[:place])
    layout = Layout(call.shape[dim], here.layout.offset + before)
    return replace(here, shape=call.shape, layout=layout)


_SHAPES = (*("new_zeros", "new_ones", "new_full", "new_empty"), *("zeros_like", "ones_like", "empty_like"))
"""Functions that look at the shape only."""

_Rule = Callable[[_Call, _Here, Node], _Here | None]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(
        ("dropout", "dropout1d", "dropout2d", "dropout3d", "contiguous", "clone", "detach"), _each
    ),
    "batch_norm": _normalised,
    **dict.fromkeys((f"{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3)), _resized),
    **dict.fromkeys((f"adaptive_{kind}_pool{n}d" for kind in ("max", "avg") for n in (1, 2, 3)), _resized),
    **dict.fromkeys(("interpolate", "upsample"), _resized),
    **dict.fromkeys(("mean", "sum", "amax", "amin"), _reduced),
    **dict.fromkeys(("flatten", "view", "reshape", "unflatten", "squeeze", "unsqueeze"), _reshaped),
    "permute": _permuted,
    **dict.fromkeys(("transpose", "swapaxes", "swapdims"), _transposed),
    **dict.fromkeys(("pad", "constant_pad_nd"), _padded),
    **dict.fromkeys(("cat", "concat", "concatenate"), _joined),
}
"""Function → where the units are in its result."""
