"""A sum of rectified terms as an ONNX model."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.payloads import function_of
from halfwave.explorer.session.session import Answer, Session
from halfwave.functions import PiecewiseLinear

__all__ = ["ANSWERS", "onnx_model"]

_OPSET, _FORMAT = 17, 8


def onnx_model(function: PiecewiseLinear) -> bytes:
    """The model ``y = relu(x A + b) W + slope x + offset`` in 64-bit numbers, from x (n, 1) to y (n, 1).

    Raises:
        HalfwaveError: if the function jumps, or the package onnx is missing.

    >>> from halfwave.functions import relu
    >>> len(onnx_model(relu())) > 100
    True
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError as error:
        raise HalfwaveError("an ONNX file needs the package onnx; pip install 'halfwave[onnx]'") from error
    parts = function.as_relu_sum()
    shapes = {"slopes": (1, -1), "intercepts": (-1,), "weights": (-1, 1), "slope": (1, 1), "offset": (1,)}
    # without a term there would be nothing for the first product
    filled = {name: parts[name] if parts["slopes"] else [0.0] for name in ("slopes", "intercepts", "weights")}
    numbers = {**filled, "slope": parts["slope"], "offset": parts["offset"]}
    tensors = [
        numpy_helper.from_array(np.array(numbers[name], dtype=np.float64).reshape(shape), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "slopes", "intercepts"], ["inside"]),
        helper.make_node("Relu", ["inside"], ["terms"]),
        helper.make_node("Gemm", ["x", "slope", "offset"], ["line"]),
        helper.make_node("Gemm", ["terms", "weights", "line"], ["y"]),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", 1]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "sum_of_relus", ends[:1], ends[1:], tensors)
    model = helper.make_model(
        graph,
        producer_name="halfwave",
        ir_version=_FORMAT,
        opset_imports=[helper.make_opsetid("", _OPSET)],
    )
    checker.check_model(model)
    return model.SerializeToString()


def _onnx(session: Session, payload: Mapping[str, Any]) -> dict[str, Any]:
    model = onnx_model(function_of(payload))
    return {"base64": base64.b64encode(model).decode("ascii"), "name": "halfwave-function.onnx"}


ANSWERS: dict[str, Answer] = {"functions.onnx": _onnx}
