"""Functions of several variables: values, gradients, formulas, storage, torch, ONNX."""

from __future__ import annotations

import copy
import json
import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from surface_cases import functions

from halfwave.errors import HalfwaveError
from halfwave.fitting.several_variables.additive_function import AdditiveFunction
from halfwave.fitting.several_variables.hinge_sum import HingeSum
from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine
from halfwave.functions import absolute, parse

CASES = functions()
EXPORTED = ("max affine", "difference", "hinge sum", "additive, jumps")
"""One of each kind; an export takes seconds."""
POINTS = np.random.default_rng(1).normal(size=(200, 3)) * 2


@pytest.fixture(params=CASES)
def f(request: pytest.FixtureRequest) -> Any:
    return CASES[request.param]


def points(f: Any) -> np.ndarray:
    return POINTS[:, : f.features]


def test_values_are_those_of_the_formula(f: Any) -> None:
    def relu(x: float) -> float:
        return max(0.0, x)

    def step(x: float) -> float:
        return float(x > 0)

    names = {"relu": relu, "step": step, "max": max}
    formula = compile(f.formula(), "<formula>", "eval")
    for x in points(f)[:50]:
        variables = {f"x{i + 1}": value for i, value in enumerate(x.tolist())}
        assert eval(formula, names, variables) == pytest.approx(f(x), rel=1e-12, abs=1e-12)


def test_restriction_to_a_line_is_exact(f: Any) -> None:
    random = np.random.default_rng(2)
    for _ in range(5):
        start, step = random.normal(size=(2, f.features))
        t = np.linspace(-3, 3, 101)
        along = f.along(start, step)
        np.testing.assert_allclose(along(t), f(start + t[:, None] * step), rtol=1e-11, atol=1e-11)


def test_gradient_is_the_slope_between_kinks(f: Any) -> None:
    # A point nearer to a kink than the step would see two slopes; of 200 points a few may be.
    x, h = points(f), 1e-7
    differences = np.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(f.features)], axis=-1)
    wrong = np.abs(differences - f.gradient(x)).max(axis=1) > 1e-6
    assert wrong.sum() <= 2


def test_gradient_at_kinks_is_that_of_a_piece() -> None:
    assert HingeSum([[1, 2]], [0]).gradient([0, 0]).tolist() == [0, 0]
    assert CASES["corner"].gradient([[0, 0], [1, 1]]).tolist() == [[0, 0], [2, 0]]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_torch_is_numpy(f: Any, dtype: torch.dtype) -> None:
    x = torch.tensor(points(f)).to(dtype).reshape(20, 10, f.features)
    x.requires_grad_(True)
    before = torch.get_rng_state()
    values = f(x)
    assert torch.equal(before, torch.get_rng_state())
    assert values.dtype == dtype
    assert values.shape == (20, 10)
    expected = f(x.detach().numpy())
    assert expected.dtype == x.detach().numpy().dtype
    tolerance = {"rtol": 0.0, "atol": 0.0} if dtype != torch.float64 else {"rtol": 1e-13, "atol": 1e-13}
    if dtype != torch.float64:
        tolerance["rtol"] = torch.finfo(dtype).eps
    np.testing.assert_allclose(values.detach().numpy(), expected, **tolerance)
    values.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(
        x.grad.double(), f.gradient(x.detach()).double(), rtol=4e-3 if dtype == torch.float16 else 1e-5
    )


def test_shapes(f: Any) -> None:
    x = points(f)
    assert isinstance(f(x[0]), float)
    assert f(x[0]) == pytest.approx(f(x)[0], rel=1e-14)
    assert f(x[:0]).shape == (0,)
    assert f(x.reshape(4, 50, -1)).shape == (4, 50)
    assert f.gradient(x.reshape(4, 50, -1)).shape == (4, 50, f.features)
    assert f.gradient(x[0]).shape == (f.features,)
    assert f(np.ones((3, f.features), dtype=int)).dtype == np.float64


def test_storage(f: Any) -> None:
    text = json.dumps(f.to_dict(), allow_nan=False)
    again = type(f).from_dict(json.loads(text))
    assert again == f
    assert hash(again) == hash(f)
    assert (again(points(f)) == f(points(f))).all()
    assert pickle.loads(pickle.dumps(f)) == f
    assert copy.deepcopy(f) == f


def test_functions_differ() -> None:
    for name, f in CASES.items():
        assert [n for n, g in CASES.items() if f == g] == [name]


def test_functions_cannot_be_changed(f: Any) -> None:
    for name in ("slopes", "intercepts", "weights", "slope"):
        array = getattr(f, name, None)
        if array is not None and array.size:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 1.0
    with pytest.raises(AttributeError):
        f.offset = 3.0
    with pytest.raises(AttributeError):
        f.other = 3.0


def test_texts(f: Any) -> None:
    assert str(f) == f.formula()
    assert str(f.features) in repr(f)
    assert r"x_{1}" in f.latex()
    assert "relu" not in f.latex()
    for number in re.findall(r"\d+\.\d+", f.latex(digits=3)):
        assert len(number.replace(".", "").lstrip("0")) <= 3
    names = [f"size {i}" for i in range(f.features)]
    assert all(name in f.formula(names) for name in names[:1])


