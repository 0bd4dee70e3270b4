"""Counts, rates and moments against those computed at once from the stored activations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from audit_cases import identity_layer, images, random_network
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.audit.counting.histograms import ChannelHistograms
from halfwave.audit.reporting.layer import rate_bounds

ACTIVATIONS = {
    "relu": (nn.ReLU(), lambda x: x > 0),
    "relu6": (nn.ReLU6(), lambda x: (x > 0) & (x < 6)),
    "leaky": (nn.LeakyReLU(), lambda x: x > 0),
    "prelu": (nn.PReLU(3), lambda x: x > 0),
    "threshold": (nn.Threshold(0.5, 0.0), lambda x: x > 0.5),
    "threshold to 7": (nn.Threshold(-0.5, 7.0), lambda x: x > -0.5),
    "hardtanh": (nn.Hardtanh(-0.3, 0.7), lambda x: (x > -0.3) & (x < 0.7)),
    "softshrink": (nn.Softshrink(0.4), lambda x: x.abs() > 0.4),
    "hardshrink": (nn.Hardshrink(0.4), lambda x: x.abs() > 0.4),
    "gelu": (nn.GELU(), lambda x: x > 0),
    "silu": (nn.SiLU(), lambda x: x > 0),
    "elu": (nn.ELU(), lambda x: x > 0),
    "hardswish": (nn.Hardswish(), lambda x: x > 0),
    "softplus": (nn.Softplus(), lambda x: x > 0),
    "ours, subtract": (hw.nn.ThresholdedReLU(0.5), lambda x: x > 0.5),
    "ours, keep": (hw.nn.ThresholdedReLU(torch.tensor([0.1, 0.2, 0.3]), form="keep"), None),
    "ours, floor": (hw.nn.ThresholdedReLU(0.5, form="floor"), lambda x: x > 0.5),
    "ours, below": (hw.nn.ThresholdedReLU(-0.5, form="keep"), lambda x: x > -0.5),
    "ours, rectified linear": (hw.nn.RectifiedLinear(-2.0, 1.0), lambda x: -2 * x + 1 > 0),
    "ours, leaky": (hw.nn.LeakyReLU(0.2), lambda x: x > 0),
    "ours, clipped": (hw.nn.ClippedReLU(1.0), lambda x: (x > 0) & (x < 1)),
    "ours, hard tanh": (hw.nn.HardTanh(), lambda x: x.abs() < 1),
    "ours, soft threshold": (hw.nn.SoftThreshold(0.5), lambda x: x.abs() > 0.5),
    "ours, hard threshold": (hw.nn.HardThreshold(0.5), lambda x: x.abs() > 0.5),
    "ours, two-sided": (hw.nn.TwoSidedReLU(0.5, -0.2), lambda x: (x > 0.5) | (x < -0.2)),
    "ours, piecewise": (
        hw.nn.PiecewiseLinearActivation(hw.functions.relu()),
        lambda x: x > 0,
    ),
}


@pytest.mark.parametrize("places", [1, 5, 40])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_statistics_of_every_activation(name: str, places: int) -> None:
    activation, fires = ACTIVATIONS[name]
    x = torch.randn(50, 3, places, generator=torch.Generator().manual_seed(1))
    x = x.squeeze(2) if places == 1 else x
    report = hw.audit.audit(activation, [x], channel_dimensions=1)
    (layer,) = report.layers
    y = activation(x).detach()
    if fires is not None:
        expected = fires(x).transpose(0, 1).reshape(3, -1).double().mean(1)
        assert np.array_equal(layer.firing_rate, expected.numpy())
        in_sample = fires(x).reshape(50, 3, -1).any(2).double().mean(0)
        assert np.array_equal(layer.sample_rate, in_sample.numpy())
    zeros = (y == 0).transpose(0, 1).reshape(3, -1).double().mean(1)
    assert np.array_equal(layer.zero_share, zeros.numpy())
    before = x if name != "ours, rectified linear" else -2 * x + 1
    for tensor, when in ((before, "before"), (y, "after")):
        flat = tensor.transpose(0, 1).reshape(3, -1).double().numpy()
        for statistic, value in {
            "mean": flat.mean(1),
            "std": flat.std(1),
            "min": flat.min(1),
            "max": flat.max(1),
        }.items():
            found = getattr(layer, f"{statistic}_{when}")
            np.testing.assert_allclose(found, value, rtol=2e-5, atol=2e-6, err_msg=f"{statistic} {when}")


def test_hand_computed_network() -> None:
    model = nn.Sequential(identity_layer(3, -1.0), nn.ReLU())
    x = torch.tensor([[2.0, 0.0, 1.0], [3.0, 2.0, 1.0], [1.5, 0.5, 1.0], [4.0, 0.0, 0.0]])
    layer = hw.audit.audit(model, [x[:1], x[1:]]).layer("1")
    assert layer.firing_rate.tolist() == [1.0, 0.25, 0.0]
    assert layer.always_on.tolist() == [True, False, False]
    assert layer.dead.tolist() == [False, False, True]
    assert layer.zero_share.tolist() == [0.0, 0.75, 1.0]
    assert layer.sparsity == pytest.approx(1.75 / 3)
    assert layer.samples == 4
    assert layer.elements == 4
    np.testing.assert_allclose(layer.sample_rate_high[2], 1 - 0.05 ** (1 / 4), rtol=1e-12)
    std = x.numpy().astype(float).std(0)
    np.testing.assert_allclose(layer.distance, (x.double().numpy().mean(0) - 1) / std, rtol=1e-12)


def test_both_sides_of_two_sided_units() -> None:
    x = torch.tensor([[-2.0], [-0.1], [0.2], [0.3], [3.0]])
    (layer,) = hw.audit.audit(hw.nn.TwoSidedReLU(0.25, -0.5), [x]).layers
    assert [layer.rate_below[0], layer.rate_above[0], layer.firing_rate[0]] == pytest.approx([0.2, 0.4, 0.6])
    one_side = hw.audit.audit(hw.nn.TwoSidedReLU(0.25, -0.5), [torch.full((4, 1), 2.0)]).layers[0]
    assert one_side.always_on.tolist() == [True]


def test_saturated_clipped_units_are_dead() -> None:
    (layer,) = hw.audit.audit(nn.ReLU6(), [torch.tensor([[7.0, 3.0, -1.0], [9.0, 2.0, 8.0]])]).layers
    assert layer.dead.tolist() == [True, False, True]
    assert layer.always_on.tolist() == [False, True, False]
    assert layer.rate_above.tolist() == [1.0, 0.0, 0.5]


def test_leaky_units_do_not_die() -> None:
    (layer,) = hw.audit.audit(nn.LeakyReLU(), [torch.tensor([[-1.0], [-2.0]])]).layers
    assert not layer.dead.any()
    assert layer.always_on.all()


def test_soft_units_die_where_their_slope_is_gone() -> None:
    (layer,) = hw.audit.audit(nn.GELU(), [torch.tensor([[-5.0, -1.0, 5.0], [-6.0, -2.0, 6.0]])]).layers
    assert layer.kind == "soft"
    assert layer.dead.tolist() == [True, False, False]
    assert layer.always_on.tolist() == [False, False, True]


def test_batch_normalised_units_are_judged_on_their_own_input() -> None:
    model = nn.Sequential(identity_layer(2, -10.0), nn.BatchNorm1d(2), nn.ReLU())
    norm = model[1]
    norm.running_mean.fill_(-10.0)  # the linear layer is always negative, the rectifier's input is not
    x = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    layer = hw.audit.audit(model.eval(), [x]).layer("2")
    assert not layer.dead.any()
    np.testing.assert_array_equal(layer.firing_rate, (model[1](model[0](x)) > 0).double().mean(0).numpy())
    assert layer.before is not None
    assert (layer.before.weight, layer.before.between) == ("0.weight", ("1 (batch_norm)",))


def test_predicted_rate_is_that_of_a_gaussian() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, std = torch.tensor([-1.0, 0.0, 0.5]), torch.tensor([1.0, 2.0, 0.25])
    x = mean + std * torch.randn(40000, 3, generator=generator)
    layer = hw.audit.audit(nn.ReLU(), [x]).layers[0]
    theory = stats.norm.cdf((mean / std).numpy())
    # 5.5 standard errors of a rate and of its estimate: a false alarm in 1e7 runs
    np.testing.assert_allclose(layer.firing_rate, theory, atol=5.5 * 0.5 / math.sqrt(40000))
    np.testing.assert_allclose(layer.predicted_rate, theory, atol=5.5 * 0.5 / math.sqrt(40000))
    sided = hw.audit.audit(nn.Hardshrink(0.5), [x]).layers[0]
    low, high = ((side - mean) / std for side in (-0.5, 0.5))
    theory = stats.norm.cdf(low.numpy()) + stats.norm.sf(high.numpy())
    np.testing.assert_allclose(sided.predicted_rate, theory, atol=5.5 * 0.5 / math.sqrt(40000))


def test_rate_bounds_cover() -> None:
    """At most 2.5 % of samples err in each tail, and 5 % in the one that is left where no unit or every one fires."""
    low, high = rate_bounds(np.arange(11), 10)
    for rate in np.linspace(0.001, 0.999, 97):
        chances = stats.binom.pmf(np.arange(11), 10, rate)
        assert chances[rate < low].sum() <= 0.05 + 1e-12
        assert chances[rate > high].sum() <= 0.05 + 1e-12
        assert chances[(low <= rate) & (rate <= high)].sum() >= 0.925 - 1e-12


def test_gradients_reaching_the_units() -> None:
    model = nn.Sequential(identity_layer(2), nn.ReLU(), nn.Linear(2, 1))
    x = torch.tensor([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]])
    report = hw.audit.audit(model, [(x, x)], loss=lambda output, batch: output.sum() + 0 * batch[1].sum())
    assert report.layer("1").gradient_zero_share.tolist() == [0.25, 0.75]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert np.isnan(hw.audit.audit(model, [x]).layer("1").gradient_zero_share).all()


def test_half_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    for dtype in (torch.float16, torch.bfloat16):
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), hw.nn.ThresholdedReLU(0.1)).to(dtype)
        x = images(20, generator).to(dtype)
        report = hw.audit.audit(model, [x])
        z = model[0](x).detach()
        flat = z.transpose(0, 1).reshape(4, -1).double().numpy()
        layer = report.layer("1")
        np.testing.assert_array_equal(layer.firing_rate, (flat > 0).mean(1))
        np.testing.assert_allclose(layer.mean_before, flat.mean(1), rtol=1e-5, atol=1e-6)
        above = (z.clamp(min=0).transpose(0, 1).reshape(4, -1).float() > 0.1).double().mean(1)
        np.testing.assert_array_equal(report.layer("2").firing_rate, above.numpy())


def test_functions_and_modules_agree() -> None:
    class Functional(nn.Module):
        def __init__(self, rectify) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 6)
            self.rectify = rectify

        def forward(self, x: Tensor) -> Tensor:
            return self.rectify(self.linear(x))

    torch.manual_seed(0)
    x = torch.randn(64, 4)
    reference = Functional(nn.ReLU())
    expected = hw.audit.audit(reference, [x]).layer("rectify")
    for rectify in (
        *(F.relu, torch.relu, Tensor.relu, Tensor.relu_, torch.relu_, torch.ops.aten.relu.default),
        *(lambda z: F.relu(z, inplace=True), lambda z: z.clamp(min=0), lambda z: torch.clamp(z, 0)),
        *(lambda z: z.clamp_min(0), lambda z: z.clip(min=0.0), lambda z: z.clamp_(min=0)),
        *(lambda z: torch.maximum(z, torch.zeros(())), lambda z: torch.maximum(torch.zeros_like(z), z)),
        *(lambda z: torch.max(z, torch.zeros(6)), lambda z: F.threshold(z, 0.0, 0.0)),
    ):
        model = Functional(rectify)
        model.load_state_dict(reference.state_dict())
        (layer,) = hw.audit.audit(model, [x]).layers
        for name in ("firing_rate", "mean_before", "std_before", "mean_after", "min_before", "max_after"):
            np.testing.assert_array_equal(getattr(layer, name), getattr(expected, name))
        assert layer.name.startswith("(model):")
        assert layer.before == expected.before


def test_reused_modules_have_an_entry_for_each_call() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 4)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.relu(self.second(self.relu(self.first(x)))) - 1)

    model = Reused()
    report = hw.audit.audit(model, [torch.randn(10, 3)])
    assert [(layer.name, layer.channels) for layer in report.layers] == [
        ("relu#0", 5),
        ("relu#1", 4),
        ("(model):relu#0", 4),
    ]
    assert [layer.before.module if layer.before else None for layer in report.layers] == [
        "first",
        "second",
        None,
    ]
    loop = nn.Sequential(*[nn.ReLU()] * 3)
    assert len(hw.audit.audit(loop, [torch.randn(4, 2)]).layers) == 3
    (merged,) = hw.audit.audit(loop, [torch.randn(4, 2)], merge_calls=True).layers
    assert merged.samples == 12


def test_exported_programs_are_seen_through() -> None:
    model = random_network(torch.Generator().manual_seed(0))
    x = images(16, torch.Generator().manual_seed(1))
    program = torch.export.export(model, (x,)).module()
    for ours, theirs in zip(
        hw.audit.audit(model, [x]).layers, hw.audit.audit(program, [x]).layers, strict=True
    ):
        np.testing.assert_array_equal(ours.firing_rate, theirs.firing_rate)
        assert ours.before is not None
        assert theirs.before is not None
        assert ours.before.weight == theirs.before.weight


def test_large_means_keep_their_deviation() -> None:
    noise = torch.randn(64, 2, 100, generator=torch.Generator().manual_seed(0))
    x = 1e4 + noise
    layer = hw.audit.audit(nn.ReLU(), [x], channel_dimensions=1).layers[0]
    expected = x.double().transpose(0, 1).reshape(2, -1).std(1, correction=0)
    np.testing.assert_allclose(layer.std_before, expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("places", [1, 40])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_zeros_are_counted_among_finite_inputs(name: str, places: int) -> None:
    activation, _ = ACTIVATIONS[name]
    x = torch.randn(100, 3, places, generator=torch.Generator().manual_seed(0)).squeeze(2)
    x[:10], x[10, 0], x[11, 1], x[20:25] = math.nan, math.inf, -math.inf, -1.0
    (layer,) = hw.audit.audit(activation, [x[:60], x[60:]], channel_dimensions=1).layers
    y, finite = activation(x).detach(), torch.isfinite(x)
    dimensions = tuple(n for n in range(x.ndim) if n != 1)
    expected = ((y == 0) & finite).sum(dimensions) / finite.sum(dimensions)
    np.testing.assert_allclose(layer.zero_share, expected, rtol=1e-6)
    assert 0 <= layer.sparsity <= 1


@pytest.mark.parametrize("first", [True, False])
def test_batches_without_samples_are_skipped(first: bool) -> None:
    model, empty, full = nn.Sequential(nn.Linear(6, 4), nn.ReLU()), torch.randn(0, 6), torch.randn(20, 6)
    full[3, 2] = math.nan
    report = hw.audit.audit(model, [empty, full] if first else [full, empty], input_range=(-1.0, 1.0))
    (layer,) = report.layers
    assert (layer.samples, report.notes) == (20, ())
    assert layer.first_non_finite is not None
    assert layer.first_non_finite.batch == int(first)
    assert np.isfinite(layer.input_high).all()


@pytest.mark.parametrize("statistics", ["full", "light"])
@pytest.mark.parametrize("shape", [(50, 3), (50, 3, 40)])
@pytest.mark.parametrize("scale", [1e230, 1.7e308])
def test_inputs_too_large_to_square(scale: float, shape: tuple[int, ...], statistics: Any) -> None:
    """Warnings are errors in these tests."""
    x = (
        torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).clamp(-1, 1)
        * scale
    )
    for activation in (nn.ReLU(), nn.GELU(), nn.LeakyReLU()):
        report = hw.audit.audit(activation, [x, x], channel_dimensions=1, statistics=statistics)
        (layer,) = report.layers
        assert (layer.std_before == math.inf).all()
        assert np.isnan(layer.predicted_rate).all()
        assert np.isnan(layer.distance).all()
        np.testing.assert_array_equal(layer.max_before, x.transpose(0, 1).flatten(1).amax(1))
        np.testing.assert_array_equal(layer.nan_count + layer.infinite_count, 0)
        assert str(report)
        assert report.to_json()


def test_calls_of_an_activation_are_listed_together() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act, self.other, self.layer = nn.ReLU(), nn.ReLU(), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.act(self.layer(x)))
            x = F.relu(self.act(self.other(self.layer(x))))
            return self.act(x)

    report = hw.audit.audit(Net(), [torch.randn(5, 3)])
    names = [layer.name for layer in report.layers]
    assert names == ["act#0", "act#1", "act#2", "(model):relu#0", "other", "(model):relu#1"]


def test_pooled_histograms_are_sums_of_channels() -> None:
    generator = np.random.default_rng(0)
    histograms = ChannelHistograms(40)
    scales = 2.0 ** generator.integers(-30, 30, 40)
    for _ in range(3):
        values = generator.normal(size=(40, 50)) * scales[:, None]
        histograms.add(values, np.abs(values).max(1))
    pooled = histograms.pooled()
    expected = np.zeros(len(pooled.counts), dtype=np.int64)
    for channel in range(40):
        one = histograms.channel(channel)
        np.add.at(expected, np.searchsorted(pooled.edges, one.edges[:-1], "right") - 1, one.counts)
    np.testing.assert_array_equal(pooled.counts, expected)
    assert pooled.total == 6000
