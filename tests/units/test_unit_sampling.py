"""The full samplers against the exact distribution, with random numbers; the false-alarm rate is in `chance`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from halfwave.units import DReLU, Gaussian, Potts, ReLU, Unit

from . import chance, distribution
from .registry import each_dtype, each_unit, example, example_inputs

SAMPLES = 100_000

# (θ⁺, θ⁻, γ⁺, γ⁻) at zero input
REGIMES: dict[str, tuple[float, float, float, float]] = {
    "body": (0.5, -0.3, 1.0, 2.0),
    "standard normal": (0.0, 0.0, 1.0, 1.0),
    "both sides 5 out": (5.0, -5.0, 1.0, 1.0),
    "both sides 30 out": (30.0, -30.0, 1.0, 1.0),
    "both sides 300 out": (300.0, -310.0, 1.0, 1.0),
    "positive side 5 out": (5.0, 3.0, 1.0, 1.0),
    "positive side 30 out": (30.0, -2.0, 1.0, 1.0),
    "negative side 300 out": (-1.0, -300.0, 1.0, 1.0),
    "steep positive side": (0.3, -0.2, 1e3, 1e-3),
    "steep negative side": (0.3, -0.2, 1e-3, 1e3),
    "double well": (-4.0, 4.1, 1.0, 1.1),
    "deep unequal double well": (-9.0, 12.65, 0.5, 1.0),
    "dead zone": (3.0, -3.0, 1.0, 0.5),
    "switch of the algorithm": (4.999, -5.001, 1.0, 1.0),
    "deep well": (-40.0, -2.0, 1.5, 1.0),
}
each_regime = pytest.mark.parametrize("regime", REGIMES)


def drelu(regime: str, dtype: torch.dtype = torch.float64) -> DReLU:
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    values = (torch.tensor([value], dtype=dtype) for value in REGIMES[regime])
    return DReLU(**dict(zip(names, values, strict=True)))


def draw(unit: Unit, count: int, seed: int) -> torch.Tensor:
    inputs = torch.zeros(count, *unit.shape, dtype=unit.dtype)
    return unit.sample_from_inputs(inputs, torch.Generator().manual_seed(seed))


@each_regime
@each_dtype
def test_drelu_samples_follow_the_exact_distribution(regime, dtype):
    unit = drelu(regime, dtype)
    samples = draw(unit, SAMPLES, seed=len(regime))
    assert torch.isfinite(samples).all()
    zero = torch.zeros((), dtype=dtype)
    chance.follows(samples[:, 0], distribution.cdf(unit, zero, samples)[:, 0])


@each_regime
def test_drelu_samples_have_the_exact_moments(regime):
    unit = drelu(regime, torch.float32)
    exact = drelu(regime)
    samples = draw(unit, SAMPLES, seed=77)[:, 0].numpy()
    zero = torch.zeros(1, dtype=torch.float64)
    mean, std = exact.mean_from_inputs(zero).item(), exact.std_from_inputs(zero).item()
    chance.has_mean(samples, np.array(mean), np.array(std))
    share = exact.sides(zero).prob_pos.item()
    chance.has_probability(int((samples > 0).sum()), SAMPLES, share)
    # each side by itself: a sampler can have the right mean and the wrong shape on the rare side
    for sign, side in ((1, exact.sides(zero).tail_pos), (-1, exact.sides(zero).tail_neg)):
        chosen = np.abs(samples[samples * sign > 0].astype(np.float64))
        if len(chosen) >= 40_000:
            gamma = exact.gamma_pos if sign > 0 else exact.gamma_neg
            scale = gamma.rsqrt().item()
            chance.has_mean(chosen, scale * side.mean.numpy()[0], scale * side.variance.sqrt().numpy()[0])


@each_dtype
@pytest.mark.parametrize("threshold", [-30.0, -1.0, 0.0, 5.0, 30.0, 300.0])
def test_relu_samples_follow_the_exact_distribution(threshold, dtype):
    unit = ReLU(theta=torch.tensor([2.0 * threshold], dtype=dtype), gamma=torch.tensor([4.0], dtype=dtype))
    samples = draw(unit, SAMPLES, seed=9)
    assert (samples >= 0).all()
    chance.follows(samples[:, 0], distribution.cdf(unit, torch.zeros((), dtype=dtype), samples)[:, 0])


@each_dtype
def test_gaussian_samples_follow_the_exact_distribution(dtype):
    unit = Gaussian(theta=torch.tensor([-7.0], dtype=dtype), gamma=torch.tensor([0.2], dtype=dtype))
    samples = draw(unit, SAMPLES, seed=10)
    chance.follows(samples[:, 0], distribution.cdf(unit, torch.zeros((), dtype=dtype), samples)[:, 0])


def test_elements_of_a_layer_and_of_a_batch_are_independent():
    unit = DReLU((2, 3))
    samples = draw(unit, SAMPLES, seed=12).flatten(1).double().numpy()
    products = [samples[:, i] * samples[:, j] for i in range(6) for j in range(i)]
    chance.has_mean(np.stack(products, 1), np.zeros(15), np.ones(15), "products of elements")
    chance.has_mean(
        samples[1:] * samples[:-1], np.zeros(6), np.ones(6), "products of neighbours in the batch"
    )


def test_side_and_size_of_a_drelu_unit_are_independent():
    samples = draw(DReLU((1,)), SAMPLES, seed=13)[:, 0].double().numpy()
    # a standard normal: |x| must not depend on the sign
    chance.has_mean(samples * np.abs(samples), np.array(0.0), np.array(np.sqrt(3.0)), "x·|x|")


def test_potts_samples_have_the_exact_joint_probabilities():
    field = torch.log(torch.tensor([[0.5, 0.3, 0.2, 1e-4], [0.25, 0.25, 0.25, 0.25]]))
    unit = Potts(field=field)
    colours = draw(unit, SAMPLES, seed=14).argmax(-1).numpy()
    shares = unit.mean_from_inputs(torch.zeros(2, 4)).double().numpy()
    for first in range(4):
        for second in range(4):
            hits = int(((colours[:, 0] == first) & (colours[:, 1] == second)).sum())
            chance.has_probability(hits, SAMPLES, shares[0, first] * shares[1, second])


@each_unit
def test_the_same_seed_gives_the_same_samples_and_leaves_the_global_generator_alone(name):
    unit = example(name, torch.float32)
    inputs = torch.zeros(200, *unit.shape)  # two draws of these coincide with probability below 1e-30
    state = torch.get_rng_state()
    first = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(42))
    second = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(42))
    other = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(43))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@each_unit
def test_one_generator_gives_new_samples_each_time(name):
    unit = example(name, torch.float32)
    inputs = torch.zeros(200, *unit.shape)  # two draws of these coincide with probability below 1e-30
    generator = torch.Generator().manual_seed(42)
    first, second = (unit.sample_from_inputs(inputs, generator) for _ in range(2))
    assert not torch.equal(first, second)


@each_unit
def test_samples_carry_no_graph(name):
    unit = example(name).requires_grad_()
    inputs = example_inputs(unit).requires_grad_()
    assert not unit.sample_from_inputs(inputs).requires_grad


@each_dtype
def test_a_million_samples_never_leave_the_support(dtype):
    thresholds = torch.tensor([-1e4, -50.0, -1.0, 0.0, 1.0, 4.9, 5.1, 37.0, 38.5, 1e3], dtype=dtype)
    relu = ReLU(theta=thresholds, gamma=torch.ones_like(thresholds))
    samples = draw(relu, 50_000, seed=15)
    assert torch.isfinite(samples).all()
    assert (samples >= 0).all()
    drelu_unit = DReLU(
        theta_pos=thresholds,
        theta_neg=-thresholds.flip(0),
        gamma_pos=torch.logspace(-4, 4, 10, dtype=dtype),
        gamma_neg=torch.logspace(4, -4, 10, dtype=dtype),
    )
    assert torch.isfinite(draw(drelu_unit, 50_000, seed=16)).all()