def test_formulas_read_well() -> None:
    assert CASES["corner"].latex() == r"\max\left(0,\; 2 x_{1},\; 2 x_{2}\right)"
    assert CASES["one piece"].formula() == "1.5*x1 - 2*x2 + 0.25"
    assert CASES["plane"].formula() == "x1 + 2*x2 - 1"
    assert CASES["one variable"].formula() == "2*relu(x1 - 0.3) - relu(-2*x1 + 0.2)"
    assert HingeSum([[1, 0]], [0]).latex(["a", "b"]) == r"\left(a\right)^{+}"
    assert HingeSum(np.zeros((0, 2)), []).formula() == "0"
    plane = MaxAffine([[1, 1]], [-1])
    assert DifferenceOfMaxAffine(plane, plane).formula() == "x1 + x2 - 1 - (x1 + x2 - 1)"
    assert AdditiveFunction([absolute() - 1, absolute() + 3], -2).formula() == (
        "relu(x1) + relu(-x1) + relu(x2) + relu(-x2)"
    )
    one = AdditiveFunction([2 * absolute()], 1.0)
    assert parse(one.formula(["x"]))(3.0) == one([3.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "f", [n if n in EXPORTED else pytest.param(n, marks=pytest.mark.thorough) for n in CASES], indirect=True
)
def test_onnx(f: Any) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    module = f.to_module(torch.float32).eval()
    x = torch.tensor(points(f), dtype=torch.float32)
    rows = torch.export.Dim("rows")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter itself
        program = torch.onnx.export(module, (x[:7],), dynamo=True, dynamic_shapes=({0: rows},), verbose=False)
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert found.shape == (200, 1)
    np.testing.assert_allclose(found[:, 0], f(x.numpy()), rtol=1e-5, atol=1e-5)


def test_modules_are_trainable_and_rows_are_batches(f: Any) -> None:
    module = f.to_module(torch.float64)
    x = torch.tensor(points(f)).reshape(20, 10, -1)
    assert module(x).shape == (20, 10, 1)
    np.testing.assert_allclose(module(x)[..., 0].detach().numpy(), f(x.numpy()), rtol=1e-12, atol=1e-12)
    module(x).sum().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxAffine([1, 2], [0]), "`slopes` of MaxAffine must be two-dimensional; got shape (2,)"),
        (lambda: MaxAffine([[1, 2]], [0, 1]), "`intercepts` of MaxAffine must have 1 entries; got 2"),
        (lambda: MaxAffine(np.zeros((0, 2)), []), "MaxAffine needs at least one piece"),
        (lambda: MaxAffine([[1, np.nan]], [0]), "must be finite; got nan at index (0, 1)"),
        (lambda: HingeSum([[1, 2]], [0], [np.inf]), "`weights` of HingeSum must be finite; got inf"),
        (lambda: HingeSum([[1, 2]], [0], slope=[1]), "`slope` of HingeSum must have 2 entries; got 1"),
        (lambda: HingeSum([["a"]], [0]), "`slopes` of HingeSum must be real numbers"),
        (lambda: AdditiveFunction([]), "AdditiveFunction needs at least one function; got none"),
        (lambda: AdditiveFunction([abs]), "must be PiecewiseLinear; got builtin_function_or_method at index 0"),  # pyright: ignore[reportArgumentType]
        (lambda: DifferenceOfMaxAffine(CASES["corner"], CASES["plane"]), "must be a MaxAffine; got HingeSum"),
        (
            lambda: DifferenceOfMaxAffine(CASES["corner"], CASES["max affine"]),
            "must have as many variables; got 2 and 3",
        ),
        (lambda: CASES["corner"](np.ones(3)), "`x` of MaxAffine must end in 2 features; got shape (3,)"),
        (lambda: CASES["corner"](1.0), "must end in 2 features; got shape ()"),
        (lambda: CASES["corner"](torch.ones(3)), "must end in 2 features; got shape (3,)"),
        (lambda: CASES["corner"](torch.ones(2, dtype=torch.complex64)), "must be real numbers"),
        (lambda: CASES["corner"](np.ones(2) * 1j), "must be real numbers"),
        (lambda: CASES["corner"].gradient(np.ones(3)), "must end in 2 features"),
        (lambda: CASES["corner"].along([0, 0], [1]), "`direction` must have 2 entries; got 1"),
        (lambda: CASES["corner"].formula(["a"]), "`names` must have 2 entries; got 1"),
        (lambda: CASES["corner"].formula(digits=0), "`digits` must be a whole number of at least 1"),
        (lambda: HingeSum.from_dict(CASES["corner"].to_dict()), 'must have "kind": "hinge_sum"; got \'max_affine\''),
        (lambda: MaxAffine.from_dict({"kind": "max_affine"}), "must have a part 'slopes'"),
    ],
)  # fmt: skip
def test_bad_input(make: Any, message: str) -> None:
    with pytest.raises(HalfwaveError, match=re.escape(message)):
        make()
