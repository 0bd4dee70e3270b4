"""TwoSidedReLU, UnitMean, ReLUSum, the curve of a module, and what users may pass in by mistake."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import halfwave as hw
from halfwave import functions as exact
from halfwave.nn.functional import curve


def drelu(dtype: torch.dtype = torch.float64) -> hw.units.DReLU:
    values = {
        "theta_pos": [1.0, -1.0],
        "theta_neg": [-0.5, 0.5],
        "gamma_pos": [0.5, 1.0],
        "gamma_neg": [2.0, 1.5],
    }
    return hw.units.DReLU(**{name: torch.tensor(value, dtype=dtype) for name, value in values.items()})


INPUTS = torch.linspace(-6, 6, 25, dtype=torch.float64)[:, None].expand(25, 2).contiguous()


def test_two_sided_relu_is_the_mode_of_its_unit() -> None:
    module = hw.nn.TwoSidedReLU.from_unit(drelu())
    assert torch.allclose(module(INPUTS), drelu().mode_from_inputs(INPUTS), rtol=1e-14)
    learnt = hw.nn.TwoSidedReLU.from_unit(drelu().to_xrelu(), learnable=True)
    assert torch.allclose(learnt(INPUTS), drelu().mode_from_inputs(INPUTS), rtol=1e-12)
    assert {name for name, _ in learnt.named_parameters()} == {
        "theta_pos", "theta_neg", "log_gamma_pos", "log_gamma_neg"
    }  # fmt: skip


def test_learnt_curvatures_stay_positive() -> None:
    module = hw.nn.TwoSidedReLU(gamma_pos=0.1, learnable=True)
    optimizer = torch.optim.SGD(module.parameters(), lr=10.0)
    for _ in range(20):
        optimizer.zero_grad()
        (-module(torch.linspace(-3, 3, 50)).pow(2).mean()).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    assert module.gamma_pos > 0


def test_two_sided_relu_recovers_its_slopes_from_data() -> None:
    torch.manual_seed(0)
    x = 3 * torch.randn(2000)
    target = hw.nn.functional.two_sided_relu(x, 1.0, -0.5, 0.5, 2.0)
    module = hw.nn.TwoSidedReLU(learnable=True)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.03)
    for _ in range(600):
        optimizer.zero_grad()
        (module(x) - target).pow(2).mean().backward()
        optimizer.step()
    found = [
        module.theta_pos.item(),
        module.theta_neg.item(),
        module.gamma_pos.item(),
        module.gamma_neg.item(),
    ]
    assert found == pytest.approx([1.0, -0.5, 0.5, 2.0], abs=0.03)


@pytest.mark.parametrize("temperature", [1.0, 0.25, 4.0])
def test_unit_mean_against_quadrature(temperature: float) -> None:
    module = hw.nn.UnitMean(drelu(), temperature=temperature)
    h = torch.linspace(-120, 120, 2_400_001, dtype=torch.float64)
    unit = drelu()
    for index in range(2):
        potential = (
            unit.gamma_pos[index] / 2 * h.clamp(min=0) ** 2
            + unit.theta_pos[index] * h.clamp(min=0)
            + unit.gamma_neg[index] / 2 * h.clamp(max=0) ** 2
            + unit.theta_neg[index] * h.clamp(max=0)
        )
        for x in (-3.0, 0.2, 2.5):
            weight = torch.softmax((x * h - potential) / temperature, 0)
            got = module(torch.full((1, 2), x, dtype=torch.float64))[0, index]
            assert got.item() == pytest.approx((weight * h).sum().item(), rel=1e-7)


def test_unit_mean_becomes_the_mode_as_it_cools() -> None:
    unit = drelu()
    gap = [
        (hw.nn.UnitMean(unit, temperature=t)(INPUTS) - unit.mode_from_inputs(INPUTS)).abs()[:, 0].max().item()
        for t in (1.0, 0.1, 0.01, 1e-4)
    ]
    # at a kink of a dead zone the distance falls as √t
    assert all(b < 0.5 * a for a, b in itertools.pairwise(gap))
    assert gap[-1] < 0.02


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.thorough)])
def test_unit_mean_derivative_is_the_variance(temperature: float, learnable: bool, fast: bool) -> None:
    """Fast: along a random direction; else entry by entry."""
    module = hw.nn.UnitMean(drelu(), temperature=temperature, learnable=learnable)
    x = INPUTS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
    cold = {n: p.detach() / temperature for n, p in drelu().named_parameters()}
    variance = hw.units.DReLU.from_parameters(cold).var_from_inputs(INPUTS / temperature)
    assert torch.allclose(slope, variance / temperature, rtol=1e-10)
    assert torch.autograd.gradcheck(module, x, fast_mode=fast)
    assert torch.autograd.gradgradcheck(module, x, fast_mode=fast)


@pytest.mark.parametrize("unit", ["Binary", "Spin", "Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_unit_mean_of_every_unit_learns(unit: str, temperature: float) -> None:
    made = hw.units.UNITS[unit](2, dtype=torch.float64)
    plain = hw.nn.UnitMean(made, temperature=temperature)
    module = hw.nn.UnitMean(made, temperature=temperature, learnable=True)
    x = INPUTS[::6]
    assert torch.allclose(plain(x), module(x), rtol=1e-12, atol=1e-14)
    assert not [p for p in plain.parameters() if p.requires_grad]
    names, values = zip(*module.raw.named_parameters(), strict=True)

    def of_parameters(*parameters: torch.Tensor) -> torch.Tensor:
        replaced = {f"raw.{n}": p for n, p in zip(names, parameters, strict=True)}
        return torch.func.functional_call(module, replaced, (x,))

    assert torch.autograd.gradcheck(of_parameters, values)
    assert type(module.unit).__name__ in (unit, "XReLU")


def test_unit_mean_keeps_dtypes_and_compiles() -> None:
    module = hw.nn.UnitMean(drelu(torch.float32), temperature=0.5)
    assert module(INPUTS.half()).dtype == torch.float16
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(INPUTS.float()), module(INPUTS.float()))


def test_unit_mean_refuses() -> None:
    with pytest.raises(ValueError, match="UnitMean takes a unit of halfwave.units; got ReLU"):
        hw.nn.UnitMean(nn.ReLU())
    for t in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"`temperature` of UnitMean must be (positive|finite); got {t}"):
            hw.nn.UnitMean(drelu(), temperature=t)
    with pytest.raises(ValueError, match=r"must end in the layer's shape \(2,\); got \(3, 5\)"):
        hw.nn.UnitMean(drelu())(torch.zeros(3, 5))


def test_relu_sum_is_its_function() -> None:
    module = hw.nn.ReLUSum(1, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    with torch.no_grad():
        module.slope.fill_(0.3)
        module.offset.fill_(-0.2)
    f = module.to_function()
    x = torch.linspace(-4, 4, 101, dtype=torch.float64)
    assert torch.allclose(module(x[:, None])[:, 0], f(x), rtol=1e-12, atol=1e-12)
    assert len(f.kinks) == 7
    again = hw.nn.ReLUSum.from_function(f, dtype=torch.float64)
    assert torch.allclose(again(x[:, None])[:, 0], f(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("features", [1, 2, 5])
def test_relu_sum_starts_with_its_kinks_on_the_data(features: int) -> None:
    generator = torch.Generator().manual_seed(0)
    module = hw.nn.ReLUSum(features, 64, generator=generator)
    x = torch.randn(4000, features, generator=generator)

    def shares(points: torch.Tensor) -> torch.Tensor:
        """Share of the data on the side of each kink to which the first coordinate falls, sorted."""
        fires = (points @ module.slopes.T + module.intercepts > 0).float().mean(0)
        return torch.where(module.slopes[:, 0] > 0, 1 - fires, fires).sort().values

    even = (torch.arange(64) + 0.5) / 64
    assert torch.allclose(shares(x), even, atol=0.04)  # five standard errors of a share of 4000 samples
    assert 0.1 < module(x).var() < 10.0
    shifted = 100 + 5 * x
    module.initialize_from_data(shifted)
    assert torch.allclose(shares(shifted), even, atol=0.002)


def test_relu_sum_learns_a_function() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.linspace(-3, 3, 300)[:, None]
    y = torch.sin(2 * x)
    module = hw.nn.ReLUSum(1, 24, generator=generator).initialize_from_data(x)
    optimizer = torch.optim.LBFGS(module.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (module(x) - y).pow(2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert closure().item() < 2e-3  # the variance of y is about 0.5
    error = module.to_function()(x[:, 0]) - y[:, 0]
    assert error.abs().max() < 0.2


def test_relu_sum_refuses() -> None:
    for sizes in ((0, 3), (1, 0), (1, 2.5), (1, True)):
        with pytest.raises(ValueError, match="must be a positive integer; got"):
            hw.nn.ReLUSum(*sizes)  # pyright: ignore
    with pytest.raises(ValueError, match=r"must end in 2 features; got shape \(3, 1\)"):
        hw.nn.ReLUSum(2, 3)(torch.zeros(3, 1))
    with pytest.raises(ValueError, match="needs one input and one output feature; got 2 and 1"):
        hw.nn.ReLUSum(2, 3).to_function()
    with pytest.raises(
        ValueError, match=r"data of ReLUSum must be \(samples, 2\), with a sample; got \(0, 2\)"
    ):
        hw.nn.ReLUSum(2, 3).initialize_from_data(torch.zeros(0, 2))
    with pytest.raises(ValueError, match="data of ReLUSum must be finite; got nan"):
        hw.nn.ReLUSum(1, 3).initialize_from_data(torch.tensor([[math.nan]]))
    with pytest.raises(ValueError, match="needs a continuous function"):
        hw.nn.ReLUSum.from_function(exact.step())


ACTIVATIONS = {
    "ReLU": (nn.ReLU(), lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "Sigmoid": (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "Tanh": (nn.Tanh(), np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "Softplus": (nn.Softplus(), lambda x: np.log1p(np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
    "SiLU": (nn.SiLU(), lambda x: x / (1 + np.exp(-x)), None),
    "function": (torch.sin, np.sin, np.cos),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_curve_of_any_activation(name: str) -> None:
    module, value, slope = ACTIVATIONS[name]
    x = np.linspace(-3, 3, 13)
    made = curve(module, x)
    assert list(made) == ["x", "y", "yp"]
    assert all(isinstance(number, float) for part in made.values() for number in part)
    assert np.allclose(made["x"], x)
    assert np.allclose(made["y"], value(x), rtol=1e-12)
    if slope is not None:
        assert np.allclose(made["yp"], slope(x), rtol=1e-10)


@pytest.mark.parametrize(
    "f", [exact.relu(), exact.hard_tanh(), exact.double_relu(-1.2, -1.2, 1.2, 1.2)], ids=str
)
def test_curve_agrees_with_the_exact_one(f: exact.PiecewiseLinear) -> None:
    x = [-2.0, -1.0, 0.0, 0.3, 1.0, 2.5]
    ours, theirs = curve(hw.nn.PiecewiseLinearActivation(f), x), f.curve(x)
    for key in theirs:
        assert np.allclose(ours[key], theirs[key], rtol=1e-14)


def test_curve_is_written_as_json(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "relu.json"
    made = curve(nn.ReLU(), torch.linspace(-1, 1, 5), path)
    assert json.loads(path.read_text()) == made == {
        "x": [-1.0, -0.5, 0.0, 0.5, 1.0], "y": [0.0, 0.0, 0.0, 0.5, 1.0], "yp": [0.0, 0.0, 0.0, 1.0, 1.0]
    }  # fmt: skip
    curve(nn.ReLU(), [0.0], path)
    assert json.loads(path.read_text())["x"] == [0.0]
    assert [p.name for p in path.parent.iterdir()] == ["relu.json"]


def test_curve_of_networks_and_frozen_modules() -> None:
    network = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        made = curve(network, [-1, 0, 1])
    middle = [network(torch.tensor([[p]])).item() for p in (-1e-3, 1e-3)]
    assert made["yp"][1] == pytest.approx((middle[1] - middle[0]) / 2e-3, rel=0.05)
    assert curve(nn.PReLU(), [-2.0])["y"] == [-0.5]
    unit = hw.units.DReLU(1)
    assert curve(hw.nn.UnitMean(unit), [2.0])["yp"] == pytest.approx([1.0], rel=1e-6)


def test_curve_refuses() -> None:
    with pytest.raises(ValueError, match="floating-point tensor, which can carry a gradient; got torch"):
        curve(nn.ReLU(), torch.arange(-3, 4))
    with pytest.raises(ValueError, match=r"must be one-dimensional; got shape \(2, 2\)"):
        curve(nn.ReLU(), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="must be real numbers|must be numbers"):
        curve(nn.ReLU(), ["a"])
    with pytest.raises(ValueError, match=r"must map \(3, 1\) to the same shape; got \(3, 4\)"):
        curve(nn.Linear(1, 4), [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="must treat every row by itself"):
        curve(nn.Softmax(dim=0), [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="is not differentiable"):
        curve(lambda x: (x > 0).double(), [0.0, 1.0])
    with pytest.raises(ValueError, match="must be finite|not finite"):
        curve(nn.ReLU(), [math.inf], Path("never.json"))


def test_module_parameters_must_make_sense() -> None:
    with pytest.raises(ValueError, match="`ceiling` of ClippedReLU must be positive; got -6"):
        hw.nn.ClippedReLU(-6.0)
    with pytest.raises(ValueError, match="`threshold` of SoftThreshold must be at least 0; got -1"):
        hw.nn.SoftThreshold(-1.0)
    with pytest.raises(
        ValueError, match=r"`threshold` of HardThreshold must be at least 0; got -1 at index \(1,\)"
    ):
        hw.nn.HardThreshold(torch.tensor([0.0, -1.0]))
    with pytest.raises(ValueError, match="`low` of HardTanh must be below `high`; got low = 1.0, high = 1.0"):
        hw.nn.HardTanh(1.0, 1.0)
    with pytest.raises(ValueError, match="`gamma_pos` of TwoSidedReLU must be positive; got 0"):
        hw.nn.TwoSidedReLU(gamma_pos=0.0)
    with pytest.raises(ValueError, match="`slope` of LeakyReLU must be finite; got nan"):
        hw.nn.LeakyReLU(math.nan)
    with pytest.raises(ValueError, match="`m` of RectifiedLinear must be a number or a tensor; got 'a'"):
        hw.nn.RectifiedLinear("a")  # pyright: ignore
    with pytest.raises(ValueError, match="PiecewiseLinearActivation takes a PiecewiseLinear; got function"):
        hw.nn.PiecewiseLinearActivation(lambda x: x)  # pyright: ignore
    with pytest.raises(ValueError, match=r"\(terms,\); got slopes \(2,\), intercepts \(3,\), weights \(2,\)"):
        hw.nn.functional.relu_sum(torch.zeros(1), torch.zeros(2), torch.zeros(3))
