"""Records what the rectifiers of a model do while it runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor  # pyright: ignore[reportMissingImports]

from halfwave.audit.axes.layout import Places, fallback_dimension, normal_dimension
from halfwave.audit.axes.sequences import positions_first, sequences_of
from halfwave.audit.axes.trail import Axes
from halfwave.audit.counting.site import Site, SiteKey
from halfwave.audit.examples import Arguments, length_of, one_sample, transformed, without_samples
from halfwave.audit.listening.dimensions import (
    ChannelDimensions,
    checked_dimensions,
    own_dimension,
    told_dimension,
)
from halfwave.audit.listening.following import Following
from halfwave.audit.listening.listener import Listener
from halfwave.audit.listening.notes import DOUBTS, Notes, guessed, in_other_threads, left_out
from halfwave.audit.rectifiers.operations import torch_name
from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["ChannelDimensions", "Recorder", "checked_dimensions"]

_FUSED = ("rnn_relu", "rnn_relu_cell")
"""Functions that rectify inside a kernel."""


class Recorder(Listener):
    """Keeps a `Site` for each rectifier that is called while this context is entered.

    Args:
        model: the model.
        alone: see `Listener`.
        every: record one of so many passes of each outermost module.
        full: take moments and histograms from every sample, not from one of eight.
        gradients: record the gradients that reach the rectifiers in backward passes.
        merge_calls: keep one record for all calls of a rectifier in a pass.
        channel_dimensions: where channels lie, for all layers or by name (with wildcards), instead of the rule.
        after_pass: called after each recorded pass.
    """

    def __init__(
        self,
        model: nn.Module,
        alone: bool,
        *,
        every: int = 1,
        full: bool = True,
        gradients: bool = False,
        merge_calls: bool = False,
        channel_dimensions: ChannelDimensions = None,
        after_pass: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(model, alone)
        self.every, self.full, self.gradients, self.merge_calls = every, full, gradients, merge_calls
        self.channel_dimensions = channel_dimensions
        self.after_pass = after_pass
        self.sites: dict[SiteKey, Site] = {}
        self.passes = 0
        """Passes recorded."""
        self.examples: dict[nn.Module, tuple[Arguments, int]] = {}
        """The outermost modules of recorded passes, the first sample that each was given, and of how many."""
        """Passes without any sample, and calls of rectifiers without any input."""
        self._seen: Counter[nn.Module] = Counter()
        """Passes of each outermost module."""
        self._notes = Notes(self._named)
        self._following = Following()
        self._axes: dict[tuple[SiteKey, int], Places] = {}
        """Where the channels and samples of a rectifier's input of some rank lie."""
        self._left_out: Counter[tuple[SiteKey, int, int]] = Counter()
        self._hooks: list[Any] = []
        self._due = False
        """Whether the pass is one that is recorded, if it has samples."""
        self._backward = False
        """Whether gradients were recorded in the pass when it began."""
        self._asked: set[SiteKey] = set()
        """Rectifiers whose gradients were asked for."""
        # one position of a sequence would not stand for the others
        self._cut = not any(positions_first(module) for module in self.paths)
        self._note_scripted()

    # passes

    def begin_pass(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        # hooks of graphs that are gone are gone; several passes may come before one backward pass
        self._hooks = [hook for hook in self._hooks if hook.hooks_dict_ref() is not None]
        self._due = self._seen[module] % self.every == 0
        self._seen[module] += 1
        empty = without_samples(args, kwargs)
        heard = self._due and not empty
        self._backward = torch.is_grad_enabled()
        self.follows = self._following.begin(module, args, kwargs, heard)
        if heard and module not in self.examples and not transformed(args, kwargs):
            self.examples[module] = one_sample(args, kwargs, self._cut), length_of(args, kwargs)
        return heard

    def end_pass(self) -> None:
        self._following.end(self.completed)
        self.passes += self._due  # one without samples too, so that its number is that of the batch
        if self.heard and self.after_pass is not None:
            self.after_pass()

    def _drop_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _remove(self) -> None:
        super()._remove()
        self._drop_hooks()

    def reset(self) -> None:
        """Forget all that was counted."""
        for site in self.sites.values():  # kept, so that a backward pass to come finds them
            site.reset()
        self._notes.clear()
        self._left_out.clear()
        self.passes = self.elsewhere = 0

    # calls

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        self._following.trail.follow(function, args, kwargs, result)
        if torch_name(function) in _FUSED:
            path = self.paths[self.running[-1]] or "(model)"
            self._notes.add(f"{path} rectifies inside a fused kernel, which cannot be seen", lasting=True)

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for x, samples in sequences_of(module, args, kwargs):
            known = self._following.trail.axes(x)
            if known is not None and known.samples != samples:
                self._note_positions(module, x.ndim, known.samples, samples)
            kept = known if known is not None and known.samples == samples else Axes(samples=samples)
            axes = replace(kept, channel=x.ndim - 1)
            self._following.trail.note(x, axes)

    def begin(self, key: SiteKey, rectifier: Rectifier, x: Tensor, call: Any) -> Any:
        if x.numel() == 0:
            return None
        if is_functorch_wrapped_tensor(x):
            self._following.missed()
            self._notes.add("{} runs inside a transform of torch.func and was not recorded", key)
            return None
        if self.merge_calls:
            key = SiteKey(key.module, key.operation, 0, key.whole)
        places = self._places_of(key, x)
        site = self._site(key, rectifier, x, places)
        if site is None:
            return None
        with torch.no_grad():
            site.take_input(x.detach(), rectifier, self.passes, places)
        if self.gradients:
            self._ask_gradient(key, site, x, places)
        return site, places

    def end(self, token: Any, y: Any) -> None:
        if token is None or not isinstance(y, Tensor):
            return
        site, places = token
        if self.follows:
            self._following.trail.note(y, Axes(places.channel, places.samples, places.fold))
        with torch.no_grad():
            site.take_output(y.detach())

    def _ask_gradient(self, key: SiteKey, site: Site, x: Tensor, places: Places) -> None:
        """Have the gradient recorded in the backward pass, or note why there will be none."""
        if x.requires_grad:
            self._hooks.append(x.register_hook(partial(site.take_gradient, places=places)))
            self._asked.add(key)
        elif self._backward:
            if not torch.is_grad_enabled():
                why = "it runs with gradients switched off, by torch.no_grad or a reentrant checkpoint"
            elif key.operation == "rectified_linear":
                why = "its own input m x + b is no tensor of the model"
            else:
                why = "nothing before it needs one, being frozen or without parameters"
            self._notes.add("no gradient of {} was recorded: " + why, key)

    def _site(self, key: SiteKey, rectifier: Rectifier, x: Tensor, places: Places) -> Site | None:
        dimension, channels = places.channel, x.shape[places.channel]
        site = self.sites.get(key)
        if site is None:
            site = self.sites[key] = Site(rectifier, dimension, channels, self.full)
        if (dimension, channels) == (site.dimension, site.channels):
            return site
        self._leave_out(key, site, dimension, channels)
        return None

    # where channels and samples lie

    def _places_of(self, key: SiteKey, x: Tensor) -> Places:
        """Where they lie: channels as in the first call, samples as far as this pass is followed."""
        places = self._axes.get((key, x.ndim))
        known = self._following.trail.axes(x) if self.follows else None
        if places is None:
            places = self._first_places(key, x, known or self._following.trail.unsaid(x))
        elif known is not None and known.samples != places.channel:
            places = Places(places.channel, known.samples, known.fold)
        if places.samples is not None and x.shape[places.samples] % math.prod(places.fold):
            places = replace(places, fold=(1, 1))  # a pass unlike the one that was followed
        self._axes[key, x.ndim] = places
        self._following.met(key, x.ndim, places)
        return places

    def _first_places(self, key: SiteKey, x: Tensor, known: Axes) -> Places:
        """As told, as the activation says, as the layers before say, or by the fallback, which is noted."""
        samples = known.samples
        told = told_dimension(self.channel_dimensions, key)
        if told is not None:
            channel = normal_dimension(key.label(False), told, x, samples)
        else:
            channel = own_dimension(self.running[-1], x)
            channel = known.channel if channel is None else channel
        if channel is None:
            channel = fallback_dimension(x.ndim, samples)
            if x.ndim - (samples is not None) > 1:
                self._note_guess(key, x, channel)
        if known.doubt:
            self._notes.add(DOUBTS[known.doubt], key, lasting=True)
        if channel == samples:  # what is told weighs more than what was followed
            return Places(channel, 0 if channel else None)
        return Places(channel, samples, known.fold)

    # notes

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at or was guessed, one sentence each."""
        return (*self._notes.sentences, *in_other_threads(self.elsewhere), *self._without_gradient())

    def note(self, sentence: str) -> None:
        """Add a note."""
        self._notes.add(sentence)

    def _named(self, key: SiteKey) -> str:
        """What the report calls a rectifier."""
        return key.label(sum((key.module, key.operation) == (k.module, k.operation) for k in self.sites) <= 1)

    def _without_gradient(self) -> list[str]:
        """Rectifiers that no gradient came back to, though it did to others."""
        if not any(site.gradients for site in self.sites.values()):
            return []
        silent = [key for key, site in self.sites.items() if site.samples and not site.gradients]
        return [
            f"no gradient came back to {self._named(key)}: what was differentiated does not depend on it"
            for key in silent
            if key in self._asked
        ]

    def _note_scripted(self) -> None:
        outer = None
        for path, module in self.model.named_modules():
            within = outer is not None and path.startswith(outer)
            if isinstance(module, torch.jit.ScriptModule) and not within:
                outer = f"{path}."
                self._notes.add(f"{path} is TorchScript: its inside cannot be seen", lasting=True)

    def _note_guess(self, key: SiteKey, x: Tensor, channel: int) -> None:
        self._notes.add(guessed(x.ndim, channel), key, lasting=True)

    def _note_positions(self, module: nn.Module, rank: int, taken: int | None, samples: int | None) -> None:
        """Say of rectifiers before a layer which reads sequences that their samples lie elsewhere than was taken."""
        where = "no dimension of samples" if samples is None else f"samples along dimension {samples}"
        for key in self._following.taken(rank, taken):
            self._notes.add(
                f"samples of {{}} were counted along dimension {taken}, but the input of "
                f"{self.paths[module] or '(model)'} behind it has {where}",
                key,
                lasting=True,
            )

    def _leave_out(self, key: SiteKey, site: Site, dimension: int, channels: int) -> None:
        topic = key, dimension, channels
        self._left_out[topic] += 1
        sentence = left_out((site.channels, site.dimension), (channels, dimension), self._left_out[topic])
        self._notes.add(sentence, key, topic=topic)
