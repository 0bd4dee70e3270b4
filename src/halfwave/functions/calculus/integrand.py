"""What a function must offer so that its integral and its conjugate can be taken."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from halfwave.functions.double_double import Vector
from halfwave.functions.pieces import Pieces

__all__ = ["Function", "OfPieces"]


class OfPieces(Protocol):
    """A piecewise-linear function, whatever its class: integrals and conjugates hand it back as it came."""

    @property
    def pieces(self) -> Pieces:
        """The data in normal form."""
        ...

    @property
    def kinks(self) -> Vector:
        """Where slope or value change (k,)."""
        ...

    def __call__(self, x: Any) -> Any:
        """The value at a scalar or an array."""
        ...


Function = TypeVar("Function", bound=OfPieces)
