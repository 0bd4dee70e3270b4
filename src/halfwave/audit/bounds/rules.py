"""What becomes of intervals in each function of torch that bounds are known for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from halfwave.audit.bounds.intervals import Interval, linear_map

__all__ = ["ARITHMETIC", "CONSTANT", "JOINED", "RULES"]

# One rule each: (interval of the first tensor, the call's other arguments by place, by name) → interval.
# What they do not understand they leave by raising, and nothing is then known of the result.


def _linear(x: Interval, weight: Tensor, bias: Tensor | None = None) -> Interval:
    return linear_map(x, weight, bias, lambda z, w: F.linear(z, w), -1)


def _convolution(name: str) -> Callable[..., Interval]:
    function = getattr(F, name)

    def bounds(
        x: Interval, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Interval:
        channel = -(weight.ndim - 1)
        return linear_map(x, weight, bias, lambda z, w: function(z, w, None, *args, **kwargs), channel)

    return bounds


def _batch_norm(
    x: Interval,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Interval:
    if training:
        raise NotImplementedError("statistics of the batch")
    factor = (running_var.double() + eps).rsqrt() * (1.0 if weight is None else weight.detach().double())
    shift = (0.0 if bias is None else bias.detach().double()) - running_mean.double() * factor
    shape = [1, -1] + [1] * (x.low.ndim - 2)
    factor, shift = factor.view(shape), shift.view(shape)
    return _affine(x, factor, shift)


def _kernel_batch_norm(
    x: Interval, weight: Any, bias: Any, mean: Tensor, var: Tensor, *rest: Any
) -> Interval:
    training, momentum, eps = rest[:3]
    return _batch_norm(x, mean, var, weight, bias, training, momentum, eps)


def _affine(x: Interval, factor: Tensor, shift: Any) -> Interval:
    # 0 · inf = 0: a channel that is scaled away is known
    ends = [torch.where(factor == 0, torch.zeros_like(end), end * factor) for end in (x.low, x.high)]
    return Interval(torch.minimum(*ends) + shift, torch.maximum(*ends) + shift)


def _normalised(x: Interval, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Interval:
    """Of n values with mean 0 and variance 1 none exceeds ``√(n − 1)``."""
    size = math.prod(shape)
    bound = Interval.point(torch.full_like(x.low, math.sqrt(max(size - 1, 0))))
    bound = Interval(-bound.low, bound.high)
    factor = torch.ones((), dtype=torch.float64) if weight is None else weight.detach().double()
    return _affine(bound, factor.to(x.low.device), 0.0 if bias is None else bias.detach().double())


def _moving(function: Callable[..., Tensor]) -> Callable[..., Interval]:
    """Functions that never fall in any element, or that only move elements."""
    return lambda x, *args, **kwargs: x.each(lambda end: function(end, *args, **kwargs))


def _average(function: Callable[..., Tensor]) -> Callable[..., Interval]:
    """Averages, in which infinite ends win over everything."""

    def bounds(x: Interval, *args: Any, **kwargs: Any) -> Interval:
        def upper(end: Tensor) -> Tensor:
            infinite = end == math.inf
            finite = function(torch.where(infinite, 0.0, end), *args, **kwargs)
            return torch.where(function(infinite.double(), *args, **kwargs) > 0, math.inf, finite)

        return Interval(-upper(-x.low), upper(x.high))

    return bounds


def _dropout(x: Interval, p: float = 0.5, training: bool = True, inplace: bool = False) -> Interval:
    if training:
        raise NotImplementedError("random")
    return x


def _within(low: float, high: float, function: Callable[[Tensor], Tensor]) -> Callable[..., Interval]:
    return lambda x: Interval(function(x.low).clamp(min=low), function(x.high).clamp(max=high))


def _absolute(x: Interval) -> Interval:
    low, high = x.low.abs(), x.high.abs()
    crosses = (x.low < 0) & (x.high > 0)
    return Interval(torch.where(crosses, 0.0, torch.minimum(low, high)), torch.maximum(low, high))


RULES: dict[str, Callable[..., Interval]] = {
    "linear": _linear,
    **{f"conv{kind}{n}d": _convolution(f"conv{kind}{n}d") for kind in ("", "_transpose") for n in (1, 2, 3)},
    "batch_norm": _batch_norm,
    "batch_norm (kernel)": _kernel_batch_norm,
    "layer_norm": _normalised,
    **{f"max_pool{n}d": _moving(getattr(F, f"max_pool{n}d")) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _moving(getattr(F, f"adaptive_max_pool{n}d")) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": _average(getattr(F, f"avg_pool{n}d")) for n in (1, 2, 3)},
    **{f"adaptive_avg_pool{n}d": _average(getattr(F, f"adaptive_avg_pool{n}d")) for n in (1, 2, 3)},
    "mean": _average(torch.mean),
    "sum": _average(torch.sum),
    **{
        name: _moving(getattr(torch.Tensor, name))
        for name in (
            *("flatten", "unflatten", "reshape", "view", "permute", "transpose", "movedim", "squeeze"),
            *(
                "unsqueeze",
                "contiguous",
                "expand",
                "repeat",
                "clone",
                "detach",
                "amax",
                "amin",
                "__getitem__",
            ),
        )
    },
    "pad": _moving(F.pad),
    "dropout": _dropout,
    **dict.fromkeys(("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout"), _dropout),
    "sigmoid": _within(0.0, 1.0, torch.sigmoid),
    "tanh": _within(-1.0, 1.0, torch.tanh),
    "abs": _absolute,
}
"""Name of a function of torch → its rule for an interval in its first argument and numbers in the others."""


def _add(a: Interval, b: Interval, alpha: float = 1.0) -> Interval:
    if alpha != 1:
        raise NotImplementedError("scaled sum")
    return Interval(a.low + b.low, a.high + b.high)


def _subtract(a: Interval, b: Interval, alpha: float = 1.0) -> Interval:
    return _add(a, Interval(-b.high, -b.low), alpha)


def _multiply(a: Interval, b: Interval) -> Interval:
    ends = [
        torch.where((x == 0) | (y == 0), 0.0, x * y)  # 0 · inf = 0
        for x in (a.low, a.high)
        for y in (b.low, b.high)
    ]
    stacked = torch.stack(torch.broadcast_tensors(*ends))
    return Interval(stacked.amin(0), stacked.amax(0))


def _divide(a: Interval, b: Interval) -> Interval:
    if bool(((b.low <= 0) & (b.high >= 0)).any()):
        raise NotImplementedError("division by what may be zero")
    return _multiply(a, Interval(1 / b.high, 1 / b.low))


def _negate(a: Interval) -> Interval:
    return Interval(-a.high, -a.low)


ARITHMETIC: dict[str, Callable[..., Interval]] = {
    **dict.fromkeys(("add", "__add__", "__radd__"), _add),
    **dict.fromkeys(("sub", "__sub__"), _subtract),
    **dict.fromkeys(("mul", "__mul__", "__rmul__"), _multiply),
    **dict.fromkeys(("div", "true_divide", "__truediv__"), _divide),
    **dict.fromkeys(("neg", "__neg__"), _negate),
    "__rsub__": lambda a, b: _subtract(b, a),
}
"""The same for functions of two tensors or numbers."""

JOINED = ("cat", "concat", "concatenate", "stack")
"""Functions that put a list of tensors together."""

CONSTANT = frozenset(
    {
        *("zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "arange"),
        *(
            "tensor",
            "linspace",
            "eye",
            "exp",
            "sqrt",
            "rsqrt",
            "pow",
            "__pow__",
            "softplus",
            "to",
            "float",
            "t",
        ),
        # what parametrizations make weights of: weight_norm, spectral_norm, orthogonal
        *(
            "_weight_norm",
            "norm_except_dim",
            "norm",
            "linalg_vector_norm",
            "mv",
            "dot",
            "vdot",
            "diagonal",
            "sgn",
        ),
        *(
            "matmul",
            "__matmul__",
            "mm",
            "linalg_householder_product",
            "matrix_exp",
            "linalg_solve",
            "tril",
            "triu",
        ),
        *("T", "mT", "H", "mH", "int", "__rdiv__"),
        *RULES,
        *ARITHMETIC,
        *JOINED,
    }
)
"""Functions whose results are constants where their arguments are: nothing random, nothing read from elsewhere."""
