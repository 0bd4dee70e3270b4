"""Where annealing starts and where its temperatures lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from machine_cases import each_hidden, each_visible, exact_samples, linear, machine, seeded, uninformed
from torch import Tensor

from halfwave.rbm.likelihood import annealing, choose_betas, independent_reference
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.rbm.likelihood.reference import _annealed_samples
from halfwave.rbm.likelihood.schedule import _equal_distances
from halfwave.rbm.machine import RBM
from halfwave.units import Binary, DReLU, Gaussian, Spin


def deviations(path: AnnealingPath, betas: Tensor) -> Tensor:
    start = path.sample_start(500, seeded(7))
    steps = annealing.annealing_steps(path, start, betas.tolist(), seeded(8))
    return torch.stack([increments.std() for _, increments in steps])


def test_chosen_temperatures_even_out_the_steps() -> None:
    """From an uninformed reference the first of evenly spaced steps do most of the damage."""
    rbm = machine("Binary", "DReLU", (12, 6), scale=1.5)
    reference = uninformed(rbm)
    path = AnnealingPath(reference, rbm)
    chosen = choose_betas(rbm, 60, reference=reference, generator=seeded(1))
    assert chosen.shape == (60,)
    assert chosen.dtype == torch.float64
    assert (chosen[0].item(), chosen[-1].item()) == (0.0, 1.0)
    assert bool((chosen.diff() > 0).all())
    even, uneven = deviations(path, chosen), deviations(path, linear(60))
    assert float(even.max()) < 0.5 * float(uneven.max())
    assert float(even.square().sum()) < 0.75 * float(uneven.square().sum())


def test_temperatures_of_a_machine_without_couplings_are_even() -> None:
    rbm = RBM(Binary(3), DReLU(2))
    chosen = choose_betas(rbm, 5, reference=RBM(Binary(3), DReLU(2)), generator=seeded(1))
    torch.testing.assert_close(chosen, linear(5))
    assert choose_betas(rbm, 2, generator=seeded(1)).tolist() == [0.0, 1.0]


def test_a_flat_beginning_gets_few_temperatures() -> None:
    grid, length = np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.0, 1.0])
    middle = _equal_distances(grid, length, 3)[1]
    assert middle == pytest.approx(0.5 + 0.5 * 0.45 / 0.95)  # all but the even tenth lies behind 0.5


@each_visible
@each_hidden
def test_reference_has_the_mean_and_the_shifted_thresholds(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, ((2, 2), 3), scale=0.1)
    mean = rbm.visible.mean_from_inputs(torch.full(rbm.visible.shape, 0.3, dtype=torch.float64))
    reference = independent_reference(rbm, mean_v=mean)
    assert not bool(reference.weights.any())
    zero_v = torch.zeros(rbm.visible.shape, dtype=torch.float64)
    torch.testing.assert_close(reference.visible.mean_from_inputs(zero_v), mean, rtol=1e-3, atol=1e-4)
    inputs = torch.linspace(-2.0, 2.0, rbm.hidden.size, dtype=torch.float64).reshape(rbm.hidden.shape)
    shifted = rbm.hidden.mean_from_inputs(inputs + rbm.inputs_h_from_v(mean))
    torch.testing.assert_close(reference.hidden.mean_from_inputs(inputs), shifted)


def test_reference_finds_the_heavier_of_two_modes() -> None:
    """A strong ferromagnet in a weak field, of magnetisation 0.94: half of it where Gibbs chains fall in from zero.

    The reference is off by 0.02 from run to run, and held to 0.15: seven deviations.
    """
    weights = torch.full((12, 1), 0.5, dtype=torch.float64)
    rbm = RBM(Spin(field=torch.full((12,), 0.15).double()), Gaussian(1, dtype=torch.float64), weights)
    v = exact_samples(rbm, 4000, 1)
    basins = rbm.sample_v_from_v(
        rbm.visible.sample_from_inputs(torch.zeros_like(v), seeded(3)), 50, seeded(3)
    )
    reference = independent_reference(rbm, generator=seeded(2))
    exact = float(v.mean())
    found = float(torch.tanh(reference.visible.get_parameter("field")).mean())
    assert float(basins.mean()) < exact - 0.3
    assert found == pytest.approx(exact, abs=0.15)


def test_reference_of_a_large_machine_is_not_one_chain() -> None:
    """Where one chain has all the weight, the weights are flattened until a quarter of the chains count."""
    rbm = machine("Binary", "DReLU", (100, 50), scale=1.0)
    v, weights = _annealed_samples(rbm, seeded(1))
    assert float(weights.sum()) == pytest.approx(1.0)
    assert float(weights.square().sum().reciprocal()) >= len(v) / 4
    mild = machine("Binary", "DReLU", (4, 2), scale=0.8)
    expected = torch.softmax(_log_weights_of_the_same_run(mild), 0)
    torch.testing.assert_close(_annealed_samples(mild, seeded(1))[1], expected)


def _log_weights_of_the_same_run(rbm: RBM) -> Tensor:
    path, generator = AnnealingPath(RBM(rbm.visible, rbm.hidden), rbm), seeded(1)
    return annealing.anneal(path, path.sample_start(256, generator), linear(101).tolist(), generator)[1]
