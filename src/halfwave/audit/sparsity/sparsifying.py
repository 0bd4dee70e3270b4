"""Puts sparse linear layers where the inputs are sparse enough for them to pay."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from halfwave.audit.batches import Inputs, iterate
from halfwave.audit.calling import arguments_for, located
from halfwave.audit.counting.shares import percent
from halfwave.audit.quiet import device_of, evaluating, is_exported, kinds_in, uncompiled
from halfwave.audit.reporting.report import Report
from halfwave.audit.swapping import chosen_names, has_hooks, is_fused, swapped, text_table
from halfwave.errors import HalfwaveError
from halfwave.functions.checks import finite_number, positive_number
from halfwave.nn import SparseInputLinear
from halfwave.nn.sparse.crossover import shortest_time
from halfwave.words import counted

__all__ = ["LayerSpeed", "SparseModel", "sparsify"]


@dataclass(frozen=True, slots=True)
class LayerSpeed:
    """A linear layer, what it is given, and how long it takes."""

    name: str
    in_features: int
    out_features: int
    rows: int
    """Rows of its input in one call: samples times positions."""
    zeros: float
    """Share of its inputs that are exactly zero."""
    dense: float
    """Seconds of ``nn.Linear``; NaN where it was not measured."""
    sparse: float
    """Seconds of `halfwave.nn.SparseInputLinear`."""
    left: str
    """Why it was left alone; empty where it was swapped."""

    @property
    def speedup(self) -> float:
        """How many times faster the sparse layer is."""
        return self.dense / self.sparse


@dataclass(frozen=True, slots=True)
class SparseModel:
    """A model with sparse linear layers, and what each of them wins."""

    model: nn.Module = field(repr=False)
    """The copy."""
    layers: tuple[LayerSpeed, ...]
    """All linear layers that were looked at."""

    @property
    def swapped(self) -> tuple[str, ...]:
        """Names of the layers that were swapped."""
        return tuple(layer.name for layer in self.layers if not layer.left)

    @property
    def speedup(self) -> float:
        """Of all measured linear layers together; 1 where none was measured."""
        measured = [layer for layer in self.layers if layer.dense == layer.dense]
        after = sum(layer.dense if layer.left else layer.sparse for layer in measured)
        return sum(layer.dense for layer in measured) / after if measured else 1.0

    def table(self) -> str:
        """The layers as lines of text."""
        rows = [
            (
                layer.name,
                f"{layer.in_features} → {layer.out_features}",
                layer.rows or "–",
                percent(layer.zeros),
                *_times(layer),
                layer.left or "swapped",
            )
            for layer in self.layers
        ]
        return text_table(
            ["layer", "shape", "rows", "zeros", "dense µs", "sparse µs", "faster", "outcome"], rows
        )

    def __str__(self) -> str:
        return (
            f"{len(self.swapped)} of {counted(len(self.layers), 'linear layer')} swapped; all of them together "
            f"{self.speedup:.2f} times as fast.\n\n{self.table()}"
        )


def _times(layer: LayerSpeed) -> tuple[str, str, str]:
    if layer.dense != layer.dense:
        return "–", "–", "–"
    return f"{layer.dense * 1e6:.0f}", f"{layer.sparse * 1e6:.0f}", f"{layer.speedup:.2f}"


def sparsify(
    model: nn.Module,
    data: Iterable[Any] | Report | None = None,
    *,
    inputs: Inputs = None,
    layers: Sequence[str] | str | None = None,
    minimum_speedup: float = 1.1,
    sparsity: float = 0.9,
    rows: int = 1,
) -> SparseModel:
    """A copy of a model with `halfwave.nn.SparseInputLinear` for those linear layers that it makes faster here.

    Each ``nn.Linear`` is timed on this machine, with the threads in use, against its sparse form, which is calibrated
    for the size of its batches first: on its own latest input, or on a random one as sparse. The outputs of the model
    stay the same up to the order of sums. Thresholds come first, see `calibrate_thresholds`.

    Gated blocks, ``down(activation(gate(x)) * up(x))``, are not recognised: their three layers are judged one by one.
    Where gates are mostly zero, put a `halfwave.nn.SparseGatedMLP` in their place by hand, as below: it skips rows of
    ``up`` as well.

    Left alone are layers that share their weight with another module, have hooks, or are subclasses of ``nn.Linear``
    (such as those with parametrisations, or those that attention reads itself).

    Args:
        model: any module; one that is compiled is run as it was before, in evaluation mode, and not changed.
        data: batches like those the model will be given, in number and size (one is enough, the last counts); or the
            report of an audit, for layers that read a rectifier directly; or None, to assume ``sparsity`` and ``rows``
            for every layer.
        inputs: what of a batch the model is given, see `halfwave.audit.audit`.
        layers: names of layers, with wildcards, instead of all.
        minimum_speedup: how many times faster a layer must be, positive.
        sparsity: share of zeros in the inputs of every layer, inside [0, 1]; if there is no ``data``.
        rows: samples in a batch, positive; if there is no ``data``.

    Returns:
        The result: ``.model``, ``.layers``, ``.swapped``, ``.speedup``, ``.table()``.

    Raises:
        HalfwaveError: if the model has no nn.Linear, there is no batch, an option makes no sense, or inputs are not
            finite.

    >>> model = nn.Sequential(nn.Linear(8, 2048), nn.ReLU(), nn.Linear(2048, 1024))
    >>> _ = nn.init.constant_(model[0].bias, -0.5)
    >>> result = sparsify(model, [torch.randn(1, 8)])
    >>> [layer.name for layer in result.layers], result.layers[0].left
    (['0', '2'], 'too small a gain')
    >>> from halfwave.nn import SparseGatedMLP
    >>> block = nn.ModuleDict({"gate": nn.Linear(8, 32), "up": nn.Linear(8, 32), "down": nn.Linear(32, 8)})
    >>> block = SparseGatedMLP(block["gate"], block["up"], block["down"], nn.ReLU())
    >>> block(torch.randn(1, 8)).shape
    torch.Size([1, 8])

    Source: measured in docs/decisions.md.
    """
    network = uncompiled(model, "sparsify", inside=True)
    minimum = positive_number("`minimum_speedup` of sparsify", minimum_speedup)
    linears = {name: m for name, m in network.named_modules() if isinstance(m, nn.Linear)}
    if not linears:
        cure = ": use the model that the program was exported from" if is_exported(network) else ""
        raise HalfwaveError(f"the model must have a torch.nn.Linear; got {kinds_in(network)}{cure}")
    chosen = chosen_names(list(linears), layers, "sparsify")
    obstacles = {name: _obstacle(network, name) for name in linears if name in chosen}
    free = {name: linears[name] for name, why in obstacles.items() if not why}
    given = _given(network, free, data, inputs, sparsity, rows)
    found = [_judged(name, linears[name], given.get(name), why, minimum) for name, why in obstacles.items()]
    copied = copy.deepcopy(network)
    replacements: dict[nn.Module, nn.Module] = {}
    for layer in found:
        if not layer.left:
            old = copied.get_submodule(layer.name)
            assert isinstance(old, nn.Linear)
            replacements[old] = SparseInputLinear.from_linear(old).calibrate([layer.rows])
    return SparseModel(swapped(copied, replacements), tuple(found))


def _obstacle(network: nn.Module, name: str) -> str:
    """Why a layer cannot be swapped; empty where it can."""
    layer = network.get_submodule(name)
    if type(layer) is not nn.Linear:
        return f"it is a {type(layer).__name__}"
    if has_hooks(layer):
        return "it has hooks"
    owners = Counter(id(p) for module in network.modules() for p in module._parameters.values())
    if owners[id(layer.weight)] > 1:
        return "its weight is shared"
    if name and is_fused(network.get_submodule(name.rpartition(".")[0])):
        return "a fused kernel reads its weight"
    return ""


def _given(
    network: nn.Module,
    layers: dict[str, nn.Linear],
    data: Iterable[Any] | Report | None,
    inputs: Inputs,
    sparsity: float,
    rows: int,
) -> dict[str, Tensor]:
    """Layer → an input (rows, in_features) as it will be given."""
    if data is None:
        zeros = finite_number("`sparsity` of sparsify", sparsity)
        if not 0 <= zeros <= 1:
            raise HalfwaveError(f"`sparsity` of sparsify must be inside [0, 1]; got {sparsity!r}")
        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise HalfwaveError(f"`rows` of sparsify must be a positive integer; got {rows!r}")
        return {name: _random_input(layer, rows, zeros) for name, layer in layers.items()}
    if isinstance(data, Report):
        return _given_by_report(layers, data)
    return _observed(network, layers, data, inputs)


def _given_by_report(layers: dict[str, nn.Linear], report: Report) -> dict[str, Tensor]:
    given = {}
    for rectifier in report.layers:
        rows = max(1, round(rectifier.elements / max(1, report.batches)))
        for neighbour in rectifier.after:
            if neighbour.operation == "linear" and neighbour.module in layers:
                layer = layers[neighbour.module]
                # places of an image become inputs when it is flattened
                per_input = max(1, layer.in_features // rectifier.channels)
                given[neighbour.module] = _random_input(layer, max(1, rows // per_input), rectifier.sparsity)
    return given


def _random_input(layer: nn.Linear, rows: int, zeros: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = rows, layer.in_features
    values = torch.rand(shape, generator=generator) + 0.5
    return (values * (torch.rand(shape, generator=generator) >= zeros)).to(layer.weight)


def _observed(
    network: nn.Module, layers: dict[str, nn.Linear], batches: Iterable[Any], inputs: Inputs
) -> dict[str, Tensor]:
    """The latest input of every layer on the batches."""
    given: dict[str, Tensor] = {}
    handles = [
        layer.register_forward_pre_hook(_keeper(given, name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    count, device = 0, device_of(network)
    try:
        with torch.no_grad(), evaluating(network):
            for batch in iterate(batches):
                args, kwargs = arguments_for(batch, count, network, inputs, device)
                with located(network, count, (args, kwargs)):
                    network(*args, **kwargs)
                count += 1
    finally:
        for handle in handles:
            handle.remove()
    if not count:
        raise HalfwaveError("`batches` must hold at least one batch; got none")
    for name, x in given.items():
        if not bool(torch.isfinite(x).all()):
            raise HalfwaveError(
                f"inputs of layer {name or '(model)'} must be finite; got NaN or infinite ones"
            )
    return given


def _keeper(given: dict[str, Tensor], name: str) -> Callable[..., None]:
    """A hook that keeps the latest input of a layer that had any."""

    def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        x = args[0] if args else kwargs.get("input")
        if isinstance(x, Tensor) and x.numel():
            given[name] = x.detach().reshape(-1, x.shape[-1]).clone()

    return keep


def _judged(name: str, layer: nn.Linear, x: Tensor | None, left: str, minimum: float) -> LayerSpeed:
    nan = float("nan")
    shape = layer.in_features, layer.out_features
    if left or x is None:
        return LayerSpeed(name, *shape, 0, nan, nan, nan, left or "nothing is known of its inputs")
    zeros = 1 - int(torch.count_nonzero(x)) / x.numel()
    sparse_layer = SparseInputLinear.from_linear(layer).calibrate([len(x)])
    with torch.no_grad():
        dense = shortest_time(lambda: nn.functional.linear(x, layer.weight, layer.bias))
        sparse = shortest_time(lambda: sparse_layer(x))
    return LayerSpeed(
        name, *shape, len(x), zeros, dense, sparse, "" if dense >= minimum * sparse else "too small a gain"
    )
