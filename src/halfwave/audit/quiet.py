"""Runs a model without leaving a trace: flags of training, random numbers and gradients stay as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from halfwave.errors import HalfwaveError

__all__ = ["device_of", "evaluating", "uncompiled"]


def device_of(model: nn.Module) -> torch.device | None:
    """The device of the model's first parameter or buffer, or None where it has neither."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return None


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and run uncompiled; each module's own flag and torch's generators are restored.

    >>> model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    >>> with evaluating(model):
    ...     inside = [module.training for module in model.modules()]
    >>> inside, [module.training for module in model.modules()]
    ([False, False, False], [True, True, False])
    """
    modules = list(model.modules())
    flags = [module.training for module in modules]
    compiled = [getattr(module, "_compiled_call_impl", None) for module in modules]
    device = device_of(model)
    devices = [device] if device is not None and device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            _switch(modules, [False] * len(modules), [None] * len(modules))
            yield
    finally:
        _switch(modules, flags, compiled)


def _switch(modules: list[nn.Module], flags: list[bool], compiled: list[Any]) -> None:
    # The flag alone: a `train` method that a model overrides could do more, and not undo it.
    for module, flag, implementation in zip(modules, flags, compiled, strict=True):
        module.training = flag
        module._compiled_call_impl = implementation


def uncompiled(model: Any, caller: str, inside: bool) -> nn.Module:
    """The model whose modules really run, or `HalfwaveError` where there is none.

    Args:
        model: what the user gave.
        caller: name of the function, for messages.
        inside: whether a compiled model can be replaced by the one inside.
    """
    if not isinstance(model, nn.Module):
        raise HalfwaveError(f"`model` of {caller} must be a torch.nn.Module; got {type(model).__name__}")
    if isinstance(model, torch.jit.ScriptModule):
        raise HalfwaveError(
            f"{caller} cannot look inside TorchScript, got a {type(model).__name__}: use the model that it was made of"
        )
    compiled = any(getattr(module, "_compiled_call_impl", None) is not None for module in model.modules())
    original = getattr(model, "_orig_mod", None)
    if inside:
        return original if isinstance(original, nn.Module) else model
    if isinstance(original, nn.Module) or compiled:
        raise HalfwaveError(
            f"{caller} cannot look inside a compiled model, got {type(model).__name__}: watch it before it is "
            "compiled, or use hw.audit.audit, which runs the original"
        )
    return model
