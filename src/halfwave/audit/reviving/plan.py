"""Which dead units can be revived: what must be known of the layers before and behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from halfwave.audit.bounds.ways import Layout, Way, Ways
from halfwave.audit.bounds.wiring import Neighbour
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reviving.parts import Reader, incoming_mask
from halfwave.errors import HalfwaveError
from halfwave.words import counted

__all__ = ["Obstacle", "Plan", "planned"]


class Obstacle(Exception):
    """Why a layer must be left alone, in words that follow its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The dead units of one rectifier and all that has to change for them."""

    layer: LayerReport
    units: Tensor
    """Numbers of the dead units (units,)."""
    operation: str
    """What the layer before it does, such as "conv2d"."""
    weight: nn.Parameter
    bias: nn.Parameter | None
    norm: _BatchNorm | None
    """The batch normalisation between that layer and the rectifier."""
    readers: tuple[Reader, ...]
    norms_after: tuple[tuple[_BatchNorm, Layout], ...]
    """Those between the rectifier and its readers, and where its units lie in them."""
    mixable: bool
    """Whether all units read the same inputs, so that mixtures of their weights make sense."""

    def incoming(self, units: Tensor) -> Tensor:
        """Entries of the weight that make these units."""
        return incoming_mask(self.weight, self.operation, units)

    @property
    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything that entries are replaced in."""
        vectors = [self.bias, *(reader.bias for reader in self.readers)]
        norms = [self.norm, *(norm for norm, _ in self.norms_after)]
        norms = [norm for norm in norms if norm is not None and norm.affine]
        found = [self.weight, *(reader.weight for reader in self.readers), *(norm.weight for norm in norms)]
        return [*found, *(vector for vector in vectors if vector is not None)]


def _channels_last(layer: LayerReport) -> bool:
    # (samples, channels, places) has them at 1; at 1 of (samples, channels) there are no places
    # and (channels, places), one image without a dimension for samples, at 0
    return layer.channel_dimension > 1


def planned(network: nn.Module, layer: LayerReport, layers: Iterable[LayerReport], ways: Ways) -> Plan:
    """What reviving the dead units of a layer takes.

    Raises:
        Obstacle: if they cannot be revived without a change of the model's function.
        HalfwaveError: if the report is not of this model.
    """
    before = _layer_before(layer)
    weight, bias = _weights(network, before, "before")
    norm = _one_norm(network, layer)
    if bias is None and norm is None:
        raise Obstacle("the layer before it has no bias, by which new units could be placed")
    channel = 1 if "transpose" in before.operation else 0
    if weight.shape[channel] != layer.channels:
        raise HalfwaveError(
            f"`report` of revive must be of this model; {before.weight!r} has shape {tuple(weight.shape)}, "
            f"its layer {counted(layer.channels, 'unit')}"
        )
    readers, norms_after = _after(network, layer, ways)
    device = weight.device
    module = network.get_submodule(before.module)
    plan = Plan(
        layer,
        torch.from_numpy(np.flatnonzero(layer.dead)).to(device),
        before.operation,
        weight,
        bias,
        norm,
        readers,
        norms_after,
        isinstance(module, nn.Linear) or (isinstance(module, _ConvNd) and module.groups == 1),
    )
    if any(norm.num_features != layout.width for norm, layout in norms_after):
        raise Obstacle("a batch normalisation behind it does not keep its units apart")
    _check_sharing(network, plan, layers)
    return plan


def _layer_before(layer: LayerReport) -> Neighbour:
    """The layer that makes the units of one whose units can be revived at all."""
    if layer.kind == "soft":
        raise Obstacle("it is a soft rectifier, whose units pass a gradient wherever they are")
    if layer.upper is not None and not np.isfinite(layer.upper).all():
        raise Obstacle("it answers below its kink only, where new units are not placed")
    if layer.before is None:
        raise Obstacle("it is not known to follow one linear layer or convolution of its own")
    return layer.before


def _weights(network: nn.Module, neighbour: Neighbour, side: str) -> tuple[nn.Parameter, nn.Parameter | None]:
    parameters = dict(network.named_parameters())
    for name in (neighbour.weight, neighbour.bias):
        if name is not None and name not in parameters:
            raise HalfwaveError(
                f"`report` of revive must be of this model; its parameter {name!r} is not there"
            )
    if neighbour.weight is None:
        raise Obstacle(
            f"the weight of the layer {side} it is not a parameter of the model but made from others"
        )
    weight = parameters[neighbour.weight]
    if not weight.requires_grad:
        raise Obstacle(f"the weight of the layer {side} it is frozen")
    return weight, None if neighbour.bias is None else parameters[neighbour.bias]


