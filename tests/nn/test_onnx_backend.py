"""ONNX's own backend tests for the rectifier family, run on our functions.

Each model is run by ONNX's reference evaluator with our functions in place of its own operators; a counter shows
that they were called. The ``_expanded`` tests, in which the operator is written out in simpler ones, are used as a
specification: the expanded model is run on hard points as well, and ours must give the same.

What does not apply, and why, is in `NOT_APPLICABLE`.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import halfwave as hw
from halfwave import functions as exact

onnx = pytest.importorskip("onnx", reason="needs the extra `onnx`")
from onnx import numpy_helper  # noqa: E402
from onnx.backend.test import loader  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx.reference.op_run import OpRun  # noqa: E402

F = hw.nn.functional
Array = np.ndarray[Any, Any]
calls: Counter[str] = Counter()

NOT_APPLICABLE = {
    "elu, selu, celu, softplus, mish, gelu, swish, softsign, hardswish": "not piecewise linear",
    "sign": "0 at 0, between its one-sided limits; a jump here belongs to its left piece",
    "where": "not a function of one variable",
    "*int8, *int16, *int32, *int64, *uint*": "integers; ours are functions of floating-point tensors",
}


def piecewise(x: Array, function: exact.PiecewiseLinear) -> Array:
    return hw.nn.PiecewiseLinearActivation(function)(torch.from_numpy(x)).numpy()


def thresholded_relu(x: Array, alpha: float = 1.0) -> Array:
    return F.thresholded_relu(torch.from_numpy(x), alpha, form="keep", convention="onnx").numpy()


def relu(x: Array) -> Array:
    return F.thresholded_relu(torch.from_numpy(x), 0.0).numpy()


def leaky_relu(x: Array, alpha: float = 0.01) -> Array:
    return F.leaky_relu(torch.from_numpy(x), alpha).numpy()


def prelu(x: Array, slope: Array) -> Array:
    if slope.ndim == 1 and x.ndim > 1 and slope.size not in (1, x.shape[-1]):
        return hw.nn.LeakyReLU(torch.from_numpy(slope))(torch.from_numpy(x)).numpy()  # opset 6: one a channel
    return F.leaky_relu(torch.from_numpy(x), torch.from_numpy(slope)).numpy()


def shrink(x: Array, bias: float = 0.0, lambd: float = 0.5) -> Array:
    shift = exact.step(lambd, -bias) + exact.step(-lambd, -bias) + bias
    return piecewise(x, exact.hard_threshold(lambd) + shift)


def clip(x: Array, low: Array | None = None, high: Array | None = None, **limits: float) -> Array:
    low, high = limits.get("min", low), limits.get("max", high)  # attributes up to opset 6
    function = exact.identity()
    if low is not None:
        function = function.maximum(float(low))
    if high is not None:
        function = function.minimum(float(high))
    return piecewise(x, function)


def hard_sigmoid(x: Array, alpha: float = 0.2, beta: float = 0.5) -> Array:
    return piecewise(x, (alpha * exact.identity() + beta).maximum(0.0).minimum(1.0))


def absolute(x: Array) -> Array:
    return F.absolute(torch.from_numpy(x)).numpy()


def maximum(*arrays: Array) -> Array:
    floor = functools.partial(F.thresholded_relu, form="floor")
    return functools.reduce(floor, (torch.from_numpy(a) for a in arrays)).numpy()


def minimum(*arrays: Array) -> Array:
    return -maximum(*(-a for a in arrays))


FAMILY: dict[str, tuple[str, Callable[..., Array], tuple[str, ...]]] = {
    "thresholdedrelu": ("ThresholdedRelu", thresholded_relu, ("alpha",)),
    "relu": ("Relu", relu, ()),
    "leakyrelu": ("LeakyRelu", leaky_relu, ("alpha",)),
    "prelu": ("PRelu", prelu, ()),
    "shrink": ("Shrink", shrink, ("bias", "lambd")),
    "clip": ("Clip", clip, ("min", "max")),
    "hardsigmoid": ("HardSigmoid", hard_sigmoid, ("alpha", "beta")),
    "abs": ("Abs", absolute, ()),
    "max": ("Max", maximum, ()),
    "min": ("Min", minimum, ()),
}
EXPECTED = {
    "thresholdedrelu": 6,
    "relu": 2,
    "leakyrelu": 6,
    "prelu": 4,
    "shrink": 4,
    "clip": 18,
    "hardsigmoid": 6,
}
EXPECTED |= {"abs": 1, "max": 6, "min": 6}
"""Number of node tests of floating-point inputs in onnx 1.23: fewer would mean that some were not found."""


def operator(stem: str) -> type[OpRun]:
    """Our function as an operator of the reference evaluator."""
    name, function, attributes = FAMILY[stem]

    def run(self: OpRun, *arrays: Array, **given: Any) -> tuple[Array]:
        calls[stem] += 1
        # attributes that a model leaves out come with the default of the operator
        keywords = {key: value for key, value in given.items() if key in attributes and value is not None}
        result = function(*(None if a is None else np.array(a) for a in arrays), **keywords)
        return (np.asarray(result).astype(arrays[0].dtype),)

    return type(name, (OpRun,), {"op_domain": "", "_run": run})


@functools.cache
def node_tests() -> dict[str, list[Any]]:
    """The node tests of the family by stem, floating-point inputs only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cases of other operators overflow on purpose
        every = loader.load_model_tests(kind="node")
    found: dict[str, list[Any]] = {stem: [] for stem in FAMILY}
    for case in every:
        stem = case.name.removeprefix("test_").split("_")[0]
        if stem in found and not any(f"int{bits}" in case.name for bits in (8, 16, 32, 64)):
            found[stem].append(case)
    return found


