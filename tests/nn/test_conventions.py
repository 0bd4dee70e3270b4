"""Each preset against the system it is named after: run where it is installed, golden tables where it is not.

The tables for Caffe2, Keras, Core ML and vLLM were read from their sources and, for Keras and Core ML, from running
them (Keras 3.15 on its four backends, tf.keras, coremltools 9).
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import halfwave as hw
from halfwave.nn.functional import thresholded_relu

INF, NAN = math.inf, math.nan
THRESHOLDS = (-1.0, -0.0, 0.0, 0.3, 1.0, 2.5)
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def hard_points(dtype: torch.dtype, threshold: float) -> Tensor:
    """Special values, numbers around the threshold in steps of the last bit, and random ones."""
    generator = torch.Generator().manual_seed(0)
    special = torch.tensor([NAN, INF, -INF, 0.0, -0.0, 1e-7, -1e-7, 1.0, -1.0, 60000.0], dtype=dtype)
    near = torch.tensor(threshold, dtype=dtype)
    steps = [near]
    for direction in (INF, -INF):
        value = near
        for _ in range(3):
            value = torch.nextafter(value, torch.tensor(direction, dtype=dtype))
            steps.append(value)
    return torch.cat(
        (special, torch.stack(steps), torch.randn(500, generator=generator, dtype=torch.float64).to(dtype))
    )


def bits(x: Tensor) -> np.ndarray:
    """The bit pattern, with one pattern for all NaNs (their payload is not part of anybody's convention)."""
    integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.dtype.itemsize]
    return torch.where(torch.isnan(x), torch.full_like(x, NAN), x).contiguous().view(integer).numpy()


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_torch_bit_for_bit(dtype: torch.dtype, threshold: float) -> None:
    x = hard_points(dtype, threshold).requires_grad_()
    theirs = F.threshold(x, threshold, 0.0)
    for convention in ("torch", None):
        ours = thresholded_relu(x, threshold, form="keep", convention=convention)
        assert np.array_equal(bits(ours.detach()), bits(theirs.detach()))
        upstream = torch.linspace(0.5, 1.5, len(x), dtype=dtype)
        gradients = [torch.autograd.grad(y, x, upstream, retain_graph=True)[0] for y in (ours, theirs)]
        assert np.array_equal(bits(gradients[0]), bits(gradients[1]))


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_onnx_reference_evaluator_bit_for_bit(dtype: torch.dtype, threshold: float) -> None:
    helper = pytest.importorskip("onnx", reason="needs the extra `onnx`").helper
    if threshold == 0:
        # the evaluator reads `alpha or default`: a threshold of 0 becomes 1 in it
        pytest.skip("the reference evaluator of onnx cannot represent alpha = 0")
    from onnx.reference import ReferenceEvaluator

    x = hard_points(dtype, threshold)
    theirs = ReferenceEvaluator(_model(helper, dtype, threshold)).run(None, {"x": x.numpy()})[0]
    ours = thresholded_relu(x, threshold, form="keep", convention="onnx")
    assert np.array_equal(bits(ours), bits(torch.from_numpy(np.array(theirs))))


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
def test_onnxruntime_bit_for_bit(dtype: torch.dtype, threshold: float) -> None:
    helper = pytest.importorskip("onnx", reason="needs the extra `onnx`").helper
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    x = hard_points(dtype, threshold)
    session = runtime.InferenceSession(
        _model(helper, dtype, threshold).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    theirs = torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
    ours = thresholded_relu(x, threshold, form="keep", convention="onnx")
    if dtype == torch.float16:
        # Written out by the runtime as Cast, Less, Where, Cast; its Where adds the two branches, so −0.0 becomes 0.0.
        assert not torch.signbit(theirs[theirs == 0]).any()
        ours = torch.where(ours == 0, torch.zeros_like(ours), ours)
    assert np.array_equal(bits(ours), bits(theirs))


def _model(helper: object, dtype: torch.dtype, threshold: float) -> object:
    from onnx import TensorProto
    from onnx import helper as h

    kind = {
        torch.float16: TensorProto.FLOAT16,
        torch.float32: TensorProto.FLOAT,
        torch.float64: TensorProto.DOUBLE,
    }
    value = [h.make_tensor_value_info(name, kind[dtype], [None]) for name in "xy"]
    node = h.make_node("ThresholdedRelu", ["x"], ["y"], alpha=threshold)
    graph = h.make_graph([node], "g", value[:1], value[1:])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8)


