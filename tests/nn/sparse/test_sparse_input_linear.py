"""Sparse products against nn.Linear: values within summation order, gradients, everything that surrounds a layer."""

from __future__ import annotations

import copy
import io
import math
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_model, save_model
from sparse_cases import DTYPES, generator, layer, sparse_inputs
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.errors import HalfwaveError
from halfwave.nn.sparse import crossover as sparse_crossover
from halfwave.nn.sparse import input_linear as sparse_input_linear
from halfwave.nn.sparse import rows as sparse_rows
from halfwave.nn.sparse.crossover import crossover_at, measured_crossover, stored_crossovers

SparseInputLinear = hw.nn.SparseInputLinear
NAN, INF = math.nan, math.inf


@pytest.fixture
def always_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small layers take the sparse way too, however dense their input."""
    monkeypatch.setattr(sparse_input_linear, "stored_crossovers", lambda *key: {1: 1.0})


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of non-zero inputs of every sparse sum that is made."""
    made: list[int] = []
    original = sparse_rows.sum_of_rows

    def counted(x: Tensor, weight: Tensor, positions: Tensor) -> Tensor:
        made.append(len(positions))
        return original(x, weight, positions)

    monkeypatch.setattr(sparse_input_linear, "sum_of_rows", counted)
    return made


def assert_equal_up_to_summation(y: Tensor, x: Tensor, linear: nn.Linear) -> None:
    """The bound stated in the docstring, against float64."""
    exact_weight = linear.weight.detach().double()
    exact = F.linear(x.double(), exact_weight)
    terms = F.linear(x.double().abs(), exact_weight.abs())
    count = torch.count_nonzero(x, dim=-1).unsqueeze(-1).clamp_min(1)
    accumulated = torch.finfo(x.dtype if x.dtype == torch.float64 else torch.float32).eps
    rounding = torch.finfo(x.dtype).eps
    bound = count * accumulated * terms + rounding * exact.abs()
    if linear.bias is not None:
        exact = exact + linear.bias.detach().double()
        bound = bound + rounding * exact.abs()
    assert ((y.double() - exact).abs() <= 1.01 * bound + 1e-300).all(), (
        (y.double() - exact).abs() / bound
    ).max()


# values


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("batch", [1, 2, 5, 64])
@pytest.mark.parametrize("zeros", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.usefixtures("always_sparse")
def test_equals_linear_up_to_summation(dtype: torch.dtype, batch: int, zeros: float, sums: list[int]) -> None:
    linear = layer(311, 130, dtype=dtype)
    x = sparse_inputs(batch, 311, zeros=zeros, dtype=dtype)
    with torch.no_grad():
        y = SparseInputLinear.from_linear(linear)(x)
    assert sums == [int(torch.count_nonzero(x))]
    assert y.dtype == dtype
    assert_equal_up_to_summation(y, x, linear)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dense_fallback_equals_linear_too(dtype: torch.dtype, sums: list[int]) -> None:
    # more inputs than float16 is widened at a time
    linear = layer(600, 40, dtype=dtype)
    x = sparse_inputs(3, 600, zeros=0.0, dtype=dtype)
    with torch.no_grad():
        assert_equal_up_to_summation(SparseInputLinear.from_linear(linear)(x), x, linear)
    assert not sums


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.usefixtures("always_sparse")
def test_same_bits_with_more_threads(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = SparseInputLinear.from_linear(layer(512, 96, dtype=dtype))
    for batch in (1, 2, 3):
        x = sparse_inputs(batch, 512, zeros=0.7, dtype=dtype)
        with torch.no_grad():
            one = sparse(x)
            assert torch.equal(one, sparse(x))
            for threads in (2, 4, 7, 16):
                monkeypatch.setattr(torch, "get_num_threads", lambda n=threads: n)
                assert torch.equal(sparse(x), one), (batch, threads)
            monkeypatch.undo()


def test_rows_are_cut_into_equal_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 16)
    assert [sparse_rows._pieces(batch, 96) for batch in (1, 2, 3, 8, 64)] == [16, 8, 4, 2, 1]
    assert sparse_rows._pieces(1, 97) == 1


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("always_sparse")
def test_leading_dimensions_and_strides(bias: bool, sums: list[int]) -> None:
    linear = layer(48, 20, bias)
    sparse = SparseInputLinear.from_linear(linear)
    base = sparse_inputs(3, 48, 4, 2)
    views = (base.movedim(1, -1), base[0, :, 0, 0], base[..., 0].transpose(1, 2), base[::2, :, 1, 1])
    assert not any(view.is_contiguous() for view in views)
    for x in views:
        y = sparse(x)
        assert y.shape == (*x.shape[:-1], 20)
        torch.testing.assert_close(y, linear(x), rtol=1e-5, atol=1e-5)
    assert len(sums) == 4


@pytest.mark.parametrize("shape", [(0, 48), (2, 0, 48)])
def test_empty_batch(shape: tuple[int, ...]) -> None:
    y = SparseInputLinear(48, 20)(torch.zeros(shape))
    assert y.shape == (*shape[:-1], 20)


@pytest.mark.usefixtures("always_sparse")
def test_nothing_but_zeros_gives_the_bias(sums: list[int]) -> None:
    sparse = SparseInputLinear.from_linear(layer(48, 20))
    x = torch.zeros(3, 48)
    x[1, 5] = -0.0
    assert torch.equal(sparse(x), sparse.bias.expand(3, -1))
    assert sums == [0]


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.usefixtures("always_sparse")
def test_infinite_inputs_are_those_of_linear(value: float, sums: list[int]) -> None:
    linear = layer(48, 20)
    with torch.no_grad():
        linear.weight[0, 7] = 0.0
    x = sparse_inputs(2, 48)
    x[1, 7] = value
    ours, theirs = SparseInputLinear.from_linear(linear)(x), linear(x)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5, equal_nan=True)
    assert torch.isnan(ours[1, 0])
    assert sums


