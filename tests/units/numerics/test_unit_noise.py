"""Uniform numbers, and the excess made from them: deterministic checks of the sampler against the exact law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from halfwave.units import DReLU, ReLU
from halfwave.units.numerics.noise import as_uniform, excess_from_uniform, random_words, uniform
from halfwave.units.numerics.tails import tail

from .. import chance, distribution, reference
from ..registry import each_dtype

SUP_ERROR = {torch.float32: 1e-5, torch.float64: 1e-12}
BODY = [-5.0, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 3.2, 4.0, 4.999, 5.0, 5.001, 6.0, 8.0]
TAIL = [30.0, 300.0, 1e4, 1e6]


def grid_of_uniforms(dtype: torch.dtype) -> Tensor:
    """From the smallest uniform number, 2⁻³², to 1, crowded at both ends."""
    low, high = np.geomspace(2.0**-32, 1e-3, 40), 1.0 - np.geomspace(2.0**-24, 1e-3, 20)
    return torch.tensor(np.concatenate([low, np.linspace(1e-3, 1 - 1e-3, 100), high, [1.0]]), dtype=dtype)


@each_dtype
@pytest.mark.parametrize("threshold", BODY + TAIL)
def test_excess_inverts_the_survival_function(dtype, threshold):
    numbers = grid_of_uniforms(dtype)
    a = torch.full_like(numbers, threshold)
    excess = excess_from_uniform(a, tail(a), numbers)
    assert torch.isfinite(excess).all()
    assert (excess >= 0).all()
    exact = [reference.survival(mpf(a[0].item()), mpf(e)) for e in excess.tolist()]
    error = max(abs(float(s - mpf(u))) for s, u in zip(exact, numbers.tolist(), strict=True))
    assert error <= SUP_ERROR[dtype]


@each_dtype
@pytest.mark.parametrize("threshold", [-10.0, -300.0, -1e4, -1e6])
def test_excess_of_a_deep_well_is_right_to_its_own_resolution(dtype, threshold):
    # the excess is close to |a| here: one rounding of it moves the survival probability by φ(0)·|a|·eps
    numbers = grid_of_uniforms(dtype)
    a = torch.full_like(numbers, threshold)
    excess = excess_from_uniform(a, tail(a), numbers)
    exact = [reference.survival(mpf(a[0].item()), mpf(e)) for e in excess.tolist()]
    error = max(abs(float(s - mpf(u))) for s, u in zip(exact, numbers.tolist(), strict=True))
    assert error <= 0.1 * SUP_ERROR[dtype] + 0.4 * abs(threshold) * torch.finfo(dtype).eps


@each_dtype
def test_tail_probabilities_are_relatively_right(dtype):
    # events of probability 1e-9 must not be rarer or more frequent than they should be
    numbers = torch.tensor(np.geomspace(2.0**-32, 1e-2, 60), dtype=dtype)
    for threshold in (-3.0, 0.0, 3.0, 4.5, 5.5, 30.0, 1e4):
        a = torch.full_like(numbers, threshold)
        excess = excess_from_uniform(a, tail(a), numbers)
        for e, number in zip(excess.tolist(), numbers.tolist(), strict=True):
            exact = reference.survival(mpf(threshold), mpf(e))
            tolerance = {torch.float32: 0.02, torch.float64: 1e-12}[dtype]
            assert abs(exact - number) <= tolerance * number, (threshold, number)


@each_dtype
def test_excess_falls_with_the_uniform_number(dtype):
    numbers = torch.linspace(1e-6, 1.0, 2001, dtype=dtype)
    for threshold in (-30.0, -1.0, 0.0, 2.0, 4.9, 5.1, 100.0):
        a = torch.full_like(numbers, threshold)
        steps = excess_from_uniform(a, tail(a), numbers).diff()
        assert (steps <= 4 * torch.finfo(dtype).eps * max(1.0, abs(threshold))).all()


@each_dtype
def test_relu_samples_push_uniforms_through_the_exact_law(dtype):
    numbers = grid_of_uniforms(dtype)
    theta = torch.tensor([-3.0, 0.0, 5.0, 300.0, 1e4], dtype=dtype)
    gamma = torch.tensor([0.3, 2.0, 1.0, 4.0, 1e-2], dtype=dtype)
    unit = ReLU(theta=theta, gamma=gamma)
    inputs = torch.tensor(1.5, dtype=dtype).expand(len(numbers), 5)
    samples = unit.sample_from_noise(inputs, numbers[:, None].expand(len(numbers), 5))
    for column, (t, g) in enumerate(zip((1.5 - theta.double()).tolist(), gamma.tolist(), strict=True)):
        root = mpf(g) ** 0.5
        for x, number in zip(samples[:, column].tolist(), numbers.tolist(), strict=True):
            exact = reference.survival(-mpf(t) / root, mpf(x) * root)
            assert abs(exact - number) <= SUP_ERROR[dtype]


@each_dtype
def test_drelu_takes_the_side_from_the_first_number_and_the_size_from_the_second(dtype):
    numbers = grid_of_uniforms(dtype)
    unit = DReLU(
        theta_pos=torch.tensor([1.0, 30.0, -2.0], dtype=dtype),
        theta_neg=torch.tensor([0.5, -31.0, 3.0], dtype=dtype),
        gamma_pos=torch.tensor([1.0, 0.5, 3.0], dtype=dtype),
        gamma_neg=torch.tensor([2.0, 1.0, 0.5], dtype=dtype),
    )
    inputs = torch.zeros(len(numbers), 3, dtype=dtype)
    prob_pos = unit.sides(inputs).prob_pos
    half = numbers[:, None].expand(-1, 3)
    parameters = [value.double().numpy() for value in unit.parameters()]
    for share in (0.5, 1.0):  # inside the positive side, and its last value
        samples = unit.sample_from_noise(inputs, torch.stack([prob_pos * share, half]))
        assert (samples >= 0).all()
        above = 1.0 - distribution.drelu_cdf(samples.double().numpy(), inputs.double().numpy(), *parameters)
        np.testing.assert_allclose(above, (prob_pos * half).double().numpy(), rtol=0, atol=SUP_ERROR[dtype])
    samples = unit.sample_from_noise(inputs, torch.stack([torch.ones_like(half), half]))
    assert (samples <= 0).all()
    below = distribution.drelu_cdf(samples.double().numpy(), inputs.double().numpy(), *parameters)
    expected = (unit.sides(inputs).prob_neg * half).double().numpy()
    np.testing.assert_allclose(below, expected, rtol=0, atol=SUP_ERROR[dtype])


@each_dtype
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4), (0,), (4, 0)], ids=str)
def test_uniform_numbers_lie_in_the_half_open_interval(shape, dtype):
    numbers = uniform(shape, torch.Generator().manual_seed(0), dtype)
    assert numbers.shape == shape
    assert numbers.dtype == dtype
    assert ((numbers > 0) & (numbers <= 1)).all()


@each_dtype
def test_uniform_numbers_are_uniform_and_independent(dtype):
    numbers = uniform((400_001,), torch.Generator().manual_seed(20), dtype).double().numpy()
    assert numbers.min() > 0
    assert numbers.max() <= 1
    chance.follows(numbers, numbers)
    # neighbours share a 64-bit draw in single precision: their products and the joint tail must not show it
    for lag in (1, 2):
        pairs = np.stack([numbers[:-lag:2], numbers[lag::2][: len(numbers[:-lag:2])]]) - 0.5
        chance.has_mean(pairs[0] * pairs[1], np.array(0.0), np.array(1 / 12), f"lag {lag}")
        together = int(((pairs < -0.45).all(0)).sum())
        chance.has_probability(together, pairs.shape[1], 0.0025)


def test_single_precision_numbers_reach_far_into_the_lower_tail():
    numbers = uniform((4_000_000,), torch.Generator().manual_seed(3)).double().numpy()
    # torch.rand has a resolution of 2⁻²⁴ = 6e-8 and returns exact zeros
    small = numbers[numbers < 2.0**-12]
    chance.has_probability(len(small), len(numbers), 2.0**-12)
    chance.follows(small, small * 2.0**12)
    assert numbers.min() > 0


def test_uniform_numbers_depend_on_the_generator_alone():
    state = torch.get_rng_state()
    first = uniform((1000,), torch.Generator().manual_seed(1))
    torch.manual_seed(123)
    second = uniform((1000,), torch.Generator().manual_seed(1))
    torch.set_rng_state(state)
    assert torch.equal(first, second)
    assert not torch.equal(first, uniform((1000,), torch.Generator().manual_seed(2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_uniform_numbers_without_a_generator_follow_the_global_seed():
    state = torch.get_rng_state()
    torch.manual_seed(5)
    first = uniform((10,))
    torch.manual_seed(5)
    second = uniform((10,))
    torch.set_rng_state(state)
    assert torch.equal(first, second)


def test_words_become_uniform_numbers_in_one_way():
    words = random_words((1001,), torch.Generator().manual_seed(8))
    assert words.dtype == torch.int32
    assert torch.equal(as_uniform(words), uniform((1001,), torch.Generator().manual_seed(8)))
    ends = as_uniform(torch.tensor([-(2**31), 2**31 - 1, -(2**31) + 1, 0], dtype=torch.int32))
    assert ends.tolist() == [1.0, 1.0, 1.0, 2.0**-32]


@each_dtype
def test_given_floats_are_taken_as_they_are_and_kept_off_zero(dtype):
    given = torch.tensor([0.0, 0.25, 1.0], dtype=dtype)
    numbers = as_uniform(given)
    assert numbers.dtype == dtype
    assert 0 < numbers[0] < 1e-9
    assert numbers[1:].tolist() == [0.25, 1.0]
    assert given[0] == 0
