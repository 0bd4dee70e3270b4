"""Watching a model train: it trains as without, and what was set is gone afterwards."""

from __future__ import annotations

import copy
import threading

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import halfwave as hw


def network() -> nn.Sequential:
    """A small network with everything that training changes."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.3)),
        *(nn.Linear(8, 8), nn.RReLU(), nn.Linear(8, 2)),
    )


def train(model: nn.Module, steps: int = 4) -> list[Tensor]:
    """Train on random data; the parameters and buffers at the end."""
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()
        optimizer.step()
    return [tensor.clone() for tensor in model.state_dict().values()]


def hooks(model: nn.Module) -> int:
    """Hooks on all modules."""
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_training_is_the_same_with_a_watch() -> None:
    plain = train(network())
    model = network()
    with hw.audit.watch(model) as report:
        watched = train(model)
    for a, b in zip(plain, watched, strict=True):
        assert torch.equal(a, b)
    assert all(module.training for module in model.modules())
    assert hooks(model) == 0
    assert report.batches == 4
    layer = report.layer("2")
    assert layer.samples == 64
    assert layer.before is not None
    assert layer.before.weight == "0.weight"
    # a unit gets no gradient where it does not fire
    assert (layer.gradient_zero_share >= layer.rate_below - 1e-12).all()


def test_gradients_are_those_of_the_loop() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    kept: list[Tensor] = []
    x = torch.randn(20, 3)
    with hw.audit.watch(model) as report:
        z = model[0](x)  # a call of a part is a pass of its own, without a rectifier
        z.register_hook(kept.append)
        model[2](model[1](z)).sum().backward()
    assert report.layer("1").gradient_zero_share.tolist() == (kept[0] == 0).double().mean(0).tolist()


def test_hooks_on_gradients_do_not_pile_up() -> None:
    model = network()
    watching = hw.audit.watch(model)
    with watching as report:
        train(model, steps=30)
        assert len(watching._recorder._hooks) <= 4
    assert report.batches == 30


def test_gradients_of_several_passes_before_one_backward() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    x = torch.randn(20, 3)
    with hw.audit.watch(model) as report:
        (model(x).sum() + model(-x).sum()).backward()
    layer = report.layer("1")
    np.testing.assert_array_equal(layer.gradient_zero_share, layer.rate_below)


def test_every_callback_and_reset() -> None:
    model = network()
    seen: list[tuple[int, int]] = []

    def look(report: hw.audit.LiveReport) -> None:
        seen.append((report.batches, report.layer("2").samples))
        if len(seen) == 2:
            report.reset()

    with hw.audit.watch(model, every=3, callback=look) as report:
        train(model, steps=10)
    assert seen == [(1, 16), (2, 32), (1, 16), (2, 32)]
    snapshot = report.snapshot()
    assert str(snapshot) == str(report)


def test_hooks_go_when_an_exception_comes() -> None:
    model = network()

    class Stop(Exception):
        pass

    def stop(report: hw.audit.LiveReport) -> None:
        raise Stop

    with pytest.raises(Stop), hw.audit.watch(model, callback=stop):
        model(torch.randn(8, 4))
    assert hooks(model) == 0
    with pytest.raises(RuntimeError), hw.audit.watch(model) as report:
        model(torch.randn(8, 5))
    assert hooks(model) == 0
    assert torch.overrides._get_current_function_mode_stack() == []
    with pytest.raises(KeyboardInterrupt), hw.audit.watch(model):
        raise KeyboardInterrupt
    assert hooks(model) == 0
    with pytest.raises(hw.HalfwaveError):
        hw.audit.audit(model, [torch.randn(8, 5)])
    assert hooks(model) == 0
    assert all(module.training for module in model.modules())
    assert report.layers == ()
    # and after all that everything works
    assert hw.audit.audit(model, [torch.randn(8, 4)]).layer("2").samples == 8


def test_an_exception_inside_a_watch_does_not_end_it() -> None:
    model = network()
    with hw.audit.watch(model) as report:
        with pytest.raises(RuntimeError):
            model(torch.randn(8, 5))
        model(torch.randn(8, 4))
    assert report.layer("2").samples == 8


def test_nested_watches_and_audits() -> None:
    model = network()
    with hw.audit.watch(model) as outer, hw.audit.watch(model) as inner:
        model(torch.randn(8, 4))
        found = hw.audit.audit(model, [torch.randn(100, 4)])
        with hw.audit.watch(model, every=2) as innermost:
            model(torch.randn(8, 4))
            model(torch.randn(8, 4))
    assert found.layer("2").samples == 100
    assert [report.layer("2").samples for report in (outer, inner, innermost)] == [24, 24, 8]
    assert hooks(model) == 0


def test_an_audit_in_a_callback() -> None:
    model = network()
    audits: list[hw.audit.Report] = []
    x = torch.randn(30, 4)
    with hw.audit.watch(model, callback=lambda report: audits.append(hw.audit.audit(model, [x]))) as report:
        train(model, steps=2)
    assert len(audits) == 2
    assert report.layer("2").samples == 32


def test_an_audit_inside_a_forward() -> None:
    inner = network()

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            assert hw.audit.audit(self.inner, [x]).layer("2").samples == len(x)
            return self.inner(x)

    model = Outer()
    with hw.audit.watch(model) as report:
        model(torch.randn(8, 4))
    assert report.layer("inner.2").samples == 8


def test_checkpointed_modules_are_counted_once() -> None:
    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())

    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = block

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.block, x, use_reentrant=False)

    model = Checkpointed()
    with hw.audit.watch(model) as report:
        model(torch.randn(8, 4, requires_grad=True)).sum().backward()
    assert report.layer("block.1").samples == 8


def test_copies_and_states_of_a_watched_model_are_plain() -> None:
    model = network()
    with hw.audit.watch(model):
        model(torch.randn(8, 4))
    copied = copy.deepcopy(model)
    assert hooks(copied) == 0


def test_transformers_report_features() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    x = torch.randn(5, 7, 8)
    (layer,) = hw.audit.audit(model, [x]).layers
    assert (layer.channels, layer.channel_dimension, layer.samples, layer.elements) == (16, 2, 5, 35)
    assert layer.before is not None
    assert layer.before.module == "linear1"


def test_channels_follow_the_layer_before() -> None:
    class Shapes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.sequence, self.tokens = nn.Conv1d(2, 3, 1), nn.Linear(9, 4)

        def forward(self, x: Tensor) -> Tensor:
            z = F.relu(self.sequence(x))
            return F.relu(self.tokens(z)) + F.relu(self.tokens(z)[:, :, None]).squeeze(2)

    layers = hw.audit.audit(Shapes(), [torch.randn(5, 2, 9)]).layers
    assert [(layer.channel_dimension, layer.channels) for layer in layers] == [(1, 3), (2, 4), (3, 4)]
    told = hw.audit.audit(Shapes(), [torch.randn(5, 2, 9)], channel_dimensions={"*relu#2": 1}).layers
    assert told[2].channels == 3
    assert np.isfinite(told[2].mean_before).all()


def test_transforms_are_noted_and_not_recorded() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with hw.audit.watch(model) as report:
        torch.func.vmap(model)(torch.randn(4, 2, 3))
        model(torch.randn(5, 3))
    assert report.notes == ("1 runs inside a transform of torch.func and was not recorded",)
    assert report.layer("1").samples == 5
    assert report.headline.startswith("Healthy: of 4 units in 1 layer") or report.verdicts


def test_every_module_that_is_called_has_passes_of_its_own() -> None:
    """Two steps of one network for each step of the other, in one container, as adversarial training takes them."""
    model = nn.ModuleDict(
        {name: nn.Sequential(nn.Linear(3, 4), nn.ReLU()) for name in ("critic", "generator")}
    )
    with hw.audit.watch(model, every=3) as report:
        for _ in range(9):
            for name in ("critic", "critic", "generator"):
                model[name](torch.randn(5, 3))
    assert {layer.name: layer.samples for layer in report.layers} == {"critic.1": 30, "generator.1": 15}
    assert report.batches == 9


def test_batches_without_samples_leave_a_watch_alone() -> None:
    model, seen = nn.Sequential(nn.Linear(6, 4), nn.ReLU()), []
    with hw.audit.watch(model, callback=lambda report: seen.append(report.layers[0].samples)) as report:
        for samples in (0, 20, 0, 5):
            model(torch.randn(samples, 6)).sum().backward()
    assert (seen, report.layers[0].samples, report.notes) == ([20, 25], 25, ())


def test_passes_in_other_threads_are_noted() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with hw.audit.watch(model) as report:
        threads = [
            threading.Thread(target=lambda: [model(torch.randn(7, 3)) for _ in range(2)]) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        model(torch.randn(5, 3))
        for thread in threads:
            thread.join()
    assert report.notes == ("6 passes in other threads were not recorded",)
    assert (report.batches, report.layer("1").samples) == (1, 5)
