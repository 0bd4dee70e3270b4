"""Sparse linear layers put where they pay: same outputs, the choice by measured times, what is left alone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.audit import audit, calibrate_thresholds, sparsify
from halfwave.audit.sparsity import sparsifying
from halfwave.errors import HalfwaveError

SparseInputLinear = hw.nn.SparseInputLinear
"""The clock is replaced in most tests: which layers are swapped must not depend on the machine."""


@pytest.fixture
def sparse_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sparse layer takes a third of the time, whatever it is given."""
    tell(monkeypatch, [3e-3, 1e-3])


def tell(monkeypatch: pytest.MonkeyPatch, times: list[float]) -> None:
    """Times of the dense and the sparse form, for each layer in turn; sparse for every density when calibrated."""
    told = 0

    def shortest_time(function: Callable[[], object]) -> float:
        nonlocal told
        function()
        told += 1
        return times[(told - 1) % len(times)]

    monkeypatch.setattr(sparsifying, "shortest_time", shortest_time)
    monkeypatch.setattr("halfwave.nn.sparse.input_linear.measured_crossover", lambda weight, batch: 1.0)


def seeded(model: Any) -> Any:
    for place, parameter in enumerate(model.parameters()):
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(place))
    return model


def network() -> nn.Sequential:
    return seeded(
        nn.Sequential(nn.Linear(8, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 3)).eval()
    )


def data(size: int = 4, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return list(torch.randn(3, size, 8, generator=torch.Generator().manual_seed(9)).to(dtype))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.usefixtures("sparse_is_faster")
def test_outputs_are_equal_within_rounding(dtype: torch.dtype) -> None:
    model = calibrate_thresholds(network().to(dtype), data(dtype=dtype), sparsity=0.8).model
    before = copy.deepcopy(model.state_dict())
    result = sparsify(model, data(dtype=dtype))
    assert result.swapped == ("0", "2", "4")
    assert [type(result.model[place]) for place in (0, 2, 4)] == [SparseInputLinear] * 3
    assert type(model[2]) is nn.Linear
    eps = torch.finfo(dtype).eps
    for x in data(dtype=dtype):
        with torch.no_grad():
            wanted, found = model(x), result.model(x)
        assert (found - wanted).abs().max() <= 100 * eps * wanted.abs().max()
    # weights are copies, in a state dict of the same names
    after = result.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_only_layers_that_gain_enough_are_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    tell(monkeypatch, [1e-3, 2e-3, 3e-3, 1e-3, 1.09e-3, 1e-3])
    result = sparsify(network(), data())
    assert result.swapped == ("2",)
    assert [layer.left for layer in result.layers] == ["too small a gain", "", "too small a gain"]
    assert result.layers[1].speedup == pytest.approx(3)
    assert result.speedup == pytest.approx((1 + 3 + 1.09) / (1 + 1 + 1.09))
    text = str(result)
    assert text.startswith("1 of 3 linear layers swapped")
    assert "96 → 64" in text
    assert "3.00" in text
    tell(monkeypatch, [1.09e-3, 1e-3])
    assert sparsify(network(), data(), minimum_speedup=1.05).swapped == ("0", "2", "4")
    assert sparsify(network(), data(), layers="[04]", minimum_speedup=1.05).swapped == ("0", "4")


def test_small_layers_are_left_alone_by_the_clock() -> None:
    # 64 → 3: no clock can find that finding zeros pays
    result = sparsify(network(), data(1))
    assert result.layers[2].left == "too small a gain"
    assert 0 < result.layers[2].dense < 1


@pytest.mark.usefixtures("sparse_is_faster")
def test_sparsity_and_rows_are_what_the_layer_is_given() -> None:
    model = network()
    batches = data(5)
    result = sparsify(model, batches)
    hidden = model[:2](batches[-1])
    assert result.layers[1].zeros == pytest.approx((hidden == 0).float().mean().item())
    assert [layer.rows for layer in result.layers] == [5, 5, 5]
    assert result.layers[0].zeros == 0
    assert list(result.model[2].crossovers) == [5]


@pytest.mark.usefixtures("sparse_is_faster")
def test_rows_count_positions() -> None:
    result = sparsify(nn.Linear(8, 4), [torch.zeros(2, 7, 8)])
    assert isinstance(result.model, SparseInputLinear)
    assert result.layers[0].rows == 14
    assert result.layers[0].zeros == 1


@pytest.mark.usefixtures("sparse_is_faster")
def test_from_a_report() -> None:
    model = network()
    report = audit(model, data(5))
    result = sparsify(model, report)
    # the first layer reads no rectifier
    assert result.swapped == ("2", "4")
    assert result.layers[0].left == "nothing is known of its inputs"
    assert math.isnan(result.layers[0].dense)
    assert result.layers[1].rows == 5
    assert result.layers[1].zeros == pytest.approx(report.layer("1").sparsity, abs=0.1)
    assert "–" in result.table()


@pytest.mark.usefixtures("sparse_is_faster")
def test_from_a_report_of_images() -> None:
    model = seeded(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)))
    report = audit(model, [torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))])
    assert [(layer.name, layer.rows) for layer in sparsify(model, report).layers] == [("3", 6)]


