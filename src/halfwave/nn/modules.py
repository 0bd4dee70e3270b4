"""The rectifier family as modules, with parameters that can be learnt and can differ between channels."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.functions.checks import positive_number
from halfwave.nn import elementwise
from halfwave.nn.convention import Convention, as_convention
from halfwave.nn.conventional import Form
from halfwave.nn.export import exporting_to_onnx
from halfwave.nn.module import Activation, ChannelOptions
from halfwave.nn.thresholded import FORMS, WIDE, number_threshold, thresholded_relu

__all__ = [
    "ClippedReLU",
    "HardTanh",
    "HardThreshold",
    "LeakyReLU",
    "RectifiedLinear",
    "SoftThreshold",
    "ThresholdedReLU",
]

_LARGEST = torch.finfo(torch.float32).max


class ThresholdedReLU(Activation):
    """The thresholded rectifier with threshold T. Three functions carry this name; ``form`` chooses:

    | form | ``f(x)`` | at T = 1: f(0.5), f(1), f(3) | ``f'(x)`` | who computes it |
    |---|---|---|---|---|
    | "subtract" (default) | ``max(0, x − T)`` | 0, 0, 2 | ``1[x > T]`` | shifted ReLU (ProSparse), Gemma 3n's top-k \
gate, the README of the crate caffe2op-thresholdedrelu |
    | "keep" | ``x · 1[x > T]`` | 0, 0, 3 | ``1[x > T]``, a jump of T at T | Caffe2, ONNX ``ThresholdedRelu``, \
