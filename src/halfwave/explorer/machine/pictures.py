"""Configurations as bytes that a page can paint: one byte a site, or one a colour of a site."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from halfwave.units import Binary, Potts, Spin, Unit

__all__ = ["REAL_LEVELS", "SiteScale", "packed", "signed"]

REAL_LEVELS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""What a real site can be clamped to, in standard deviations from its mean over the data."""

_REACH = 3.0
"""Standard deviations that the bytes 0 and 255 stand for where sites are real."""


def packed(values: Tensor) -> str:
    """Whole numbers from 0 to 255 as base64, in the order of the flattened array.

    >>> packed(torch.tensor([0.0, 255.0]))
    'AP8='
    """
    return base64.b64encode(values.to(torch.uint8).cpu().numpy().tobytes()).decode()


def signed(values: Tensor, reach: float) -> str:
    """Numbers from -reach to reach as bytes from 1 to 255, zero as 128.

    >>> signed(torch.tensor([-2.0, 0.0, 2.0]), 2.0)
    'AYD/'
    """
    return packed((128.0 + 127.0 * values / reach).round().clamp(1, 255))


@dataclass(frozen=True)
class SiteScale:
    """How the values of a visible layer become bytes, and levels of a brush become values.

    Args:
        unit: the visible layer.
        mean, std: of each site over the data, ``(*unit.shape)``; used where sites are real.

    >>> scale = SiteScale(Binary(2), torch.zeros(2), torch.ones(2))
    >>> scale.kind, scale.levels, scale.pictures(torch.tensor([[1.0, 0.0]]))
    ('binary', 2, '/wA=')
    """

    unit: Unit
    mean: Tensor
    std: Tensor

    @property
    def kind(self) -> str:
        """What the sites are: binary, spin, categorical or real."""
        known = ((Binary, "binary"), (Spin, "spin"), (Potts, "categorical"))
        return next((name for unit, name in known if isinstance(self.unit, unit)), "real")

    @property
    def sites(self) -> int:
        """Number of sites; a Potts site has several numbers."""
        return self.unit.size // self.colours

    @property
    def colours(self) -> int:
        """Numbers of a site: colours of a Potts site, else 1."""
        return self.unit.shape[-1] if isinstance(self.unit, Potts) else 1

    @property
    def levels(self) -> int:
        """Number of levels a site can be clamped to."""
        return {"binary": 2, "spin": 2, "categorical": self.colours}.get(self.kind, len(REAL_LEVELS))

    def pictures(self, v: Tensor) -> str:
        """Configurations ``(n, *shape)`` as bytes: the colour of a Potts site, else a shade."""
        return packed(v.argmax(-1) if self.kind == "categorical" else self._shades(v))

    def means(self, v: Tensor) -> str:
        """Mean configurations as bytes: a shade for each colour of a Potts site."""
        return packed(self._shades(v))

    def values(self, levels: list[int]) -> tuple[Tensor, Tensor]:
        """Which elements levels clamp, and to which values; both ``(*shape)``."""
        chosen = torch.tensor(levels, device=self.mean.device)
        mask = chosen >= 0
        if self.kind == "categorical":
            hot = torch.nn.functional.one_hot(chosen.clamp(min=0), self.colours).to(self.mean)
            return mask.unsqueeze(-1).expand_as(hot).reshape(self.unit.shape), hot.reshape(self.unit.shape)
        table: Any = {"binary": (0.0, 1.0), "spin": (-1.0, 1.0)}.get(self.kind, REAL_LEVELS)
        values = torch.tensor(table).to(self.mean)[chosen.clamp(min=0)].reshape(self.unit.shape)
        if self.kind == "real":
            values = self.mean + values * self.std
            # a layer of values that are not negative takes no negative ones
            values = values.clamp(min=0.0) if self.unit.value_rule == "at least 0" else values
        return mask.reshape(self.unit.shape), values

    def _shades(self, v: Tensor) -> Tensor:
        if self.kind == "real":
            share = (v - self.mean) / (2 * _REACH * self.std) + 0.5
        else:
            share = (v + 1) / 2 if self.kind == "spin" else v
        return (255 * share).round().nan_to_num(0.0).clamp(0, 255)
