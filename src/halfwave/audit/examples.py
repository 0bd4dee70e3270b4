"""Arguments of a model that are kept to run it once more: one sample of them, or all."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch._C._functorch import is_functorch_wrapped_tensor  # pyright: ignore[reportMissingImports]
from torch.utils._pytree import tree_leaves, tree_map

__all__ = ["Arguments", "length_of", "one_sample", "repeated", "transformed", "without_samples"]

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def transformed(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a transform of torch.func runs the model, whose tensors cannot be kept."""
    leaves = tree_leaves((args, kwargs))
    return any(isinstance(leaf, Tensor) and is_functorch_wrapped_tensor(leaf) for leaf in leaves)


def length_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Samples in the first tensor."""
    leaves = tree_leaves((args, kwargs))
    return next((len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim), 0)


def without_samples(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the first tensor has no sample in it.

    >>> import torch
    >>> without_samples((torch.zeros(0, 3),), {}), without_samples((), {}), without_samples((torch.tensor(1.0),), {})
    (True, False, False)
    """
    leaves = tree_leaves((args, kwargs))
    return next((len(leaf) == 0 for leaf in leaves if isinstance(leaf, Tensor) and leaf.ndim), False)


def one_sample(args: tuple[Any, ...], kwargs: dict[str, Any], cut: bool) -> Arguments:
    """Copied arguments, with the tensors that are as long as the first one cut down to one sample where asked for.

    >>> import torch
    >>> one_sample((torch.zeros(4, 3), torch.ones(2)), {}, cut=True)
    ((tensor([[0., 0., 0.]]), tensor([1., 1.])), {})
    """
    length = length_of(args, kwargs)

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return (leaf[:1] if cut and leaf.ndim and len(leaf) == length else leaf).detach().clone()

    return tree_map(one, (args, kwargs))


def repeated(arguments: Arguments, times: int) -> Arguments:
    """One sample as often as it takes to make a batch of the size that a model insists on."""

    def again(leaf: Any) -> Any:
        batched = isinstance(leaf, Tensor) and leaf.ndim > 0 and len(leaf) == 1
        return leaf.repeat(times, *[1] * (leaf.ndim - 1)) if batched else leaf

    return tree_map(again, arguments)
