"""Mistakes that were made once."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

import halfwave as hw
from halfwave.nn import functional as F

X = torch.linspace(-2.0, 2.0, 12).reshape(4, 3)


@pytest.mark.parametrize(
    "text", ["clip(x, -1e6, 1e6)", "max(-1, x) + relu(x - 2)", "relu(x + 1000) - 1000", "2*x + 1", "3"]
)
def test_small_values_keep_their_digits_far_from_kinks(text: str) -> None:
    f = hw.functions.parse(text)
    x = torch.tensor([1e-6, 1e-3, 0.1, 5.0])
    assert torch.equal(hw.nn.PiecewiseLinearActivation(f)(x), f(x))


NUMBERS: dict[str, Callable[[float], nn.Module]] = {
    "LeakyReLU": hw.nn.LeakyReLU,
    "ClippedReLU": hw.nn.ClippedReLU,
    "HardTanh": lambda a: hw.nn.HardTanh(-a, a),
    "SoftThreshold": hw.nn.SoftThreshold,
    "HardThreshold": hw.nn.HardThreshold,
    "TwoSidedReLU": lambda a: hw.nn.TwoSidedReLU(a, -a),
    "RectifiedLinear": lambda a: hw.nn.RectifiedLinear(a, 1.0),
    "subtract": hw.nn.ThresholdedReLU,
    "keep": lambda a: hw.nn.ThresholdedReLU(a, "keep"),
    "keras3": lambda a: hw.nn.ThresholdedReLU(a, "keep", convention="keras3"),
    "per channel": lambda a: hw.nn.ThresholdedReLU(a, "keep", num_channels=3),
    "learnt": lambda a: hw.nn.TwoSidedReLU(a, -a, num_channels=3, learnable=True),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("dynamic", [None, pytest.param(True, marks=pytest.mark.thorough)])
def test_traces_again_with_other_numbers_and_symbolic_shapes(name: str, dynamic: bool | None) -> None:
    torch._dynamo.reset()
    for number in (0.1, 0.2, 0.3):  # from the second on, numbers are symbols
        module = NUMBERS[name](number)
        compiled = torch.compile(module, fullgraph=True, dynamic=dynamic, backend="aot_eager")
        for x in (X, X[:2]):
            assert torch.equal(compiled(x), module(x))


@pytest.mark.parametrize("unit", ["DReLU", "ReLU", "Gaussian", "Binary", "Spin", "XReLU"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_unit_mean_has_its_limits_at_infinity(unit: str, temperature: float) -> None:
    module = hw.nn.UnitMean(hw.units.UNITS[unit](1), temperature)
    x = torch.tensor([[math.inf], [-math.inf], [math.nan]], requires_grad=True)
    y = module(x)
    high, low = {"Binary": (1, 0), "Spin": (1, -1), "ReLU": (math.inf, 0)}.get(unit, (math.inf, -math.inf))
    assert y[:2].flatten().tolist() == pytest.approx([high, low], abs=1e-12)
    assert torch.isnan(y[2]).all()
    slopes = torch.autograd.grad(y[:2].sum(), x)[0][:2].flatten().tolist()
    assert slopes == pytest.approx([float(math.isinf(high)), float(math.isinf(low))], abs=1e-6)


def test_unit_mean_learns_from_a_copy() -> None:
    unit = hw.units.DReLU(1)
    module = hw.nn.UnitMean(unit, learnable=True)
    other = hw.nn.UnitMean(hw.units.DReLU(**{k: v + 2 for k, v in unit.named_parameters()}), learnable=True)
    module.load_state_dict(other.state_dict())
    module.double()
    assert unit.theta_pos.item() == 0.0
    assert unit.dtype == torch.float32
    assert set(module.state_dict()) == {f"raw.{name}" for name, _ in unit.named_parameters()}
    x = torch.ones(2, 1, dtype=torch.float64)
    assert torch.allclose(module(x), other.double()(x))
    assert torch.equal(copy.deepcopy(module)(x), module(x))
    with pytest.raises(ValueError, match="must be a floating-point tensor"):
        hw.nn.UnitMean(unit)(torch.zeros(5, 1, dtype=torch.int))


def test_curves_of_in_place_and_half_precision_activations() -> None:
    for module in (nn.ReLU(inplace=True), hw.nn.ThresholdedReLU(0.0, inplace=True)):
        assert F.curve(module, [1.0, -2.0]) == {"x": [1.0, -2.0], "y": [1.0, 0.0], "yp": [1.0, 0.0]}
    assert len(F.curve(nn.GELU(), torch.linspace(-3, 3, 50).bfloat16())["yp"]) == 50
    with pytest.raises(ValueError, match="must treat every row by itself"):
        F.curve(lambda z: z + 0.5 * torch.roll(z, 7, 0), torch.arange(14.0))


def test_parameters_get_no_nan_from_infinite_inputs() -> None:
    two_sided = hw.nn.TwoSidedReLU(learnable=True)
    two_sided(torch.tensor([math.inf])).backward()
    assert [p.grad.item() for p in two_sided.parameters()] == [-1.0, 0.0, -math.inf, 0.0]  # pyright: ignore
    falling = hw.nn.RectifiedLinear(-1.0, 0.0, learnable=True)
    falling(torch.tensor([math.inf])).backward()
    assert [p.grad.item() for p in falling.parameters()] == [0.0, 0.0]  # pyright: ignore


def test_half_precision_keeps_half_the_bytes() -> None:
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        y = hw.nn.ThresholdedReLU(0.5)(torch.randn(100, dtype=torch.float16, requires_grad=True) * 1)
    assert [t.dtype for t in kept if t.numel() == 100] == [torch.float16] * sum(
        t.numel() == 100 for t in kept
    )
    assert any(t.data_ptr() == y.data_ptr() for t in kept)


def test_a_learnt_threshold_counts_by_its_size() -> None:
    module = hw.nn.SoftThreshold(0.5, learnable=True)
    module.threshold.data.fill_(-0.5)
    assert torch.equal(module(X), hw.nn.SoftThreshold(0.5)(X))


def test_state_does_not_part_a_function_from_its_module() -> None:
    module = hw.nn.PiecewiseLinearActivation(hw.functions.clipped_relu())
    module.load_state_dict(hw.nn.PiecewiseLinearActivation(hw.functions.hard_tanh()).state_dict())
    assert torch.equal(module(X), module.function(X))


def test_float8_and_numbers_beyond_float32() -> None:
    assert hw.nn.LeakyReLU()(torch.ones(2).to(torch.float8_e4m3fn)).dtype == torch.float8_e4m3fn
    with pytest.raises(ValueError, match=r"must be finite in torch.float32; got 1e\+39"):
        F.thresholded_relu(torch.ones(1), 1e39)
    assert F.thresholded_relu(torch.ones(1, dtype=torch.float64), 1e39).item() == 0.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hw.nn.ThresholdedReLU(1.0, "keep", convention=3), "a convention is a Convention or one of"),
        (
            lambda: hw.nn.ThresholdedReLU(1.0, bandwidth="a"),
            "`bandwidth` of ThresholdedReLU must be a real number",
        ),
        (
            lambda: hw.nn.ThresholdedReLU(1.0, bandwidth=math.inf),
            "`bandwidth` of ThresholdedReLU must be finite",
        ),
        (lambda: hw.nn.ThresholdedReLU(1.0, num_channels=True), "must be a positive integer; got True"),
        (lambda: hw.nn.ThresholdedReLU(1.0, dtype=torch.int64), "must be a floating dtype; got torch.int64"),
        (lambda: F.thresholded_relu(X, 1.0, out=[1]), "`out` must be a torch tensor; got list"),
        (lambda: F.relu_sum(X, [1.0], [1.0]), "`slopes` of relu_sum must be a torch tensor; got list"),
        (lambda: hw.nn.ReLUSum.from_function(3), "takes a PiecewiseLinear; got int"),
        (lambda: F.thresholded_relu(X, torch.tensor(-1.0), convention="keras2"), "must not be negative"),
    ],
)
def test_bad_input_is_one_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
