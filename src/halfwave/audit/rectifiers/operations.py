"""The functions of torch that rectify, and what each call of one of them is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from halfwave.audit.rectifiers.rectifier import Rectifier

__all__ = ["OPERATIONS", "bound_arguments", "rectifier_of_call", "torch_name"]

# name → the parameters after the input, with their defaults (`...` where there is none)
_PARAMETERS: dict[str, dict[str, Any]] = {
    "relu": {},
    "relu6": {},
    "leaky_relu": {"negative_slope": 0.01},
    "prelu": {"weight": ...},
    "rrelu": {"lower": 1 / 8, "upper": 1 / 3},
    "threshold": {"threshold": ..., "value": ...},
    "hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "clamp": {"min": None, "max": None},
    "clamp_min": {"min": ...},
    "clamp_max": {"max": ...},
    "maximum": {"other": ...},
    "minimum": {"other": ...},
    "softshrink": {"lambd": 0.5},
    "hardshrink": {"lambd": 0.5},
    "gelu": {},
    "silu": {},
    "mish": {},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
    "selu": {},
    "softplus": {"beta": 1.0},
    "hardswish": {},
}

# names that differ from the operation's: clip is clamp, the two-argument max is maximum
_ALIASES = {
    "clip": "clamp",
    "_threshold": "threshold",
    "max": "maximum",
    "fmax": "maximum",
    "min": "minimum",
    "fmin": "minimum",
}

_Keep = tuple[float, float, float | None]
_SOFT: dict[str, _Keep] = {
    # dead below, linear above, a number just below the minimum (None: it rises throughout)
    "gelu": (-4.0, 4.0, -0.171),
    "silu": (-10.0, 10.0, -0.279),
    "mish": (-10.0, 10.0, -0.309),
    "hardswish": (-3.0, 3.0, -0.376),
    "elu": (-7.0, 0.0, None),
    "celu": (-7.0, 0.0, None),
    "selu": (-7.5, 0.0, None),
    "softplus": (-7.0, 7.0, None),
}


def _callables(name: str) -> Iterator[Any]:
    """Every function of torch, in place or not, method or not, that goes by a name."""
    # the last is where the kernels behind `F` live
    places = (torch, torch.Tensor, F, torch._C._nn)  # pyright: ignore[reportAttributeAccessIssue]
    for spelling in (name, f"{name}_"):
        yield from (getattr(place, spelling) for place in places if hasattr(place, spelling))
        packet = getattr(torch.ops.aten, spelling, None)
        if packet is not None:  # what exported programs call
            yield from (packet, *(getattr(packet, overload) for overload in packet.overloads()))


def _table() -> dict[Any, str]:
    names = {name: name for name in _PARAMETERS} | _ALIASES
    return {function: operation for name, operation in names.items() for function in _callables(name)}


OPERATIONS: dict[Any, str] = _table()
"""Function → name of the operation."""


@lru_cache(maxsize=4096)
def torch_name(function: Any) -> str:
    """The name by which torch knows one of its functions: "conv2d" for the function, the method and the kernel.

    Functions that are not torch's own have none.

    >>> [torch_name(f) for f in (F.conv2d, torch.Tensor.add_, torch.ops.aten.relu.default, print)]
    ['conv2d', 'add_', 'relu', '']
    """
    if isinstance(function, torch._ops.OpOverload):
        return function._schema.name.removeprefix("aten::") if function.namespace == "aten" else ""
    name = getattr(function, "__name__", "")
    home = getattr(function, "__module__", None) or "torch"
    belongs = home.split(".")[0] == "torch" or getattr(torch.Tensor, name, None) is function
    return name if belongs else ""


def bound_arguments(operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a call after its input, by name; `...` stands for one that is missing."""
    parameters = _PARAMETERS[operation]
    return (
        parameters
        | dict(zip(parameters, args[1:], strict=False))
        | {name: value for name, value in kwargs.items() if name in parameters}
    )


def _without_history(x: Tensor) -> bool:
    return x.grad_fn is None and not x.requires_grad


def rectifier_of_call(
    operation: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    constant: Callable[[Tensor], bool] = _without_history,
) -> tuple[Tensor, Rectifier] | None:
    """The input of a call and the rectifier it is, or None where it is none.

    A clamp counts if one of its limits is 0, and a maximum or minimum if one side is: other limits guard logarithms
    and divisions. What cuts off the values above 0 fires below it, as a two-sided unit whose upper side is out of
    reach. Inputs that are not floating-point or have no dimension do not count.

    Args:
        operation: its name, see `OPERATIONS`.
        args, kwargs: the call.
        constant: whether a tensor is one that does not depend on the model's inputs or parameters. Others are no
            limits, though they may be zero in one batch.

    >>> _, found = rectifier_of_call("clamp", (torch.zeros(3),), {"min": 0, "max": 6})
    >>> found.kind, found.kinks
    ('clipped', (0.0, 6.0))
    >>> rectifier_of_call("clamp", (torch.zeros(3),), {"min": 1e-6}) is None
    True
    """
    x = args[0] if args else kwargs.get("input", kwargs.get("self"))
    if operation in ("maximum", "minimum"):
        return _extreme(operation, args, kwargs, constant)
    if not isinstance(x, Tensor) or not _counts(x):
        return None
    # The input may have been given by name, and the others behind it by place.
    bound = bound_arguments(operation, (x, *args[1:]), kwargs)
    if operation in _CLAMPS and not _limits(bound, x, constant):
        return None
    found = _MAKERS[operation](operation, **bound)
    return None if found is None else (x, found)


