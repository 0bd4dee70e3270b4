"""A linear layer that skips the weights of inputs that are zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.errors import HalfwaveError
from halfwave.nn.sparse.crossover import crossover_at, measured_crossover, stored_crossovers
from halfwave.nn.sparse.rows import dense_product, nonzero_positions, sum_of_rows

__all__ = ["SparseInputLinear", "check_fit", "check_tensor", "is_plain_call"]


class SparseInputLinear(nn.Linear):
    """The linear layer ``y = x Wᵀ + b``, of which only the weights of non-zero inputs are read.

    It is ``torch.nn.Linear`` with the same parameters, names and state dict. Its ``weight`` has the shape
    (out_features, in_features) as there, but lies in memory transposed, so that the weights of one input are a
    contiguous row (``safetensors.torch.save_model`` writes it; ``save_file`` wants ``.contiguous()`` first). For one
    sample of 11008 inputs and 4096 outputs in float32 it takes about an eighth of the time of ``nn.Linear`` at 90 %
    zeros, less than a twentieth at 99 %.

    **When it is dense.** A batch of which more than a certain share of inputs is non-zero is multiplied as usual. That
    share depends on shape, dtype and batch size, see `crossovers`: it comes from stored measurements, the same in every
    run, or from this machine after `calibrate`. It is always dense inside ``torch.compile``, ``torch.export``, ONNX
    export (a plain Gemm), ``torch.func`` transforms and autocast, for tensor subclasses, and, unless calibrated, on
    devices other than CPUs. In bfloat16 and float16 the dense way is up to three times slower than that of nn.Linear
    in this layout, so the layer is for inputs that are sparse nearly always; `halfwave.audit.sparsify` measures it.

    **How the result differs from nn.Linear.** Only by rounding: with the k non-zero terms ``t`` of an output, the sum
    of them differs from the exact one by at most ``k ε Σ|t|``, ε of float32 for half precision; the sum is then rounded
    to the dtype, and once more after the bias is added. Terms are added in the order of inputs, whatever the number of
    threads, so the result is reproducible bit by bit. NaN and infinite inputs count as non-zero. An infinite or NaN
    *weight* whose input is zero is skipped, where nn.Linear gives ``0 · inf = NaN``.

    Gradients are those of nn.Linear, also for inputs that are zero; the backward pass is dense.

    Args:
        in_features: number of inputs, positive.
        out_features: number of outputs, positive.
        bias: whether b is added.
        device, dtype: of the parameters.

    Raises:
        HalfwaveError: if a number of features is not a positive integer, or an input does not fit.

    >>> layer = SparseInputLinear.from_linear(nn.Linear(1024, 512))
    >>> x = torch.relu(torch.randn(1, 1024) - 1.5)
    >>> torch.allclose(layer(x), F.linear(x, layer.weight, layer.bias), atol=1e-5)
    True

    Source: the layout is that of Liu et al., "Deja Vu", arXiv:2310.17157 (2023).
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        for name, number in (("in_features", in_features), ("out_features", out_features)):
            if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
                raise HalfwaveError(
                    f"`{name}` of SparseInputLinear must be a positive integer; got {number!r}"
                )
        super().__init__(int(in_features), int(out_features), bias, device, dtype)
        self._measured: dict[int, float] = {}
        self._measured_for: tuple[Any, ...] = ()
        self._lay_out()
        self.register_load_state_dict_post_hook(_after_loading)

    @classmethod
    def from_linear(cls, linear: nn.Linear) -> Self:
        """A layer with a copy of the parameters of a ``torch.nn.Linear``, on its device and in its dtype.

        Raises:
            HalfwaveError: if it is no nn.Linear.

        >>> SparseInputLinear.from_linear(nn.Linear(3, 2, bias=False))
        SparseInputLinear(in_features=3, out_features=2, bias=False)
        """
        if not isinstance(linear, nn.Linear):
            raise HalfwaveError(f"from_linear takes a torch.nn.Linear; got {type(linear).__name__}")
        weight, bias = linear.weight, linear.bias
        # on the meta device nothing is allocated for weights that are replaced at once
        layer = cls(linear.in_features, linear.out_features, bias is not None, "meta", weight.dtype)
        layer.weight = nn.Parameter(_transposed(weight), requires_grad=weight.requires_grad)
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
        return layer.train(linear.training)

    def to_linear(self) -> nn.Linear:
        """A ``torch.nn.Linear`` with a copy of the parameters, laid out as usual.

        >>> SparseInputLinear(3, 2).to_linear()
        Linear(in_features=3, out_features=2, bias=True)
        """
        weight, bias = self.weight, self.bias
        linear = nn.Linear(
            self.in_features, self.out_features, bias is not None, device="meta", dtype=weight.dtype
        )
        linear.weight = nn.Parameter(
            weight.detach().clone(memory_format=torch.contiguous_format), requires_grad=weight.requires_grad
        )
        if bias is not None:
            linear.bias = nn.Parameter(bias.detach().clone(), requires_grad=bias.requires_grad)
        return linear.train(self.training)

    @property
    def crossovers(self) -> dict[int, float]:
        """Batch size → share of non-zero inputs from which on the layer is dense.

        Batches in between go by the next larger entry, larger ones by the last.
        """
        return dict(self._crossovers())

    def _crossovers(self) -> dict[int, float]:
        weight = self.weight
        if self._measured and self._measured_for == self._key():
            return self._measured
        return stored_crossovers(self.in_features, self.out_features, weight.dtype, weight.device.type)

    def calibrate(self, batches: Sequence[int] = (1, 2, 8, 64)) -> Self:
        """Measure `crossovers` on this machine, with the number of threads in use, instead of the stored ones.

        It takes a few dozen products of the layer's size; layers of one shape share a measurement in a process. What
        was measured is not saved, and no longer used once dtype, device or the number of threads change. After it,
        which of the two ways a batch near the crossover takes, and so its last bit, may differ between runs.

        Args:
            batches: batch sizes to measure, positive.

        Raises:
            HalfwaveError: if there are no batch sizes or one is not a positive integer.

        >>> sorted(SparseInputLinear(64, 64).calibrate([1, 4]).crossovers)
        [1, 4]
        """
        sizes = list(batches) if isinstance(batches, Iterable) else []
        if not sizes or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sizes):
            raise HalfwaveError(
                f"`batches` of calibrate must be positive integers, at least one; got {batches!r}"
            )
        self._measured = {int(n): measured_crossover(self.weight, int(n)) for n in sizes}
        self._measured_for = self._key()
        return self

    def forward(self, input: Tensor) -> Tensor:
        """The layer's output: (*batch, in_features) → (*batch, out_features).

        Raises:
            HalfwaveError: if the input is no tensor, or does not end in ``in_features`` of the weight's dtype.
        """
        weight, bias = self.weight, self.bias
        if not is_plain_call(input, weight):
            check_tensor("SparseInputLinear", input)
            return F.linear(input, weight, bias)
        check_fit("SparseInputLinear", input, weight)
        x = input.reshape(-1, self.in_features)
        positions = self._positions(x)
        # half of what the layer costs apart from its sums is the bookkeeping of a custom gradient
        product: Any = _SparseLinear.apply if _is_differentiated(x, weight, bias) else _product
        return product(x, weight, bias, positions).view(*input.shape[:-1], self.out_features)

    def _positions(self, x: Tensor) -> Tensor | None:
        """Where the inputs are not zero, or None where the dense product is faster."""
        share = crossover_at(self._crossovers(), len(x)) if len(x) and self._is_laid_out() else 0.0
        if share == 0:
            return None
        positions = nonzero_positions(x)
        return positions if len(positions) <= share * x.numel() else None

    def _key(self) -> tuple[Any, ...]:
        return self.weight.dtype, self.weight.device, torch.get_num_threads()

    def _is_laid_out(self) -> bool:
        # somebody may have put another parameter in the place of ours
        return self.weight.t().is_contiguous()

    def _lay_out(self) -> None:
        if not self._is_laid_out():
            self.weight = nn.Parameter(_transposed(self.weight), requires_grad=self.weight.requires_grad)


