"""Thresholds for rectifiers that are called as functions: what is traced, what is kept, what is left alone."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave import HalfwaveError
from halfwave.audit import audit, calibrate_thresholds
from halfwave.audit.sparsity.functional import with_modules
from halfwave.nn import ThresholdedReLU


class Block(nn.Module):
    """Two functions, one in place, round a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.b(F.relu(self.a(x), inplace=True)))


class Net(nn.Module):
    """Functions of all spellings, inside and outside of blocks, in a list, next to a module."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 16)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.last, self.act = nn.Linear(16, 16), nn.ReLU()
        self.register_buffer("scale", torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x.view(x.size(0), -1)).clamp(min=0)
        x = self.blocks[1](self.blocks[0](x)).relu_()
        return self.act(self.last(torch.clamp_min(x - 0.1, 0) * self.scale))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


X = torch.randn(300, 8, generator=torch.Generator().manual_seed(1))
NAMES = [
    "relu_0",
    "relu_1",
    "relu_2",
    "blocks.0.relu_0",
    "blocks.0.relu_1",
    "blocks.1.relu_0",
    "blocks.1.relu_1",
]


def test_functions_become_modules_that_do_the_same() -> None:
    model = net()
    model.blocks[1].eval()
    keys = [layer.key for layer in audit(model, [X]).layers if not layer.key.whole]
    made, left = with_modules(model, keys)
    assert not left
    assert torch.equal(made(X), model(X))
    assert {name for name, part in made.named_modules() if isinstance(part, nn.ReLU)} == {*NAMES, "act"}
    assert made.state_dict().keys() == model.state_dict().keys()
    made.load_state_dict(model.state_dict())
    flags = {name: part.training for name, part in made.named_modules()}
    assert flags["blocks.1"] is flags["blocks.1.relu_0"] is flags["blocks.1.a"] is False
    assert flags[""] is flags["blocks.0.relu_0"] is True
    assert not set(made.parameters()) & set(model.parameters())
    assert [layer.firing_rate.tolist() for layer in audit(made, [X]).layers] == [
        layer.firing_rate.tolist() for layer in audit(model, [X]).layers
    ]


def test_thresholds_are_set_for_functions() -> None:
    model = net()
    before = copy.deepcopy(model.state_dict())
    result = calibrate_thresholds(model, [X], sparsity=0.8, functions=True)
    assert set(result.thresholds) == {*NAMES, "act"}
    assert not result.left
    for name in ("relu_0", "blocks.0.relu_0"):
        part = result.model.get_submodule(name)
        assert isinstance(part, ThresholdedReLU)
        assert part.threshold == result.thresholds[name] > 0
        assert result.sparsity[name] == pytest.approx(0.8, abs=0.02)
    report = audit(result.model, [X])
    assert {layer.name: layer.sparsity for layer in report.layers} == pytest.approx(result.sparsity)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(isinstance(part, nn.ReLU) for name, part in model.named_modules() if name != "act")
    result.model.load_state_dict(before)
    assert result.model.training
    assert result.model.get_submodule("blocks.0.a").training
    copied = copy.deepcopy(result.model)
    assert torch.equal(copied(X), result.model(X))
    buffer = io.BytesIO()
    torch.save(result.model, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(X), result.model(X))


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.act = nn.Linear(8, 8), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.layer(x))
        return self.act(x - 0.1 if x.sum() > 0 else x)


class Drops(Branches):
    def forward(self, x: Tensor) -> Tensor:
        return self.act(F.dropout(F.relu(self.layer(x)), training=self.training) - 0.1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(Branches, "torch.fx cannot trace"), (Drops, "depends on `training`, which tracing would fix")],
)
def test_forwards_that_cannot_be_traced_are_left_alone(make: type[nn.Module], reason: str) -> None:
    model = make()
    result = calibrate_thresholds(model, [X], functions=True)
    assert list(result.thresholds) == ["act"]
    assert reason in result.left["(model):relu#0"]
    assert isinstance(result.model, make)
    assert model.training


def test_without_the_option_functions_are_left_alone() -> None:
    result = calibrate_thresholds(net(), [X])
    assert list(result.thresholds) == ["act"]
    assert "functions=True makes F.relu and its like modules" in result.left["blocks.0:relu#0"]


def test_other_functions_stay_functions() -> None:
    class Other(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.leaky_relu(x.clamp(min=0, max=6)) + torch.clamp(x, min=-1.0)

    with pytest.raises(HalfwaveError, match="must have a rectifier module that can be thresholded"):
        calibrate_thresholds(Other(), [X], functions=True)


def test_modules_with_hooks_are_left_alone() -> None:
    model = net()
    model.blocks[0].register_forward_hook(lambda *args: None)
    result = calibrate_thresholds(model, [X], functions=True)
    assert "it is called in a module with hooks" in result.left["blocks.0:relu#0"]
    assert "blocks.1.relu_0" in result.thresholds


def test_a_module_that_would_lose_parameters_is_left_alone() -> None:
    class Shared(Branches):
        def __init__(self) -> None:
            super().__init__()
            self.same = self.layer

        def forward(self, x: Tensor) -> Tensor:
            return self.act(F.relu(self.same(self.layer(x))) - 0.1)

    result = calibrate_thresholds(Shared(), [X], functions=True)
    assert "whose state dict would change by tracing, at same.bias" in result.left["(model):relu#0"]
    assert isinstance(result.model, Shared)
