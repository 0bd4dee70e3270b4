"""Limits that make a rectifier: numbers and constants, from below and from above, and no others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw

ZERO = torch.tensor(0.0)


class Limited(nn.Module):
    """A linear layer whose output is limited somehow."""

    def __init__(self, limit: Callable[[Tensor, Limited], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.limit = nn.Linear(4, 6), limit
        self.register_buffer("zero", torch.zeros(6))
        self.parameter = nn.Parameter(torch.zeros(6))

    def forward(self, x: Tensor) -> Tensor:
        return self.limit(self.linear(x), self)


def data() -> Tensor:
    return torch.randn(64, 4, generator=torch.Generator().manual_seed(1))


LOWER = {
    "clamp(min=tensor)": lambda z, m: z.clamp(min=ZERO),
    "clamp(min=buffer)": lambda z, m: z.clamp(min=m.zero),
    "clamp_min(tensor)": lambda z, m: z.clamp_min(ZERO),
    "maximum of a buffer": lambda z, m: torch.maximum(z, m.zero),
    "maximum of zeros like it": lambda z, m: torch.maximum(torch.zeros_like(z), z),
    "maximum of a new tensor": lambda z, m: torch.max(z, z.new_tensor(0.0)),
}
UPPER = {
    "clamp(max=0)": lambda z, m: z.clamp(max=0),
    "clamp(max=tensor)": lambda z, m: z.clamp(max=ZERO),
    "clamp_max": lambda z, m: z.clamp_max(0),
    "clamp_max_": lambda z, m: z.clamp_max_(0.0),
    "minimum": lambda z, m: torch.minimum(z, ZERO),
    "min of a buffer": lambda z, m: torch.min(m.zero, z),
}
NONE = {
    "clamp(min=1e-6)": lambda z, m: z.clamp(min=1e-6),
    "clamp(max=1)": lambda z, m: z.clamp(max=1.0),
    "maximum of a parameter": lambda z, m: torch.maximum(z, m.parameter),
    "maximum of nothing left of it": lambda z, m: torch.maximum(z, 0 * z),
    "clamp to a parameter": lambda z, m: z.clamp(min=m.parameter),
    "minimum of an activation": lambda z, m: torch.minimum(z, F.linear(z, torch.zeros(6, 6))),
    "maximum of what is written to": lambda z, m: torch.maximum(z, written(z)),
}


def written(z: Tensor) -> Tensor:
    """Zeros only because what is written into them is."""
    result = torch.zeros_like(z)
    result[:, :3] = 0 * z[:, :3]
    return result


@pytest.mark.parametrize("name", LOWER)
def test_constants_are_lower_limits(name: str) -> None:
    layer = hw.audit.audit(Limited(LOWER[name]), [data(), data()]).layers[0]
    expected = hw.audit.audit(Limited(lambda z, m: F.relu(z)), [data(), data()]).layers[0]
    assert (layer.kind, layer.samples) == ("rectifier", 128)
    np.testing.assert_array_equal(layer.firing_rate, expected.firing_rate)
    np.testing.assert_array_equal(layer.mean_after, expected.mean_after)


@pytest.mark.parametrize("name", UPPER)
def test_what_cuts_off_above_fires_below(name: str) -> None:
    model, x = Limited(UPPER[name]), data()
    with torch.no_grad():
        model.linear.bias[:2] = torch.tensor([50.0, -50.0])
        z = model.linear(x).double().numpy()
    report = hw.audit.audit(model, [x, x], input_range=(-5.0, 5.0), loss=lambda y, batch: y.sum())
    (layer,) = report.layers
    assert (layer.kind, layer.samples, layer.thresholded) == ("two-sided", 128, False)
    np.testing.assert_array_equal(layer.firing_rate, (z < 0).mean(0))
    np.testing.assert_array_equal(layer.zero_share, (z >= 0).mean(0))
    np.testing.assert_array_equal(layer.gradient_zero_share, (z >= 0).mean(0))
    np.testing.assert_allclose(layer.mean_after, np.minimum(z, 0).mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(layer.distance, z.mean(0) / z.std(0), rtol=1e-4)
    assert layer.dead.tolist() == layer.provably_dead.tolist() == [True] + [False] * 5
    assert layer.always_on.tolist() == layer.provably_always_on.tolist() == [False, True] + [False] * 4
    assert (np.abs(layer.predicted_rate - layer.firing_rate) < 0.25).all()
    assert layer.before is not None


def test_limits_on_both_sides() -> None:
    layer = hw.audit.audit(Limited(lambda z, m: z.clamp(m.zero, m.zero + 1)), [data()]).layers[0]
    assert layer.kind == "clipped"
    assert layer.upper is not None
    assert (layer.lower.tolist(), layer.upper.tolist()) == ([0.0] * 6, [1.0] * 6)
    (layer,) = hw.audit.audit(Limited(lambda z, m: z.clamp(-6, 0)), [data()]).layers
    assert (layer.kind, layer.lower[0]) == ("clipped", -6.0)


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (hw.functions.relu(), "rectifier"),
        (hw.functions.leaky_relu(0.1), "leaky"),
        (hw.functions.hard_tanh(), "clipped"),
        (hw.functions.soft_threshold(0.5), "two-sided"),
        (hw.functions.relu() + hw.functions.hard_tanh(), "soft"),
    ],
    ids=["one kink", "two slopes", "flat ends", "flat middle", "flat nowhere but at one end"],
)
def test_what_a_piecewise_linear_activation_is_called(
    function: hw.functions.PiecewiseLinear, kind: str
) -> None:
    (layer,) = hw.audit.audit(hw.nn.PiecewiseLinearActivation(function), [data()]).layers
    assert layer.kind == kind


@pytest.mark.parametrize("name", NONE)
def test_other_limits_are_none(name: str) -> None:
    with pytest.raises(hw.HalfwaveError, match="must call a rectifier"):
        hw.audit.audit(Limited(NONE[name]), [data(), data()])


def test_an_activation_is_no_limit_though_it_is_zero_in_a_batch() -> None:
    class Larger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 6)

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(torch.maximum(self.linear(x[:, :4]), x[:, 4:]))

    x = torch.randn(8, 10)
    zero = torch.cat([x[:, :4], torch.zeros(8, 6)], dim=1)
    for batches in ([x, zero], [zero, x], [zero, zero]):
        assert [layer.operation for layer in hw.audit.audit(Larger(), batches).layers] == ["relu"]
    with hw.audit.watch(Larger()) as report:
        for batch in (x, zero, zero):
            report._recorder.model(batch)
    assert [(layer.operation, layer.samples) for layer in report.layers] == [("relu", 24)]


def test_exported_limits() -> None:
    model = Limited(lambda z, m: torch.maximum(z, torch.zeros_like(z)).clamp(max=m.zero + 0))
    program = torch.export.export(model, (data(),)).module()
    layers = hw.audit.audit(program, [data(), data()]).layers
    assert [(layer.operation, layer.samples) for layer in layers] == [("maximum", 128), ("clamp", 128)]


def test_units_that_fire_below_only_are_not_revived() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.first(x).clamp(max=0))

    model = Network()
    with torch.no_grad():
        model.first.bias[0] = 50.0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    revived = hw.audit.revive(model, hw.audit.audit(model, [data()]), batches=[data()])
    assert "answers below its kink only" in str(revived)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