def _after(
    network: nn.Module, layer: LayerReport, ways: Ways
) -> tuple[tuple[Reader, ...], tuple[tuple[_BatchNorm, Layout], ...]]:
    """All that reads a rectifier, and the batch normalisations on the way."""
    if layer.after_is_complete:
        norms = [
            (norm, Layout.of(layer.channels, norm.num_features, _channels_last(layer)))
            for neighbour in layer.after
            for norm in _norms(network, neighbour)
        ]
        return tuple(_reader(network, layer, neighbour) for neighbour in layer.after), tuple(norms)
    found = ways.get(layer.key, "the report, which `audit` did not make, does not say what does")
    if isinstance(found, str):
        raise Obstacle(
            f"not only linear layers and convolutions read it, so that its units cannot be silenced: {found}"
        )
    places = {norm for way in found for norm in way.norms}
    norms = dict(places)
    if len(norms) < len(places):
        raise Obstacle("a batch normalisation behind it is used in more than one place")
    modules = {path: network.get_submodule(path) for path in norms}
    known = [(module, norms[path]) for path, module in modules.items() if isinstance(module, _BatchNorm)]
    if len(known) < len(norms):
        raise Obstacle("a batch normalisation next to it is not a module of torch")
    return tuple(_reader_at(network, way) for way in found), tuple(known)


def _reader_at(network: nn.Module, way: Way) -> Reader:
    weight, bias = _weights(network, way.reader, "behind")
    reader = Reader(way.reader.operation, weight, bias, _groups(network, way.reader, weight), way.layout)
    if not reader.fits:
        raise Obstacle("a layer that reads it does not read each unit by weights of its own")
    return reader


def _groups(network: nn.Module, neighbour: Neighbour, weight: nn.Parameter) -> int:
    module = network.get_submodule(neighbour.module)
    return module.groups if isinstance(module, _ConvNd) and module.weight is weight else 1


def _reader(network: nn.Module, layer: LayerReport, neighbour: Neighbour) -> Reader:
    weight, bias = _weights(network, neighbour, "behind")
    width = weight.shape[1] if neighbour.operation == "linear" else layer.channels
    layout = Layout.of(layer.channels, width, _channels_last(layer))
    reader = Reader(neighbour.operation, weight, bias, _groups(network, neighbour, weight), layout)
    assert layer.before is not None
    flattened = any(word in part for part in neighbour.between for word in ("flatten", "view", "shape"))
    across = reader.operation == "linear" and layer.before.operation != "linear" and not flattened
    if not reader.fits or across:
        raise Obstacle("a layer that reads it does not read each unit by weights of its own")
    return reader


def _norms(network: nn.Module, neighbour: Neighbour) -> list[_BatchNorm]:
    """The batch normalisations on the way to or from a neighbour."""
    paths = [part.removesuffix(" (batch_norm)") for part in neighbour.between if part.endswith("batch_norm)")]
    found = [network.get_submodule(path) for path in paths]
    norms = [module for module in found if isinstance(module, _BatchNorm)]
    if len(norms) != len(found) or "batch_norm" in neighbour.between:
        raise Obstacle("a batch normalisation next to it is not a module of torch")
    return norms


def _one_norm(network: nn.Module, layer: LayerReport) -> _BatchNorm | None:
    assert layer.before is not None
    norms = _norms(network, layer.before)
    if not norms:
        return None
    if len(norms) > 1 or norms[0].num_features != layer.channels:
        raise Obstacle("more than one batch normalisation, or one of another size, lies before it")
    return norms[0]


def _check_sharing(network: nn.Module, plan: Plan, layers: Iterable[LayerReport]) -> None:
    """Whatever else uses one of the weights would change with it."""
    owners = Counter(
        id(p) for module in network.modules() for p in module._parameters.values() if p is not None
    )
    names = {id(p): name for name, p in network.named_parameters()}
    before = Counter(layer.before.weight for layer in layers if layer.before is not None)
    after = Counter(neighbour.weight for layer in layers for neighbour in layer.after)
    for parameter in plan.parameters:
        name = names[id(parameter)]
        if owners[id(parameter)] > 1 or before[name] > 1 or after[name] > 1:
            raise Obstacle(f"its neighbours' parameter {name} is used in more than one place")
