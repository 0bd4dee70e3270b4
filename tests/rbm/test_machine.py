"""The machine: energies of every pair of units, conditionals, stationarity of Gibbs sampling, bad input.

Statistical tests state their rate of false alarms; it is below 1e-6 for each.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from machine_cases import (
    CONTINUOUS,
    DISCRETE,
    each_hidden,
    each_visible,
    exact_distribution,
    exact_samples,
    layer,
    machine,
    potential,
    quadrature,
    seeded,
    values,
)

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.units import Binary, DReLU, Potts, Spin

BATCHES = [(), (5,), (2, 3)]
SHAPES = [(4, 3), ((2, 2), 3), (3, (2, 2)), ((), 2)]


def energy_in_numpy(rbm: RBM, v: np.ndarray, h: np.ndarray) -> np.ndarray:
    """``E(v, h)`` with every index written out."""
    batch = v.shape[: v.ndim - len(rbm.visible.shape)]
    flat_v, flat_h = v.reshape(*batch, -1), h.reshape(*batch, -1)
    weights = rbm.weights.numpy().reshape(flat_v.shape[-1], flat_h.shape[-1])
    interaction = np.einsum("...i,im,...m->...", flat_v, weights, flat_h)
    return potential(rbm.visible, v) + potential(rbm.hidden, h) - interaction


@each_visible
@each_hidden
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_energy_is_the_formula(visible: str, hidden: str, shapes: tuple) -> None:
    rbm = machine(visible, hidden, shapes)
    for batch in BATCHES:
        v, h = values(rbm.visible, batch, 1), values(rbm.hidden, batch, 2)
        energy = rbm.energy(v, h)
        assert energy.shape == batch
        np.testing.assert_allclose(energy.numpy(), energy_in_numpy(rbm, v.numpy(), h.numpy()), rtol=1e-12)


@each_visible
@each_hidden
def test_free_energies_are_energies_less_conditionals(visible: str, hidden: str) -> None:
    """``F(v) = E(v, h) + log p(h | v)`` for whatever ``h``, and the same with the layers exchanged."""
    rbm = machine(visible, hidden, ((2, 2), 3))
    v, h = values(rbm.visible, (2, 3), 1), values(rbm.hidden, (2, 3), 2)
    energy = rbm.energy(v, h)
    given_v = rbm.hidden.log_prob(h, rbm.inputs_h_from_v(v))
    given_h = rbm.visible.log_prob(v, rbm.inputs_v_from_h(h))
    torch.testing.assert_close(rbm.free_energy(v), energy + given_v)
    torch.testing.assert_close(rbm.free_energy_h(h), energy + given_h)
    assert rbm.free_energy(v).shape == (2, 3)


@pytest.mark.parametrize("hidden", CONTINUOUS)
def test_hidden_density_integrates_to_one(hidden: str) -> None:
    """``∫ exp(F(v) − E(v, h)) dh = 1`` for one continuous hidden unit, by quadrature over ``h``."""
    rbm = machine("Binary", hidden, (3, 1), scale=1.0)
    nodes, weights = quadrature()
    if hidden == "ReLU":
        nodes, weights = nodes[nodes > 0], weights[nodes > 0]
    for v in torch.eye(3, dtype=torch.float64):
        h = torch.from_numpy(nodes).unsqueeze(-1)
        density = torch.exp(rbm.free_energy(v) - rbm.energy(v.expand(len(h), 3), h))
        assert float(density @ torch.from_numpy(weights)) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("hidden", DISCRETE)
def test_hidden_probabilities_sum_to_one(hidden: str) -> None:
    rbm = machine("Gaussian", hidden, (3, 2), scale=1.0)
    states, _ = exact_distribution(RBM(rbm.hidden, rbm.visible))
    v = values(rbm.visible, ())
    density = torch.exp(rbm.free_energy(v) - rbm.energy(v.expand(len(states), 3), states))
    assert float(density.sum()) == pytest.approx(1.0, abs=1e-12)


@each_hidden
def test_layers_can_be_exchanged(hidden: str) -> None:
    rbm = machine("Potts", hidden, ((2,), (2, 2)))
    swapped = RBM(rbm.hidden, rbm.visible, rbm.weight_matrix.T)
    v, h = values(rbm.visible, (4,), 1), values(rbm.hidden, (4,), 2)
    torch.testing.assert_close(swapped.inputs_h_from_v(h), rbm.inputs_v_from_h(h))
    torch.testing.assert_close(swapped.energy(h, v), rbm.energy(v, h))
    torch.testing.assert_close(swapped.free_energy(h), rbm.free_energy_h(h))


@each_hidden
def test_conditionals_are_those_of_the_unit_at_its_inputs(hidden: str) -> None:
    rbm = machine("Spin", hidden, ((2, 2), 3))
    v = values(rbm.visible, (2, 3))
    inputs = torch.einsum("abij,ijm->abm", v, rbm.weights.reshape(2, 2, -1))
    inputs = inputs.reshape(2, 3, *rbm.hidden.shape)
    torch.testing.assert_close(rbm.mean_h_from_v(v), rbm.hidden.mean_from_inputs(inputs))
    torch.testing.assert_close(rbm.var_h_from_v(v), rbm.hidden.var_from_inputs(inputs))
    torch.testing.assert_close(rbm.mode_h_from_v(v), rbm.hidden.mode_from_inputs(inputs))
    drawn = rbm.sample_h_from_v(v, seeded(3))
    torch.testing.assert_close(drawn, rbm.hidden.sample_from_inputs(inputs, seeded(3)))


@each_hidden
def test_units_of_a_layer_are_independent_given_the_other(hidden: str) -> None:
    """Changing one hidden unit changes ``E`` by what its own conditional says, whatever the others are."""
    rbm = machine("Binary", hidden, (4, 3))
    v = values(rbm.visible, ())
    first, second = values(rbm.hidden, (), 1), values(rbm.hidden, (), 2)
    inputs = rbm.inputs_h_from_v(v)
    for others in (first, values(rbm.hidden, (), 3)):
        before, after = others.clone(), others.clone()
        before[0], after[0] = first[0], second[0]
        change = rbm.energy(v, after) - rbm.energy(v, before)
        own = rbm.hidden.log_prob(before, inputs) - rbm.hidden.log_prob(after, inputs)
        torch.testing.assert_close(change, own)


STATIONARY = [
    ("Binary", "DReLU", torch.float64),
    ("Binary", "DReLU", torch.float32),
    ("Binary", "XReLU", torch.float64),
    ("Binary", "Binary", torch.float64),
    ("Binary", "Potts", torch.float64),
    ("Spin", "Gaussian", torch.float64),
    ("Spin", "PReLU", torch.float32),
    ("Potts", "ReLU", torch.float64),
    ("Potts", "NSReLU", torch.float32),
    ("Potts", "Spin", torch.float32),
]
CHAINS = 20_000


def total_variation_limit(states: int, chains: int) -> float:
    """What the total variation of ``chains`` independent draws exceeds with probability below 1e-7.

    Its mean is at most ``½ √(states/chains)``; one draw moves it by at most ``1/chains``, so that McDiarmid's
    inequality bounds the rest.
    """
    return 0.5 * math.sqrt(states / chains) + math.sqrt(math.log(1e7) / (2 * chains))


@pytest.mark.parametrize(("visible", "hidden", "dtype"), STATIONARY)
def test_gibbs_sampling_does_not_move_the_exact_distribution(
    visible: str, hidden: str, dtype: torch.dtype
) -> None:
    """Chains that start as exact samples stay exact samples, however slowly they mix. False alarms: 3e-7."""
    rbm = machine(visible, hidden, (2 if visible == "Potts" else 4, 3), scale=0.8, dtype=dtype)
    states, probabilities = exact_distribution(rbm)
    v, generator, done = exact_samples(rbm, CHAINS, seed=1), seeded(2), 0
    for steps in (1, 4, 16):
        v = rbm.sample_v_from_v(v, steps - done, generator)
        done = steps
        index = (v.flatten(1) @ states.flatten(1).T).argmax(1) if visible != "Binary" else binary_index(v)
        frequencies = torch.bincount(index, minlength=len(states)).double() / CHAINS
        distance = 0.5 * float((frequencies - probabilities).abs().sum())
        assert distance < total_variation_limit(len(states), CHAINS), f"after {steps} steps"


def binary_index(v: torch.Tensor) -> torch.Tensor:
    return (v.long() * 2 ** torch.arange(v.shape[-1])).sum(-1)


def test_stationarity_test_has_power() -> None:
    """One step of a machine with slightly other weights is seen at once."""
    rbm = machine("Binary", "DReLU", scale=0.8)
    _, probabilities = exact_distribution(rbm)
    other = RBM(rbm.visible, rbm.hidden, 1.15 * rbm.weights)
    v = other.sample_v_from_v(exact_samples(rbm, CHAINS, seed=1), 16, seeded(2))
    frequencies = torch.bincount(binary_index(v), minlength=16).double() / CHAINS
    distance = 0.5 * float((frequencies - probabilities).abs().sum())
    assert distance > 1.2 * total_variation_limit(16, CHAINS)


def test_chains_follow_the_generator_and_zero_steps_stay() -> None:
    rbm = machine("Binary", "DReLU", ((2, 2), 3))
    v, h = values(rbm.visible, (6,)), values(rbm.hidden, (6,))
    assert torch.equal(rbm.sample_v_from_v(v, 0), v)
    assert torch.equal(rbm.sample_h_from_h(h, 0), h)
    assert torch.equal(rbm.sample_v_from_v(v, 3, seeded(1)), rbm.sample_v_from_v(v, 3, seeded(1)))
    assert not torch.equal(rbm.sample_v_from_v(v, 3, seeded(1)), rbm.sample_v_from_v(v, 3, seeded(2)))
    assert rbm.sample_h_from_h(h, 2, seeded(1)).shape == h.shape


def test_reconstruction_error_counts_wrong_sites() -> None:
    """Fields of 60 leave no doubt about the reconstruction: all ones, and the first colour everywhere."""
    binary = RBM(Binary(field=torch.full((4,), 60.0)), DReLU(2))
    assert binary.reconstruction_error(
        torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 1.0]])
    ).tolist() == [
        0.0,
        0.25,
    ]
    potts = RBM(Potts(field=torch.tensor([[60.0, 0.0, 0.0], [60.0, 0.0, 0.0]])), DReLU(2))
    wrong_once = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert potts.reconstruction_error(wrong_once).item() == 1.0  # two wrong entries at one of two sites


def test_weights_may_come_flat_and_are_copied() -> None:
    weights = torch.randn(4, 6, generator=seeded(0))
    rbm = RBM(Binary((2, 2)), DReLU((3, 2)), weights)
    assert rbm.weights.shape == (2, 2, 3, 2)
    assert torch.equal(rbm.weight_matrix, weights)
    weights.zero_()
    assert rbm.weights.abs().sum() > 0


def test_integer_and_boolean_values_are_accepted() -> None:
    rbm = machine("Binary", "DReLU", dtype=torch.float32)
    v = torch.tensor([1, 0, 1, 1])
    torch.testing.assert_close(rbm.free_energy(v), rbm.free_energy(v.float()))
    torch.testing.assert_close(rbm.free_energy(v.bool()), rbm.free_energy(v.float()))
    assert rbm.free_energy(v).dtype == torch.float32


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: RBM(Binary(4), DReLU(3), torch.zeros(3, 4)),
            r"weights must have shape \(4, 3\); got \(3, 4\)",
        ),
        (lambda: RBM(Binary(4), DReLU(3), torch.full((4, 3), math.nan)), r"weights must be finite; got nan"),
        (lambda: RBM(Binary(4), DReLU(3), torch.full((4, 3), math.inf)), r"weights must be finite; got inf"),
        (
            lambda: RBM(Binary(4), DReLU(3, dtype=torch.float64)),
            r"share dtype and device; got torch.float32 on cpu and torch.float64 on cpu",
        ),
        (
            lambda: RBM(Binary(4), DReLU(3)).energy(torch.zeros(5), torch.zeros(3)),
            r"layer's shape \(4,\); got",
        ),
        (
            lambda: RBM(Binary(4), DReLU(3)).inputs_h_from_v(torch.zeros(3, 5)),
            r"`v` of Binary .* got \(3, 5\)",
        ),
        (lambda: RBM(Spin(4), DReLU(3)).free_energy_h(torch.zeros(4)), r"`h` of DReLU .* got \(4,\)"),
        (lambda: RBM(Binary(4), DReLU(3)).sample_v_from_v(torch.zeros(4), -1), r"at least 0; got -1"),
        (lambda: RBM(Binary(4), DReLU(3)).sample_h_from_h(torch.zeros(3), -2), r"at least 0; got -2"),
    ],
)
def test_bad_input_is_named(build, message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        build()


@each_visible
def test_gradient_of_the_free_energy_is_minus_the_mean(visible: str) -> None:
    """``∂F/∂W = −v E[h | v]``, so that autograd may be used where somebody wants it."""
    rbm = machine(visible, "DReLU", (3, 2))
    v = values(rbm.visible, ())
    rbm.requires_grad_()
    (gradient,) = torch.autograd.grad(rbm.free_energy(v), rbm.weights)
    expected = -torch.outer(v.flatten(), rbm.mean_h_from_v(v).flatten())
    torch.testing.assert_close(gradient.reshape(expected.shape), expected)


def test_layer_helper_covers_every_parameter() -> None:
    """The machines above have no parameter left at zero, where a forgotten term would not show."""
    for name in (*DISCRETE, *CONTINUOUS):
        assert all(bool((value != 0).all()) for value in layer(name, 3).parameters())
