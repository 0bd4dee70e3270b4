"""Which dimensions of a tensor hold its channels and its samples, told by the layers and functions it comes from."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from halfwave.audit.axes.layers import Axes, axes_of_layer
from halfwave.audit.axes.moves import KEEPING, RESHAPING, moved_dimensions, refolded
from halfwave.audit.rectifiers.operations import torch_name

__all__ = ["Axes", "AxisTrail"]

_JOINING = ("cat", "concat", "concatenate")
_PRODUCTS = {
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm"), 0),
    "__rmatmul__": 0,
    **dict.fromkeys(("addmm", "baddbmm"), 1),
}
"""Name of a product of matrices → number of its first factor among the arguments."""
_REPEATING = ("repeat", "tile", "repeat_interleave")


class AxisTrail:
    """Follows tensors from the model's inputs, whose samples lie along dimension 0, and from layers that say more.

    Linear layers and embeddings put channels last, convolutions and normalisations of batches along dimension 1; a
    convolution of an image without a dimension for samples says so too. Attention and recurrent layers know which
    dimension holds the samples. What is moved, merged, split or joined in between is followed.

    >>> import torch
    >>> trail, x = AxisTrail(), torch.zeros(2, 4, 9)
    >>> convolved = torch.nn.functional.conv1d(x, torch.zeros(3, 4, 1))
    >>> trail.follow(torch.nn.functional.conv1d, (x, torch.zeros(3, 4, 1)), {}, convolved)
    >>> turned = convolved.transpose(1, 2)
    >>> trail.follow(torch.Tensor.transpose, (convolved, 1, 2), {}, turned)
    >>> trail.axes(turned)
    Axes(channel=2, samples=0, fold=(1, 1), doubt='')
    """

    def __init__(self) -> None:
        self._axes: dict[int, tuple[weakref.ref[Tensor], Axes]] = {}
        self.samples: int | None = None
        """Samples that the model was given."""

    def note(self, x: Tensor, axes: Axes) -> None:
        """Say where the channels and samples of a tensor lie."""
        self._axes[id(x)] = (weakref.ref(x), axes)

    def axes(self, x: Any) -> Axes | None:
        """Where those of a tensor lie, or None where nothing is known of it."""
        found = self._axes.get(id(x))
        # an address may be used again: the entry must be this tensor's own
        if found is None or found[0]() is not x:
            return None
        # squeezed in place, it may have fewer dimensions than it had
        return found[1] if max(found[1].channel or 0, found[1].samples or 0) < x.ndim else None

    def clear(self) -> None:
        """Forget everything."""
        self._axes.clear()

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Note where the channels and samples of a function's results lie, as far as that is known."""
        name = _name(function)
        for number, out in enumerate(result if isinstance(result, (tuple, list)) else (result,)):
            if isinstance(out, Tensor) and out.ndim:
                found = None
                with contextlib.suppress(Exception):  # of a call that is not understood nothing is known
                    found = self._found(name, function, args, kwargs, out, number)
                    found = found and found.checked(out, self._most((*args, *kwargs.values())))
                if found is not None:
                    self.note(out, found)
                elif self.axes(out) is not None:  # changed in place in a way that is not known
                    del self._axes[id(out)]

    def unsaid(self, x: Tensor) -> Axes:
        """What is taken for a tensor of which nothing is known: that its samples lie along dimension 0."""
        fits = self.samples is None or not x.ndim or len(x) == self.samples
        return Axes() if fits else Axes(doubt="guessed")

    def _most(self, values: Any) -> int | None:
        """Samples in the tensor that has most of them, or in the batch."""
        given = [(x, self.axes(x)) for x in _tensors(values) if x.ndim]
        numbers = [axes.number(x) for x, axes in given if axes is not None]
        return max(*numbers, self.samples or 0, 0) if numbers else None

    def _found(
        self,
        name: str,
        function: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Tensor,
        number: int,
    ) -> Axes | None:
        values = [*args, *kwargs.values()]
        first = next(_tensors(values), None)
        known = self.axes(first)
        if name == "embedding":  # kernels are given the table first
            known = next(filter(None, map(self.axes, _tensors(values))), None)
        unsaid = Axes() if first is None else self.unsaid(out if name == "embedding" else first)
        made = axes_of_layer(name, args, kwargs, out, known or unsaid, number)
        if made is not None:
            return made
        if name in _PRODUCTS:
            return self._product(args[_PRODUCTS[name] :], out, name == "__rmatmul__")
        if name == "einsum":
            return self._summed(args[0], args[1:])
        if name in _REPEATING and first is not None and known is not None and out.ndim == first.ndim:
            return _repeated(name, known, first, out)
        if name in _JOINING or (known is not None and name in KEEPING):
            return self._joined(values, out)
        if name == "stack" and first is not None:
            place = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.ndim
            return known and known.moved(tuple(n + (n >= place) for n in range(first.ndim)))
        return self._moved(name, function, args, kwargs, out) or self._elementwise(values, out)

    def _moved(
        self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
    ) -> Axes | None:
        x = args[0] if args else kwargs.get("input")
        known = self.axes(x)
        if not isinstance(x, Tensor) or known is None or (name.endswith("_") and not name.endswith("__")):
            return None
        to = moved_dimensions(name, function, args, kwargs, out)
        if to is None:
            return None
        moved = known.moved(to)
        if name not in RESHAPING:
            return moved
        old, new = known.channel, moved.channel
        whole = old is not None and new is not None and out.shape[new] == x.shape[old]
        channel = new if whole else None
        if known.samples is None:
            return replace(moved, channel=channel)
        found = refolded(x.shape, out.shape, known.samples, known.fold)
        if found is not None:
            return replace(known, channel=channel, samples=found[0], fold=found[1])
        # samples that are torn apart are taken to lie where their first part went, or in front
        lost = moved.samples is None
        doubt = "parts" if lost else known.doubt
        return Axes(channel, 0 if lost else moved.samples, doubt=doubt)

    def _joined(self, values: list[Any], out: Tensor) -> Axes | None:
        """Those of the first part that knows its channels, or of any."""
        found = [self.axes(value) for value in _tensors(values) if value.ndim == out.ndim]
        known = [axes for axes in found if axes is not None]
        return next((axes for axes in known if axes.channel is not None), known[0] if known else None)

    def _product(self, factors: tuple[Any, ...], out: Tensor, turned: bool) -> Axes | None:
        """Channels come with the columns of the second factor, or with the rows of the first."""
        a, b = factors[1::-1] if turned else factors[:2]
        left, right = self.axes(a), self.axes(b)
        given = next((one for one in (left, right) if one is not None), Axes())
        if out.ndim != max(a.ndim, b.ndim):
            return None
        if right is None or right.channel == b.ndim - 1:  # a weight, or values that attention mixes
            return replace(given, channel=out.ndim - 1)
        if left is None or left.channel == a.ndim - 2:
            return replace(given, channel=out.ndim - 2)
        return replace(given, channel=None)

    def _elementwise(self, values: list[Any], out: Tensor) -> Axes | None:
        """Those of a tensor of the same rank that has as many channels, or that only knows its samples."""
        some = None
        for value in _tensors(values):
            known = self.axes(value)
            if known is None or value.ndim != out.ndim:
                continue
            if known.channel is None:
                some = some or known
            elif value.shape[known.channel] == out.shape[known.channel]:
                return known
        return some

    def _summed(self, equation: str, factors: tuple[Any, ...]) -> Axes | None:
        """Channels of a sum over products: those of a factor that are kept, else the new ones of a weight."""
        given, made = equation.replace(" ", "").split("->")
        given_axes, samples, channels, new = Axes(), 0, [], []
        for letters, factor in zip(given.split(","), factors, strict=True):
            known = self.axes(factor)
            if known is None:
                new += [letter for letter in letters if letter in made and given.count(letter) == 1]
                continue
            given_axes = known
            samples = None if known.samples is None else made.index(letters[known.samples])
            channels += [] if known.channel is None else [letters[known.channel]]
        kept = [letter for letter in (*channels, *new) if letter in made]
        return replace(given_axes, channel=made.index(kept[0]) if kept else None, samples=samples)


def _repeated(name: str, known: Axes, x: Tensor, out: Tensor) -> Axes:
    """Copies of samples share their dimension with them."""
    if known.samples is None or out.shape[known.samples] == x.shape[known.samples]:
        return known
    times = out.shape[known.samples] // max(1, x.shape[known.samples])
    outer, inner = known.fold
    return replace(
        known, fold=(outer, inner * times) if name == "repeat_interleave" else (outer * times, inner)
    )


def _name(function: Any) -> str:
    """What torch calls a function, or the name of a property that is read."""
    name = torch_name(function)
    return getattr(getattr(function, "__self__", None), "__name__", name) if name == "__get__" else name


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
