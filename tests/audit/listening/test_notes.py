"""What an audit cannot see, it says: fused kernels, TorchScript, gradients that do not come."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import halfwave as hw


def test_rectifiers_in_fused_kernels_are_noted() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.RNN(4, 4, nonlinearity="relu", batch_first=True)
            self.cell, self.last = nn.RNNCell(4, 4, nonlinearity="relu"), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.last(self.cell(self.layers(x)[0][:, -1])))

    model = Recurrent()
    expected = tuple(
        f"{name} rectifies inside a fused kernel, which cannot be seen" for name in ("layers", "cell")
    )
    assert hw.audit.audit(model, [torch.randn(3, 5, 4)] * 3).notes == expected
    with hw.audit.watch(model) as report:
        model(torch.randn(3, 5, 4))
        report.reset()
        model(torch.randn(3, 5, 4))
    assert report.notes == expected
    tanh = nn.Sequential(nn.RNNCell(4, 4), nn.ReLU())
    assert hw.audit.audit(tanh, [torch.randn(3, 4)]).notes == ()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", ["scripted", "traced"])
def test_torchscript_inside_a_model_is_audited_around(how: str) -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    hidden = torch.jit.script(inner) if how == "scripted" else torch.jit.trace(inner, torch.zeros(2, 4))
    model = nn.Sequential(nn.Linear(4, 4), hidden, nn.Linear(4, 3), nn.ReLU()).train()
    report = hw.audit.audit(model, [torch.randn(9, 4)])
    assert [layer.name for layer in report.layers] == ["3"]
    assert report.layers[0].before is not None
    assert report.notes == ("1 is TorchScript: its inside cannot be seen",)
    assert all(module.training for module in model.modules())
    with hw.audit.watch(model) as live:
        model(torch.randn(5, 4)).sum().backward()
    assert live.notes == report.notes
    assert live.layer("3").samples == 5
    for module in (model, model[0], model[2], model[3]):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


class Checkpointed(nn.Module):
    """A rectifier in a part that is computed again in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return self.last(checkpoint(lambda z: self.relu(self.first(z)), x, use_reentrant=self.reentrant))


def test_reentrant_checkpoints_are_noted() -> None:
    """Warnings are errors here, so the pass that looks for neighbours leaks none."""
    model = Checkpointed(reentrant=True)
    with hw.audit.watch(model) as report:
        model(torch.randn(16, 4, requires_grad=True)).sum().backward()
    assert np.isnan(report.layer("relu").gradient_zero_share).all()
    assert report.layer("relu").samples == 16
    assert report.notes == (
        "no gradient of relu was recorded: it runs with gradients switched off, by torch.no_grad or a reentrant "
        "checkpoint",
    )
    with hw.audit.watch(Checkpointed(reentrant=False)) as report:
        report._recorder.model(torch.randn(16, 4)).sum().backward()
    assert np.isfinite(report.layer("relu").gradient_zero_share).all()
    assert report.notes == ()


def test_passes_without_gradients_are_not_noted() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with hw.audit.watch(model) as report, torch.no_grad():
        model(torch.randn(3, 4))
    assert report.notes == ()


def test_frozen_layers_are_noted() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 1))
    model[0].requires_grad_(False)
    x = torch.randn(50, 4)
    report = hw.audit.audit(model, [x, x], loss=lambda y, batch: y.sum())
    assert np.isnan(report.layer("1").gradient_zero_share).all()
    assert np.isfinite(report.layer("3").gradient_zero_share).all()
    assert report.notes == (
        "no gradient of 1 was recorded: nothing before it needs one, being frozen or without parameters",
    )
    assert hw.audit.audit(model, [x]).notes == ()


def test_layers_that_the_loss_does_not_depend_on_are_noted() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)
            self.relu = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.last(self.relu(self.first(x)).detach()))

    report = hw.audit.audit(Detached(), [torch.randn(9, 4)], loss=lambda y, batch: y.sum())
    assert report.notes == ("no gradient came back to relu: what was differentiated does not depend on it",)


def test_a_rectifier_with_an_input_of_its_own_says_why_it_has_no_gradient() -> None:
    model = nn.Sequential(nn.Linear(4, 4), hw.nn.RectifiedLinear(1.0, 0.0))
    (note,) = hw.audit.audit(model, [torch.randn(9, 4)], loss=lambda y, batch: y.sum()).notes
    assert note == "no gradient of 1 was recorded: its own input m x + b is no tensor of the model"
