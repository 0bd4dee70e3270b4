"""Exact partition functions against loops and quadrature, and the likelihoods that follow."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from machine_cases import (
    each_discrete_visible,
    exact_distribution,
    layer,
    machine,
    normalisable,
    potential,
    quadrature,
    values,
)

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood import enumerate_states, log_likelihood, log_partition_exact, number_of_states
from halfwave.rbm.machine import RBM
from halfwave.units import Binary, DReLU, Gaussian, Potts, Spin

VALUES = {"Binary": [[0.0], [1.0]], "Spin": [[-1.0], [1.0]], "Potts": np.eye(3).tolist()}


def loop_over_states(name: str, sites: int) -> list[np.ndarray]:
    """Every state of a layer of ``sites`` sites, by itertools."""
    return [np.array(state).ravel() for state in itertools.product(VALUES[name], repeat=sites)]


@each_discrete_visible
def test_every_state_appears_once(visible: str) -> None:
    unit = layer(visible, (3, 2), dtype=torch.float32)
    expected = {tuple(state) for state in loop_over_states(visible, 6)}
    for chunk in (1, 7, 65536):
        chunks = list(enumerate_states(unit, chunk))
        assert all(len(part) <= chunk for part in chunks)
        states = torch.cat(chunks)
        assert states.shape == (number_of_states(unit), *unit.shape)
        assert states.dtype == torch.float32
        found = [tuple(state) for state in states.flatten(1).tolist()]
        assert len(found) == len(expected)
        assert set(found) == expected
    unit.check_values(states)


def test_numbers_of_states_are_exact_integers() -> None:
    assert number_of_states(Binary((10, 20))) == 2**200
    assert number_of_states(Spin(())) == 2
    assert number_of_states(Potts((53, 21))) == 21**53


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: number_of_states(DReLU(3)), r"only discrete layers .* got DReLU"),
        (lambda: enumerate_states(Gaussian(3)), r"only discrete layers .* got Gaussian"),
        (lambda: enumerate_states(Binary(3), 0), r"must be at least 1; got 0"),
        (
            lambda: log_partition_exact(RBM(Binary(30), DReLU(3))),
            r"1.07374e\+09 states, more than .* 16777216",
        ),
        (lambda: log_partition_exact(RBM(Binary(5), Spin(6)), max_states=31), r"32 states, more than .* 31"),
        (lambda: log_partition_exact(RBM(Gaussian(3), DReLU(3))), r"discrete layer .* got Gaussian × DReLU"),
    ],
)
def test_bad_input_is_named(build, message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        build()


@each_discrete_visible
@pytest.mark.parametrize("hidden", ["Binary", "Spin", "Potts"])
def test_discrete_machines_against_a_loop(visible: str, hidden: str) -> None:
    """``Z = Σ_v Σ_h exp(−E)`` term by term, and by summing out either layer."""
    rbm = machine(visible, hidden, (3, 2), scale=1.5)
    weights, total = rbm.weight_matrix.numpy(), 0.0
    for v, h in itertools.product(loop_over_states(visible, 3), loop_over_states(hidden, 2)):
        shaped_v, shaped_h = v.reshape(rbm.visible.shape), h.reshape(rbm.hidden.shape)
        energy = potential(rbm.visible, shaped_v) + potential(rbm.hidden, shaped_h) - v @ weights @ h
        total += math.exp(-energy)
    expected = pytest.approx(math.log(total), rel=1e-13)
    swapped = RBM(rbm.hidden, rbm.visible, rbm.weight_matrix.T)
    assert log_partition_exact(rbm) == expected
    assert log_partition_exact(swapped) == expected
    over_v = torch.logsumexp(-rbm.free_energy(torch.cat(list(enumerate_states(rbm.visible)))), 0)
    over_h = torch.logsumexp(-rbm.free_energy_h(torch.cat(list(enumerate_states(rbm.hidden)))), 0)
    assert over_v.item() == expected
    assert over_h.item() == expected


@each_discrete_visible
@pytest.mark.parametrize("hidden", ["DReLU", "XReLU", "ReLU", "Gaussian"])
def test_continuous_hidden_units_against_quadrature(visible: str, hidden: str) -> None:
    """``Z = ∫∫ dh₁ dh₂ Σ_v exp(−E)`` on a grid, with the sum over ``v`` by loop and no Γ of the library."""
    rbm = machine(visible, hidden, (3, 2), scale=0.8)
    nodes, node_weights = quadrature(limit=24.0, panels=16, order=24)
    if hidden == "ReLU":
        nodes, node_weights = nodes[nodes > 0], node_weights[nodes > 0]
    grid = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1)
    area = np.multiply.outer(node_weights, node_weights)
    total = 0.0
    for v in loop_over_states(visible, 3):
        inputs = v @ rbm.weight_matrix.numpy()
        own = potential(rbm.visible, v.reshape(rbm.visible.shape))
        total += (area * np.exp(grid @ inputs - potential(rbm.hidden, grid) - own)).sum()
    assert log_partition_exact(rbm) == pytest.approx(math.log(total), abs=1e-9)
    swapped = RBM(rbm.hidden, rbm.visible, rbm.weight_matrix.T)
    assert log_partition_exact(swapped) == pytest.approx(math.log(total), abs=1e-9)


def test_single_precision_machines_are_summed_in_double() -> None:
    rbm = machine("Binary", "DReLU", (12, 5), dtype=torch.float32)
    assert log_partition_exact(rbm) == log_partition_exact(rbm.double())
    assert machine("Binary", "DReLU", (12, 5), dtype=torch.float32).weights.dtype == torch.float32


def test_blocks_of_states_do_not_change_the_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = machine("Potts", "DReLU", (5, 3), scale=1.0)
    whole = log_partition_exact(rbm)
    monkeypatch.setattr("halfwave.rbm.likelihood.enumeration._BLOCK_ELEMENTS", 100)
    assert log_partition_exact(rbm) == pytest.approx(whole, rel=1e-14)


def test_two_gaussian_layers_against_quadrature() -> None:
    rbm = machine("Gaussian", "Gaussian", (1, 1), scale=0.4)
    nodes, weights = quadrature(limit=40.0, panels=40, order=20)
    v, h = (torch.from_numpy(x).unsqueeze(-1) for x in np.meshgrid(nodes, nodes, indexing="ij"))
    integral = (np.multiply.outer(weights, weights) * torch.exp(-rbm.energy(v, h)).numpy()).sum()
    assert log_partition_exact(rbm) == pytest.approx(math.log(integral), abs=1e-10)


def test_two_gaussian_layers_against_one_summed_out() -> None:
    """With the hidden units summed out, ``exp(−F(v))`` is a normal density times ``Z``."""
    rbm = machine("Gaussian", "Gaussian", ((2, 2), 3), scale=0.2)
    free_energy = rbm.free_energy
    at_zero = torch.zeros(2, 2, dtype=torch.float64)
    hessian = torch.autograd.functional.hessian(free_energy, at_zero).reshape(4, 4)
    slope = torch.autograd.functional.jacobian(free_energy, at_zero).reshape(4)
    height = -free_energy(at_zero) + 0.5 * slope @ torch.linalg.solve(hessian, slope)
    expected = height + 2.0 * math.log(2.0 * math.pi) - 0.5 * torch.logdet(hessian)
    assert log_partition_exact(rbm) == pytest.approx(expected.item(), rel=1e-12)


def test_gaussian_layers_without_normalisation_have_infinite_z() -> None:
    """Positive definite on either side alone is not enough: γ_v γ_h must exceed W²."""
    visible, hidden = Gaussian(1, dtype=torch.float64), Gaussian(1, dtype=torch.float64)
    assert log_partition_exact(RBM(visible, hidden, torch.tensor([[1.0 + 1e-9]]))) == math.inf
    assert math.isfinite(log_partition_exact(RBM(visible, hidden, torch.tensor([[0.999]]))))


@each_discrete_visible
@pytest.mark.parametrize("hidden", ["Binary", "DReLU", "XReLU"])
def test_probabilities_sum_to_one(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, ((2, 2), 3), scale=1.0)
    states, probabilities = exact_distribution(rbm)
    log_p = log_likelihood(rbm, states)
    assert log_p.exp().sum().item() == pytest.approx(1.0, abs=1e-12)
    torch.testing.assert_close(log_p.exp(), probabilities)


def test_density_of_a_continuous_layer_integrates_to_one() -> None:
    rbm = normalisable("DReLU", "Binary", (1, 4))
    nodes, weights = quadrature()
    density = log_likelihood(rbm, torch.from_numpy(nodes).unsqueeze(-1)).exp()
    assert float(density @ torch.from_numpy(weights)) == pytest.approx(1.0, abs=1e-10)


def test_log_likelihood_takes_a_known_log_partition_and_any_batch() -> None:
    rbm = machine("Binary", "DReLU", ((2, 2), 3))
    v = values(rbm.visible, (2, 3))
    exact = log_likelihood(rbm, v)
    assert exact.shape == (2, 3)
    torch.testing.assert_close(log_likelihood(rbm, v, 1.25), -rbm.free_energy(v) - 1.25)
    torch.testing.assert_close(log_likelihood(rbm, v[1, 2]), exact[1, 2])
    assert log_likelihood(rbm, v[:0]).shape == (0, 3)
    with pytest.raises(HalfwaveError, match=r"v of Binary must be 0 or 1; got 0.5 at index \(0, 0, 0, 0\)"):
        log_likelihood(rbm, torch.full_like(v, 0.5))
