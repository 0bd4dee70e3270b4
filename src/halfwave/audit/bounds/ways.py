"""The layers that read a rectifier from farther off, and where in them its units lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from halfwave.audit.bounds.wiring import Neighbour
from halfwave.audit.counting.site import SiteKey

__all__ = ["Layout", "Way", "Ways"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where units lie along one dimension: unit u at ``((o · total + offset + u) · inner + i``, for all o and i.

    >>> Layout.of(3, 6, channels_last=False).places(torch.tensor([1]))
    tensor([[2, 3]])
    >>> Layout.of(3, 6, channels_last=True).places(torch.tensor([1]))
    tensor([[1, 4]])
    >>> Layout(5, offset=2).places(torch.tensor([1]))
    tensor([[3]])
    """

    total: int
    """Units side by side, those of other rectifiers among them where they were joined."""
    offset: int = 0
    """Number of the first one of this rectifier."""
    inner: int = 1
    """Places of a unit that were flattened behind it."""
    outer: int = 1
    """Those that were flattened in front of it."""

    @classmethod
    def of(cls, channels: int, width: int, channels_last: bool) -> Layout:
        """Of channels alone in a vector that they were flattened into, next to each other unless they come last."""
        places = width // channels
        return cls(channels, outer=places) if channels_last else cls(channels, inner=places)

    @property
    def width(self) -> int:
        """Entries along the dimension."""
        return self.outer * self.total * self.inner

    def places(self, units: Tensor) -> Tensor:
        """The places of some units (units, places of each)."""
        outer, inner = (torch.arange(number, device=units.device) for number in (self.outer, self.inner))
        first = (outer[:, None] * self.total * self.inner + inner).flatten()
        return (units[:, None] + self.offset) * self.inner + first


@dataclass(frozen=True, slots=True)
class Way:
    """One layer that reads a rectifier, however far behind it."""

    reader: Neighbour
    layout: Layout
    """Where the rectifier's units lie in what the layer reads."""
    norms: tuple[tuple[str, Layout], ...]
    """Modules that call the batch normalisations on the way, and where the units lie in them."""


Ways = Mapping[SiteKey, tuple[Way, ...] | str]
"""Rectifier → all that reads it, or why that is not known."""
