"""Which tensors of a pass are constants, and which are computed from the model's inputs or parameters."""

from __future__ import annotations

import weakref
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.rectifiers.operations import torch_name

__all__ = ["Origins"]

_FRESH = frozenset(
    {
        *(f"{kind}_like" for kind in ("zeros", "ones", "full", "empty")),
        *(f"new_{kind}" for kind in ("zeros", "ones", "full", "empty", "tensor")),
    }
)
"""Functions whose results take nothing but shape and type from the tensors they are given."""


class Origins:
    """Tells tensors that are computed from others from those that are made in the pass, or held by the model.

    >>> import torch
    >>> origins, x = Origins(), torch.zeros(3)
    >>> origins.computed(x)
    >>> y, zero = x * 0, torch.zeros_like(x)
    >>> origins.follow(torch.mul, (x, 0), {}, y)
    >>> origins.follow(torch.zeros_like, (x,), {}, zero)
    >>> origins.constant(y), origins.constant(zero)
    (False, True)
    """

    def __init__(self) -> None:
        self._computed: dict[int, weakref.ref[Tensor]] = {}

    def computed(self, values: Any) -> None:
        """Say of the tensors in a structure that they are no constants."""
        for leaf in tree_leaves(values):
            if isinstance(leaf, Tensor):
                self._computed[id(leaf)] = weakref.ref(leaf)

    def constant(self, x: Tensor) -> bool:
        """Whether a tensor is one that neither inputs nor parameters can change."""
        found = self._computed.get(id(x))
        if x.requires_grad or isinstance(x, nn.Parameter):
            return False
        # an address may be used again: the entry must be this tensor's own
        return found is None or found() is not x

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Note what a function has made of tensors."""
        name = torch_name(function)
        if name in _FRESH:
            return
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if all(self.constant(leaf) for leaf in given):
            return
        self.computed(result)
        if name == "__setitem__":
            self.computed(args[0])

    def clear(self) -> None:
        """Forget everything."""
        self._computed.clear()
