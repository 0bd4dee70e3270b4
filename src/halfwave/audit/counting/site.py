"""Everything counted at one rectifier, batch after batch, in memory that does not grow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halfwave.audit.axes.layout import Laid, Places
from halfwave.audit.counting.histograms import ChannelHistograms
from halfwave.audit.counting.moments import Moments
from halfwave.audit.counting.pending import Pending
from halfwave.audit.counting.sums import Measured, Sums, measure, nonzero_of, rectified_sums, sums_of
from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["NonFinite", "Site", "SiteKey"]

_VALUES = 64
"""Values of one sample, over all channels, that go into the histograms."""

_LIGHT = 8
"""Of so many samples one goes into moments and histograms if these are to be cheap."""

_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class SiteKey:
    """Which call a rectifier is: the n-th of its operation in a module, in one pass through the model."""

    module: str
    """Path of the module in whose forward the call is made; "" for the model itself."""
    operation: str
    call: int
    whole: bool
    """Whether the module is nothing but this activation."""

    def label(self, alone: bool) -> str:
        """Name of the layer; ``alone`` says that the module called this operation once a pass."""
        if self.whole:
            return (self.module or "(model)") + ("" if alone else f"#{self.call}")
        return f"{self.module or '(model)'}:{self.operation}#{self.call}"


@dataclass(frozen=True, slots=True)
class NonFinite:
    """Where NaN or infinite inputs of a rectifier were first seen."""

    batch: int
    """Number of the batch, or of the recorded pass, from 0."""
    sample: int
    """Number of the sample in it."""
    channel: int


class Site:
    """The running record of one rectifier.

    Args:
        rectifier: what it is.
        dimension: where the channels of its input lie.
        channels: how many there are.
        full: whether moments and histograms take in every sample, or one of eight.
    """

    def __init__(
        self,
        rectifier: Rectifier,
        dimension: int,
        channels: int,
        full: bool,
    ) -> None:
        self.rectifier, self.dimension, self.channels, self.full = rectifier, dimension, channels, full
        self.reset()

    def reset(self) -> None:
        """Forget what was counted."""
        channels = self.channels
        self._before, self._after = Moments(channels), Moments(channels)
        self._histogram_before, self._histogram_after = (ChannelHistograms(channels) for _ in range(2))
        self._inputs, self._outputs = Pending[Laid](self._sum_inputs), Pending[Laid](self._sum_outputs)
        self._input_values = Pending[np.ndarray](self._bin_inputs)
        self._output_values = Pending[np.ndarray](self._bin_outputs)
        self.finite, self.below, self.above, self.fired, self.fired_samples, self.nonzero = (
            np.zeros(channels, dtype=np.int64) for _ in range(6)
        )
        self.nan, self.infinite = np.zeros(channels, dtype=np.int64), np.zeros(channels, dtype=np.int64)
        self.gradients, self.gradients_nonzero = 0, np.zeros(channels, dtype=np.int64)
        self.kinks: tuple[np.ndarray, ...] = ()
        self._numbers: tuple[Any, ...] = ()
        self.samples = 0
        self.elements = 0
        self.mirrored = False
        self.first: NonFinite | None = None
        self._finite: Tensor | None = None
        self._places = Places(self.dimension)

    def take_input(self, x: Tensor, rectifier: Rectifier, batch: int, places: Places | None = None) -> None:
        """Record the input of a call, before it can be overwritten.

        Args:
            x: the input.
            rectifier: what it is in this call.
            batch: number of the batch.
            places: where channels and samples of the input lie; by default samples along dimension 0.
        """
        self.rectifier, self._places = rectifier, places or Places(self.dimension)
        laid = self._places.lay(x)
        kinks = tuple(self._places.lay_like(kink, x, laid.channel_dimension) for kink in rectifier.kinks)
        self.mirrored = rectifier.is_relu
        # of images all is summed while they are in the cache; vectors wait until they are many
        at_once = self.full and laid.places > 1
        found = measure(laid, rectifier, kinks, at_once, at_once and self.mirrored)
        rows = _array(found.before)
        self._take_counts(found, rows)
        self._take_kinks(kinks, laid)
        bad = found.before.first is not None
        # the output is counted where the input was finite, and may take its place in memory
        self._finite = torch.isfinite(x) if bad and not rectifier.zero_when_silent else None
        if bad:
            self._note_non_finite(found.before, batch)
        self._take_moments(laid, found, rows, at_once)
        self._take_values(laid, self._input_values)

    def _take_counts(self, found: Measured, rows: np.ndarray) -> None:
        counts = found.counts
        self.finite += rows[0].astype(np.int64)
        numbers = torch.stack([counts.below, counts.above, counts.fired, counts.fired_samples])
        totals = (self.below, self.above, self.fired, self.fired_samples)
        for total, row in zip(totals, numbers.cpu().numpy().astype(np.int64), strict=True):
            total += row

    def _take_kinks(self, kinks: tuple[Any, ...], laid: Laid) -> None:
        numbers = all(isinstance(kink, float) for kink in kinks)
        if not numbers or kinks != self._numbers:
            self.kinks = tuple(_per_channel(kink, laid) for kink in kinks)
        self._numbers = kinks if numbers else ()

    def _take_moments(self, laid: Laid, found: Measured, rows: np.ndarray, at_once: bool) -> None:
        """Moments of all that was measured, or of some samples and the range of all."""
        if at_once:
            self._before.merge(rows)
            if found.after is not None:
                self._after.merge(_array(found.after))
            return
        self._before.widen(rows[3], rows[4])
        if self.mirrored:
            self._after.widen(rows[3].clip(min=0.0), rows[4].clip(min=0.0))
        self._put_off(laid if self.full else self._some_samples(laid), self._inputs)

    def _put_off(self, laid: Laid, pending: Pending[Laid]) -> None:
        values = laid.values
        if len(values):
            key = (self.mirrored, values.dtype, values.device, values.shape[1:], laid.channel_dimension)
            pending.push(laid, values.numel(), key, _copied)

    def _sum_inputs(self, parts: list[Laid], key: tuple[Any, ...]) -> None:
        laid = _joined(parts)
        if not key[0]:
            self._before.merge(_array(sums_of(laid)))
            return
        low, high = (torch.from_numpy(end).to(laid.values.device) for end in self._before.range)
        before, after = rectified_sums(laid, low, high)
        self._before.merge(_array(before))
        self._after.merge(_array(after))

    def _sum_outputs(self, parts: list[Laid], key: tuple[Any, ...]) -> None:
        self._after.merge(_array(sums_of(_joined(parts))))

    def _take_values(self, laid: Laid, pending: Pending[np.ndarray]) -> None:
        values = self._some(laid)
        pending.push(values, values.size, None, np.copy)

    def _bin_inputs(self, parts: list[np.ndarray], key: None) -> None:
        self._histogram_before.add(np.concatenate(parts, axis=1), self._before.peak)

    def _bin_outputs(self, parts: list[np.ndarray], key: None) -> None:
        self._outputs.flush()  # which knows how far they reach
        self._histogram_after.add(np.concatenate(parts, axis=1), self._after.peak)

    def take_output(self, y: Tensor) -> None:
        """Record the output of the same call; what ``max(0, x)`` gives is known from its input."""
        if not self.mirrored:
            laid = self._places.lay(y)
            self._put_off(laid if self.full else self._some_samples(laid), self._outputs)
            self._take_values(laid, self._output_values)
            if not self.rectifier.zero_when_silent:
                self._take_nonzero(y, laid)
        self.samples += self._places.number(y)
        self.elements += y.numel() // self.channels

    def _take_nonzero(self, y: Tensor, laid: Laid) -> None:
        if self._finite is not None:
            counted = torch.where(self._finite, y, 0.0)
            laid, self._finite = self._places.lay(counted), None
        self.nonzero += nonzero_of(laid).cpu().numpy().astype(np.int64)

    def _some_samples(self, laid: Laid) -> Laid:
        """One of so many samples, counted through all batches."""
        return Laid(laid.values[-self.samples % _LIGHT :: _LIGHT], laid.channel_dimension)

    @property
    def before(self) -> Moments:
        """Moments of the inputs as they stand."""
        self._inputs.flush()
        return self._before

    @property
    def after(self) -> Moments:
        """Moments of the outputs as they stand."""
        self._inputs.flush()
        self._outputs.flush()
        return self._after

    @property
    def histograms(self) -> tuple[ChannelHistograms, ChannelHistograms]:
        """Distributions of inputs and outputs as they stand."""
        self._input_values.flush()
        self._output_values.flush()
        before = self._histogram_before.copy()
        return before, before.rectified() if self.mirrored else self._histogram_after.copy()

    def take_gradient(self, gradient: Tensor, places: Places | None = None) -> None:
        """Record the gradient of the loss with respect to the input of a call, which lies as that did."""
        laid = (places or Places(self.dimension)).lay(gradient)
        self.gradients += len(laid.values) * laid.places
        self.gradients_nonzero += nonzero_of(laid).cpu().numpy().astype(np.int64)

    def _note_non_finite(self, sums: Sums, batch: int) -> None:
        assert sums.not_a_number is not None
        assert sums.infinite is not None
        assert sums.first is not None
        self.nan += sums.not_a_number.cpu().numpy()
        self.infinite += sums.infinite.cpu().numpy()
        if self.first is None:
            self.first = NonFinite(batch, *sums.first)

    def _some(self, laid: Laid) -> np.ndarray:
        """Values (channels, n) for the histograms: which ones depends on the samples' numbers alone."""
        stride = -(-self.channels // _VALUES) * (1 if self.full else _LIGHT)
        places = max(1, min(_VALUES // self.channels, laid.places))
        taken = np.arange(-self.samples % stride, len(laid.values), stride)
        values = laid.values
        if laid.places > 1:
            rows = np.repeat(taken, places)
            numbers = (self.samples + taken)[:, None] * places + np.arange(places)
            # multiples of the golden ratio do not fall into step with the rows of an image
            where = ((numbers.ravel() + 0.5) * _GOLDEN % 1.0 * laid.places).astype(np.int64)
            index = [torch.as_tensor(part, device=values.device) for part in (rows, where)]
            values = values.movedim(laid.channel_dimension, 2)[index[0], index[1]]
        else:
            values = values[-self.samples % stride :: stride].squeeze(laid.place_dimension)
        return values.T.to(torch.float64).cpu().numpy()


def _copied(laid: Laid) -> Laid:
    return Laid(laid.values.clone(memory_format=torch.contiguous_format), laid.channel_dimension)


def _joined(parts: list[Laid]) -> Laid:
    if len(parts) == 1:
        return parts[0]
    return Laid(torch.cat([part.values for part in parts]), parts[0].channel_dimension)


def _array(sums: Sums) -> np.ndarray:
    return sums.stacked().cpu().numpy()


def _per_channel(kink: object, laid: Laid) -> np.ndarray:
    """Mean kink of every channel (channels,)."""
    if not isinstance(kink, Tensor):
        return np.full(laid.channels, kink, dtype=np.float64)
    means = kink.to(torch.float64).mean((0, laid.place_dimension))
    return means.expand(laid.channels).cpu().numpy()
