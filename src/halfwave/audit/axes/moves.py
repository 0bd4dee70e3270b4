"""Where the dimensions of a tensor go in the functions of torch that move, merge, split, add or remove them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["KEEPING", "RESHAPING", "Fold", "Moved", "moved_dimensions", "refolded", "reshaped"]

Moved = tuple[int | None, ...]
"""For each dimension of the input the one of the output, or None where there is none that is its own."""

Fold = tuple[int, int]
"""What shares a dimension with n samples, (outer, inner): it has outer · n · inner places, in this order."""

KEEPING = frozenset(
    {
        *(
            "chunk",
            "split",
            "split_with_sizes",
            "tensor_split",
            "narrow",
            "slice",
            "index_select",
            "flip",
            "roll",
            "pad",
        ),
        *(
            "interpolate",
            "upsample",
            "pixel_shuffle",
            "pixel_unshuffle",
            "gather",
            "glu",
        ),
        *(f"{kind}{n}d" for kind in ("max_pool", "avg_pool", "lp_pool") for n in (1, 2, 3)),
        *("max_pool2d_with_indices", "_adaptive_avg_pool2d", "constant_pad_nd"),
        *(f"adaptive_{kind}{n}d" for kind in ("max_pool", "avg_pool") for n in (1, 2, 3)),
    }
)
"""Functions that change sizes and leave every dimension in its place."""

_PERMUTING = frozenset(
    {
        *("permute", "transpose", "swapaxes", "swapdims", "t", "T", "mT", "adjoint", "movedim", "moveaxis"),
        "unsqueeze",
    }
)
RESHAPING = frozenset(
    {"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "ravel", "_unsafe_view"}
)
"""Functions that merge and split dimensions in their order."""
_REDUCING = frozenset(
    {
        *("mean", "sum", "amax", "amin", "max", "min", "median", "any", "all", "prod", "std", "var"),
        *("norm", "logsumexp", "argmax", "argmin"),
    }
)
_SELECTING = frozenset({"select", "unbind"})


def moved_dimensions(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor
) -> Moved | None:
    """Where the dimensions of the first argument are in a result; None for functions that are not of this kind.

    Args:
        name: what torch calls the function; properties by their own name.
        function, args, kwargs: the call, which is repeated on a tensor without memory where that tells.
        out: the result, or one of the results.

    >>> moved_dimensions("permute", torch.Tensor.permute, (torch.zeros(2, 3, 4), 0, 2, 1), {}, torch.zeros(2, 4, 3))
    (0, 2, 1)
    >>> moved_dimensions("mean", torch.mean, (torch.zeros(2, 3, 4, 4), (2, 3)), {}, torch.zeros(2, 3))
    (0, 1, None, None)
    """
    x, *rest = args if args else (kwargs.get("input", kwargs.get("self")),)
    if not isinstance(x, Tensor):
        return None
    if name in _PERMUTING:
        return _permuted(x, function, rest, kwargs)
    if name in RESHAPING:
        return reshaped(tuple(x.shape), tuple(out.shape))
    if name in ("expand", "expand_as", "broadcast_to", "repeat", "tile"):
        return tuple(place + out.ndim - x.ndim for place in range(x.ndim))
    if name == "__getitem__":
        return _indexed(x, rest[0])
    gone = _removed(name, x, rest, kwargs, out)
    return None if gone is None else _without(x.ndim, gone)


def _permuted(x: Tensor, function: Callable[..., Any], rest: list[Any], kwargs: dict[str, Any]) -> Moved:
    """The same call on sizes that are all different, which tell where each dimension goes."""
    sizes = tuple(range(2, x.ndim + 2))
    marked = torch.empty(sizes, device="meta")
    named = {name: value for name, value in kwargs.items() if name not in ("input", "self")}
    found = tuple(function(marked, *rest, **named).shape)
    return tuple(found.index(size) for size in sizes)


def reshaped(before: Sequence[int], after: Sequence[int]) -> Moved:
    """Where dimensions go that are merged and split in their order.

    One that is split goes to the first of its parts, and the first of those that are merged to what they become; the
    others have no place of their own.

    >>> reshaped((8, 3, 5, 5), (8, 3, 25)), reshaped((8, 6, 5), (8, 2, 3, 5)), reshaped((4, 7, 9), (28, 9))
    ((0, 1, 2, None), (0, 1, 3), (0, None, 1))
    """
    moved: list[int | None] = [None] * len(before)
    old, new = 0, 0
    while old < len(before) and new < len(after):
        if (before[old] == 1) != (after[new] == 1):  # a dimension of one that comes or goes
            old, new = old + (before[old] == 1), new + (after[new] == 1)
            continue
        moved[old] = new
        left, right = before[old], after[new]
        while left != right and max(old + 1 - len(before), new + 1 - len(after)) < 0:
            if left < right:
                old += 1
                left *= before[old]
            else:
                new += 1
                right *= after[new]
        old, new = old + 1, new + 1
    return tuple(moved)


def refolded(before: Sequence[int], after: Sequence[int], place: int, fold: Fold) -> tuple[int, Fold] | None:
    """Where the samples of a dimension go when dimensions are merged and split in their order, and what shares theirs.

    Args:
        before, after: sizes of the dimensions.
        place: dimension of the samples.
        fold: what shares it with them.

    Returns:
        Their dimension and what shares that, or None where they are torn apart.

    >>> refolded((8, 3, 5), (24, 5), 0, (1, 1)), refolded((24, 5), (8, 3, 5), 0, (1, 3))
    ((0, (1, 3)), (0, (1, 1)))
    >>> refolded((7, 8, 6), (56, 6), 1, (1, 1)), refolded((8, 6), (4, 2, 6), 0, (1, 1))
    ((0, (7, 1)), None)
    """
    number, stride = before[place] // math.prod(fold), fold[1] * math.prod(before[place + 1 :])
    found: list[tuple[int, int, int, int]] = []
    for dimension, size in enumerate(after):
        step = math.prod(after[dimension + 1 :])
        outer, inner = size * step // max(1, stride * number), stride // max(1, step)
        if outer * number * inner == size and step * inner == stride:
            found.append((outer * inner, inner, dimension, outer))
    if not found:
        return None
    # of one sample that might lie in several, the dimension that holds least else
    _, inner, dimension, outer = min(found)
    return dimension, (outer, inner)


def _indexed(x: Tensor, index: Any) -> Moved | None:
    """Numbers remove a dimension and None adds one; other tensors as indices are not followed."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(not (part is None or part is Ellipsis or isinstance(part, (int, slice))) for part in parts):
        return None
    named = sum(part is not None and part is not Ellipsis for part in parts)
    where = next((place for place, part in enumerate(parts) if part is Ellipsis), len(parts))
    parts[where : where + 1] = [slice(None)] * (x.ndim - named)
    moved: list[int | None] = []
    place = 0
    for part in parts:
        if part is not None:
            moved.append(None if isinstance(part, int) else place)
        place += not isinstance(part, int)
    return tuple(moved)


def _removed(name: str, x: Tensor, rest: list[Any], kwargs: dict[str, Any], out: Tensor) -> set[int] | None:
    """Dimensions that a function takes away."""
    if name in _SELECTING:
        chosen = rest[0] if rest else kwargs.get("dim", 0)
    elif name == "squeeze":
        everything = [place for place in range(x.ndim) if x.shape[place] == 1]
        chosen = rest[0] if rest else kwargs.get("dim", everything)
    elif name in _REDUCING and out.ndim < x.ndim:
        numbers = [value for value in rest if isinstance(value, (int, tuple, list))]
        chosen = kwargs.get("dim", numbers[-1] if name == "norm" and numbers else (numbers or [None])[0])
    else:
        return set() if name in _REDUCING else None
    places = [chosen] if isinstance(chosen, int) else [] if chosen is None else list(chosen)
    gone = {place % x.ndim for place in places}
    return {place for place in gone if x.shape[place] == 1} if name == "squeeze" else gone


def _without(dimensions: int, gone: set[int]) -> Moved:
    kept = [place for place in range(dimensions) if place not in gone]
    return tuple(kept.index(place) if place in kept else None for place in range(dimensions))
