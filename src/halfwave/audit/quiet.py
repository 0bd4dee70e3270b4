"""Runs a model without leaving a trace: flags of training, random numbers and gradients stay as they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from halfwave.errors import HalfwaveError

__all__ = ["device_of", "evaluating", "is_exported", "kinds_in", "uncompiled"]


def device_of(model: nn.Module) -> torch.device | None:
    """The device of the model's first parameter or buffer, or None where it has neither."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return None


def kinds_in(model: nn.Module) -> str:
    """The kinds of modules that a model is made of, for messages; an exported program names those it came from.

    >>> kinds_in(nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)))
    'Linear, Sequential'
    """
    kinds = set()
    for module in model.modules():
        if _original(module):
            kinds.add(_original(module).split(".")[-1])
        elif not type(module).__module__.startswith(("torch.export", "torch.fx", "halfwave.audit")):
            kinds.add(type(module).__name__)
    return ", ".join(sorted(kinds)) or "an exported program"


def is_exported(model: nn.Module) -> bool:
    """Whether a model was made from an exported program, whose modules stand in for those of the user."""
    return any(map(_original, model.modules()))


def _original(module: nn.Module) -> str:
    """The type of module that one of torch.export's stands in for, or nothing."""
    original = getattr(module, "_ty", None)
    return original if isinstance(original, str) else ""


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
    tensors = [*model.parameters(), *model.buffers()]
    if tensors and all(tensor.is_meta for tensor in tensors):
        raise HalfwaveError(
            f"{caller} needs a model with numbers, got a {type(model).__name__} on the meta device, which has none: "
            "load its weights first"
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