onnxruntime, TensorRT, Keras 2 ``ThresholdedReLU``, Keras 3 ``ReLU(threshold=T)``, Paddle, \
``torch.nn.Threshold(T, 0)``, FATReLU, JumpReLU; CoreML with ``x >= T`` |
    | "floor" | ``max(x, T)`` | 1, 1, 3 | ``1[x > T]`` | ``torch.clamp_min``, CoreML's op ``threshold``, some \
tutorials |

    They agree only at T = 0. The derivatives of the first two are equal, so a gradient check cannot tell them apart.
    Ours: NaN gives NaN, ±inf behave as limits, the derivative at T is 0 and looks at the input, so that it is right
    for negative T as well. For other systems' behaviour at these points see `Convention`.

    For a number ``T ≥ 0`` (and any number in the forms "subtract" and "floor") only the output is kept for backward,
    as in ReLU; a tensor T in form "keep", a convention, and form "floor" in half precision keep more.

    Args:
        threshold: T, a finite number, or a tensor: one value a channel, or any shape that broadcasts.
        form: "subtract", "keep" or "floor".
        learnable: whether T is a ``torch.nn.Parameter``. In form "keep" the exact derivative in T misses the jump;
            the straight-through one is used, ``∂f/∂T = −(T/ε) · 1[|x − T| < ε/2]``, whose mean over inputs
            approximates the true derivative of the mean, ``−T p(T)``, to O(ε²). Keep T in float32 when training in
            half precision: steps of an optimiser are lost in bfloat16.
        convention: a `Convention` or the name of a preset.
        bandwidth: ε above; positive. Narrow is less biased but hears fewer inputs: at ε = 0.001 of the inputs'
            deviation 1 in 4000 inputs says anything.
        inplace: overwrite the input.
        num_channels: give every channel its own T.
        channel_dim: dimension of the input along which channels lie (1).
        dtype, device: of a learnt or per-channel threshold.

    Raises:
        HalfwaveError: if T is not finite, a shape does not fit, or the form or the convention is unknown.

    >>> x = torch.tensor([0.5, 1.0, 3.0])
    >>> [ThresholdedReLU(1.0, form=form)(x).tolist() for form in ("subtract", "keep", "floor")]
    [[0.0, 0.0, 2.0], [0.0, 0.0, 3.0], [1.0, 1.0, 3.0]]
    >>> ThresholdedReLU(0.1, num_channels=64, learnable=True)
    ThresholdedReLU(threshold=(64,), learnable=True, form='subtract')

    Source of the straight-through derivative: Rajamanoharan et al., arXiv:2407.14435 (2024), eq. 11.
    """

    def __init__(
        self,
        threshold: float | Tensor,
        form: Form = "subtract",
        *,
        convention: Convention | str | None = None,
        bandwidth: float = 0.1,
        inplace: bool = False,
        **options: Unpack[ChannelOptions],
    ) -> None:
        rules = None if convention is None else as_convention(convention)
        refuses = rules is not None and rules.negative == "refuse"
        super().__init__(
            {"threshold": threshold}, {"threshold": "at least 0"} if refuses else None, **options
        )
        if form not in FORMS:
            raise HalfwaveError(
                f'`form` of ThresholdedReLU must be "subtract", "keep" or "floor"; got {form!r}'
            )
        self.form: Form = form
        self.convention = rules
        self.bandwidth = positive_number("`bandwidth` of ThresholdedReLU", bandwidth)
        self.inplace = bool(inplace)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        threshold: Any = self.threshold
        if (
            type(threshold) is float
            and -_LARGEST <= threshold <= _LARGEST
            and self.convention is None
            and x.dtype in WIDE
            and not exporting_to_onnx()
        ):
            # what the general form below does in this case, without the microseconds of its checks
            return number_threshold(x, threshold, self.form, x if self.inplace else None)
        return thresholded_relu(
            x,
            self.laid("threshold", x),
            form=self.form,
            convention=self.convention,
            bandwidth=self.bandwidth,
            inplace=self.inplace,
        )

    def extra_repr(self) -> str:
        more = "" if self.convention is None else f", convention={self.convention}"
        return f"{super().extra_repr()}, form={self.form!r}{more}" + (
            ", inplace=True" if self.inplace else ""
        )


class RectifiedLinear(Activation):
    """One rectified linear term ``(m x + b)⁺`` on every element or channel.

    Args:
        m: slope, a finite number or a tensor (one value a channel, or any shape that broadcasts).
        b: intercept, likewise.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if a parameter is not finite or a shape does not fit.

    >>> RectifiedLinear(-2.0, 1.0)(torch.tensor([-2.0, 0.0, 2.0]))
    tensor([5., 1., 0.])
    """

    def __init__(
        self, m: float | Tensor = 1.0, b: float | Tensor = 0.0, **options: Unpack[ChannelOptions]
    ) -> None:
        super().__init__({"m": m, "b": b}, **options)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.rectified_linear(x, self.laid("m", x), self.laid("b", x))


class LeakyReLU(Activation):
    """The leaky rectifier: ``x`` for x > 0, ``slope · x`` otherwise; learnt and per channel, it is PReLU.

    Unlike ``torch.nn.PReLU`` it keeps the input's dtype and gives 0 at −inf for a slope of zero.

    Args:
        slope: on the negative side, a finite number or a tensor.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if the slope is not finite or a shape does not fit.

    >>> LeakyReLU(0.25)(torch.tensor([-4.0, 2.0]))
    tensor([-1.,  2.])
    """

    def __init__(self, slope: float | Tensor = 0.01, **options: Unpack[ChannelOptions]) -> None:
        super().__init__({"slope": slope}, **options)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.leaky_relu(x, self.laid("slope", x))


class ClippedReLU(Activation):
    """The clipped rectifier ``min(max(0, x), c)``, ReLU6 for c = 6.

    Args:
        ceiling: c, a positive number or a tensor; a learnt one counts by its size, |c|.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if the ceiling is not positive or a shape does not fit.

    >>> ClippedReLU()(torch.tensor([-1.0, 2.0, 9.0]))
    tensor([0., 2., 6.])
    """

    def __init__(self, ceiling: float | Tensor = 6.0, **options: Unpack[ChannelOptions]) -> None:
        super().__init__({"ceiling": ceiling}, {"ceiling": "positive"}, **options)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.clipped_relu(x, self.size("ceiling", x))


class HardTanh(Activation):
    """The hard hyperbolic tangent ``min(max(low, x), high)``.

    Args:
        low: lower limit, a finite number or a tensor.
        high: upper limit, likewise, above the lower one.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if a limit is not finite, the limits are out of order, or a shape does not fit.

    >>> HardTanh()(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """

    def __init__(
        self, low: float | Tensor = -1.0, high: float | Tensor = 1.0, **options: Unpack[ChannelOptions]
    ) -> None:
        super().__init__({"low": low, "high": high}, **options)
        if not bool((torch.as_tensor(self.low) < torch.as_tensor(self.high)).all()):
            raise HalfwaveError(f"`low` of HardTanh must be below `high`; got low = {low!r}, high = {high!r}")

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.hard_tanh(x, self.laid("low", x), self.laid("high", x))


class SoftThreshold(Activation):
    """Soft thresholding ``sign(x) (|x| − λ)⁺``.

    Args:
        threshold: λ, not negative, a number or a tensor; a learnt one counts by its size, |λ|.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if λ is negative or not finite, or a shape does not fit.

    >>> SoftThreshold(1.0)(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-2.,  0.,  2.])
    """

    def __init__(self, threshold: float | Tensor = 0.5, **options: Unpack[ChannelOptions]) -> None:
        super().__init__({"threshold": threshold}, {"threshold": "at least 0"}, **options)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.soft_threshold(x, self.size("threshold", x))


class HardThreshold(Activation):
    """Hard thresholding: ``x`` where |x| > λ, 0 between; a learnt λ has the straight-through derivative.

    Args:
        threshold: λ, not negative, a number or a tensor; a learnt one counts by its size, |λ|.
        bandwidth: ε of the straight-through derivative, see `ThresholdedReLU`; positive.
        options: as of `Activation`: num_channels, channel_dim, learnable, dtype, device.

    Raises:
        HalfwaveError: if λ is negative or not finite, or a shape does not fit.

    >>> HardThreshold(1.0)(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-3.,  0.,  3.])
    """

    def __init__(
        self, threshold: float | Tensor = 0.5, *, bandwidth: float = 0.1, **options: Unpack[ChannelOptions]
    ) -> None:
        super().__init__({"threshold": threshold}, {"threshold": "at least 0"}, **options)
        self.bandwidth = positive_number("`bandwidth` of HardThreshold", bandwidth)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of ``x``, of the same shape and dtype."""
        return elementwise.hard_threshold(x, self.size("threshold", x), bandwidth=self.bandwidth)