def _counts(x: Tensor) -> bool:
    return x.is_floating_point() and x.ndim > 0


_CLAMPS = ("clamp", "clamp_min", "clamp_max")


def _limits(bound: dict[str, Any], x: Tensor, constant: Callable[[Tensor], bool]) -> bool:
    """Whether the limits of a clamp can be kinks: numbers, or constants that broadcast to the input."""
    tensors = [value for value in bound.values() if isinstance(value, Tensor)]
    return all(limit.ndim <= x.ndim and constant(limit) for limit in tensors)


def _extreme(
    operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], constant: Callable[[Tensor], bool]
) -> tuple[Tensor, Rectifier] | None:
    sides = [*args, *(kwargs[name] for name in ("input", "other") if name in kwargs)]
    if len(sides) != 2 or not all(isinstance(side, Tensor) for side in sides):
        return None  # the largest or smallest element along a dimension
    for x, other in (sides, sides[::-1]):
        # an activation is not a limit, though it may be zero throughout; a parameter may move away from it
        if _counts(x) and x.ndim >= other.ndim and constant(other) and _is_zero(other):
            return x, _relu(operation) if operation == "maximum" else _upper(operation)
    return None


def _is_zero(limit: Any) -> bool:
    return not bool(limit.any()) if isinstance(limit, Tensor) else limit is not None and float(limit) == 0


def _relu(operation: str) -> Rectifier:
    return Rectifier(operation, "rectifier", zero_when_silent=True)


def _leaky(operation: str, negative_slope: Any) -> Rectifier:
    if not isinstance(negative_slope, Tensor) and negative_slope == 0:
        return _relu(operation)
    rises = bool((torch.as_tensor(negative_slope) >= 0).all())
    return Rectifier(operation, "leaky", increasing=rises)


def _upper(operation: str) -> Rectifier:
    """``min(0, x)``, which answers below 0 only."""
    return Rectifier(operation, "two-sided", 0.0, math.inf, zero_when_silent=True)


def _clamp(operation: str, min: Any = None, max: Any = None) -> Rectifier | None:
    if max is None:
        return _relu(operation) if _is_zero(min) else None
    if min is None:
        return _upper(operation) if _is_zero(max) else None
    if not _is_zero(min) and not _is_zero(max):
        return None
    low, high = (end if isinstance(end, Tensor) else float(end) for end in (min, max))
    return Rectifier(operation, "clipped", low, high)


def _threshold(operation: str, threshold: Any, value: Any) -> Rectifier:
    below, kink = float(value), float(threshold)
    return Rectifier(
        operation,
        "rectifier",
        kink,
        zero_when_silent=below == 0 and kink >= 0,
        increasing=below <= kink,
    )


def _soft(operation: str, alpha: float = 1.0, beta: float = 1.0) -> Rectifier:
    dead, linear, valley = _SOFT[operation]
    # celu stretches its input by α, softplus by 1/β; elu with a negative α falls before it rises
    stretch = alpha if operation == "celu" else 1 / beta
    return Rectifier(
        operation,
        "soft",
        increasing=valley is None and alpha >= 0,
        dead_below=dead * stretch,
        linear_above=linear * stretch,
        valley=valley,
    )


_MAKERS: dict[str, Callable[..., Rectifier | None]] = {
    "relu": _relu,
    "relu6": lambda name: Rectifier(name, "clipped", 0.0, 6.0),
    "leaky_relu": _leaky,
    "prelu": lambda name, weight: _leaky(name, weight),
    "rrelu": lambda name, lower, upper: _leaky(name, lower),
    "threshold": _threshold,
    "hardtanh": lambda name, min_val, max_val: Rectifier(name, "clipped", float(min_val), float(max_val)),
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": _clamp,
    "softshrink": lambda name, lambd: _shrink(name, float(lambd)),
    "hardshrink": lambda name, lambd: _shrink(name, float(lambd)),
    **dict.fromkeys(_SOFT, _soft),
}


def _shrink(operation: str, half: float) -> Rectifier:
    return Rectifier(operation, "two-sided", -half, half, zero_when_silent=True)
