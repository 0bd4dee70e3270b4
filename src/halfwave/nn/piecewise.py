"""Any exact piecewise-linear function of one variable as an activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.nn.export import exporting_to_onnx
from halfwave.nn.parameters import check_input, to_work

__all__ = ["PiecewiseLinearActivation"]


class PiecewiseLinearActivation(nn.Module):
    """A fixed `halfwave.functions.PiecewiseLinear` f applied to every element; jumps and limits at ±inf included.

    The function is compiled into tables (kinks, anchors, values, slopes), so that the module runs on any device,
    compiles without graph breaks and exports to ONNX by comparisons and a lookup. Kinks are compared in float32, or
    in float64 for float64 inputs; converting the module to half precision would round them.

    Args:
        function: f.

    Raises:
        HalfwaveError: if it is not a `PiecewiseLinear`.

    >>> from halfwave.functions import hard_threshold
    >>> PiecewiseLinearActivation(hard_threshold(1.0))(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-3.,  0.,  3.])
    """

    kinks: Tensor
    anchors: Tensor
    values: Tensor
    slopes: Tensor

    def __init__(self, function: PiecewiseLinear) -> None:
        super().__init__()
        if not isinstance(function, PiecewiseLinear):
            raise HalfwaveError(
                f"PiecewiseLinearActivation takes a PiecewiseLinear; got {type(function).__name__}"
            )
        self.function = function
        pieces = function.pieces
        # Each line is written about its own zero, so that small values keep their digits.
        tables = {
            "kinks": pieces.kinks,
            "anchors": pieces.anchors,
            "values": pieces.values,
            "slopes": pieces.slopes,
        }
        for name, table in tables.items():
            # The function is the state; the tables only follow the module to its device.
            self.register_buffer(name, torch.tensor(table.tolist(), dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """f of every element, of the same shape and dtype."""
        check_input(x, "PiecewiseLinearActivation")
        wide = to_work(x)
        kinks, anchors, values, slopes = (
            table.to(wide.dtype) for table in (self.kinks, self.anchors, self.values, self.slopes)
        )
        if len(self.function.kinks) == 0:
            piece = torch.zeros_like(wide, dtype=torch.long)
        elif exporting_to_onnx():  # ONNX has no search in a sorted list
            piece = (wide.detach().unsqueeze(-1) > kinks).sum(-1)
        else:
            piece = torch.bucketize(wide.detach().contiguous(), kinks)
        slope, distance = slopes[piece], wide - anchors[piece]
        # A flat piece at x = ±inf has the limit 0 · inf = 0.
        distance = torch.where((slope == 0) & torch.isinf(distance), torch.zeros_like(distance), distance)
        return (slope * distance + values[piece]).to(x.dtype)

    def extra_repr(self) -> str:
        return repr(self.function)
