"""One pass of one sample that shows how a model is wired, and what its rectifiers can be given at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from halfwave.audit.bounds.intervals import Interval, through_rectifier
from halfwave.audit.bounds.rules import ARITHMETIC, CONSTANT, JOINED, RULES
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.listening.listener import Listener
from halfwave.audit.rectifiers.operations import torch_name
from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["Node", "Probe"]


@dataclass(eq=False, slots=True)
class Node:
    """One call in the pass."""

    operation: str
    module: str
    """Path of the module in whose forward it was made."""
    parents: tuple[Node, ...]
    children: list[Node] = field(default_factory=list, repr=False)
    key: SiteKey | None = None
    """Of a rectifier."""
    weight: str | None = None
    """Name of the parameter that a linear layer or a convolution multiplies by."""
    bias: str | None = None


_ESCAPES = ("item", "tolist", "numpy", "__array__", "__bool__", "__float__", "__int__", "__index__")
"""Functions that turn tensors into numbers, on which the rest of the pass may depend."""


@dataclass(slots=True)
class _Known:
    """What is known of a tensor: where it comes from (None: it is a constant) and its bounds."""

    tensor: Tensor
    node: Node | None
    interval: Interval | None


class Probe(Listener):
    """Follows every tensor of one pass from the inputs on.

    Tensors that come from nowhere known, are written to in place through another name, or leave a function without
    a rule have no bounds: what is bounded is so for every input inside the domain, as long as the model's course does
    not depend on its values.

    Args:
        model: the model.
        inputs: the tensors given to it, each with its bounds or None.
    """

    def __init__(self, model: nn.Module, inputs: list[tuple[Tensor, Interval | None]]) -> None:
        super().__init__(model, alone=True)
        self.bounds: dict[SiteKey, tuple[Interval, Rectifier]] = {}
        """What each rectifier can be given, where that is known."""
        self.nodes: dict[SiteKey, Node] = {}
        self._escaped = False
        self._names = {id(tensor): name for name, tensor in model.named_parameters()}
        self._known: dict[int, _Known] = {}
        self._written: set[int] = set()
        for tensor in (*model.parameters(), *model.buffers()):
            self._remember(tensor, None, Interval.point(tensor) if tensor.is_floating_point() else None)
        for tensor, interval in inputs:
            self._remember(tensor, Node("input", "", ()), interval)

    def begin_pass(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        return True

    # what is known of tensors

    def _remember(self, tensor: Tensor, node: Node | None, interval: Interval | None) -> None:
        self._known[id(tensor)] = _Known(tensor, node, interval)

    def _of(self, tensor: Tensor) -> _Known:
        known = self._known.get(id(tensor))
        if known is None or (self._written and known.node is None and _storage(tensor) in self._written):
            return _Known(tensor, Node("unknown", "", ()), None)
        return known

    def _overwritten(self, tensor: Tensor) -> None:
        """Forget the bounds of everything that shares memory with a tensor, itself among it."""
        storage = _storage(tensor)
        self._written.add(storage)
        for known in self._known.values():
            if _storage(known.tensor) == storage:
                known.interval = None

    def ends(self, result: Any) -> list[Node]:
        """The calls that a model's result comes from."""
        found = [self._of(tensor).node for tensor in _tensors((result,))]
        return [node for node in found if node is not None]

    # calls

    def begin(self, key: SiteKey, rectifier: Rectifier, x: Tensor, call: Any) -> Any:
        known = self._of(x)
        interval = None if self._escaped else known.interval
        if interval is not None:
            self.bounds[key] = (interval, rectifier)
        self.nodes[key] = self._node(rectifier.operation, [known])
        return self.nodes[key], interval, rectifier, call, x

    def end(self, token: Any, y: Any) -> None:
        if token is None or not isinstance(y, Tensor):
            return
        node, interval, rectifier, call, x = token
        if _storage(y) == _storage(x):
            self._overwritten(y)
        image = None
        if interval is not None:
            with contextlib.suppress(Exception):  # an activation that cannot be called again has no bounds
                image = through_rectifier(interval, rectifier, call)
        self._remember(y, node, image)

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        name = torch_name(function)
        if name == "__get__":  # of a property, such as the transposed
            name = getattr(getattr(function, "__self__", None), "__name__", name)
        given = [self._of(value) for value in _tensors((*args, *kwargs.values()))]
        sources = [known for known in given if known.node is not None]
        results = list(_tensors((result,)))
        self._escaped |= bool(sources) and name in _ESCAPES
        writes = _writes(name, kwargs)
        if writes or not name:  # what is not torch's own may write anywhere
            for tensor in (*results, *(known.tensor for known in given)):
                self._overwritten(tensor)
        if not sources and name in CONSTANT and not writes:
            for tensor in results:
                self._remember(tensor, None, Interval.point(tensor) if tensor.is_floating_point() else None)
        elif results:
            # a function that had nothing to do hands back what it was given
            new = [
                tensor for tensor in results if writes or not any(known.tensor is tensor for known in given)
            ]
            if new:
                self._derive(
                    function, name, args, kwargs, new, sources, known=not writes and len(results) == 1
                )

    def _derive(
        self,
        function: Any,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        results: list[Tensor],
        sources: list[_Known],
        known: bool,
    ) -> None:
        """Remember what a function made of tensors that depend on the inputs."""
        node = self._node(name, sources)
        if len(args) > 1 or "weight" in kwargs:
            node.weight = self._names.get(id(kwargs.get("weight", args[1] if len(args) > 1 else None)))
            node.bias = self._names.get(id(kwargs.get("bias", args[2] if len(args) > 2 else None)))
        for tensor in results:
            self._remember(tensor, node, self._image(function, name, args, kwargs, tensor) if known else None)

    def _node(self, operation: str, given: list[_Known]) -> Node:
        parents = tuple(known.node for known in given if known.node is not None)
        node = Node(operation, self.paths.get(self.running[-1], ""), parents)
        for parent in parents:
            parent.children.append(node)
        return node

    def _image(
        self, function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor
    ) -> Interval | None:
        """Bounds of a result, or None."""
        if self._escaped or not result.is_floating_point():
            return None
        with contextlib.suppress(Exception), torch.no_grad():
            found = self._by_rule(function, name, args, kwargs)
            if found is not None and found.low.shape == result.shape:
                return found
        return None

    def _by_rule(
        self, function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Interval | None:
        if name in ARITHMETIC:
            return ARITHMETIC[name](*(self._operand(value) for value in args[:2]), **kwargs)
        if name in JOINED:
            parts = [self._operand(part) for part in args[0]]
            rest = args[1:]
            return Interval(
                *(
                    function([getattr(part, end) for part in parts], *rest, **kwargs)
                    for end in ("low", "high")
                )
            )
        if name == "embedding":
            return self._embedded(*args, **kwargs)
        if name == "batch_norm" and isinstance(function, torch._ops.OpOverload):
            name = "batch_norm (kernel)"
        rule = RULES.get(name)
        if rule is None:
            return None
        first, *others = args if args else (kwargs["input"],)
        more = {key: value for key, value in kwargs.items() if key not in ("input", "inplace")}
        # the others must be constants, or the rule would take one value for all
        for known in (self._of(value) for value in _tensors((*others, *more.values()))):
            if known.node is not None:
                return None
        interval = self._of(first).interval
        return None if interval is None else rule(interval, *others, **more)

    def _embedded(self, index: Tensor, weight: Tensor, *rest: Any, **more: Any) -> Interval | None:
        """A row of the table, whichever."""
        renormalised = more.get("max_norm", rest[1] if len(rest) > 1 else None)
        if self._of(weight).node is not None or isinstance(renormalised, float):
            return None
        wide = weight.detach().to(torch.float64)
        shape = (*index.shape, weight.shape[1])
        return Interval(wide.amin(0).expand(shape), wide.amax(0).expand(shape))

    def _operand(self, value: Any) -> Interval:
        if not isinstance(value, Tensor):
            return Interval.point(torch.tensor(float(value)))
        interval = self._of(value).interval
        if interval is None:
            raise NotImplementedError("nothing known")
        return interval


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _writes(name: str, kwargs: dict[str, Any]) -> bool:
    """Whether a function overwrites its first argument or an output that it was given."""
    augmented = name.startswith("__i") and name not in ("__index__", "__int__", "__invert__")
    in_place = (name.endswith("_") and not name.endswith("__")) or name == "__setitem__" or augmented
    return in_place or bool(kwargs.get("inplace")) or kwargs.get("out") is not None


def _tensors(values: tuple[Any, ...]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(tuple(value))
        elif isinstance(value, dict):
            yield from _tensors(tuple(value.values()))