def _after_loading(layer: SparseInputLinear, incompatible: object) -> None:
    layer._lay_out()  # with assign=True the parameter is the one of the file


def _transposed(weight: Tensor) -> Tensor:
    """A copy of ``weight`` whose transpose is contiguous."""
    return weight.detach().t().clone(memory_format=torch.contiguous_format).t()


def is_plain_call(x: Tensor, weight: Tensor) -> bool:
    """Whether a layer may look at the values of its input: nobody records, transforms or casts the call."""
    return not (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        or torch._C._are_functorch_transforms_active()
        or type(x) not in (Tensor, nn.Parameter)
        or type(weight) is not nn.Parameter
        or x.layout is not torch.strided
        or x.device.type == "meta"
        or torch.is_autocast_enabled(x.device.type)
    )


def check_tensor(layer: str, x: object) -> None:
    """`HalfwaveError` for what is neither a tensor nor stands for one, as those of tracers do."""
    if not hasattr(type(x), "__torch_function__"):
        raise HalfwaveError(f"the input of {layer} must be a tensor; got {type(x).__name__}")


def check_fit(layer: str, x: Tensor, weight: Tensor) -> None:
    """`HalfwaveError` for a tensor that a weight (outputs, features) cannot be multiplied with."""
    features = weight.shape[1]
    if x.ndim == 0 or x.shape[-1] != features or x.dtype != weight.dtype:
        raise HalfwaveError(
            f"the input of {layer} must end in {features} features of {weight.dtype}; got shape {tuple(x.shape)}, "
            f"{x.dtype}"
        )


def _is_differentiated(*tensors: Tensor | None) -> bool:
    """Whether a gradient may be recorded, or a directional derivative be carried along."""
    if torch.is_grad_enabled() and any(tensor is not None and tensor.requires_grad for tensor in tensors):
        return True
    return torch.autograd.forward_ad._current_level >= 0


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, positions: Tensor | None) -> Tensor:
    if positions is None:
        return dense_product(x, weight, bias)
    sums = sum_of_rows(x, weight, positions)
    return sums if bias is None else sums.add_(bias)


class _SparseLinear(torch.autograd.Function):
    """The product along non-zero inputs, or along all where ``positions`` is None, with the gradients of a dense one.

    Automatic gradients of the sparse sum would miss those of inputs that are zero.
    """

    # `setup_context` would double the cost of a call: torch binds the arguments by their signature each time

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, positions: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)
        return _product(x, weight, bias, positions)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        to_x, to_weight, to_bias, _ = ctx.needs_input_grad
        return (
            F.linear(gradient, weight.t()) if to_x else None,
            (x.t() @ gradient).t() if to_weight else None,
            gradient.sum(0) if to_bias else None,
            None,
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias, _ = tangents
        result = x.new_zeros(len(x), len(weight))
        if of_x is not None:
            result = result + F.linear(of_x, weight)
        if of_weight is not None:
            result = result + F.linear(x, of_weight)
        return result if of_bias is None else result + of_bias
