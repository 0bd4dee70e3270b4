"""Which nodes of an ONNX graph rectify, what, and along which dimension their channels lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halfwave.audit.rectifiers.operations import rectifier_of_call
from halfwave.audit.rectifiers.rectifier import Rectifier
from halfwave.words import counted

__all__ = ["Graph", "RectifierNode"]

_LARGEST = 1 << 20
"""Elements up to which a constant is read."""

_BELOW = {"Less": True, "LessOrEqual": True, "Greater": False, "GreaterOrEqual": False}
"""Comparison → whether it holds below the number that is compared with."""

_SECOND = ("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "GroupNormalization")
_LAST = ("Gemm", "MatMul", "LayerNormalization", "RMSNormalization", "SkipLayerNormalization", "Gather")
_KEEPING = (
    *(
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Clip",
        "Relu",
        "LeakyRelu",
        "PRelu",
        "ThresholdedRelu",
        "Elu",
    ),
    *("Selu", "Celu", "Gelu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Mish", "Softplus", "Shrink"),
    *("Dropout", "Identity", "Cast", "Where", "Sum", "Neg", "Abs", "Pad", "Concat", "Resize"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LRN", "Softmax", "Swish"),
)
"""Operators whose result has as many dimensions as what they are given, channels in the same place."""


@dataclass(frozen=True, slots=True)
class RectifierNode:
    """A node that rectifies one of its inputs."""

    name: str
    given: str
    """The value that it rectifies."""
    made: str
    """Its result."""
    rectifier: Rectifier
    channels: int | None
    """The dimension of its channels, where a layer before it says so; −1 for the last."""


class Graph:
    """The main graph of an ONNX model, read for its rectifiers.

    Args:
        model: an ``onnx.ModelProto``, with external data left where they are.
        folder: where external data are.
    """

    def __init__(self, model: Any, folder: Path) -> None:
        self._graph, self._folder = model.graph, folder
        self._initializers = {tensor.name: tensor for tensor in self._graph.initializer}
        self._producers = {name: node for node in self._graph.node for name in node.output}
        self.notes: list[str] = []
        """What could not be looked at, one sentence each."""

    def rectifiers(self) -> tuple[RectifierNode, ...]:
        """The rectifiers in the order in which they run; fills `notes`."""
        found: dict[str, RectifierNode] = {}
        for node in self._graph.node:
            self._note_subgraphs(node)
            judged = self._judged(node)
            if judged is None or self.constant(judged[0]) is not None:
                continue
            given, rectifier = judged
            name = _fresh(node.name or f"{node.op_type}:{node.output[0]}", found)
            found[name] = RectifierNode(name, given, node.output[0], rectifier, self._channels(given))
        return tuple(found.values())

    def constant(self, name: str) -> np.ndarray | None:
        """A value that is written in the file, if it is one and not large."""
        from onnx import numpy_helper

        tensor = self._initializers.get(name)
        producer = self._producers.get(name)
        if tensor is None and producer is not None and producer.op_type == "Constant":
            values = {attribute.name: attribute for attribute in producer.attribute}
            if "value" in values:
                tensor = values["value"].t
            elif "value_float" in values:
                return np.asarray(values["value_float"].f)
        if tensor is None or math.prod(tensor.dims) > _LARGEST:
            return None
        return numpy_helper.to_array(tensor, base_dir=str(self._folder))

    def _judged(self, node: Any) -> tuple[str, Rectifier] | None:
        """The value that a node rectifies and how, or None."""
        if node.domain not in ("", "ai.onnx", "com.microsoft"):
            return None
        pattern = {"Max": self._maximum, "Mul": self._silu, "Where": self._where}.get(node.op_type)
        if pattern is not None:
            return pattern(node)
        maker = _MAKERS.get(node.op_type)
        rectifier = None if maker is None else maker(self, node)
        return None if rectifier is None else (node.input[0], rectifier)

    def _maximum(self, node: Any) -> tuple[str, Rectifier] | None:
        """Max with a constant of zeros."""
        constants = [self.constant(name) for name in node.input]
        zeros = [value is not None and not value.any() for value in constants]
        if len(zeros) != 2 or sum(zeros) != 1:
            return None
        return node.input[zeros.index(False)], Rectifier("maximum", "rectifier", zero_when_silent=True)

    def _silu(self, node: Any) -> tuple[str, Rectifier] | None:
        """Exporters write SiLU as ``x · Sigmoid(x)``."""
        for x, gate in (node.input, node.input[::-1]):
            producer = self._producers.get(gate)
            if producer is not None and producer.op_type == "Sigmoid" and producer.input[0] == x:
                return x, _called("silu")
        return None

    def _where(self, node: Any) -> tuple[str, Rectifier] | None:
        """Exporters write a threshold as ``Where(x ≤ T, v, x)``, or with the comparison the other way round."""
        compared = self._producers.get(node.input[0])
        if compared is None or compared.op_type not in _BELOW:
            return None
        x, (below, above) = (
            compared.input[0],
            node.input[1:] if _BELOW[compared.op_type] else node.input[:0:-1],
        )
        kink, value = self.constant(compared.input[1]), self.constant(below)
        if above != x or kink is None or value is None or value.size != 1:
            return None
        zero, lower = float(value.item()), torch.from_numpy(np.array(kink))
        if lower.numel() == 1:
            return x, _called("threshold", threshold=lower.item(), value=zero)
        silent = zero == 0 and bool((lower >= 0).all())
        rises = bool((lower >= zero).all())
        return x, Rectifier("threshold", "rectifier", lower, zero_when_silent=silent, increasing=rises)

    def _note_subgraphs(self, node: Any) -> None:
        inside = [part.op_type for graph in _subgraphs(node) for part in _nodes(graph)]
        hidden = sum(kind in _MAKERS for kind in inside)
        if hidden:
            self.notes.append(
                f"{node.op_type} {node.name or node.output[0]} holds {counted(hidden, 'rectifier')} in a subgraph, "
                "not looked at"
            )

    def _channels(self, name: str) -> int | None:
        """Where the channels of a value lie, told by the layer that it comes from."""
        seen, waiting = set(), [name]
        while waiting:
            node = self._producers.get(waiting.pop(0))
            if node is None or node.output[0] in seen:
                continue
            seen.add(node.output[0])
            if node.op_type in _SECOND:
                return 1
            if node.op_type in _LAST:
                return -1
            if node.op_type in _KEEPING:
                waiting.extend(value for value in node.input if value)
        return None


def _fresh(name: str, taken: dict[str, Any]) -> str:
    """The name, or one with a number where it is taken: ONNX does not ask that names be unique."""
    number, fresh = 0, name
    while fresh in taken:
        number += 1
        fresh = f"{name}#{number}"
    return fresh


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for inner in _subgraphs(node):
            yield from _nodes(inner)


def _called(operation: str, **options: Any) -> Rectifier:
    """The rectifier that torch's function of this name is."""
    found = rectifier_of_call(operation, (torch.zeros(1),), options)
    assert found is not None
    return found[1]


