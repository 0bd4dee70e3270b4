"""The gated block that reads only the rows of open gates, against its three layers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sparse_cases import DTYPES, generator, layer
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.errors import HalfwaveError
from halfwave.nn.sparse import input_linear as sparse_input_linear
from halfwave.nn.sparse import rows as sparse_rows

SparseInputLinear, SparseGatedMLP = hw.nn.SparseInputLinear, hw.nn.SparseGatedMLP


@pytest.fixture
def always_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small layers take the sparse way too, however dense their input."""
    monkeypatch.setattr(sparse_input_linear, "stored_crossovers", lambda *key: {1: 1.0})


def gated(dtype: torch.dtype = torch.float32, bias: bool = True) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    gate, up = layer(64, 256, bias, dtype), layer(64, 256, bias, dtype)
    with torch.no_grad():
        up.weight.mul_(-0.5)
    return gate, up, layer(256, 32, bias, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(64,), (1, 64), (2, 3, 64)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("always_sparse")
def test_gated_block(
    dtype: torch.dtype, shape: tuple[int, ...], bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, up, down = gated(dtype, bias)
    block = SparseGatedMLP(gate, up, down, hw.nn.ThresholdedReLU(8.0, "keep"))
    x = torch.randn(shape, generator=generator(7)).to(dtype)
    counted: list[int] = []
    original = sparse_rows.row_products

    def counting(x: Tensor, rows: Tensor, positions: Tensor) -> Tensor:
        counted.append(len(positions))
        return original(x, rows, positions)

    monkeypatch.setattr("halfwave.nn.sparse.gated_mlp.row_products", counting)
    with torch.no_grad():
        y = block(x)
        open_gates = block.activation(gate(x))
        wanted = down(open_gates * up(x))
        scale = F.linear((open_gates * up(x)).abs().double(), down.weight.abs().double())
    assert counted == [int(torch.count_nonzero(open_gates))]
    assert 0 < counted[0] < 0.4 * open_gates.numel()
    assert y.shape == wanted.shape
    assert y.dtype == dtype
    # the hidden values are rounded to the dtype in both, and differ by a rounding or two
    assert ((y - wanted).abs().double() <= 64 * torch.finfo(dtype).eps * (scale + 1)).all()


@pytest.mark.usefixtures("always_sparse")
def test_gated_block_learns_as_its_layers_do() -> None:
    gate, up, down = gated(torch.float64)
    block = SparseGatedMLP(gate, up, down, nn.ReLU())
    x = torch.randn(3, 64, generator=generator(7), dtype=torch.float64)
    block(x).sum().backward()
    ours = [parameter.grad.clone() for parameter in (gate.weight, up.weight)]
    gate.zero_grad()
    up.zero_grad()
    down(F.relu(gate(x)) * up(x)).sum().backward()
    for mine, theirs in zip(ours, (gate.weight, up.weight), strict=True):
        torch.testing.assert_close(mine, theirs.grad)


def test_gated_block_is_dense_when_gates_are_open() -> None:
    gate, up, down = gated()
    block = SparseGatedMLP(gate, up, SparseInputLinear.from_linear(down), nn.Identity()).calibrate((1,))
    x = torch.randn(1, 64, generator=generator(7))
    with torch.no_grad():
        torch.testing.assert_close(block(x), down(gate(x) * up(x)), rtol=1e-5, atol=2e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SparseGatedMLP(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU()),
            "`up` of SparseGatedMLP must be a torch.nn.Linear; got ReLU",
        ),
        (
            lambda: SparseGatedMLP(nn.Linear(3, 4), nn.Linear(3, 5), nn.Linear(4, 3), nn.ReLU()),
            "layers of SparseGatedMLP must be .* got 3 → 4, 3 → 5, 4 → 3",
        ),
        (
            lambda: SparseGatedMLP(nn.Linear(3, 4), nn.Linear(3, 4).half(), nn.Linear(4, 3), nn.ReLU()),
            "layers of SparseGatedMLP must have one dtype",
        ),
    ],
)
def test_bad_layers(make: Callable[[], object], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        make()


def test_inputs_that_do_not_fit_are_refused() -> None:
    block = SparseGatedMLP(*gated(), nn.ReLU())
    with pytest.raises(HalfwaveError, match="the input of SparseGatedMLP must be a tensor; got str"):
        block("x")
    with pytest.raises(HalfwaveError, match=r"must end in 64 features of torch.float32; got shape \(2, 5\)"):
        block(torch.zeros(2, 5))
    with pytest.raises(HalfwaveError, match="got shape .*, torch.float64"):
        block(torch.zeros(2, 64).double())
    with pytest.raises(
        HalfwaveError, match="`activation` of SparseGatedMLP must be a torch.nn.Module; got int"
    ):
        SparseGatedMLP(*gated(), 3)  # pyright: ignore[reportArgumentType]