def feeds(model: Any, arrays: Any) -> dict[str, Array]:
    named = [value.name for value in model.graph.input]
    return dict(zip(named, arrays, strict=True))


def close(case: Any, got: Array, wanted: Array) -> bool:
    same = got.dtype == wanted.dtype and got.shape == wanted.shape
    return same and np.allclose(got, wanted, rtol=case.rtol, atol=case.atol, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("stem", FAMILY)
def test_node_tests(stem: str) -> None:
    cases, before = node_tests()[stem], calls[stem]
    assert len(cases) >= EXPECTED[stem], [case.name for case in cases]
    plain = [case for case in cases if "expanded" not in case.name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in plain:
            evaluator = ReferenceEvaluator(case.model, new_ops=[operator(stem)])
            for inputs, outputs in case.data_sets:
                (got,) = evaluator.run(None, feeds(case.model, inputs))
                assert close(case, got, outputs[0]), (case.name, got, outputs[0])
    assert calls[stem] - before >= len(plain)


HARD = np.array([math.nan, math.inf, -math.inf, 0.0, -0.0, -2.0, 2.0, 1.0, -1.0, 0.5, -0.5, 0.1, 1e-30, 3e38])
NAN_DIFFERS = ("relu", "leakyrelu", "prelu", "clip", "hardsigmoid", "shrink")
"""Written out, these give what a comparison gives for NaN; the operators, like ours, propagate it."""


@pytest.mark.slow
@pytest.mark.parametrize("stem", [s for s in FAMILY if s not in ("abs", "max", "min")])
def test_expanded_node_tests_and_hard_points(stem: str) -> None:
    expanded = [case for case in node_tests()[stem] if "expanded" in case.name]
    twins = {case.name: case.model for case in node_tests()[stem]}
    assert expanded
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in expanded:
            ours = ReferenceEvaluator(twins[case.name.split("_expanded")[0]], new_ops=[operator(stem)])
            theirs = ReferenceEvaluator(case.model)
            for inputs, outputs in case.data_sets:
                named = feeds(case.model, inputs)
                assert close(case, ours.run(None, named)[0], outputs[0]), case.name
                shape = inputs[0].shape
                hard = np.resize(HARD, max(HARD.size, math.prod(shape)))[: math.prod(shape)].reshape(shape)
                points = [hard.astype(inputs[0].dtype), *inputs[1:]]
                ours_hard, theirs_hard = (e.run(None, feeds(case.model, points))[0] for e in (ours, theirs))
                told = ~np.isnan(points[0]) if stem in NAN_DIFFERS else np.ones(shape, bool)
                if stem == "shrink":  # −λ itself belongs to the line on its left here
                    told &= ~np.isin(points[0], (-0.5, -1.5))
                assert close(case, ours_hard[told], theirs_hard[told]), (
                    case.name,
                    points[0],
                    ours_hard,
                    theirs_hard,
                )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name", "stem"),
    [
        *(
            ("pytorch-converted", f"test_PReLU_{d}d{p}", "prelu")
            for d in (1, 2, 3)
            for p in ("", "_multiparam")
        ),
        ("pytorch-converted", "test_LeakyReLU", "leakyrelu"),
        ("pytorch-converted", "test_LeakyReLU_with_negval", "leakyrelu"),
        ("pytorch-converted", "test_ReLU", "relu"),
        ("pytorch-operator", "test_operator_clip", "clip"),
        ("simple", "test_shrink", "shrink"),
        ("simple", "test_single_relu_model", "relu"),
    ],
)
def test_model_tests(kind: str, name: str, stem: str) -> None:
    found = [case for case in loader.load_model_tests(kind=kind) if case.name == name]
    if not found:
        pytest.skip(f"{name} is not in this version of onnx")
    before = calls[stem]
    folder = Path(found[0].model_dir)
    model = onnx.load(folder / "model.onnx")
    evaluator = ReferenceEvaluator(model, new_ops=[operator(stem)])
    for data in sorted(folder.glob("test_data_set_*")):
        read = [
            [numpy_helper.to_array(onnx.load_tensor(file)) for file in sorted(data.glob(f"{part}_*.pb"))]
            for part in ("input", "output")
        ]
        given = [value.name for value in model.graph.input][: len(read[0])]
        (got, *_) = evaluator.run(None, dict(zip(given, read[0], strict=True)))
        assert np.allclose(got, read[1][0], rtol=1e-5, atol=1e-6)
    assert calls[stem] > before


def test_what_does_not_apply_has_a_reason() -> None:
    assert all(reason for reason in NOT_APPLICABLE.values())
