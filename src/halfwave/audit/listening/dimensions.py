"""Where users and activations say that channels lie."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from torch import Tensor, nn

from halfwave.audit.counting.site import SiteKey
from halfwave.audit.rectifiers.modules import WHOLE
from halfwave.errors import HalfwaveError
from halfwave.nn import Activation

__all__ = ["ChannelDimensions", "checked_dimensions", "own_dimension", "told_dimension"]

ChannelDimensions = int | Mapping[str, int] | None


def checked_dimensions(value: ChannelDimensions) -> ChannelDimensions:
    """The option as it is, or `HalfwaveError`."""
    numbers = list(value.values()) if isinstance(value, Mapping) else [] if value is None else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise HalfwaveError(f"`channel_dimensions` must be integers, by layer or for all; got {number!r}")
    return value


def told_dimension(told: ChannelDimensions, key: SiteKey) -> int | None:
    """What the option says of a rectifier, by its name, its module's path or a wildcard.

    >>> told_dimension({"block*": 1}, SiteKey("block.relu", "relu", 0, True))
    1
    """
    if not isinstance(told, Mapping):
        return told
    names = (key.label(False), key.label(True), key.module)
    for pattern, dimension in told.items():
        if any(fnmatchcase(name, pattern) for name in names):
            return dimension
    return None


def own_dimension(module: nn.Module, x: Tensor) -> int | None:
    """What an activation with one parameter a channel says."""
    if type(module) not in WHOLE or not isinstance(module, Activation):
        return None
    vectors = (getattr(module, name) for name in module.parameter_names)
    if not any(isinstance(value, Tensor) and value.ndim == 1 and value.numel() > 1 for value in vectors):
        return None
    return module.channel_dim % x.ndim
