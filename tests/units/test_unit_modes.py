"""The most probable value: formulas, ties, and the exact piecewise-linear functions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from halfwave.functions import PiecewiseLinear
from halfwave.units import Binary, DReLU, Potts, Spin

from .registry import each_continuous_unit, example


def drelu(theta_pos: float, theta_neg: float, gamma_pos: float, gamma_neg: float) -> DReLU:
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    values = (theta_pos, theta_neg, gamma_pos, gamma_neg)
    tensors = (torch.tensor([value], dtype=torch.float64) for value in values)
    return DReLU(**dict(zip(names, tensors, strict=True)))


@each_continuous_unit
def test_mode_functions_equal_mode_from_inputs(name):
    unit = example(name)
    grid = np.concatenate(
        [np.linspace(-12.0, 12.0, 2401), np.geomspace(1e-6, 1e4, 60), -np.geomspace(1e-6, 1e4, 60)]
    )
    inputs = torch.tensor(grid)[:, None].expand(-1, unit.size)
    modes = unit.mode_from_inputs(inputs).numpy()
    for index in range(unit.size):
        function = unit.mode_function(index)
        assert isinstance(function, PiecewiseLinear)
        values = np.asarray(function(grid))
        # at a jump both wells are equally deep and either side is a mode
        jumps = np.asarray(function.kinks)[np.asarray(function.jumps) != 0]
        away = (
            np.all(np.abs(grid[:, None] - jumps) > 1e-12, axis=1) if len(jumps) else np.ones(len(grid), bool)
        )
        np.testing.assert_allclose(modes[away, index], values[away], rtol=1e-12, atol=1e-12)


def test_mode_functions_take_negative_and_tuple_indices():
    unit = example("ReLU")
    assert unit.mode_function(-1)(7.0) == unit.mode_function(4)(7.0) == unit.mode_function((4,))(7.0)
    scalar = DReLU(())
    assert scalar.mode_function()(1.5) == 1.5
    square = DReLU((2, 3))
    square.theta_pos.data[1, 2] = 2.0
    assert square.mode_function((1, 2))(3.0) == 1.0
    assert square.mode_function((-1, -1))(3.0) == 1.0


def test_dead_zone():
    unit = drelu(3.0, -2.0, 1.0, 0.5)
    inputs = torch.tensor([[-4.0], [-2.0], [0.0], [3.0], [5.0]], dtype=torch.float64)
    assert unit.mode_from_inputs(inputs).flatten().tolist() == [-4.0, 0.0, 0.0, 0.0, 2.0]


def test_double_well_takes_the_deeper_well_and_the_positive_one_in_a_tie():
    unit = drelu(-2.0, 2.0, 1.0, 1.0)
    inputs = torch.tensor([[-1e-9], [0.0], [1e-9]], dtype=torch.float64)
    torch.testing.assert_close(
        unit.mode_from_inputs(inputs).flatten(), torch.tensor([-2.0, 2.0, 2.0], dtype=torch.float64)
    )
    # the depth of a well is t²/2γ, not t/γ
    unit = drelu(-2.0, 3.0, 0.5, 1.0)
    assert unit.mode_from_inputs(torch.zeros(1, dtype=torch.float64)).item() == -3.0
    unit = drelu(-2.0, 3.0, 0.4, 1.0)
    assert unit.mode_from_inputs(torch.zeros(1, dtype=torch.float64)).item() == 5.0


@pytest.mark.parametrize("seed", range(5))
def test_modes_of_random_units_beat_a_fine_grid(seed):
    generator = np.random.default_rng(seed)
    count = 40
    thetas = generator.normal(size=(2, count)) * 3
    gammas = 10 ** generator.uniform(-1, 1, (2, count))
    rows = torch.tensor(np.concatenate([thetas, gammas]))
    unit = DReLU(**dict(zip(("theta_pos", "theta_neg", "gamma_pos", "gamma_neg"), rows, strict=True)))
    inputs = torch.tensor(generator.normal(size=(20, count)) * 4)
    mode = unit.mode_from_inputs(inputs)
    grid = torch.linspace(-250.0, 250.0, 20_001, dtype=torch.float64)[:, None, None]
    best = (inputs * grid - unit.energies(grid)).amax(0)
    reached = inputs * mode - unit.energies(mode)
    assert (reached >= best - 1e-12).all()
    # a grid point is at most half a spacing from the mode, so the mode cannot be much better than the grid
    slack = 0.5 * torch.maximum(unit.gamma_pos, unit.gamma_neg) * 0.0125**2 + 1e-9
    linear = 0.0125 * (inputs.abs() + thetas_bound(unit))
    assert (reached <= best + slack + linear).all()


def thetas_bound(unit: DReLU) -> torch.Tensor:
    return torch.maximum(unit.theta_pos.abs(), unit.theta_neg.abs())


def test_ties_of_discrete_units():
    zero = torch.zeros(1)
    assert Binary(1).mode_from_inputs(zero).item() == 0.0
    assert Spin(1).mode_from_inputs(zero).item() == -1.0
    assert Binary(1).mode_from_inputs(zero + 1e-30).item() == 1.0
    assert Spin(1).mode_from_inputs(zero + 1e-30).item() == 1.0


@pytest.mark.parametrize(
    ("field", "first"),
    [([0.0, 0.0, 0.0], 0), ([1.0, 2.0, 2.0], 1), ([3.0, -1.0, 3.0], 0), ([-2.0, -2.0, 5.0], 2)],
)
def test_the_potts_mode_is_one_hot_even_in_a_tie(field, first):
    unit = Potts(field=torch.tensor([field]))
    mode = unit.mode_from_inputs(torch.zeros(7, 1, 3))
    assert (mode.sum(-1) == 1).all()
    assert (mode.argmax(-1) == first).all()
    unit.check_values(mode)
