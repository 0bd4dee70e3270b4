"""One pass over data that shows what new units would be given, and what the layers behind read of the dead ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.batches import Inputs, iterate
from halfwave.audit.calling import arguments_for, located
from halfwave.audit.counting.histograms import ChannelHistograms
from halfwave.audit.counting.moments import Floats, Moments
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.listening.listener import Listener
from halfwave.audit.quiet import device_of, evaluating
from halfwave.audit.rectifiers.operations import torch_name
from halfwave.audit.rectifiers.rectifier import Rectifier
from halfwave.audit.reviving.parts import Reader
from halfwave.audit.reviving.plan import Plan
from halfwave.errors import HalfwaveError

__all__ = ["Candidates", "ReadDead", "observed"]

_VALUES = 8192
"""Pre-activations of one unit that are kept of a batch."""

_GOLDEN = (5**0.5 - 1) / 2


class Candidates:
    """New weights of a plan's units, and what they make of the data.

    Args:
        plan: whose units they are for.
        weight: of the shape of the layer's weight; what is not these units' does not count.
    """

    def __init__(self, plan: Plan, weight: Tensor) -> None:
        self.plan, self.weight = plan, weight
        self.moments = Moments(len(plan.units))
        self.histograms = ChannelHistograms(len(plan.units))

    def take(self, call: Callable[[Tensor], Tensor]) -> None:
        """Count what a call of the layer without its bias makes of the new weights."""
        made = call(self.weight)
        channel = _channel_dimension(self.plan.operation, made, self.weight)
        rows = made.movedim(channel, 0)[self.plan.units].flatten(1)
        if not rows.shape[1]:
            return
        values = _some(rows).to(torch.float64).cpu().numpy()
        low, high, mean = values.min(axis=1), values.max(axis=1), values.mean(axis=1)
        squares = ((values - mean[:, None]) ** 2).sum(axis=1)
        self.moments.merge(np.stack([np.full(len(values), values.shape[1]), mean, squares, low, high]))
        peak = np.maximum(high, -low)
        self.histograms.add(values, np.where(np.isfinite(peak), peak, 0.0))

    def quantiles(self, share: float) -> Floats:
        """The values below which a share of the pre-activations lies (units,)."""
        return np.array([self.histograms.channel(u).quantile(share) for u in range(len(self.plan.units))])


def _channel_dimension(operation: str, x: Tensor, weight: Tensor) -> int:
    """Where channels lie in what a layer reads or makes: last, or in front of the places of an image."""
    return x.ndim - 1 - (0 if operation == "linear" else weight.ndim - 2)


def _some(rows: Tensor) -> Tensor:
    """At most so many columns; multiples of the golden ratio do not fall into step with the rows of an image."""
    count = rows.shape[1]
    if count <= _VALUES:
        return rows
    where = ((torch.arange(_VALUES, dtype=torch.float64) + 0.5) * _GOLDEN % 1.0 * count).long()
    return rows[:, where.to(rows.device)]


class ReadDead:
    """What one reader is given of the dead units: the range of each of its inputs that is theirs."""

    def __init__(self, plan: Plan, reader: Reader) -> None:
        self.reader = reader
        self.places = reader.places(plan.units)
        self.low = torch.full(self.places.shape, torch.inf, dtype=torch.float64, device=self.places.device)
        self.high = -self.low
        self.call: Callable[[Tensor, Tensor], Tensor] | None = None
        """The latest call, for another input and weight and without a bias."""
        self.shape, self.dimension = torch.Size(), 0
        """Of one sample of its input, with the dimension of samples; where its channels lie."""

    def take(self, x: Tensor, call: Callable[[Tensor, Tensor], Tensor]) -> None:
        """Look at one input."""
        self.dimension = _channel_dimension(self.reader.operation, x, self.reader.weight)
        if not x.numel():
            return
        rows = x.movedim(self.dimension, 0)[self.places].flatten(2).to(torch.float64)
        self.low, self.high = torch.minimum(self.low, rows.amin(2)), torch.maximum(self.high, rows.amax(2))
        self.call = call
        self.shape = x[:1].shape if self.dimension else x.shape

    def shift(self, units: Tensor) -> Tensor | None:
        """What units add to the reader's outputs (outputs,) for as long as they are dead; None where that varies.

        Args:
            units: which of the plan's units count, a mask (units,).
        """
        assert self.call is not None
        shape = [1] * len(self.shape)
        shape[self.dimension] = -1
        constants = torch.zeros(self.shape[self.dimension], dtype=torch.float64, device=self.places.device)
        constants[self.places[units].flatten()] = self.low[units].flatten()
        given = constants.view(shape).expand(self.shape).contiguous()
        made = self.call(given, self.reader.weight.detach().to(torch.float64))
        channel = _channel_dimension(self.reader.operation, made, self.reader.weight)
        rows = made.movedim(channel, 0).flatten(1)
        low, high = rows.amin(1), rows.amax(1)
        # padding with zeros makes the borders differ
        return rows[:, 0] if torch.allclose(low, high, rtol=1e-9, atol=1e-12) else None


class _Pass(Listener):
    """Hears the calls of the layers before and behind the units of some plans."""

    def __init__(self, model: nn.Module, candidates: list[Candidates], readers: list[ReadDead]) -> None:
        super().__init__(model, alone=True)
        self._made = {id(candidate.plan.weight): candidate for candidate in candidates}
        self._read: dict[int, list[ReadDead]] = {}
        for reader in readers:
            self._read.setdefault(id(reader.reader.weight), []).append(reader)
        self.most_uses: Counter[int] = Counter()
        """Most functions that were given a weight in one pass, by the weight's id."""
        self._uses: Counter[int] = Counter()

    def begin_pass(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        self._uses.clear()
        return True

    def end_pass(self) -> None:
        self.most_uses |= self._uses

    def begin(self, key: SiteKey, rectifier: Rectifier, x: Tensor, call: Any) -> Any:
        return None

    def end(self, token: Any, y: Any) -> None:
        return None

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self._uses.update(id(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
        weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
        made, read = self._made.get(id(weight)), self._read.get(id(weight), [])
        operation = torch_name(function)
        x: Any = args[0] if args else kwargs.get("input")

        def again(given: Tensor, other: Tensor) -> Tensor:
            named = {"input": given, "weight": other, "bias": None}
            values = [*named.values()][: len(args)] + list(args[3:])
            return function(*values, **{name: named.get(name, value) for name, value in kwargs.items()})

        # the same weight may go into other functions, a transposition, say
        if made is not None and made.plan.operation == operation:
            made.take(lambda other: again(x, other))
        for reader in read:
            if reader.reader.operation == operation:
                reader.take(x, again)


def observed(
    network: nn.Module, batches: Iterable[Any], inputs: Inputs, candidates: list[Candidates]
) -> tuple[dict[Plan, list[ReadDead]], Counter[int]]:
    """Run the model over the data, which fills the candidates.

    Returns:
        What the readers of each plan are given of its dead units, and how often weights are used, by their ids.
    """
    read = {c.plan: [ReadDead(c.plan, reader) for reader in c.plan.readers] for c in candidates}
    listener = _Pass(network, candidates, [reader for readers in read.values() for reader in readers])
    device, count = device_of(network), 0
    with evaluating(network), torch.no_grad():
        for batch in iterate(batches):
            args, kwargs = arguments_for(batch, count, network, inputs, device)
            with located(network, count, (args, kwargs)), listener:
                network(*args, **kwargs)
            count += 1
    if not count:
        raise HalfwaveError("`batches` of revive must hold at least one batch; got none")
    return read, listener.most_uses
