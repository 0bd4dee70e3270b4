"""Calls a model on one batch; what goes wrong is said in one sentence, with the batch and the layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.batches import Inputs, arguments_of, moved
from halfwave.errors import HalfwaveError
from halfwave.words import listed

__all__ = ["arguments_for", "located"]

_LONGEST = 90
"""Characters of a layer's description."""


def arguments_for(
    batch: Any, number: int, model: nn.Module, inputs: Inputs, device: torch.device | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `arguments_of`, with the number of the batch in messages.

    Raises:
        HalfwaveError: if the batch has no inputs for the model, or they hold no numbers.

    >>> arguments_for({"y": torch.zeros(1)}, 3, nn.ReLU(), "x", None)
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: `inputs` must name parts of each batch; got 'x' for a batch that is a mapping of \
'y' (batch 3)
    """
    try:
        args, kwargs = arguments_of(batch, model, inputs, None)
    except HalfwaveError as error:
        raise HalfwaveError(f"{error} (batch {number})") from error
    if any(isinstance(leaf, Tensor) and leaf.is_meta for leaf in tree_leaves((args, kwargs))):
        raise HalfwaveError(
            f"batches must hold numbers; batch {number} is on the meta device, which has none"
        )
    return moved(args, device), moved(kwargs, device)


@contextmanager
def located(model: nn.Module, number: int, arguments: Any) -> Iterator[None]:
    """Turn errors of torch and of Python in a call of the model into one sentence that says where.

    Exceptions of other libraries and of the user pass as they are, and so does a lack of memory.

    Args:
        model: that is called inside.
        number: of the batch.
        arguments: that the model is given.

    Raises:
        HalfwaveError: chained to the error.

    >>> model = nn.Sequential(nn.Linear(10, 2), nn.ReLU())
    >>> with located(model, 3, x := torch.zeros(4, 8)):
    ...     model(x)
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: the model must run on every batch; batch 3, float32 (4, 8), failed in layer 0, \
Linear(in_features=10, out_features=2, bias=True): RuntimeError: mat1 and mat2 shapes cannot be multiplied (4x8 and \
10x2)
    """
    try:
        yield
    except (HalfwaveError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("builtins", "torch"):
            raise
        raise HalfwaveError(
            f"the model must run on every batch; batch {number}, {_described(arguments)}, failed in "
            f"{_layer(model, error.__traceback__)}: {type(error).__name__}: {_first_line(error)}"
            f"{_rule(model, arguments, str(error))}"
        ) from error


def _described(arguments: Any) -> str:
    parts = [
        f"{_name(leaf.dtype)} {tuple(leaf.shape)}"
        if isinstance(leaf, Tensor)
        else f"of type {type(leaf).__name__}"
        for leaf in tree_leaves(arguments)
    ]
    return listed(parts, 4) or "without inputs"


def _layer(model: nn.Module, trace: TracebackType | None) -> str:
    """The innermost module of the model in whose methods the error was raised."""
    paths = {module: path for path, module in model.named_modules()}
    found: nn.Module = model
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and owner in paths:
            found = owner
        trace = trace.tb_next
    words = repr(found)
    what = words if "\n" not in words and len(words) <= _LONGEST else type(found).__name__
    return f"layer {paths[found]}, {what}" if paths[found] else "the model itself"


def _first_line(error: Exception) -> str:
    return (str(error).strip().split("\n")[0] or "no reason was given").rstrip(".")


def _rule(model: nn.Module, arguments: Any, reason: str) -> str:
    """What to do about numbers of another kind or precision than the model's."""
    own = next((p.dtype for p in model.parameters() if p.is_floating_point()), None)
    given = {leaf.dtype for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)}
    other = [dtype for dtype in given if dtype.is_floating_point and dtype is not own]
    integers = [dtype for dtype in given if not dtype.is_floating_point and not dtype.is_complex]
    # an embedding takes integers, so they are named only where the types are what went wrong
    if integers and "type" in reason and "indices" not in reason:
        other = other or integers
    if own is None or not other:
        return ""
    return (
        f"; the model's parameters are {_name(own)} and the batch has {_name(other[0])}: give it {_name(own)}"
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