@pytest.mark.usefixtures("always_sparse")
def test_infinite_weights_of_zero_inputs_are_skipped() -> None:
    linear = layer(48, 20)
    with torch.no_grad():
        linear.weight[:, 3] = INF
    x = sparse_inputs(1, 48)
    x[0, 3] = 0.0
    assert torch.isnan(linear(x)).all()
    assert torch.isfinite(SparseInputLinear.from_linear(linear)(x)).all()


# derivatives


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("always_sparse")
def test_gradcheck(bias: bool, sums: list[int]) -> None:
    sparse = SparseInputLinear.from_linear(layer(7, 4, bias, torch.float64))
    x = sparse_inputs(3, 7, zeros=0.5, dtype=torch.float64).requires_grad_()
    assert bool((x == 0).any())
    parameters = tuple(sparse.parameters())
    names = [name for name, _ in sparse.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> Tensor:
        weight, *rest = values
        positions = sparse_rows.nonzero_positions(x.detach())
        # finite differences of an input that is zero make it non-zero, and are sums over one row more
        return sparse_input_linear._SparseLinear.apply(x, weight, rest[0] if rest else None, positions)

    assert names[0] == "weight"
    assert torch.autograd.gradcheck(call, (x, *parameters), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call, (x, *parameters))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("zeros", [0.3, 0.95])
def test_gradients_are_those_of_linear(dtype: torch.dtype, zeros: float) -> None:
    linear = layer(512, 600, dtype=dtype)
    sparse = SparseInputLinear.from_linear(linear)
    x = sparse_inputs(1, 512, zeros=zeros, dtype=dtype)
    upstream = torch.randn(1, 600, generator=generator(3)).to(dtype)
    found = []
    for module in (linear, sparse):
        z = x.clone().requires_grad_()
        module(z).backward(upstream)
        found.append([z.grad, module.weight.grad, module.bias.grad])
    # sums over 600 outputs of terms of size 1
    tolerance = 600 * torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=4 * torch.finfo(dtype).eps, atol=10 * tolerance)


@pytest.mark.usefixtures("always_sparse")
def test_directional_derivative_without_gradients() -> None:
    sparse = SparseInputLinear.from_linear(layer(8, 4)).requires_grad_(False)
    x, direction = sparse_inputs(2, 8), torch.ones(2, 8)
    with torch.no_grad(), torch.autograd.forward_ad.dual_level():
        made = sparse(torch.autograd.forward_ad.make_dual(x, direction))
        tangent = torch.autograd.forward_ad.unpack_dual(made).tangent
    torch.testing.assert_close(tangent, F.linear(direction, sparse.weight))


def test_gradients_reach_only_what_asks_for_them() -> None:
    sparse = SparseInputLinear.from_linear(layer(8, 4)).requires_grad_(False)
    x = sparse_inputs(2, 8)
    assert not sparse(x).requires_grad
    sparse(x.requires_grad_()).sum().backward()
    assert x.grad is not None
    assert sparse.weight.grad is None


def test_training_as_linear_does() -> None:
    linear = layer(40, 3)
    sparse = SparseInputLinear.from_linear(linear)
    x, y = sparse_inputs(16, 40), torch.randn(16, 3, generator=generator(5))
    for module in (linear, sparse):
        optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
        for _ in range(10):
            optimizer.zero_grad()
            (module(x) - y).pow(2).mean().backward()
            optimizer.step()
    torch.testing.assert_close(sparse.weight, linear.weight, rtol=1e-4, atol=1e-5)
    assert sparse.weight.t().is_contiguous()


