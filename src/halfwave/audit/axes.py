"""Which dimensions of a tensor hold its channels and its samples, told by the layers and functions it comes from."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from halfwave.audit.axis_moves import KEEPING, RESHAPING, Moved, moved_dimensions
from halfwave.audit.operations import torch_name

__all__ = ["Axes", "AxisTrail"]

_LAST = ("linear", "bilinear", "embedding", "multi_head_attention_forward")
_CONVOLUTIONS = (
    *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
    "convolution",
)
_NORMALISATIONS = ("batch_norm", "group_norm", "instance_norm")
_ALONG_LAST = ("layer_norm", "rms_norm")
_JOINING = ("cat", "concat", "concatenate")
_PRODUCTS = {
    **dict.fromkeys(("matmul", "__matmul__", "mm", "bmm"), 0),
    "__rmatmul__": 0,
    **dict.fromkeys(("addmm", "baddbmm"), 1),
}
"""Name of a product of matrices → number of its first factor among the arguments."""
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@dataclass(frozen=True, slots=True)
class Axes:
    """The dimensions of a tensor that hold its channels and its samples."""

    channel: int | None = None
    """None where that is not known."""
    samples: int | None = 0
    """None where the tensor is one sample, without a dimension for them."""

    def moved(self, to: Moved) -> Axes:
        """The same after dimensions have gone elsewhere; samples that were merged into others lie there."""
        channel = None if self.channel is None else to[self.channel]
        return Axes(channel, None if self.samples is None else to[self.samples])


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
    Axes(channel=2, samples=0)
    """

    def __init__(self) -> None:
        self._axes: dict[int, tuple[weakref.ref[Tensor], Axes]] = {}

    def note(self, x: Tensor, axes: Axes) -> None:
        """Say where the channels and samples of a tensor lie."""
        self._axes[id(x)] = (weakref.ref(x), axes)

    def axes(self, x: Any) -> Axes | None:
        """Where those of a tensor lie, or None where nothing is known of it."""
        found = self._axes.get(id(x))
        # an address may be used again: the entry must be this tensor's own
        return found[1] if found is not None and found[0]() is x else None

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
                if found is not None:
                    self.note(out, _apart(found))
                elif self.axes(out) is not None:  # changed in place in a way that is not known
                    del self._axes[id(out)]

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
        made = _of_layer(name, args, kwargs, out, known or Axes(), number)
        if made is not None:
            return made
        if name in _PRODUCTS:
            return self._product(args[_PRODUCTS[name] :], out, name == "__rmatmul__")
        if name == "einsum":
            return self._summed(args[0], args[1:])
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
        # samples that became a part of another dimension lie in front, where every place is one
        lost = known.samples is not None and moved.samples is None
        return Axes(new if whole else None, 0 if lost else moved.samples)

    def _joined(self, values: list[Any], out: Tensor) -> Axes | None:
        """Those of the first part that knows its channels, or of any."""
        found = [self.axes(value) for value in _tensors(values) if value.ndim == out.ndim]
        known = [axes for axes in found if axes is not None]
        return next((axes for axes in known if axes.channel is not None), known[0] if known else None)

    def _product(self, factors: tuple[Any, ...], out: Tensor, turned: bool) -> Axes | None:
        """Channels come with the columns of the second factor, or with the rows of the first."""
        a, b = factors[1::-1] if turned else factors[:2]
        left, right = self.axes(a), self.axes(b)
        samples = next((one.samples for one in (left, right) if one is not None), 0)
        if out.ndim != max(a.ndim, b.ndim):
            return None
        if right is None or right.channel == b.ndim - 1:  # a weight, or values that attention mixes
            return Axes(out.ndim - 1, samples)
        if left is None or left.channel == a.ndim - 2:
            return Axes(out.ndim - 2, samples)
        return Axes(None, samples)

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
        samples, channels, new = 0, [], []
        for letters, factor in zip(given.split(","), factors, strict=True):
            known = self.axes(factor)
            if known is None:
                new += [letter for letter in letters if letter in made and given.count(letter) == 1]
                continue
            samples = None if known.samples is None else made.index(letters[known.samples])
            channels += [] if known.channel is None else [letters[known.channel]]
        kept = [letter for letter in (*channels, *new) if letter in made]
        return Axes(made.index(kept[0]) if kept else None, samples)


def _apart(axes: Axes) -> Axes:
    """A dimension of channels is not one of samples: of a vector (channels,) nothing is left for them."""
    return Axes(axes.channel, None) if axes.channel is not None and axes.channel == axes.samples else axes


def _of_layer(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor, given: Axes, number: int
) -> Axes | None:
    """Where a layer puts channels, and where samples are then; None for what is no layer."""
    if name in _CONVOLUTIONS:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        single = out.ndim < weight.ndim  # an image without a dimension for samples
        return Axes(0, None) if single else Axes(1, 0)
    if name in _NORMALISATIONS:
        return Axes(1, 0)
    if name in _LAST:
        return Axes(out.ndim - 1, given.samples)
    if name in _ALONG_LAST and given.channel is None:
        return Axes(out.ndim - 1 if _over_one(args, kwargs) else None, given.samples)
    return _recurrent(args, out, number) if name in _RECURRENT else None


def _over_one(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    shape = args[1] if len(args) > 1 else kwargs.get("normalized_shape", ())
    return isinstance(shape, int) or len(shape) == 1


def _recurrent(args: tuple[Any, ...], out: Tensor, number: int) -> Axes:
    """Of a sequence's outputs, or of the last states (layers, samples, channels); those of packed ones are rows."""
    if out.ndim < 3:
        return Axes(out.ndim - 1, 0)
    return Axes(2, 0 if args[-1] is True and number == 0 else 1)


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