# x → (f, f') at T = 1; None where the system has no gradient
NOTHING = None
GOLDEN = {
    "torch": {
        NAN: (NAN, 1),
        -INF: (0, 0),
        INF: (INF, 1),
        1.0: (0, 0),
        -0.0: (0, 0),
        2.0: (2, 1),
        0.5: (0, 0),
    },
    "onnx": {
        NAN: (0, NOTHING),
        -INF: (0, NOTHING),
        INF: (INF, NOTHING),
        1.0: (0, NOTHING),
        2.0: (2, NOTHING),
    },
    "caffe2": {NAN: (0, 0), -INF: (0, 0), INF: (INF, 1), 1.0: (0, 0), -0.0: (0, 0), 2.0: (2, 1)},
    "keras2": {NAN: (NAN, 0), -INF: (NAN, 0), INF: (INF, 1), 1.0: (0, 0), 0.5: (0, 0), 2.0: (2, 1)},
    "keras3": {NAN: (0, 0), -INF: (0, 0), INF: (INF, 1), 1.0: (0, 0), 0.5: (0, 0), 2.0: (2, 1)},
    "coreml": {
        NAN: (NAN, NOTHING),
        -INF: (0, NOTHING),
        INF: (INF, NOTHING),
        1.0: (1, NOTHING),
        2.0: (2, NOTHING),
    },
    "vllm": {
        NAN: (0, NOTHING),
        -INF: (0, NOTHING),
        INF: (INF, NOTHING),
        1.0: (0, NOTHING),
        2.0: (2, NOTHING),
    },
}


@pytest.mark.parametrize("preset", hw.nn.CONVENTIONS)
def test_golden_table(preset: str) -> None:
    for point, (value, slope) in GOLDEN[preset].items():
        x = torch.tensor([point], requires_grad=True)
        y = thresholded_relu(x, 1.0, form="keep", convention=preset)
        assert np.array_equal(y.detach().numpy(), [value], equal_nan=True), (preset, point, y)
        if slope is not None:
            assert torch.autograd.grad(y, x)[0].item() == slope, (preset, point)


def test_masking_by_multiplication_leaves_negative_zeros() -> None:
    y = thresholded_relu(torch.tensor([-3.0]), 1.0, form="keep", convention="keras2")
    assert math.copysign(1.0, y.item()) == -1.0
    y = thresholded_relu(torch.tensor([-3.0]), 1.0, form="keep", convention="keras3")
    assert math.copysign(1.0, y.item()) == 1.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("preset", hw.nn.CONVENTIONS)
def test_threshold_in_half_precision(preset: str, dtype: torch.dtype) -> None:
    # float16(0.3) = 0.300049 and bfloat16(0.3) = 0.300781: above 0.3 only if T is not rounded in the same way
    x = torch.tensor([0.3], dtype=dtype)
    kept = thresholded_relu(x, 0.3, form="keep", convention=preset).item() != 0
    assert kept == (preset in ("torch", "onnx", "caffe2", "vllm", "coreml"))


def test_coreml_keeps_what_rounds_to_the_threshold() -> None:
    below = torch.nextafter(torch.tensor(0.3, dtype=torch.float16), torch.tensor(0.0, dtype=torch.float16))
    x = torch.stack((below, torch.tensor(0.3, dtype=torch.float16)))
    assert thresholded_relu(x, 0.3, form="keep", convention="coreml").tolist() == [0.0, x[1].item()]


def test_threshold_is_an_attribute_of_32_bits() -> None:
    between = (0.3 + float(np.float32(0.3))) / 2  # 0.3 < between < float32(0.3)
    x = torch.tensor([between], dtype=torch.float64)
    assert thresholded_relu(x, 0.3, form="keep", convention="torch").item() == between
    assert thresholded_relu(x, 0.3, form="keep", convention="onnx").item() == 0.0


def test_keras3_gives_nan_for_nan_only_at_threshold_zero() -> None:
    x = torch.tensor([NAN])
    assert thresholded_relu(x, 0.0, form="keep", convention="keras3").isnan().all()
    assert thresholded_relu(x, 1e-9, form="keep", convention="keras3").item() == 0.0


