"""Export to ONNX: the standard operator where it is faithful, an exact decomposition where it is not."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nn_cases import INF, NAN
from torch import Tensor, nn

import halfwave as hw
from halfwave import functions as exact

pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
pytestmark = pytest.mark.slow

# all exact in half precision apart from those around 0.3
POINTS = [
    NAN,
    INF,
    -INF,
    -7.0,
    -3.0,
    -1.0,
    -0.5,
    -0.0,
    0.0,
    0.2998,
    0.3,
    0.3003,
    0.5,
    1.0,
    1.5,
    6.0,
    7.0,
    1e4,
]
ThresholdedReLU = hw.nn.ThresholdedReLU
EXPORTS: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "subtract": (lambda: ThresholdedReLU(0.3), ["Sub", "Relu"]),
    "subtract, negative": (lambda: ThresholdedReLU(-0.3), ["Sub", "Relu"]),
    "keep": (lambda: ThresholdedReLU(0.3, "keep"), ["LessOrEqual", "Where"]),
    "keep, negative": (lambda: ThresholdedReLU(-0.5, "keep"), ["LessOrEqual", "Where"]),
    "keep, learnt": (lambda: ThresholdedReLU(0.3, "keep", learnable=True), ["Sub", "LessOrEqual", "Where"]),
    "floor": (lambda: ThresholdedReLU(0.3, "floor"), ["Max"]),
    "floor, learnt": (lambda: ThresholdedReLU(0.3, "floor", learnable=True), ["Max"]),
    "onnx": (lambda: ThresholdedReLU(0.3, "keep", convention="onnx"), ["ThresholdedRelu"]),
    "caffe2": (lambda: ThresholdedReLU(0.3, "keep", convention="caffe2"), ["ThresholdedRelu"]),
    "vllm": (lambda: ThresholdedReLU(0.3, "keep", convention="vllm"), ["ThresholdedRelu"]),
    "torch": (lambda: ThresholdedReLU(0.3, "keep", convention="torch"), ["LessOrEqual", "Where"]),
    "keras2": (lambda: ThresholdedReLU(0.3, "keep", convention="keras2"), ["Greater", "Cast", "Mul"]),
    "keras3": (lambda: ThresholdedReLU(0.3, "keep", convention="keras3"), []),
    "coreml": (lambda: ThresholdedReLU(0.3, "keep", convention="coreml"), ["Less", "Where"]),
    "rectified linear": (lambda: hw.nn.RectifiedLinear(2.0, -1.0), ["Mul", "Add", "Relu"]),
    "rectified linear, learnt": (lambda: hw.nn.RectifiedLinear(2.0, -1.0, learnable=True), []),
    "rectified linear, flat": (lambda: hw.nn.RectifiedLinear(torch.zeros(1), 1.0), []),
    "leaky": (lambda: hw.nn.LeakyReLU(0.1), ["LeakyRelu"]),
    "leaky, learnt": (lambda: hw.nn.LeakyReLU(0.1, learnable=True), []),
    "clipped": (lambda: hw.nn.ClippedReLU(), ["Clip"]),
    "hard tanh": (lambda: hw.nn.HardTanh(), ["Clip"]),
    "soft threshold": (lambda: hw.nn.SoftThreshold(0.5), ["Sub", "Relu", "Add", "Neg", "Relu", "Neg", "Add"]),
    "hard threshold": (lambda: hw.nn.HardThreshold(0.5), []),
    "two-sided": (lambda: hw.nn.TwoSidedReLU(0.5, -0.5, 1.0, 2.0), []),
    "two-sided, learnt": (lambda: hw.nn.TwoSidedReLU(0.5, -0.5, 1.0, 2.0, learnable=True), []),
    "double well": (lambda: hw.nn.TwoSidedReLU(-0.5, 0.5, 1.0, 2.0), []),
    "hat": (lambda: hw.nn.PiecewiseLinearActivation(exact.relu_sum([1] * 3, [0, -1, -2], [1, -2, 1])), []),
    "jumps": (lambda: hw.nn.PiecewiseLinearActivation(exact.hard_threshold(0.5)), []),
}
"""Module, and the operators that float32 must give (empty: any)."""


def export(module: nn.Module, x: Tensor) -> Any:
    """The ONNX program of a module with any number of rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        logging.disable(logging.WARNING)
        try:
            rows = torch.export.Dim("rows")
            return torch.onnx.export(module, (x,), dynamo=True, verbose=False, dynamic_shapes=({0: rows},))
        finally:
            logging.disable(logging.NOTSET)


