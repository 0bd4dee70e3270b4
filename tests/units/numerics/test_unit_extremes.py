"""No NaN, infinity, negative variance or wrong side on a large grid of extreme inputs and parameters."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from mpmath import exp, log1p, mp, mpf
from torch import Tensor

from halfwave.units import Binary, DReLU, Gaussian, Potts, ReLU, Spin, Unit, XReLU

from ..registry import each_dtype

THRESHOLDS = [-1e4, -30.0, -1.0, 0.0, 1e-3, 1.0, 30.0, 1e4]
CURVATURES = [1e-4, 1e-2, 1.0, 1e4]
INPUTS = [-1e4, -100.0, -1.0, 0.0, 1e-3, 5.0, 1e4]


def corners(*axes: list[float]) -> np.ndarray:
    """All combinations, one row for each axis."""
    return np.array(list(itertools.product(*axes))).T


def random_points(rows: str, count: int) -> np.ndarray:
    """Random inputs and thresholds (``t``) and curvatures (``g``) over the whole range."""
    generator = np.random.default_rng(99)
    signs, exponents = generator.choice([-1.0, 1.0], (len(rows), count)), generator.random((len(rows), count))
    return np.array(
        [
            10 ** (8 * exponents[i] - 4) if row == "g" else signs[i] * 10 ** (8 * exponents[i] - 4)
            for i, row in enumerate(rows)
        ]
    )


def drelu_layer(dtype: torch.dtype) -> tuple[DReLU, Tensor]:
    """8,192 corners and 8,000 random points as one layer."""
    points = [corners(INPUTS, THRESHOLDS, THRESHOLDS, CURVATURES, CURVATURES), random_points("tttgg", 8_000)]
    inputs, *rest = torch.tensor(np.concatenate(points, 1), dtype=dtype)
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    return DReLU(**dict(zip(names, rest, strict=True))), inputs


def check_everything_is_finite(unit: Unit, inputs: Tensor) -> None:
    """Γ, moments, statistics and samples at ordinary and extreme random numbers."""
    for name in ("cgfs", "mean_from_inputs", "mode_from_inputs", "mean_abs_from_inputs", "std_from_inputs"):
        assert torch.isfinite(getattr(unit, name)(inputs)).all(), name
    variance = unit.var_from_inputs(inputs)
    assert torch.isfinite(variance).all()
    assert (variance > 0).all()
    for key, value in unit.statistics_from_inputs(inputs).items():
        assert torch.isfinite(value).all(), key
    generator = torch.Generator().manual_seed(1)
    many = inputs.expand(8, *inputs.shape)
    noise = unit.draw_noise((8,), generator)
    samples = [unit.sample_from_noise(many, noise)]
    if unit.name != "Gaussian":  # uniform numbers: their two ends too
        ends = torch.tensor([2.0**-32, 1e-9, 1.0 - 2.0**-24, 1.0], dtype=inputs.dtype)
        for first, second in itertools.product(ends, ends):
            both = torch.stack([first.expand(inputs.shape), second.expand(inputs.shape)])
            samples.append(unit.sample_from_noise(inputs, both[1] if noise.ndim == many.ndim else both))
    for sample in samples:
        assert torch.isfinite(sample).all()
        unit.check_values(sample.reshape(-1, *unit.shape))


@each_dtype
def test_drelu_stays_finite_everywhere(dtype):
    unit, inputs = drelu_layer(dtype)
    check_everything_is_finite(unit, inputs)
    halves = unit.statistics_from_inputs(inputs)
    assert (halves["x_pos"] >= 0).all()
    assert (halves["x_neg"] <= 0).all()
    assert (halves["x_pos_squared"] >= 0).all()
    assert (halves["x_neg_squared"] >= 0).all()


@each_dtype
def test_log_density_of_samples_is_finite_and_moderate(dtype):
    unit, inputs = drelu_layer(dtype)
    generator = torch.Generator().manual_seed(4)
    samples = unit.sample_from_inputs(inputs.expand(4, *inputs.shape), generator)
    # a density times the width of the distribution is of order one where samples fall
    surprise = -unit.log_probs(samples, inputs) - unit.std_from_inputs(inputs).log()
    assert torch.isfinite(surprise).all()
    # P(surprise > 60) < e^-50 for a unit with one mode, and two modes change it by the logarithm of their ratio
    rounding = 4 * torch.finfo(dtype).eps * (samples * inputs).abs()
    assert (surprise < 60 + 60 * rounding.sqrt()).all()


@each_dtype
def test_relu_stays_finite_and_never_negative(dtype):
    points = [corners(INPUTS, THRESHOLDS, CURVATURES), random_points("ttg", 8_000)]
    inputs, theta, gamma = torch.tensor(np.concatenate(points, 1), dtype=dtype)
    unit = ReLU(theta=theta, gamma=gamma)
    check_everything_is_finite(unit, inputs)
    samples = unit.sample_from_inputs(inputs.expand(16, *inputs.shape), torch.Generator().manual_seed(0))
    assert (samples >= 0).all()
    assert (unit.mean_from_inputs(inputs) > 0).all()


@each_dtype
def test_gaussian_stays_finite(dtype):
    points = [corners(INPUTS, THRESHOLDS, CURVATURES), random_points("ttg", 8_000)]
    inputs, theta, gamma = torch.tensor(np.concatenate(points, 1), dtype=dtype)
    check_everything_is_finite(Gaussian(theta=theta, gamma=gamma), inputs)


@each_dtype
def test_xrelu_stays_finite_with_extreme_asymmetry(dtype):
    xi = [-1e6, -1e3, -1.0, 0.0, 1e-3, 1e6]
    points = corners([-1e4, 0.0, 1e4], [-100.0, 0.0, 3.0], [1e-2, 1.0, 1e2], [-10.0, 0.0, 10.0], xi)
    inputs, theta, gamma, delta, xi = torch.tensor(points, dtype=dtype)
    check_everything_is_finite(XReLU(theta=theta, gamma=gamma, delta=delta, xi=xi), inputs)


@each_dtype
def test_one_sided_limit_of_drelu_is_relu(dtype):
    theta, gamma = (
        torch.tensor([-2.0, 0.0, 5.0, 300.0], dtype=dtype),
        torch.tensor([1.0, 0.3, 2.0, 1.0], dtype=dtype),
    )
    # a steep negative side holds a share of about 1/θ⁻ of the mass, at most 1e-10 away from zero
    wall = torch.full_like(theta, -1e10)
    drelu = DReLU(theta_pos=theta, theta_neg=wall, gamma_pos=gamma, gamma_neg=torch.ones_like(theta))
    relu = ReLU(theta=theta, gamma=gamma)
    inputs = torch.linspace(-5.0, 5.0, 11, dtype=dtype).reshape(-1, 1)
    tolerance = {torch.float32: 3e-6, torch.float64: 1e-7}[dtype]
    for name in ("cgfs", "mean_from_inputs", "var_from_inputs", "mode_from_inputs", "mean_abs_from_inputs"):
        got, expected = getattr(drelu, name)(inputs), getattr(relu, name)(inputs)
        torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 4 * 2.0**-23), (torch.float64, 4 * 2.0**-52)]
)
@pytest.mark.parametrize("unit_class", [Binary, Spin])
def test_two_state_units_keep_their_relative_accuracy(unit_class, dtype, tolerance):
    half = unit_class is Spin
    t = torch.cat([torch.linspace(-50.0, 50.0, 401), torch.tensor([-1e4, 1e4, 1e-6, -1e-6])]).to(dtype)
    t = t[t.abs() <= 40.0] if half and dtype == torch.float32 else t  # σ(±2t) itself underflows beyond
    unit = unit_class(field=torch.zeros(len(t), dtype=dtype))
    got = {"cgf": unit.cgfs(t), "variance": unit.var_from_inputs(t), "mean": unit.mean_from_inputs(t)}
    got["likely"] = unit.log_probs(unit.mode_from_inputs(t), t)
    with mp.workdps(50):
        for i, value in enumerate(t.tolist()):
            x = mpf(value)
            drive = 2 * x if half else x
            share = 1 / (1 + exp(-drive))
            exact = {
                "cgf": log1p(exp(drive)) - (x if half else 0),
                "variance": (4 if half else 1) * share / (1 + exp(drive)),
                "mean": 2 * share - 1 if half else share,
                "likely": -log1p(exp(-abs(drive))),
            }
            for key, number in exact.items():
                # exp turns a relative rounding of its argument into an absolute one
                allowed = tolerance * (1 + abs(drive)) * abs(number) + torch.finfo(dtype).tiny
                assert abs(mpf(got[key][i].item()) - number) <= allowed, (key, value)


@each_dtype
def test_two_state_units_are_exact_at_the_ends(dtype):
    t = torch.tensor([-1e4, 1e4], dtype=dtype)
    zero = torch.zeros(2, dtype=dtype)
    assert Binary(field=zero).cgfs(t).tolist() == [0.0, 1e4]
    assert Spin(field=zero).cgfs(t).tolist() == [1e4, 1e4]
    assert Binary(field=zero).mean_from_inputs(t).tolist() == [0.0, 1.0]
    assert Spin(field=zero).mean_from_inputs(t).tolist() == [-1.0, 1.0]
    for unit in (Binary(field=zero), Spin(field=zero)):
        assert torch.isfinite(unit.log_probs(unit.mode_from_inputs(t), t)).all()
        assert (unit.sample_from_inputs(t.expand(1000, 2)) == unit.mode_from_inputs(t)).all()


@each_dtype
def test_potts_survives_large_fields(dtype):
    field = torch.tensor([[1e4, -1e4, 0.0], [1e4, 1e4, 9999.0], [-1e4, -1e4, -1e4]], dtype=dtype)
    unit, inputs = Potts(field=field), torch.zeros(3, 3, dtype=dtype)
    mean = unit.mean_from_inputs(inputs)
    torch.testing.assert_close(mean.sum(-1), torch.ones(3, dtype=dtype))
    assert (unit.var_from_inputs(inputs) >= 0).all()
    likely = unit.one_hot(torch.tensor([0, 1, 2]))
    share = 1 / (2 + np.exp(-1.0))
    expected = torch.tensor([0.0, np.log(share), np.log(1 / 3)], dtype=dtype)
    torch.testing.assert_close(unit.log_probs(likely, inputs), expected)
    samples = unit.sample_from_inputs(inputs.expand(1000, 3, 3), torch.Generator().manual_seed(0))
    unit.check_values(samples)
    assert (samples[:, 0, 0] == 1).all()
