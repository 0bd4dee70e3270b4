"""Where the channels and samples of a tensor lie, and where layers of torch put them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor

from halfwave.audit.axes.moves import Fold, Moved

__all__ = ["Axes", "axes_of_layer"]

_LAST = ("linear", "bilinear", "embedding", "multi_head_attention_forward")
_CONVOLUTIONS = (
    *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
    "convolution",
)
_NORMALISATIONS = (
    *("batch_norm", "group_norm", "instance_norm", "native_batch_norm", "native_group_norm"),
    "_native_batch_norm_legit_no_training",
)
_ALONG_LAST = ("layer_norm", "rms_norm", "native_layer_norm")
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


@dataclass(frozen=True, slots=True)
class Axes:
    """The dimensions of a tensor that hold its channels and its samples."""

    channel: int | None = None
    """None where that is not known."""
    samples: int | None = 0
    """None where the tensor is one sample, without a dimension for them."""
    fold: Fold = (1, 1)
    """What shares the samples' dimension with them, such as the frames of a film or the windows of an image."""
    doubt: Literal["", "parts", "guessed"] = ""
    """Whether what lies along that dimension are parts of samples, or nothing said that samples do."""

    def moved(self, to: Moved) -> Axes:
        """The same after dimensions have gone elsewhere; samples that were merged into others lie there."""
        channel = None if self.channel is None else to[self.channel]
        samples = None if self.samples is None else to[self.samples]
        return replace(self, channel=channel, samples=samples, fold=(1, 1) if samples is None else self.fold)

    def number(self, x: Tensor) -> int:
        """How many samples there are in a tensor."""
        return 1 if self.samples is None else x.shape[self.samples] // math.prod(self.fold)

    def checked(self, x: Tensor, most: int | None) -> Axes:
        """The same for a tensor that was made of others with so many samples, if that is known."""
        if self.channel is not None and self.channel == self.samples:
            # a dimension of channels is not one of samples: of a vector (channels,) nothing is left for them
            return Axes(self.channel, None)
        if self.samples is None or self.doubt:
            return self
        whole = x.shape[self.samples] % math.prod(self.fold) == 0
        more = most is not None and self.number(x) > most
        return self if whole and not more else replace(self, fold=(1, 1), doubt="parts")


def axes_of_layer(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor, given: Axes, number: int
) -> Axes | None:
    """Where a layer puts channels, and where samples are then; None for what is no layer."""
    if name in _CONVOLUTIONS:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        single = out.ndim < weight.ndim  # an image without a dimension for samples
        return Axes(0, None) if single else _batched(given, 1, 0)
    if name in _NORMALISATIONS:
        return _batched(given, 1, 0)
    if name in _LAST:
        return replace(given, channel=out.ndim - 1)
    if name in _ALONG_LAST and given.channel is None:
        return replace(given, channel=out.ndim - 1 if _over_one(args, kwargs) else None)
    return _recurrent(args, out, number, given) if name in _RECURRENT else None


def _batched(given: Axes, channel: int, samples: int) -> Axes:
    """What a layer makes that knows where its samples lie; if these lie elsewhere, it takes something else for them."""
    if given.samples == samples:
        return replace(given, channel=channel)
    return Axes(channel, samples, doubt=given.doubt)


def _over_one(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    shape = args[1] if len(args) > 1 else kwargs.get("normalized_shape", ())
    return isinstance(shape, int) or len(shape) == 1


def _recurrent(args: tuple[Any, ...], out: Tensor, number: int, given: Axes) -> Axes:
    """Of a sequence's outputs, or of the last states (layers, samples, channels); those of packed ones are rows."""
    if out.ndim < 3:
        return Axes(out.ndim - 1, 0)
    batch_first = args[-1] is True
    known = _batched(given, 2, 0 if batch_first else 1)
    return replace(known, samples=0 if batch_first and number == 0 else 1)
