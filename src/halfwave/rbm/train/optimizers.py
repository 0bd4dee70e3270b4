"""Optimisers by name, and their state as tensors for a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError

__all__ = ["OptimizerFactory", "make_optimizer", "optimizer_from_tensors", "optimizer_tensors"]

OptimizerFactory = Callable[[list[Tensor]], torch.optim.Optimizer]

_FUSED = ("Adam", "AdamW", "SGD", "Adagrad")


def make_optimizer(
    optimizer: str | OptimizerFactory, parameters: list[Tensor], learning_rate: float, **options: Any
) -> torch.optim.Optimizer:
    """An optimiser of ``torch.optim`` by its name, or made by a function of the list of parameters.

    >>> make_optimizer("SGD", [torch.zeros(2)], 0.1, momentum=0.9).defaults["momentum"]
    0.9
    """
    if callable(optimizer):
        return optimizer(parameters)
    kind = getattr(torch.optim, optimizer, None)
    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or optimizer == "Optimizer":
        raise HalfwaveError(f"unknown optimizer {optimizer!r}; it must be the name of a torch.optim class")
    if optimizer in _FUSED and all(p.device.type in ("cpu", "cuda") for p in parameters):
        options.setdefault("fused", True)
    return kind(parameters, lr=learning_rate, **options)  # pyright: ignore[reportCallIssue]


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of an optimiser as tensors by name, and the numbers that are not tensors."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            elif isinstance(value, (bool, int, float)) or value is None:
                numbers[f"{index}.{key}"] = value
            else:
                raise HalfwaveError(
                    f"the state of {type(optimizer).__name__} cannot be saved: "
                    f"{key!r} is a {type(value).__name__}, not a tensor or a number"
                )
    return tensors, numbers


def optimizer_from_tensors(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """Restore what `optimizer_tensors` took, into an optimiser made in the same way."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **numbers}.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
