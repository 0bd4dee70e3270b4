"""The tail functions against 50-digit arithmetic, from −1e6 to 1e6 standard deviations, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mpmath import exp, log, mp, mpf, sqrt
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from halfwave.units.numerics import side, tails

from .. import reference

EPSILON = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])


def thresholds(dtype: torch.dtype) -> Tensor:
    """Thresholds of both signs over twelve decades, zero, and both sides of every switch in the code."""
    decades = np.geomspace(1e-6, 1e6, 241)
    switches = [14.0, 60.0, 5.0]
    near = [value * (1 + step) for value in switches for step in (-1e-6, 0.0, 1e-6)]
    return torch.tensor([*-decades[::-1], 0.0, *decades, *near], dtype=dtype)


def relative_errors(got: Tensor, exact: list[mpf]) -> np.ndarray:
    """|got − exact| / |exact|."""
    return np.array([float(abs(mpf(g) - e) / abs(e)) for g, e in zip(got.tolist(), exact, strict=True)])


@DTYPES
def test_moments_lose_a_few_units_in_the_last_place_only(dtype):
    a = thresholds(dtype)
    values = tails.tail(a)
    exact = [reference.excess(mpf(x)) for x in a.tolist()]
    # the textbook forms lose a² and a⁴ units: 1e12 and 1e24 here
    assert relative_errors(values.mean, [e.mean for e in exact]).max() <= 8 * EPSILON[dtype]
    assert relative_errors(values.variance, [e.variance for e in exact]).max() <= 32 * EPSILON[dtype]


@DTYPES
def test_cgf_is_accurate_to_its_conditioning(dtype):
    a = thresholds(dtype)
    got = side.side_cgf(-a, torch.ones((), dtype=dtype)).tolist()
    for x, value in zip(a.tolist(), got, strict=True):
        exact = reference.excess(mpf(x))
        # one rounding of a moves log mills by a·mean; one more unit of the larger part covers its zero at a = 0.3
        allowed = 8 * EPSILON[dtype] * (abs(exact.log_mills) + abs(mpf(x)) * exact.mean + 1)
        assert abs(mpf(value) - exact.log_mills) <= allowed, (x, value, float(exact.log_mills))


@DTYPES
def test_scale_and_exponent_give_the_normalisation(dtype):
    a = thresholds(dtype)
    values = tails.tail(a)
    assert (values.exponent == torch.relu(-a).square() * 0.5).all()
    for alone, together in zip(tails.tail_scale(a), (values.scale, values.exponent), strict=True):
        assert torch.equal(alone, together)
    exact = [reference.excess(mpf(x)).scale for x in a.tolist()]
    assert relative_errors(values.scale, exact).max() <= 8 * EPSILON[dtype]


@DTYPES
def test_higher_cumulants_are_accurate_on_both_sides_of_their_switch(dtype):
    a = torch.cat([thresholds(dtype)[241:], torch.linspace(0.1, 80.0, 400, dtype=dtype)])
    values = tails.tail(a)
    exact = [reference.third_cumulant(mpf(x)) for x in a.tolist()]
    got = tails.third_cumulant(a, values)
    assert relative_errors(got, exact).max() <= {torch.float32: 1e-4, torch.float64: 1e-11}[dtype]
    exact = [reference.fourth_cumulant(mpf(x)) for x in a.tolist()]
    got = tails.fourth_cumulant(a, values)
    assert relative_errors(got, exact).max() <= {torch.float32: 1e-2, torch.float64: 1e-8}[dtype]


def test_higher_cumulants_below_the_mean_are_absolutely_accurate():
    a = -torch.tensor(np.geomspace(1e-3, 1e6, 100))
    values = tails.tail(a)
    for function, exact in (
        (tails.third_cumulant, reference.third_cumulant),
        (tails.fourth_cumulant, reference.fourth_cumulant),
    ):
        expected = [float(exact(mpf(x))) for x in a.tolist()]
        np.testing.assert_allclose(function(a, values).numpy(), expected, rtol=0, atol=1e-13)


@DTYPES
def test_values_are_finite_and_positive_everywhere(dtype):
    decades = torch.logspace(-40, 8, 20_001, dtype=torch.float64).to(dtype)
    values = tails.tail(torch.cat([-decades, decades]))
    for name in ("mean", "variance", "scale"):
        value = getattr(values, name)
        assert torch.isfinite(value).all(), name
        assert (value > 0).all(), name


@DTYPES
def test_means_fall_and_variances_fall_with_the_threshold(dtype):
    a = torch.linspace(-8, 40, 2001, dtype=dtype)
    values = tails.tail(a)
    assert (values.mean.diff() < 0).all()
    assert (values.variance.diff() < 16 * EPSILON[dtype]).all()


def grids(*axes: list[float], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """All combinations, as tensors to differentiate."""
    axes = torch.meshgrid(*(torch.tensor(axis, dtype=dtype) for axis in axes), indexing="ij")
    return [axis.flatten().requires_grad_() for axis in axes]


@pytest.mark.parametrize("function", [side.side_cgf, side.side_mean], ids=lambda f: f.__name__)
def test_derivatives_pass_gradcheck_twice(function):
    t, gamma = grids([-61.0, -13.0, -3.0, -0.4, 0.0, 1e-3, 1.0, 6.0, 30.0], [0.3, 1.0, 2.5])
    assert gradcheck(function, (t, gamma))
    assert gradgradcheck(function, (t, gamma), atol=1e-4)


def test_variance_passes_gradcheck():
    t, gamma = grids([-61.0, -13.0, -3.0, -0.4, 0.0, 1e-3, 1.0, 6.0], [0.3, 1.0, 2.5])
    assert gradcheck(side.side_variance, (t, gamma))


def test_derivatives_sum_over_broadcast_dimensions():
    t = torch.linspace(-3.0, 3.0, 12, dtype=torch.float64).reshape(4, 3).requires_grad_()
    gamma = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    for function in (side.side_cgf, side.side_mean, side.side_variance):
        assert gradcheck(function, (t, gamma))
        assert gradcheck(function, (t[0].detach().requires_grad_(), gamma.expand(4, 3).clone()))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-3), (torch.float64, 1e-9)])
def test_derivatives_are_exact_far_out_where_gradcheck_is_blind(dtype, tolerance):
    t, gamma = grids([0.5, -0.5, -10.0, -30.0, -1e3, -1e4, -1e6], [0.3, 1.0, 5.0], dtype=dtype)
    with mp.workdps(110):
        rows = [
            (1 / sqrt(mpf(g)), -mpf(x) / sqrt(mpf(g)))
            for x, g in zip(t.tolist(), gamma.tolist(), strict=True)
        ]
        moments = [reference.excess(a) for _, a in rows]
        means = [std * e.mean for (std, _), e in zip(rows, moments, strict=True)]
        variances = [std**2 * e.variance for (std, _), e in zip(rows, moments, strict=True)]
        thirds = [std**3 * reference.third_cumulant(a) for std, a in rows]
        fourths = [std**4 * reference.fourth_cumulant(a) for std, a in rows]
        triples = list(zip(means, variances, thirds, fourths, strict=True))
        seconds = [-(v + m * m) / 2 for m, v, _, _ in triples]
        means_by_gamma = [-(k + 2 * m * v) / 2 for m, v, k, _ in triples]
        variances_by_gamma = [-(k4 + 2 * m * k + 2 * v * v) / 2 for m, v, k, k4 in triples]
    expected = {
        side.side_cgf: (means, seconds),
        side.side_mean: (variances, means_by_gamma),
        side.side_variance: (thirds, variances_by_gamma),
    }
    for function, exact in expected.items():
        got = torch.autograd.grad(function(t, gamma).sum(), (t, gamma))
        for value, number in zip(got, exact, strict=True):
            assert relative_errors(value, number).max() <= tolerance, function.__name__


@DTYPES
def test_second_derivatives_of_the_cgf_are_exact_far_out(dtype):
    t = torch.tensor([2.0, -0.5, -30.0, -1e4, -1e6], dtype=dtype, requires_grad=True)
    gamma = torch.ones_like(t, requires_grad=True)
    first = torch.autograd.grad(side.side_cgf(t, gamma).sum(), (t, gamma), create_graph=True)
    by_t = torch.autograd.grad(first[0].sum(), (t, gamma), retain_graph=True)
    by_gamma = torch.autograd.grad(first[1].sum(), t)[0]
    exact = [(reference.excess(-mpf(x)), reference.third_cumulant(-mpf(x))) for x in t.tolist()]
    tolerance = {torch.float32: 1e-4, torch.float64: 1e-11}[dtype]
    assert relative_errors(by_t[0], [e.variance for e, _ in exact]).max() <= tolerance
    mixed = [-(third + 2 * e.mean * e.variance) / 2 for e, third in exact]
    assert relative_errors(by_t[1], mixed).max() <= tolerance
    assert relative_errors(by_gamma, mixed).max() <= tolerance


@DTYPES
def test_log_add_exp_and_both_derivatives(dtype):
    points = [
        (0.0, 0.0),
        (-3.0, 5.0),
        (1e4, 1e4),
        (-80.0, 80.0),
        (200.0, -200.0),
        (1e-3, -2e-3),
        (-1e12, 3.0),
    ]
    x, y = (torch.tensor(row, dtype=dtype, requires_grad=True) for row in zip(*points, strict=True))
    value = tails.log_add_exp(x, y)
    first = torch.autograd.grad(value.sum(), (x, y), create_graph=True)
    second = torch.autograd.grad(first[0].sum(), (x, y))
    for i, (p, q) in enumerate(points):
        p, q = mpf(x[i].item()), mpf(y[i].item())
        exact = max(p, q) + log(1 + exp(-abs(p - q)))
        share = 1 / (1 + exp(q - p))
        tolerance = 4 * EPSILON[dtype]
        assert abs(value[i].item() - exact) <= tolerance * max(abs(exact), 1)
        assert abs(first[0][i].item() - share) <= tolerance
        assert abs(first[1][i].item() - (1 - share)) <= tolerance
        assert abs(second[0][i].item() - share * (1 - share)) <= tolerance
        assert abs(second[1][i].item() + share * (1 - share)) <= tolerance


def test_greater_is_an_indicator_in_the_dtype_of_its_argument():
    x = torch.tensor([-1.0, 0.0, 2.0, torch.inf], dtype=torch.float64)
    assert tails.greater(x, 0.0).dtype == torch.float64
    assert tails.greater(x, 0.0).tolist() == [0.0, 0.0, 1.0, 1.0]
    assert tails.greater(x, torch.tensor([-2.0, 0.0, 3.0, 1.0])).tolist() == [1.0, 0.0, 0.0, 1.0]


def test_functions_work_under_vmap_and_grad():
    t = torch.linspace(-3, 3, 12, dtype=torch.float64).reshape(3, 4)
    gamma = torch.tensor([0.5, 1.0, 2.0, 3.0], dtype=torch.float64)
    for function in (side.side_cgf, side.side_mean, side.side_variance):
        assert torch.equal(torch.func.vmap(function, in_dims=(0, None))(t, gamma), function(t, gamma))
    derivative = torch.func.vmap(torch.func.vmap(torch.func.grad(side.side_cgf)), in_dims=(0, None))(t, gamma)
    torch.testing.assert_close(derivative, side.side_mean(t, gamma))
