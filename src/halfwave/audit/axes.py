"""Which dimension of a tensor its channels lie along, told by the layer that it comes from."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor

from halfwave.audit.operations import torch_name

__all__ = ["ChannelTrail"]

_LAST = ("linear", "bilinear", "embedding", "layer_norm", "rms_norm")
_SECOND = (
    *(f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)),
    *("batch_norm", "group_norm", "instance_norm"),
)
_PLACES = dict.fromkeys(_LAST, -1) | dict.fromkeys(_SECOND, 1)
"""Name of a function of torch → the dimension along which it puts its channels."""


class ChannelTrail:
    """Follows tensors from the last layer that says where channels lie, through functions that keep the shape's rank.

    >>> import torch
    >>> trail, linear = ChannelTrail(), torch.nn.functional.linear
    >>> x, weight = torch.zeros(2, 5, 4), torch.zeros(3, 4)
    >>> y = linear(x, weight)
    >>> trail.follow(linear, (x, weight), {}, y)
    >>> trail.dimension(y)
    2
    """

    def __init__(self) -> None:
        self._dimensions: dict[int, tuple[weakref.ref[Tensor], int]] = {}

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Note where the channels of a function's result lie, if that is known."""
        if not isinstance(result, Tensor) or result.ndim == 0:
            return
        place = _PLACES.get(torch_name(function))
        if place is not None:
            # an image without a batch dimension has its channels first
            weight = args[1] if len(args) > 1 else kwargs.get("weight")
            single = (
                "conv" in torch_name(function) and isinstance(weight, Tensor) and weight.ndim > result.ndim
            )
            self.note(result, 0 if single else place % result.ndim)
            return
        for value in (*args, *kwargs.values()):
            known = self.dimension(value)
            if known is not None and value.ndim == result.ndim and value.shape[known] == result.shape[known]:
                self.note(result, known)
                return

    def note(self, x: Tensor, dimension: int) -> None:
        """Say where the channels of a tensor lie."""
        self._dimensions[id(x)] = (weakref.ref(x), dimension)

    def dimension(self, x: Any) -> int | None:
        """Where the channels of a tensor lie, or None where that is not known."""
        found = self._dimensions.get(id(x))
        # an address may be used again: the entry must be this tensor's own
        return found[1] if found is not None and found[0]() is x else None

    def clear(self) -> None:
        """Forget everything."""
        self._dimensions.clear()