# the rule


def test_stored_rule_is_sensible() -> None:
    large = stored_crossovers(11008, 4096, torch.float32, "cpu")
    assert 0.6 < large[1] <= 1
    assert 0.05 < large[64] < large[8] < large[1]
    assert set(stored_crossovers(64, 10, torch.float32, "cpu").values()) == {0.0}
    assert set(stored_crossovers(11008, 4096, torch.float32, "cuda").values()) == {0.0}
    assert set(stored_crossovers(11008, 4096, torch.complex64, "cpu").values()) == {0.0}


def test_the_rule_chooses(sums: list[int]) -> None:
    sparse = SparseInputLinear(2048, 1024)
    share = sparse.crossovers[1]
    assert 0.3 < share < 1
    with torch.no_grad():
        for zeros, made in ((1 - share - 0.05, 0), (1 - share + 0.05, 1)):
            sums.clear()
            sparse(sparse_inputs(1, 2048, zeros=zeros))
            assert len(sums) == made


def test_batches_between_entries_go_by_the_larger() -> None:
    table = {8: 0.3, 1: 0.9, 64: 0.1}
    assert [crossover_at(table, n) for n in (0, 1, 2, 8, 9, 64, 1000)] == [0.9, 0.9, 0.3, 0.3, 0.1, 0.1, 0.1]


def test_measurement_finds_where_two_lines_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1.0, 0.1, 0.4])  # dense, then 2 % and 20 % non-zero: 1.0 at 56 %
    monkeypatch.setattr(sparse_crossover, "shortest_time", lambda function: next(times))
    weight = torch.zeros(5, 3).t()
    monkeypatch.setattr(sparse_crossover, "_MEASURED", {})
    assert measured_crossover(weight, 1) == pytest.approx(0.56)
    assert measured_crossover(weight, 1) == pytest.approx(0.56)  # once in a process


