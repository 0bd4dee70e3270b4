"""What an audit refuses, with one sentence, and what it puts up with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from audit_cases import identity_layer, random_network
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import halfwave as hw

RELU = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
X = torch.zeros(4, 2)


def in_inference_mode() -> None:
    with torch.inference_mode():
        hw.audit.audit(RELU, [X], loss=lambda output, batch: output.sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hw.audit.audit(nn.Linear(2, 3), [X]), "the model must call a rectifier; got none in Linear"),
        (
            lambda: hw.audit.audit(nn.LSTM(2, 3), [X]),
            "got none in LSTM (those inside fused layers such as nn.RNN",
        ),
        (lambda: hw.audit.audit(nn.Linear(2, 3), [X[:0], X]), "the model must call a rectifier; got none"),
        (lambda: in_inference_mode(), "which torch.inference_mode() rules out: call audit outside of it"),
        (lambda: hw.audit.audit(RELU, []), "`batches` must hold at least one batch; got none"),
        (lambda: hw.audit.audit(RELU, [X[:0]]), "got only empty batches"),
        (lambda: hw.audit.audit(RELU, 3), "`batches` must be an iterable of batches; got int"),
        (lambda: hw.audit.audit(RELU, {"x": X}), "must be an iterable of batches; got dict"),
        (lambda: hw.audit.audit(RELU, [()]), "a batch must hold an input of the model; got an empty tuple"),
        (
            lambda: hw.audit.audit(RELU, [{"y": X}]),
            "must have names that the model's forward takes, 'input'; got 'y'",
        ),
        (lambda: hw.audit.audit(RELU, [(X, X)], inputs=5), "`inputs` must name parts of each batch; got 5"),
        (
            lambda: hw.audit.audit(RELU, [{"a": X}], inputs="b"),
            "got 'b' for a batch that is a mapping of 'a'",
        ),
        (lambda: hw.audit.audit(lambda x: x, [X]), "must be a torch.nn.Module; got function"),
        (lambda: hw.audit.audit(RELU, [X], input_range=(1.0, 0.0)), "a pair with low ≤ high"),
        (lambda: hw.audit.audit(RELU, [X], input_range=3.0), "must be a pair (low, high); got 3.0"),
        (
            lambda: hw.audit.audit(RELU, [X], input_range=(torch.zeros(5), 1.0)),
            "one sample of shape (1, 2)",
        ),
        (
            lambda: hw.audit.audit(RELU, [X], channel_dimensions=7),
            "must lie inside its input of shape (4, 3); got 7",
        ),
        (lambda: hw.audit.audit(RELU, [X], channel_dimensions=0), "must not be 0, along which samples lie"),
        (
            lambda: hw.audit.audit(RELU, [X], channel_dimensions="1"),
            "must be integers, by layer or for all; got '1'",
        ),
        (lambda: hw.audit.audit(RELU, [X], statistics="all"), 'must be "full" or "light"; got \'all\''),
        (lambda: hw.audit.audit(RELU, [X], loss=lambda y, b: y), "one number that depends on the model's"),
        (lambda: hw.audit.watch(RELU, every=0), "`every` must be a positive integer; got 0"),
        (
            lambda: hw.audit.watch(torch.compile(RELU)),
            "cannot look inside a compiled model, got OptimizedModule",
        ),
        (lambda: hw.audit.audit(RELU, [X]).layer("2"), "no rectifier named '2'; the report has '1'"),
    ],
)
def test_refused_with_one_sentence(call, message: str) -> None:
    with pytest.raises(hw.HalfwaveError) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused() -> None:
    with pytest.raises(hw.HalfwaveError, match="cannot look inside TorchScript"):
        hw.audit.audit(torch.jit.script(nn.ReLU()), [X])


def test_compiled_models_are_audited_as_they_were() -> None:
    report = hw.audit.audit(torch.compile(RELU), [X])
    assert report.layer("1").samples == 4
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model.compile()
    assert hw.audit.audit(model, [X]).layer("1").samples == 4
    assert model._compiled_call_impl is not None
    with pytest.raises(hw.HalfwaveError, match="compiled"):
        hw.audit.watch(model)


def test_the_model_is_left_as_it_was() -> None:
    model = random_network(torch.Generator().manual_seed(0)).train()
    model[1].eval()
    model.append(nn.Dropout())
    flags = [module.training for module in model.modules()]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model[0].weight.grad = torch.ones_like(model[0].weight)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    loader = DataLoader(TensorDataset(torch.randn(20, 1, 8, 8, generator=torch.Generator())), 8, shuffle=True)
    report = hw.audit.audit(model, loader, loss=lambda output, batch: output.sum())
    assert torch.equal(torch.rand(3), expected)
    assert report.layer("2").samples == 20  # 8, 8 and 4
    assert [module.training for module in model.modules()] == flags
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert all(parameter.grad is None for parameter in list(model.parameters())[1:])


def test_nan_and_infinite_activations_are_located_and_left_out() -> None:
    model = nn.Sequential(identity_layer(3), nn.ReLU())
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(3))
    x = torch.arange(24.0).reshape(8, 3) - 10
    relu = nn.ReLU()
    bad = x.clone()
    bad[5, 2], bad[6, 0], bad[7, 1] = torch.nan, torch.inf, -torch.inf
    report = hw.audit.audit(relu, [x, bad])
    (layer,) = report.layers
    assert layer.nan_count.tolist() == [0, 0, 1]
    assert layer.infinite_count.tolist() == [1, 1, 0]
    first = layer.first_non_finite
    assert first is not None
    assert (first.batch, first.sample, first.channel) == (1, 5, 2)
    both = torch.cat([x, bad]).double().numpy()
    both[~np.isfinite(both)] = np.nan
    np.testing.assert_allclose(layer.mean_before, np.nanmean(both, 0), rtol=1e-12)
    np.testing.assert_allclose(layer.std_before, np.nanstd(both, 0), rtol=1e-12)
    np.testing.assert_allclose(layer.firing_rate, np.nansum(both > 0, 0) / 15, rtol=1e-12)
    assert report.headline.startswith("Not finite: NaN or infinite activations in layer (model)")
    assert "first in batch 1, sample 5, channel 2" in str(report)
    all_nan = hw.audit.audit(relu, [torch.full((4, 2), torch.nan)]).layers[0]
    assert not all_nan.dead.any()
    assert np.isnan(all_nan.firing_rate).all()


@pytest.mark.parametrize("shape", [(40, 3, 6), (40, 3)])
@pytest.mark.parametrize("statistics", ["full", "light"])
def test_nan_is_found_in_every_layout(shape: tuple[int, ...], statistics) -> None:
    x = torch.randn(shape)
    x[(33, 1, *([2] * (len(shape) - 2)))] = torch.nan
    (layer,) = hw.audit.audit(nn.ReLU(), [x], channel_dimensions=1, statistics=statistics).layers
    assert layer.nan_count.tolist() == [0, 1, 0]
    first = layer.first_non_finite
    assert first is not None
    assert (first.sample, first.channel) == (33, 1)


def test_inputs_are_told_from_targets() -> None:
    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
            return F.relu(a + b) * scale

    a, b, y = torch.ones(4, 2), -3 * torch.ones(4, 2), torch.zeros(4)
    expected = hw.audit.audit(Two(), [(a, b)]).layers[0].firing_rate.tolist()
    assert expected == [0.0, 0.0]
    for batch, options in [
        ((a, b, y), {}),
        ([a, b, y], {}),
        ({"a": a, "b": b, "labels": y}, {}),
        ((y, a, b), {"inputs": (1, 2)}),
        ({"p": a, "q": b}, {"inputs": lambda batch: (batch["p"], batch["q"])}),
        ({"p": a, "q": b}, {"inputs": lambda batch: {"a": batch["p"], "b": batch["q"]}}),
    ]:
        assert hw.audit.audit(Two(), [batch], **options).layers[0].firing_rate.tolist() == expected
    assert hw.audit.audit(nn.ReLU(), [(y[:, None], a)], inputs=1).layers[0].channels == 2
    assert hw.audit.audit(nn.ReLU(), a).layers[0].samples == 4
    assert hw.audit.audit(nn.ReLU(), a.numpy()).layers[0].samples == 4
    named = hw.audit.audit(nn.ReLU(), [{"input": a, "y": y}], inputs=lambda batch: batch["input"])
    assert named.layers[0].samples == 4


def test_batches_are_moved_to_the_model() -> None:
    """The meta device stands for another one: what is moved there has no values, which is an error only there."""
    moved = hw.audit.batches.arguments_of((X, X), RELU.to("cpu"), None, torch.device("meta"))
    assert moved[0][0].device.type == "meta"


def test_models_that_do_not_run_on_one_sample_say_so() -> None:
    class Pairs(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) % 2 or len(x) == 2:
                raise ValueError("pairs only")
            return F.relu(x)

    report = hw.audit.audit(Pairs(), [torch.randn(4, 2)])
    assert not report.notes  # the sample is repeated

    class Once(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            if self.calls > 1:
                raise ValueError("only once")
            return F.relu(x)

    report = hw.audit.audit(Once(), [torch.randn(4, 2)])
    assert report.layers[0].samples == 4
    assert "ValueError: only once" in report.notes[0]
    assert "Note: " in str(report)


def test_changing_channels_are_noted() -> None:
    report = hw.audit.audit(nn.ReLU(), [torch.zeros(2, 3), torch.zeros(2, 4)])
    assert report.layers[0].samples == 2
    assert "had 3 channels along dimension 1 and then 4" in report.notes[0]


LINEAR = "layer 0, Linear(in_features=2, out_features=3, bias=True)"


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([torch.zeros(4, 5)], f"batch 0, float32 (4, 5), failed in {LINEAR}: RuntimeError: mat1 and mat2"),
        ([X.double()], f"batch 0, float64 (4, 2), failed in {LINEAR}"),
        ([X.double()], "the model's parameters are float32 and the batch has float64: give it float32"),
        ([np.zeros((4, 2))], "give it float32"),
        ([X.long()], "the model's parameters are float32 and the batch has int64: give it float32"),
        ([None], f"batch 0, of type NoneType, failed in {LINEAR}: TypeError"),
        (["abc"], f"batch 0, of type str, failed in {LINEAR}: TypeError"),
        ([3], "batch 0, of type int, failed in"),
        ([X.to("meta")], "batch 0 is on the meta device, which has none"),
        ([np.array(["a"])], "arrays in batches must hold numbers; got one of dtype <U1 (batch 0)"),
        ([{"y": X}], "got 'y' (batch 0)"),
    ],
)
@pytest.mark.parametrize("caller", ["audit", "sparsify", "calibrate_thresholds", "revive"])
def test_batches_that_do_not_suit_the_model(batches: list, message: str, caller: str) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    nn.init.constant_(model[0].bias, -50.0)
    calls = {
        "audit": lambda: hw.audit.audit(model, batches),
        "sparsify": lambda: hw.audit.sparsify(model, batches),
        "calibrate_thresholds": lambda: hw.audit.calibrate_thresholds(model, batches),
        "revive": lambda: hw.audit.revive(model, hw.audit.audit(model, [X]), batches),
    }
    with pytest.raises(hw.HalfwaveError) as caught:
        calls[caller]()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    if "Error: " in message:  # torch's own is chained
        assert isinstance(caught.value.__cause__, (RuntimeError, TypeError))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


@pytest.mark.parametrize("bad", [torch.zeros(4, 5), X.to("meta"), {"y": X}, None])
def test_the_number_of_the_batch_is_named(bad: object) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    for call in (hw.audit.audit, hw.audit.sparsify, hw.audit.calibrate_thresholds):
        with pytest.raises(hw.HalfwaveError, match="batch 1"):
            call(model, [X, bad])


def test_the_layer_that_failed_is_named_by_its_path() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(4, 1))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    with pytest.raises(hw.HalfwaveError, match=r"failed in layer inner\.2, Linear\(in_features=4"):
        hw.audit.audit(Block(), [X])

    class Two(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return F.relu(a + b)

    with pytest.raises(hw.HalfwaveError, match="failed in the model itself: TypeError: .* argument: 'b'"):
        hw.audit.audit(Two(), [X])


def test_exceptions_of_users_pass_as_they_are() -> None:
    class Stop(Exception):
        pass

    class Stops(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise Stop

    with pytest.raises(Stop):
        hw.audit.audit(Stops(), [X])
    with pytest.raises(KeyError):
        hw.audit.audit(RELU, [X], loss=lambda output, batch: {}["loss"])


def test_tokens_are_no_wrong_numbers() -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.ReLU())
    for tokens in (torch.full((4, 2), 9), torch.zeros(4, 2, dtype=torch.int16)):
        with pytest.raises(hw.HalfwaveError) as caught:
            hw.audit.audit(model, [tokens])
        assert "give it float32" not in str(caught.value)


def test_models_without_numbers_are_refused() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).to("meta")
    with pytest.raises(
        hw.HalfwaveError, match="audit needs a model with numbers, got a Sequential on the meta"
    ):
        hw.audit.audit(model, [X])
    with pytest.raises(hw.HalfwaveError, match="watch needs a model with numbers"):
        hw.audit.watch(model)


def test_a_loss_needs_a_parameter_that_learns() -> None:
    frozen = nn.Sequential(nn.Linear(2, 3), nn.ReLU()).requires_grad_(False)
    with pytest.raises(
        hw.HalfwaveError, match=r"got 2 parameters, none of which does: call model\.requires_grad_"
    ):
        hw.audit.audit(frozen, [X], loss=lambda output, batch: output.sum())
    with pytest.raises(hw.HalfwaveError, match="must require a gradient; got 0 parameters"):
        hw.audit.audit(nn.ReLU(), [X], loss=lambda output, batch: output.sum())


def test_reentrant_checkpoints_cannot_be_followed() -> None:
    from torch.utils.checkpoint import checkpoint

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            inside = checkpoint(lambda z: self.second(z).relu(), self.first(x).relu(), use_reentrant=True)
            return self.last(inside)

    with pytest.raises(hw.HalfwaveError, match="use use_reentrant=False there, or leave out `loss`"):
        hw.audit.audit(Checkpointed(), [torch.randn(8, 4)], loss=lambda output, batch: output.sum())
