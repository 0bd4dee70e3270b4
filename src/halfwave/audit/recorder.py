"""Records what the rectifiers of a model do while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch._C._functorch import is_functorch_wrapped_tensor  # pyright: ignore[reportMissingImports]
from torch.utils._pytree import tree_flatten, tree_map

from halfwave.audit.axes import ChannelTrail
from halfwave.audit.layout import fallback_dimension, normal_dimension
from halfwave.audit.listener import Listener
from halfwave.audit.modules import WHOLE
from halfwave.audit.rectifier import Rectifier
from halfwave.audit.site import Site, SiteKey
from halfwave.errors import HalfwaveError
from halfwave.nn import Activation

__all__ = ["Arguments", "ChannelDimensions", "Recorder", "checked_dimensions", "repeated"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
ChannelDimensions = int | Mapping[str, int] | None


class Recorder(Listener):
    """Keeps a `Site` for each rectifier that is called while this context is entered.

    Args:
        model: the model.
        alone: see `Listener`.
        every: record only every so many passes.
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
        self.notes: dict[str, None] = {}
        self.passes = 0
        """Passes recorded."""
        self.examples: dict[nn.Module, tuple[Arguments, int]] = {}
        """The outermost modules of recorded passes, the first sample that each was given, and of how many."""
        self.empty_calls = 0
        """Calls of rectifiers without any input."""
        self._seen = 0
        self._trail = ChannelTrail()
        self._learnt: set[nn.Module] = set()
        self._dimensions: dict[tuple[SiteKey, int], int] = {}
        self._hooks: list[Any] = []

    # passes

    def begin_pass(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        # hooks of graphs that are gone are gone; several passes may come before one backward pass
        self._hooks = [hook for hook in self._hooks if hook.hooks_dict_ref() is not None]
        heard = self._seen % self.every == 0
        self._seen += 1
        if heard and module not in self.examples and not _transformed(args, kwargs):
            self.examples[module] = _one_sample(args, kwargs), _length(args, kwargs)
        return heard

    def end_pass(self) -> None:
        self._trail.clear()
        self._learnt.update(self.examples)
        if self.heard:
            self.passes += 1
            if self.after_pass is not None:
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
        self.notes.clear()
        self.passes = 0

    # calls

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        if self.running[0] not in self._learnt:  # later passes find their sites known
            self._trail.follow(function, args, kwargs, result)

    def begin(self, key: SiteKey, rectifier: Rectifier, x: Tensor, call: Any) -> Any:
        if x.numel() == 0:
            self.empty_calls += 1
            return None
        if is_functorch_wrapped_tensor(x):
            self.notes[f"{key.label(False)} runs inside a transform of torch.func and was not recorded"] = (
                None
            )
            return None
        if self.merge_calls:
            key = SiteKey(key.module, key.operation, 0, key.whole)
        dimension = self._dimensions.get((key, x.ndim))
        if dimension is None:
            dimension = self._dimensions[key, x.ndim] = self._dimension(key, x)
        site = self._site(key, rectifier, x, dimension)
        if site is None:
            return None
        with torch.no_grad():
            site.take_input(x.detach(), rectifier, self.passes)
        if self.gradients and x.requires_grad:
            self._hooks.append(x.register_hook(site.take_gradient))
        return site, dimension

    def end(self, token: Any, y: Any) -> None:
        if token is None or not isinstance(y, Tensor):
            return
        site, dimension = token
        self._trail.note(y, dimension)
        with torch.no_grad():
            site.take_output(y.detach())

    def _site(self, key: SiteKey, rectifier: Rectifier, x: Tensor, dimension: int) -> Site | None:
        site = self.sites.get(key)
        if site is None:
            site = Site(rectifier, dimension, x.shape[dimension], self.full)
            self.sites[key] = site
        if dimension != site.dimension or x.shape[dimension] != site.channels:
            self.notes[
                f"{key.label(False)} had {site.channels} channels along dimension {site.dimension} and then "
                f"{x.shape[dimension]} along {dimension}, and only the first kind was recorded: name the dimension "
                "of its channels by `channel_dimensions`"
            ] = None
            return None
        return site

    def _dimension(self, key: SiteKey, x: Tensor) -> int:
        """Where the channels lie: as told, as the activation says, as the layer before says, or by the fallback."""
        told = self._told(key)
        if told is not None:
            return normal_dimension(key.label(False), told, x)
        own = self._own(x)
        if own is not None:
            return own
        known = self._trail.dimension(x)
        return fallback_dimension(x.ndim) if known is None else known

    def _told(self, key: SiteKey) -> int | None:
        told = self.channel_dimensions
        if not isinstance(told, Mapping):
            return told
        names = (key.label(False), key.label(True), key.module)
        for pattern, dimension in told.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return dimension
        return None

    def _own(self, x: Tensor) -> int | None:
        """What an activation with one parameter a channel says."""
        module = self.running[-1]
        if type(module) not in WHOLE or not isinstance(module, Activation):
            return None
        vectors = (getattr(module, name) for name in module.parameter_names)
        if not any(isinstance(value, Tensor) and value.ndim == 1 and value.numel() > 1 for value in vectors):
            return None
        return module.channel_dim % x.ndim


def _transformed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a transform of torch.func runs the model, whose tensors cannot be kept."""
    leaves = tree_flatten((args, kwargs))[0]
    return any(isinstance(leaf, Tensor) and is_functorch_wrapped_tensor(leaf) for leaf in leaves)


def _length(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Samples in the first tensor."""
    leaves = tree_flatten((args, kwargs))[0]
    return next((len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim), 0)


def _one_sample(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """Arguments with the tensors that are as long as the first one cut down to one sample, copied."""
    length = _length(args, kwargs)

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return (leaf[:1] if leaf.ndim and len(leaf) == length else leaf).detach().clone()

    return tree_map(one, (args, kwargs))


def repeated(arguments: Arguments, times: int) -> Arguments:
    """One sample as often as it takes to make a batch of the size that a model insists on."""

    def again(leaf: Any) -> Any:
        batched = isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == 1
        return leaf.repeat(times, *[1] * (leaf.ndim - 1)) if batched else leaf

    return tree_map(again, arguments)


def checked_dimensions(value: ChannelDimensions) -> ChannelDimensions:
    """The option as it is, or `HalfwaveError`."""
    numbers = list(value.values()) if isinstance(value, Mapping) else [] if value is None else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise HalfwaveError(f"`channel_dimensions` must be integers, by layer or for all; got {number!r}")
    return value
