"""Where the channels of an activation lie, and the activation laid out so that sums over them are fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from halfwave.errors import HalfwaveError

__all__ = ["Laid", "Places", "fallback_dimension", "lay", "lay_like", "normal_dimension"]


@dataclass(frozen=True, slots=True)
class Laid:
    """An activation as (samples, channels, places) or (samples, places, channels)."""

    values: Tensor
    channel_dimension: int
    """1 or 2."""

    @property
    def place_dimension(self) -> int:
        """The other one."""
        return 3 - self.channel_dimension

    @property
    def places(self) -> int:
        """Elements of one channel in one sample."""
        return self.values.shape[self.place_dimension]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.values.shape[self.channel_dimension]


def fallback_dimension(dimensions: int, samples: int | None = 0) -> int:
    """Where channels lie if nothing is known of the layer before: 1 for images and volumes, else the last one.

    A dimension of samples is not taken.

    >>> [fallback_dimension(n) for n in (1, 2, 3, 4, 5)]
    [0, 1, 2, 1, 1]
    """
    place = 1 if dimensions >= 4 else dimensions - 1
    if dimensions > 1 and place == samples:
        return 0 if place == dimensions - 1 else dimensions - 1
    return place


def normal_dimension(name: str, dimension: int, x: Tensor, samples: int | None) -> int:
    """A dimension counted from the front, or `HalfwaveError` if the input has none such or it is the samples'."""
    if not -x.ndim <= dimension < x.ndim:
        raise HalfwaveError(
            f"channel dimension of {name} must lie inside its input of shape {tuple(x.shape)}; got {dimension}"
        )
    place = dimension % x.ndim
    if place == samples == 0 and x.ndim > 1:
        raise HalfwaveError(
            f"channel dimension of {name} must not be 0, along which samples lie; got {dimension}"
        )
    return place


@dataclass(frozen=True, slots=True)
class Places:
    """Where the channels and samples of an activation lie."""

    channel: int
    samples: int | None = 0
    """None for one sample without a dimension for them."""
    fold: tuple[int, int] = (1, 1)
    """What shares the samples' dimension with them, (outer, inner): n samples have outer · n · inner places there."""

    def number(self, x: Tensor) -> int:
        """Samples in an activation."""
        if self.samples is None or x.ndim == 1:
            return 1
        return x.shape[self.samples] // (self.fold[0] * self.fold[1])

    def lay(self, x: Tensor) -> Laid:
        """An activation laid out by `lay`.

        >>> import torch
        >>> Places(1, 0, (1, 4)).lay(torch.zeros(8, 3, 5)).values.shape  # two films of 4 frames
        torch.Size([2, 3, 20])
        """
        return lay(*self._unfolded(x))

    def lay_like(self, value: Any, x: Tensor, channel_dimension: int) -> Any:
        """A parameter laid out by `lay_like`."""
        if self.fold != (1, 1) and isinstance(value, Tensor) and value.numel() > 1:
            value = self._unfolded(value.detach().expand(x.shape))[0]
        x, dimension, samples = self._unfolded(x)
        return lay_like(value, x, dimension, channel_dimension, samples)

    def _unfolded(self, x: Tensor) -> tuple[Tensor, int, int | None]:
        """The activation with a dimension for samples alone, and where channels and samples then lie."""
        if self.fold == (1, 1) or self.samples is None or x.ndim == 1:
            return x, self.channel, self.samples
        outer, inner = self.fold
        apart = x.unflatten(self.samples, (outer, self.number(x), inner))
        return apart, self.channel + 2 * (self.channel > self.samples), self.samples + 1


def lay(x: Tensor, dimension: int, samples: int | None = 0) -> Laid:
    """An activation laid out by samples, channels and places; a view wherever strides allow it.

    Args:
        x: the activation.
        dimension: where its channels lie.
        samples: where its samples lie; None for one sample without a dimension for them.

    >>> import torch
    >>> laid = lay(torch.zeros(8, 3, 5, 5), 1)
    >>> laid.values.shape, laid.channels, laid.places
    (torch.Size([8, 3, 25]), 3, 25)
    """
    if x.ndim == 1:  # one sample without a batch dimension
        return Laid(x.reshape(1, 1, -1), 2)
    if samples != 0:
        x, dimension = _samples_first(x, dimension, samples)
    last = x.movedim(dimension, -1)
    if last.is_contiguous() or dimension == x.ndim - 1:
        return Laid(last.reshape(len(x), -1, x.shape[dimension]), 2)
    return Laid(x.movedim(dimension, 1).reshape(len(x), x.shape[dimension], -1), 1)


def _samples_first(x: Tensor, dimension: int, samples: int | None) -> tuple[Tensor, int]:
    """The same activation with its samples along dimension 0, and where its channels then are."""
    if samples is None:
        return x.unsqueeze(0), dimension + 1
    return x.movedim(samples, 0), dimension + (dimension < samples)


def lay_like(value: Any, x: Tensor, dimension: int, channel_dimension: int, samples: int | None = 0) -> Any:
    """A parameter that broadcasts to ``x``, laid out as `lay` laid ``x``; a number is returned as it is.

    The result has one sample unless the parameter differs between samples.
    """
    if not isinstance(value, Tensor) or value.numel() == 1:
        return float(value)
    if x.ndim == 1:
        return value.detach().expand(x.shape).reshape(1, 1, -1)
    if samples != 0:
        value = value[(None,) * (x.ndim - value.ndim)]
        value, x = _samples_first(value, dimension, samples)[0], _samples_first(x, dimension, samples)[0]
        dimension = dimension + 1 if samples is None else dimension + (dimension < samples)
    samples = len(x) if value.ndim == x.ndim and len(value) > 1 else 1
    whole = value.detach().expand(samples, *x.shape[1:])
    if channel_dimension == 2:
        return whole.movedim(dimension, -1).reshape(samples, -1, x.shape[dimension])
    return whole.movedim(dimension, 1).reshape(samples, x.shape[dimension], -1)