def test_keras2_refuses_negative_thresholds() -> None:
    with pytest.raises(ValueError, match=r"must not be negative under this convention; got -1\.0"):
        thresholded_relu(torch.zeros(1), -1.0, form="keep", convention="keras2")
    with pytest.raises(ValueError, match=r"`threshold` of ThresholdedReLU must be at least 0; got -1"):
        hw.nn.ThresholdedReLU(-1.0, "keep", convention="keras2")


def test_caffe2_gradient_faults_at_negative_thresholds() -> None:
    caffe2 = hw.nn.Convention.preset("caffe2")
    points = [-2.0, -1.0, -0.5, 0.0, 0.5]
    wanted = {"input": [0, 0, 1, 1, 1], "output sign": [0, 0, -1, 0, 1], "output positive": [0, 0, 0, 0, 1]}
    for gradient, slopes in wanted.items():
        convention = dataclasses.replace(caffe2, gradient=gradient)
        x = torch.tensor(points, requires_grad=True)
        y = thresholded_relu(x, -1.0, form="keep", convention=convention)
        assert y.tolist() == [0.0, 0.0, -0.5, 0.0, 0.5]
        assert torch.autograd.grad(y.sum(), x)[0].tolist() == slopes


@pytest.mark.parametrize("kink", [0, 0.5, 1])
@pytest.mark.parametrize("form", ["subtract", "keep", "floor"])
def test_derivative_at_the_kink(form: str, kink: float) -> None:
    x = torch.tensor([0.5, 1.0, 1.5], requires_grad=True)
    convention = hw.nn.Convention(kink=kink)
    thresholded_relu(x, 1.0, form=form, convention=convention).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, kink, 1.0]


@pytest.mark.parametrize("form", ["subtract", "keep", "floor"])
def test_derivative_in_the_threshold_away_from_the_kink(form: str) -> None:
    x, found = torch.tensor([-2.0, 0.8, 0.9, 1.1, 3.0]), []
    for convention in (None, hw.nn.Convention(kink=1)):
        threshold = torch.tensor(1.0, requires_grad=True)
        y = thresholded_relu(x, threshold, form=form, convention=convention, bandwidth=0.3)
        found.append(torch.autograd.grad(y @ torch.arange(1.0, 6.0), threshold)[0].item())
    assert found[0] != 0
    assert found[0] == pytest.approx(found[1])


@pytest.mark.parametrize("form", ["subtract", "keep", "floor"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_default_convention_is_the_fast_path(form: str, dtype: torch.dtype, threshold: float) -> None:
    x = hard_points(dtype, threshold)
    fast, slow = (thresholded_relu(x, threshold, form=form, convention=c) for c in (None, hw.nn.Convention()))
    assert torch.equal(torch.nan_to_num(fast), torch.nan_to_num(slow))
    assert torch.equal(torch.isnan(fast), torch.isnan(slow))
    as_tensor = thresholded_relu(x, torch.tensor(threshold, dtype=torch.float64), form=form)
    assert torch.equal(torch.nan_to_num(fast), torch.nan_to_num(as_tensor))


def test_bad_conventions() -> None:
    with pytest.raises(ValueError, match=r"one of 'torch', 'onnx'.*got 'keras'; did you mean 'keras"):
        hw.nn.Convention.preset("keras")
    with pytest.raises(ValueError, match="got 'tensorrt'"):
        thresholded_relu(torch.zeros(1), 0.0, convention="tensorrt")
    with pytest.raises(ValueError, match=r"`side` of Convention must be one of '>', '>='; got '<'"):
        hw.nn.Convention(side="<")  # pyright: ignore
    with pytest.raises(ValueError, match=r"`kink` of Convention must be one of 0, 0\.5, 1; got 2"):
        hw.nn.Convention(kink=2)  # pyright: ignore


def test_conventions_are_values() -> None:
    assert hw.nn.Convention() == hw.nn.Convention.preset("torch")
    assert len({hw.nn.Convention(), hw.nn.Convention.preset("torch")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        hw.nn.Convention().side = ">="  # pyright: ignore
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(hw.nn.ThresholdedReLU(1.0, "keep", convention="onnx"))