@pytest.mark.usefixtures("sparse_is_faster")
def test_without_data_what_is_assumed() -> None:
    result = sparsify(network(), sparsity=0.75, rows=16)
    assert result.swapped == ("0", "2", "4")
    assert {layer.rows for layer in result.layers} == {16}
    assert result.layers[1].zeros == pytest.approx(0.75, abs=0.05)


class Tied(nn.Module):
    """Layers that cannot be swapped, and one that can."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 8)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.words.weight
        self.hooked, self.free = nn.Linear(8, 8), nn.Linear(8, 8)
        self.hooked.register_forward_hook(lambda *args: None)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
        self.ready = SparseInputLinear(8, 8)
        self.unused = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.ready(self.normed(self.hooked(self.words(x)))))
        return self.head(self.free(input=h))


@pytest.mark.usefixtures("sparse_is_faster")
def test_what_cannot_be_swapped_is_left_with_a_reason() -> None:
    model = Tied()
    result = sparsify(model, [torch.arange(4)])
    assert {layer.name: layer.left for layer in result.layers} == {
        "head": "its weight is shared",
        "hooked": "it has hooks",
        "free": "",
        "normed": "it is a ParametrizedLinear",
        "ready": "it is a SparseInputLinear",
        "unused": "nothing is known of its inputs",
    }
    assert result.model.head.weight is result.model.words.weight
    assert not model.free._forward_pre_hooks


@pytest.mark.usefixtures("sparse_is_faster")
def test_a_layer_used_twice_is_swapped_in_both_places() -> None:
    layer = nn.Linear(8, 8)
    result = sparsify(nn.Sequential(layer, nn.Sequential(nn.ReLU(), layer)), data())
    assert result.swapped == ("0",)
    assert result.model.get_submodule("1.1") is result.model[0]


@pytest.mark.usefixtures("sparse_is_faster")
def test_fused_transformer_layers() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 32, activation=nn.ReLU(), batch_first=True).eval()
    x = torch.randn(4, 5, 8, generator=torch.Generator().manual_seed(3))
    left = {found.name: found.left for found in sparsify(layer, [x]).layers}
    assert left["linear2"] == "a fused kernel reads its weight"
    assert left["self_attn.out_proj"] == "it is a NonDynamicallyQuantizableLinear"
    thresholded = calibrate_thresholds(layer, [x]).model
    result = sparsify(thresholded, [x])
    assert result.swapped == ("linear1", "linear2")
    with torch.no_grad():
        assert torch.allclose(result.model(x), thresholded(x), atol=1e-5)


@pytest.mark.usefixtures("sparse_is_faster")
def test_the_model_is_left_as_it_was() -> None:
    model = seeded(nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2)))
    model[1].eval()
    state, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    result = sparsify(model, data())
    for made in (model, result.model):
        assert [part.training for part in made.modules()] == [True, True, False, True, True]
        assert all(torch.equal(value, state[name]) for name, value in made.state_dict().items())
        assert not any(part._forward_pre_hooks for part in made.modules())
    assert torch.equal(torch.get_rng_state(), drawn)


def with_nan() -> list[Tensor]:
    batches = data()
    batches[-1][0, 0] = math.nan
    return batches


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sparsify(nn.ReLU(), data()), "must have a torch.nn.Linear; got ReLU"),
        (lambda: sparsify("model"), "`model` of sparsify must be a torch.nn.Module; got str"),
        (lambda: sparsify(network(), []), "`batches` must hold at least one batch; got none"),
        (lambda: sparsify(network(), 3), "`batches` must be an iterable of batches; got int"),
        (lambda: sparsify(network(), with_nan()), "inputs of layer 0 must be finite; got NaN"),
        (lambda: sparsify(network(), layers=["7"]), "`layers` of sparsify must name layers, .* got '7'"),
        (lambda: sparsify(network(), minimum_speedup=0), "`minimum_speedup` of sparsify must be positive"),
        (
            lambda: sparsify(network(), sparsity=1.5),
            r"`sparsity` of sparsify must be inside \[0, 1\]; got 1.5",
        ),
        (lambda: sparsify(network(), rows=0), "`rows` of sparsify must be a positive integer; got 0"),
    ],
)
def test_bad_input(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        call()


def test_hooks_are_removed_after_an_exception() -> None:
    model = network()
    with pytest.raises(HalfwaveError, match=r"batch 0, float32 \(2, 9\), failed in layer 0, Linear"):
        sparsify(model, [torch.zeros(2, 9)])
    assert not any(part._forward_pre_hooks for part in model.modules())


def test_what_was_not_measured_has_a_dash() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    result = sparsify(model, audit(model, [torch.randn(40, 4)]))
    assert result.layers[0].left == "nothing is known of its inputs"
    assert "nan" not in str(result)
    assert result.table().splitlines()[1].split()[:8] == ["0", "4", "→", "8", *"––––"]
    assert sparsify(nn.Linear(2, 2)).__str__().startswith("0 of 1 linear layer swapped")