@pytest.mark.parametrize(
    ("times", "share"), [([1.0, 0.5, 0.4], 1.0), ([0.3, 0.5, 0.4], 0.0), ([0.1, 0.5, 0.9], 0.0)]
)
def test_measurement_of_small_layers(
    times: list[float], share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(times)
    monkeypatch.setattr(sparse_crossover, "shortest_time", lambda function: next(told))
    monkeypatch.setattr(sparse_crossover, "_MEASURED", {})
    assert measured_crossover(torch.zeros(5, 3).t(), 1) == share


def test_calibration_holds_for_its_dtype_and_is_not_saved() -> None:
    sparse = SparseInputLinear(96, 64).calibrate([1, 4])
    assert set(sparse.crossovers) == {1, 4}
    assert all(0 <= share <= 1 for share in sparse.crossovers.values())
    assert set(sparse.state_dict()) == {"weight", "bias"}
    assert copy.deepcopy(sparse).crossovers == sparse.crossovers
    stored = stored_crossovers(96, 64, torch.float64, "cpu")
    assert sparse.double().crossovers == stored


# what surrounds a layer


def test_state_dicts_go_both_ways() -> None:
    linear = layer(12, 5)
    for assign in (False, True):
        sparse = SparseInputLinear(12, 5)
        sparse.load_state_dict(linear.state_dict(), assign=assign)
        assert torch.equal(sparse.weight, linear.weight)
        assert sparse.weight.t().is_contiguous()
    back = nn.Linear(12, 5)
    back.load_state_dict(sparse.state_dict())
    assert torch.equal(back.weight, linear.weight)
    file = io.BytesIO()
    torch.save(sparse.state_dict(), file)
    file.seek(0)
    back.load_state_dict(torch.load(file, weights_only=True))
    assert list(sparse.state_dict()) == list(linear.state_dict())


def test_safetensors(tmp_path: Path) -> None:
    linear = layer(12, 5)
    save_model(SparseInputLinear.from_linear(linear), tmp_path / "layer.safetensors")
    for back in (nn.Linear(12, 5), SparseInputLinear(12, 5)):
        load_model(back, tmp_path / "layer.safetensors")
        assert torch.equal(back.weight, linear.weight)
    assert back.weight.t().is_contiguous()


def test_on_the_meta_device() -> None:
    y = SparseInputLinear(12, 5, device="meta")(torch.empty(2, 12, device="meta"))
    assert (y.shape, y.device.type) == ((2, 5), "meta")


def test_inside_a_model_loaded_by_assignment() -> None:
    model = nn.Sequential(SparseInputLinear(12, 5), nn.ReLU())
    model.load_state_dict(nn.Sequential(layer(12, 5)).state_dict(), assign=True)
    assert model[0].weight.t().is_contiguous()


@pytest.mark.parametrize("bias", [True, False])
def test_conversions_copy(bias: bool) -> None:
    linear = layer(12, 5, bias, torch.bfloat16).eval().requires_grad_(False)
    sparse = SparseInputLinear.from_linear(linear)
    back = sparse.to_linear()
    for module in (sparse, back):
        assert not module.training
        assert not module.weight.requires_grad
        assert torch.equal(module.weight, linear.weight)
        assert module.weight.data_ptr() != linear.weight.data_ptr()
        assert (module.bias is None) == (not bias)
    assert type(back) is nn.Linear
    assert back.weight.is_contiguous()


def test_layout_survives_copies_and_casts() -> None:
    sparse = SparseInputLinear(12, 5)
    for made in (copy.deepcopy(sparse), sparse.double(), sparse.half(), sparse.to("cpu")):
        assert made.weight.t().is_contiguous()
    assert sparse.to("meta").weight.t().is_contiguous()


def test_another_weight_in_its_place_is_right_but_dense(sums: list[int]) -> None:
    sparse = SparseInputLinear(2048, 512)
    sparse.weight = nn.Parameter(layer(2048, 512).weight.detach())
    x = sparse_inputs(1, 2048, zeros=0.99)
    torch.testing.assert_close(sparse(x), F.linear(x, sparse.weight, sparse.bias))
    assert not sums


@pytest.mark.usefixtures("always_sparse")
def test_dense_where_the_call_is_recorded_or_transformed(sums: list[int]) -> None:
    sparse = SparseInputLinear.from_linear(layer(16, 4))
    x = sparse_inputs(3, 16)
    wanted = F.linear(x, sparse.weight, sparse.bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations of the tracer
        traced = torch.jit.trace(sparse, x, check_trace=False)
    with torch.no_grad():
        results = [
            torch.compile(sparse, backend="eager", fullgraph=True)(x),
            torch.export.export(sparse, (x,)).module()(x),
            torch.func.vmap(sparse)(x),
            traced(x),
        ]
        for result in results:
            torch.testing.assert_close(result, wanted)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert sparse(x).dtype == torch.bfloat16
    assert not sums
    sparse(x)
    assert len(sums) == 1


@pytest.mark.usefixtures("always_sparse")
def test_compiled_training_step() -> None:
    sparse = SparseInputLinear.from_linear(layer(16, 4))
    x = sparse_inputs(3, 16)
    torch.compile(sparse, backend="aot_eager", fullgraph=True)(x).sum().backward()
    linear = sparse.to_linear()
    linear(x).sum().backward()
    torch.testing.assert_close(sparse.weight.grad, linear.weight.grad)


@pytest.mark.slow
def test_exports_to_onnx_as_gemm() -> None:
    pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
    runtime = pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    sparse, x = SparseInputLinear(16, 4), sparse_inputs(3, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(sparse, (x,), dynamo=True, verbose=False)
    assert program is not None
    assert [node.op_type for node in program.model_proto.graph.node] == ["Gemm"]
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), sparse(x).detach())


# bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SparseInputLinear(0, 3),
            "`in_features` of SparseInputLinear must be a positive integer; got 0",
        ),
        (lambda: SparseInputLinear(3, 1.5), "`out_features` of .* positive integer; got 1.5"),
        (lambda: SparseInputLinear.from_linear(nn.ReLU()), "from_linear takes a torch.nn.Linear; got ReLU"),
        (
            lambda: SparseInputLinear(3, 2)(torch.zeros(4)),
            r"must end in 3 features of torch.float32; got shape \(4,\)",
        ),
        (lambda: SparseInputLinear(3, 2)(torch.zeros(3).double()), "must end in 3 .* torch.float64"),
        (lambda: SparseInputLinear(3, 2)(torch.tensor(1.0)), r"must end in 3 features .* got shape \(\)"),
        (lambda: SparseInputLinear(3, 2).calibrate([]), "`batches` of calibrate must be positive integers"),
        (lambda: SparseInputLinear(3, 2).calibrate([0]), "`batches` of calibrate must be positive integers"),
    ],
)
def test_bad_input(make: object, message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        make()  # pyright: ignore[reportCallIssue]


def test_what_is_no_tensor_is_refused() -> None:
    part = SparseInputLinear(4, 2)
    for bad in ("x", None, 3, [[1.0] * 4]):
        with pytest.raises(HalfwaveError, match="the input of SparseInputLinear must be a tensor; got"):
            part(bad)
    with pytest.raises(HalfwaveError, match="`batches` of calibrate must be positive integers.*got 3"):
        part.calibrate(3)  # pyright: ignore[reportArgumentType]
    assert "call_module" in str(torch.fx.symbolic_trace(nn.Sequential(nn.ReLU(), part)).graph)
