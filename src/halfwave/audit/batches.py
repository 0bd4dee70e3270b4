"""What a model is given of a batch: inputs told from targets, on the model's device."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from halfwave.errors import HalfwaveError

__all__ = ["Inputs", "arguments_of", "iterate", "moved", "samples_in"]

Inputs = Callable[[Any], Any] | int | str | tuple[int | str, ...] | None
"""How inputs are told from targets: a function of the batch, or the places or names of the inputs in it."""


def iterate(batches: Any) -> Iterator[Any]:
    """The batches; a tensor or array counts as one batch, not as one sample after another."""
    if isinstance(batches, (Tensor, np.ndarray)):
        return iter((batches,))
    if isinstance(batches, (str, bytes, Mapping)) or not isinstance(batches, Iterable):
        raise HalfwaveError(f"`batches` must be an iterable of batches; got {type(batches).__name__}")
    return iter(batches)


def arguments_of(
    batch: Any, model: nn.Module, inputs: Inputs, device: torch.device | None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and named arguments with which a model is called for one batch.

    Args:
        batch: a tensor or array, a sequence of them, or a mapping from names.
        model: whose forward says how many it takes.
        inputs: see `halfwave.audit.audit`.
        device: where tensors are moved, or None to leave them.

    >>> arguments_of((torch.zeros(1), torch.ones(1)), nn.ReLU(), None, None)
    ((tensor([0.]),), {})
    """
    chosen = batch if inputs is None else inputs(batch) if callable(inputs) else _picked(batch, inputs)
    if isinstance(chosen, Mapping):
        named = dict(chosen) if inputs is not None else _accepted(chosen, model)
        return (), moved(named, device)
    if not isinstance(chosen, (tuple, list)):
        return moved((chosen,), device), {}
    values = tuple(chosen)
    if inputs is None:
        values = values[: max(1, _required(model))]
    if not values:
        raise HalfwaveError(f"a batch must hold an input of the model; got an empty {type(chosen).__name__}")
    return moved(values, device), {}


def moved(value: Any, device: torch.device | None) -> Any:
    """Arrays made tensors and tensors moved to a device, in tuples, lists and dictionaries."""

    def one(leaf: Any) -> Any:
        if isinstance(leaf, np.ndarray):
            if leaf.dtype.kind not in "biufc":
                raise HalfwaveError(f"arrays in batches must hold numbers; got one of dtype {leaf.dtype}")
            leaf = torch.as_tensor(leaf)
        return leaf.to(device) if isinstance(leaf, Tensor) and device is not None else leaf

    return tree_map(one, value)


def samples_in(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """Samples of a batch: the length of the first tensor, 1 for a number or for no tensor at all.

    >>> samples_in((torch.zeros(4, 3),), {}), samples_in((torch.zeros(0, 3),), {})
    (4, 0)
    """
    tensors = (leaf for leaf in tree_leaves((args, dict(kwargs))) if isinstance(leaf, Tensor))
    return next((len(tensor) if tensor.ndim else 1 for tensor in tensors), 1)


def _picked(batch: Any, inputs: int | str | tuple[int | str, ...]) -> Any:
    try:
        if isinstance(inputs, tuple):
            return {n: batch[n] for n in inputs} if isinstance(batch, Mapping) else [batch[n] for n in inputs]
        return batch[inputs]
    except (KeyError, IndexError, TypeError) as error:
        raise HalfwaveError(
            f"`inputs` must name parts of each batch; got {inputs!r} for a batch that is {_described(batch)}"
        ) from error


def _described(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a mapping of {', '.join(map(repr, batch))}"
    return (
        f"a {type(batch).__name__} of {len(batch)}"
        if hasattr(batch, "__len__")
        else f"a {type(batch).__name__}"
    )


def _parameters(model: nn.Module) -> list[inspect.Parameter]:
    return list(inspect.signature(model.forward).parameters.values())


def _required(model: nn.Module) -> int:
    """Positional arguments without a default."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is inspect.Parameter.empty for p in _parameters(model))


def _accepted(batch: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    """The entries that the model's forward has a name for."""
    parameters = _parameters(model)
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return dict(batch)
    names = {p.name for p in parameters}
    accepted = {name: value for name, value in batch.items() if name in names}
    if not accepted:
        raise HalfwaveError(
            f"a batch given as a mapping must have names that the model's forward takes, "
            f"{', '.join(map(repr, sorted(names)))}; got {', '.join(map(repr, batch))}"
        )
    return accepted
