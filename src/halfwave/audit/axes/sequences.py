"""Layers of torch that read sequences, and say which dimension of them holds the samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

__all__ = ["positions_first", "sequences_of"]

_GIVEN: dict[type[nn.Module], tuple[str, ...]] = {
    nn.RNNBase: ("input",),
    nn.MultiheadAttention: ("query", "key", "value"),
    nn.TransformerEncoderLayer: ("src",),
    nn.TransformerDecoderLayer: ("tgt", "memory"),
    nn.Transformer: ("src", "tgt"),
}
"""Layer → its arguments that are sequences, in their order."""


def _names(module: nn.Module) -> tuple[str, ...]:
    return next((names for kind, names in _GIVEN.items() if isinstance(module, kind)), ())


def _batch_first(module: Any) -> bool:
    attention = getattr(module, "self_attn", module)
    return bool(getattr(attention, "batch_first", True))


def positions_first(module: nn.Module) -> bool:
    """Whether a layer reads (positions, samples, features).

    >>> positions_first(nn.LSTM(2, 3)), positions_first(nn.LSTM(2, 3, batch_first=True)), positions_first(nn.ReLU())
    (True, False, False)
    """
    return bool(_names(module)) and not _batch_first(module)


def sequences_of(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[Tensor, int | None]]:
    """The sequences that a layer is given, each with the dimension of its samples; None for a single sequence."""
    names = _names(module)
    given = dict(zip(names, args, strict=False)) | {name: kwargs[name] for name in names if name in kwargs}
    for x in given.values():
        if isinstance(x, Tensor) and x.ndim in (2, 3):
            yield x, None if x.ndim == 2 else 0 if _batch_first(module) else 1