def _number(node: Any, name: str, default: float) -> float:
    return next((attribute.f for attribute in node.attribute if attribute.name == name), default)


def _clip(graph: Graph, node: Any) -> Rectifier | None:
    """Clip from 0, or between −T and T (the hard tangent); other limits guard logarithms and divisions.

    Before version 11 the limits are attributes, then they are inputs.
    """
    limits = {"min": -math.inf, "max": math.inf}
    limits |= {attribute.name: attribute.f for attribute in node.attribute if attribute.name in limits}
    for place, name in ((1, "min"), (2, "max")):
        if len(node.input) > place and node.input[place]:
            value = graph.constant(node.input[place])
            if value is None:
                graph.notes.append(
                    f"the limits of Clip {node.name or node.output[0]} are computed: not looked at"
                )
                return None
            limits[name] = float(value.reshape(-1)[0])
    low, high = limits["min"], limits["max"]
    if low == 0:
        # the largest finite number stands for no limit in old files
        endless = high > 1e38
        return (
            Rectifier("clip", "rectifier", zero_when_silent=True)
            if endless
            else Rectifier("clip", "clipped", 0.0, high)
        )
    return Rectifier("clip", "clipped", low, high) if low == -high and math.isfinite(low) else None


def _prelu(graph: Graph, node: Any) -> Rectifier:
    slope = graph.constant(node.input[1])
    return Rectifier("prelu", "leaky", increasing=slope is not None and bool((slope >= 0).all()))


def _threshold(graph: Graph, node: Any) -> Rectifier:
    found = _called("threshold", threshold=_number(node, "alpha", 1.0), value=0.0)
    return replace(found, operation="thresholded_relu")


def _shrink(graph: Graph, node: Any) -> Rectifier:
    return _called("hardshrink", lambd=_number(node, "lambd", 0.5))


_MAKERS: dict[str, Callable[[Graph, Any], Rectifier | None]] = {
    "Relu": lambda graph, node: _called("relu"),
    "LeakyRelu": lambda graph, node: _called("leaky_relu", negative_slope=_number(node, "alpha", 0.01)),
    "PRelu": _prelu,
    "ThresholdedRelu": _threshold,
    "Clip": _clip,
    "Shrink": _shrink,
    "Elu": lambda graph, node: _called("elu", alpha=_number(node, "alpha", 1.0)),
    "Celu": lambda graph, node: _called("celu", alpha=_number(node, "alpha", 1.0)),
    "Selu": lambda graph, node: _called("selu"),
    "Gelu": lambda graph, node: _called("gelu"),
    "FastGelu": lambda graph, node: _called("gelu"),
    "HardSwish": lambda graph, node: _called("hardswish"),
    "Mish": lambda graph, node: _called("mish"),
    "Softplus": lambda graph, node: _called("softplus"),
    "Swish": lambda graph, node: _called("silu"),
}
"""Operator → the rectifier that a node of it is."""
