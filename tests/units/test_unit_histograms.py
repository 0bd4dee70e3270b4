"""Histograms of samples against exact densities: the numbers behind the dReLU picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad_vec
from scipy.stats import binom

from halfwave import HalfwaveError
from halfwave.units import Binary, DReLU, Gaussian, ReLU
from halfwave.units.histograms import (
    density_limits,
    drelu_grid_layer,
    drelu_histograms,
    layer_histograms,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def exact_density(unit, inputs: float, x: float) -> np.ndarray:
    """exp(I x − U(x) − Γ(I)) of every unit at one point, in double precision."""
    layer, fixed = unit.double(), torch.full(unit.shape, inputs, dtype=torch.float64)
    value = torch.full(unit.shape, x, dtype=torch.float64)
    return torch.exp(fixed * value - layer.energies(value) - layer.cgfs(fixed)).numpy()


def test_grid_layer_has_every_combination_once():
    layer = drelu_grid_layer()
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    rows = {tuple(getattr(layer, name).flatten()[k].item() for name in names) for k in range(16)}
    assert len(rows) == 16
    assert rows == {(a, b, c, d) for a in (-3, 3) for b in (-3, 3) for c in (0.5, 1) for d in (0.5, 1)}


@pytest.mark.parametrize("inputs", [0.0, 2.0])
def test_densities_are_exp_of_minus_cgf_minus_energy(inputs):
    histograms = drelu_histograms(100, inputs=inputs, generator=seeded())
    layer = drelu_grid_layer(torch.float64)
    points = torch.from_numpy(histograms.points).double().movedim(-1, 0)
    expected = torch.exp(
        inputs * points - layer.energies(points) - layer.cgfs(torch.full(layer.shape, inputs))
    )
    np.testing.assert_allclose(histograms.densities, expected.movedim(0, -1), rtol=2e-5, atol=1e-7)


def test_histogram_and_density_integrate_to_one():
    histograms = drelu_histograms(20_000, generator=seeded())
    mass = (histograms.heights * np.diff(histograms.edges)).sum(-1)
    # what lies outside the limits (below 1e-4 of the peak) is a few times 1e-4 of the mass at most
    assert ((mass > 0.999) & (mass <= 1.0 + 1e-5)).all()
    area = np.trapezoid(histograms.densities, histograms.points)
    np.testing.assert_allclose(area, 1.0, atol=1e-3)


def test_counts_follow_the_exact_law():
    """960 bins, each a binomial count; false-alarm rate 960 · 2 · 1e-9 < 1e-5 were the seed not fixed."""
    samples = 20_000
    histograms = drelu_histograms(samples, generator=seeded(1))
    edges = histograms.edges.astype(np.float64)
    layer = drelu_grid_layer(torch.float64)
    width = np.diff(edges)[..., 0]
    counts = np.rint(histograms.heights * width[..., None] * samples)
    np.testing.assert_allclose(counts.sum(-1) / samples, 1.0, atol=1e-3)
    for k in range(counts.shape[-1]):
        left = torch.from_numpy(edges[..., k])
        step = torch.from_numpy(width)

        def density(share: float, left=left, step=step) -> np.ndarray:
            x = left + share * step
            return (torch.exp(-layer.energies(x) - layer.cgfs(torch.zeros_like(x))) * step).numpy()

        probability = quad_vec(density, 0.0, 1.0, epsabs=1e-9)[0]
        tail = np.minimum(
            binom.cdf(counts[..., k], samples, probability),
            binom.sf(counts[..., k] - 1, samples, probability),
        )
        assert tail.min() > 1e-9


def test_sliced_draws_add_up_whatever_the_slice(monkeypatch):
    import halfwave.units.histograms as module

    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 16 * 7)
    histograms = drelu_histograms(100, generator=seeded())
    counts = histograms.heights * np.diff(histograms.edges) * 100
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)
    assert (counts.sum(-1) <= 100.001).all()
    assert (counts.sum(-1) >= 98).all()


def test_limits_hold_the_body_of_one_sided_and_two_sided_units():
    low, high = density_limits(ReLU(theta=torch.tensor(5.0), gamma=torch.tensor(1.0))).tolist()
    assert abs(low) < 1e-2
    assert high > 1.0
    far = Gaussian(theta=torch.tensor([-1000.0]), gamma=torch.tensor([4.0]))
    np.testing.assert_allclose(density_limits(far)[0].mean(), 250.0, rtol=1e-4)


def test_zero_is_on_the_grid_where_a_density_has_its_kink():
    layer = DReLU(
        **{
            key: torch.tensor([value])
            for key, value in {
                "theta_pos": 3.0,
                "theta_neg": -2.9,
                "gamma_pos": 1.0,
                "gamma_neg": 0.7,
            }.items()
        }
    )
    histograms = layer_histograms(layer, 10, generator=seeded())
    peak = histograms.densities[0].argmax()
    assert histograms.points[0, peak] == 0.0
    np.testing.assert_allclose(histograms.densities[0, peak], exact_density(layer, 0.0, 0.0)[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layer_histograms(Binary(2)), "needs a continuous layer; got Binary"),
        (lambda: drelu_histograms(0), "`samples` must be at least 1; got 0"),
        (lambda: layer_histograms(Gaussian(1), 10, bins=0), "`bins` must be at least 1; got 0"),
        (lambda: layer_histograms(Gaussian(2), 10, inputs=torch.zeros(3)), r"have shape \(2,\); got \(3,\)"),
        (lambda: drelu_histograms(10, inputs=float("nan")), "inputs must be finite; got nan"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(HalfwaveError, match=words):
        call()