def run(program: Any, x: Tensor) -> np.ndarray:
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]


def operators(program: Any) -> list[str]:
    return [node.op_type for node in program.model_proto.graph.node]


IN_DOUBLE = ("subtract", "keep", "floor", "coreml", "rectified linear, flat", "leaky", "clipped", "jumps")
"""Those where the exporter or a runtime treats float64 in its own way."""


ALIKE = (
    *("subtract, negative", "keep, negative", "floor, learnt", "caffe2", "vllm", "torch", "coreml"),
    *("rectified linear, learnt", "rectified linear, flat", "leaky, learnt", "hard tanh", "hard threshold"),
    *("two-sided, learnt", "double well"),
)
"""Those that take the way of another one with other numbers."""


def exported() -> list[Any]:
    """Name and dtype of every case; an export takes a second or two."""
    half = [(name, torch.float16) for name in EXPORTS]
    double = [(name, torch.float64) for name in IN_DOUBLE]
    usual = [(name, torch.float32) for name in EXPORTS if name not in ALIKE]
    usual += [
        ("subtract", torch.float16),
        ("keep", torch.float16),
        ("keep", torch.float64),
        ("jumps", torch.float64),
    ]
    rest = [
        case for case in [*((name, torch.float32) for name in ALIKE), *half, *double] if case not in usual
    ]
    return [*usual, *(pytest.param(*case, marks=pytest.mark.thorough) for case in rest)]


@pytest.mark.parametrize(("name", "dtype"), exported(), ids=str)
def test_same_numbers_through_onnxruntime(name: str, dtype: torch.dtype) -> None:
    make, wanted = EXPORTS[name]
    x = torch.tensor(POINTS, dtype=dtype).unsqueeze(1)
    with torch.no_grad():
        ours = make()(x).numpy()
    program = export(make(), x[:3])
    theirs = run(program, x)
    assert theirs.dtype == ours.dtype
    assert np.array_equal(theirs, ours, equal_nan=True), list(
        zip(POINTS, theirs.ravel(), ours.ravel(), strict=True)
    )
    if dtype == torch.float32 and wanted:
        assert operators(program) == wanted


def test_standard_operator_only_where_it_is_faithful() -> None:
    # float64 has no kernel, a T that 32 bits cannot hold would be another T
    module = ThresholdedReLU(0.3, "keep", convention="onnx")
    assert operators(export(module, torch.zeros(2, 1, dtype=torch.float16))) == ["ThresholdedRelu"]
    assert "ThresholdedRelu" not in operators(export(module, torch.zeros(2, 1, dtype=torch.float64)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_network_with_channels(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        ThresholdedReLU(torch.tensor([0.1, 0.2, -0.1, 0.0]), "keep"),
        nn.Conv2d(4, 4, 3),
        hw.nn.TwoSidedReLU(0.1, -0.1, num_channels=4, learnable=True),
        nn.Flatten(),
        nn.Linear(64, 8),
        ThresholdedReLU(0.1),
    ).eval()
    x = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        reference = network(x).numpy()
        program = export(network.to(dtype), x.to(dtype)[:2])
        ours = network(x.to(dtype)).numpy()
    theirs = run(program, x.to(dtype))
    # convolutions are summed in another order; in half precision both are compared with float32
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    assert np.allclose(theirs, reference, atol=tolerance)
    assert np.allclose(theirs, ours, atol=tolerance)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_unit_mean(temperature: float) -> None:
    unit = hw.units.DReLU(
        theta_pos=torch.ones(1), theta_neg=-torch.ones(1), gamma_pos=torch.ones(1), gamma_neg=torch.ones(1)
    )
    module = hw.nn.UnitMean(unit, temperature=temperature)
    x = torch.linspace(-20, 20, 101).unsqueeze(1)
    assert np.allclose(run(export(module, x[:2]), x), module(x).numpy(), rtol=2e-6, atol=1e-7)


def test_relu_sum() -> None:
    module = hw.nn.ReLUSum(2, 5, generator=torch.Generator().manual_seed(0))
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(1))
    assert np.allclose(run(export(module, x[:2]), x), module(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_file(tmp_path: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            ThresholdedReLU(1.0), (torch.zeros(2, 3),), tmp_path / "f.onnx", dynamo=True, verbose=False
        )
    session = runtime.InferenceSession(tmp_path / "f.onnx", providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: np.full((2, 3), 2.5, np.float32)})
    assert (y == 1.5).all()
    assert math.isclose(y.sum(), 9.0)
