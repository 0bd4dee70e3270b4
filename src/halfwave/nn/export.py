"""What an ONNX exporter should see: the standard operator where it is faithful, an exact decomposition elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.nn.convention import Convention

__all__ = ["exporting_to_onnx", "standard_thresholded_relu"]


def exporting_to_onnx() -> bool:
    """Whether the call is being recorded by ``torch.onnx.export``."""
    # The first question is cheap; the second takes a microsecond, and loads the exporter when first asked.
    return torch.compiler.is_compiling() and torch.onnx.is_in_onnx_export()


def standard_thresholded_relu(x: Tensor, threshold: float, convention: Convention) -> Tensor | None:
    """The operator ``ThresholdedRelu`` if it computes just this function, else None.

    It keeps ``x > T``, gives 0 for NaN, holds T in 32 bits, and runtimes have kernels for float32 and float16.
    """
    faithful = Convention.preset("onnx")
    same = (convention.side, convention.nan, convention.masking) == (
        faithful.side,
        faithful.nan,
        faithful.masking,
    )
    held = (
        convention.threshold_dtype == "float32"
        or float(torch.tensor(threshold, dtype=torch.float32)) == threshold
    )
    compared = convention.precision == "wide" or x.dtype == torch.float32
    symbolic = getattr(getattr(torch.onnx, "ops", None), "symbolic", None)
    if not (same and held and compared and symbolic and x.dtype in (torch.float32, torch.float16)):
        return None
    return symbolic("ThresholdedRelu", (x,), {"alpha": threshold}, dtype=x.dtype, shape=x.shape, version=10)
