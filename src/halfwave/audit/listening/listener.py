"""Hears every call that a model makes: which module is running, which function of torch is called.

Module hooks keep the stack of running modules; a function mode of torch sees the calls, among them those that
modules such as ``nn.ReLU`` make. A dispatch mode would see the kernels instead: without names, after in-place
variants were chosen, and in backward as well.
"""

from __future__ import annotations

import threading
from collections import Counter
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from halfwave.audit.counting.site import SiteKey
from halfwave.audit.rectifiers.modules import WHOLE, is_activation, rectifier_of_module
from halfwave.audit.rectifiers.operations import OPERATIONS, rectifier_of_call
from halfwave.audit.rectifiers.origins import Origins
from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["Listener"]


class _Silence:
    """Raised while a model runs for another reason than its user's; no listener but its owner hears it."""

    def __init__(self) -> None:
        self.owners: list[Listener] = []

    def hides(self, listener: Listener) -> bool:
        return bool(self.owners) and self.owners[-1] is not listener


_SILENCE = _Silence()


class _Elsewhere(threading.local):
    """How deep a thread is in the model's modules."""

    depth = 0


class Listener(TorchFunctionMode):
    """Base of what records a model: calls `begin` and `end` round each rectifier, and hooks for passes.

    Listeners may be nested, in each other and in other function modes. One that is made with ``alone=True`` keeps
    the others from hearing while it is in. Passes in other threads than the one that entered are not heard, since torch
    keeps modes by thread; they are counted.

    Args:
        model: the model, whose modules get a hook each while this context is entered.
        alone: whether listeners further out are to be deaf meanwhile.
    """

    def __init__(self, model: nn.Module, alone: bool) -> None:
        super().__init__()
        self.model = model
        self.alone = alone
        scripted = torch.jit.ScriptModule
        self.paths = {
            module: path for path, module in model.named_modules() if not isinstance(module, scripted)
        }
        self.running: list[nn.Module] = []
        self.heard = self.completed = False
        """Whether the pass is listened to, and whether the last one came to its end."""
        self.elsewhere = 0
        """Passes in other threads."""
        self.follows = True
        """Whether more than rectifiers is of interest in this pass: functions are followed and modules entered."""
        self._handles: list[Any] = []
        self._thread = threading.get_ident()
        self._inside, self._lock = _Elsewhere(), threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()
        self._whole: tuple[nn.Module, Any] | None = None
        self._origins = Origins()
        self._traced: set[nn.Module] = set()
        self._tracing = False
        self._limited = False
        """Whether a function was met that rectifies if one of the tensors it is given is a constant."""

    # what the subclasses answer

    def begin_pass(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """A pass begins in the outermost module; whether it is to be heard."""
        raise NotImplementedError

    def end_pass(self) -> None:
        """The pass is over, normally or by an exception."""

    def begin(self, key: SiteKey, rectifier: Rectifier, x: Tensor, call: Any) -> Any:
        """A rectifier is about to be called; what is returned is given to `end`."""
        raise NotImplementedError

    def end(self, token: Any, y: Any) -> None:
        """The rectifier has returned."""
        raise NotImplementedError

    def follow(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Any other function has returned."""

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module is about to run."""

    # hooks

    def __enter__(self) -> Self:
        if self.alone:
            _SILENCE.owners.append(self)
        self._thread = threading.get_ident()
        try:
            for module in self.paths:
                self._handles.append(module.register_forward_pre_hook(self._enter, with_kwargs=True))
                self._handles.append(module.register_forward_hook(self._leave, always_call=True))
            super().__enter__()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, value, trace)
        finally:
            self._remove()

    def _remove(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.running.clear()
        if self.alone:
            _SILENCE.owners.remove(self)

    def _deaf(self) -> bool:
        # Checkpointed modules run again inside the backward pass, whose graph task then has a number.
        return _SILENCE.hides(self) or torch._C._current_graph_task_id() != -1

    def _foreign(self, step: int) -> bool:
        """Whether this is another thread, which goes a step into the model's modules, or out of them."""
        if threading.get_ident() == self._thread:
            return False
        if step > 0 and not self._inside.depth:
            with self._lock:
                self.elsewhere += 1
        self._inside.depth = max(0, self._inside.depth + step)
        return True

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._deaf() or self._foreign(1):
            return
        if not self.running:
            self._calls.clear()
            self._whole = None
            with torch._C.DisableTorchFunction():
                self.heard = self.begin_pass(module, args, kwargs)
                # what is constant costs time to find out, and few models ask
                self._tracing = self.heard and (self._limited or module not in self._traced)
                if self._tracing:
                    self._origins.computed((args, kwargs))
        self.running.append(module)
        if self.heard and self._whole is None:
            if self.follows:
                self.enter(module, args, kwargs)
            if type(module) in WHOLE:
                self._begin_whole(module, args[0] if args else kwargs.get("x"))

    def _begin_whole(self, module: nn.Module, x: Any) -> None:
        with torch._C.DisableTorchFunction():
            found = rectifier_of_module(module, x)
            if found is not None:
                if (
                    self.follows and found[0] is not x
                ):  # what the activation makes of its input before it rectifies
                    self.follow(None, (x,), {}, found[0])
                key = self._key(found[1].operation, module)
                self._whole = (module, self.begin(key, found[1], found[0], module.forward))

    def _leave(self, module: nn.Module, args: Any, result: Any) -> None:
        if self._deaf() or self._foreign(-1) or not self.running:
            return
        if self._whole is not None and self._whole[0] is module:
            token, self._whole = self._whole[1], None
            with torch._C.DisableTorchFunction():
                self.end(token, result)
                if self._tracing:
                    self._origins.computed(result)
        self.running.pop()
        if not self.running:
            self.completed = result is not None  # None after an exception
            if self._tracing:
                self._origins.clear()
                if self.completed:
                    self._traced.add(module)
            self.end_pass()

    # functions

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if not self.running or not self.heard or self._whole is not None or self._deaf():
            return func(*args, **kwargs)
        operation = OPERATIONS.get(func)
        with torch._C.DisableTorchFunction():
            found = None if operation is None else rectifier_of_call(operation, args, kwargs, self._constant)
            if found is not None:
                x, rectifier = found
                key = self._key(rectifier.operation, self.running[-1])
                token = self.begin(key, rectifier, x, _Again(func, x, args, kwargs))
        result = func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            if found is not None:
                self.end(token, result)  # pyright: ignore[reportPossiblyUnboundVariable]
            elif self.follows:
                self.follow(func, args, kwargs, result)
            if self._tracing:
                self._origins.follow(func, args, kwargs, result)
        return result

    def _constant(self, x: Tensor) -> bool:
        self._limited = True
        return self._tracing and self._origins.constant(x)

    def _key(self, operation: str, module: nn.Module) -> SiteKey:
        path = self.paths.get(module, "")
        call = self._calls[path, operation]
        self._calls[path, operation] += 1
        return SiteKey(path, operation, call, is_activation(module))


class _Again:
    """The same call on another input."""

    def __init__(self, function: Any, x: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._function, self._x, self._args, self._kwargs = function, x, args, kwargs

    def __call__(self, z: Tensor) -> Tensor:
        # an in-place function may overwrite its argument, so it is given a copy
        def swapped(value: Any) -> Any:
            if value is self._x:
                return z.clone()
            return value.to(z.dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

        args = tuple(swapped(value) for value in self._args)
        return self._function(*args, **{name: swapped(value) for name, value in self._kwargs.items()})
