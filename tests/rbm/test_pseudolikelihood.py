"""The pseudolikelihood against explicit substitution of every value at every site."""

from __future__ import annotations

import math

import pytest
import torch
from machine_cases import each_discrete_visible, each_hidden, machine, quadrature, seeded, values
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.rbm.pseudolikelihood import log_pseudolikelihood
from halfwave.units import Binary, DReLU, Gaussian, Potts, Spin


def by_substitution(rbm: RBM, v: Tensor) -> Tensor:
    """``log p(v_i | v_−i)`` of every site ``(sites,)`` of one sample, from free energies of whole states."""
    colours = rbm.visible.shape[-1] if isinstance(rbm.visible, Potts) else 1
    options = {"Binary": [[0.0], [1.0]], "Spin": [[-1.0], [1.0]], "Potts": torch.eye(colours).tolist()}
    rows = []
    for site in range(v.numel() // colours):
        scores = []
        for option in options[rbm.visible.name]:
            changed = v.reshape(-1, colours).clone()
            changed[site] = torch.tensor(option, dtype=v.dtype)
            scores.append(-rbm.free_energy(changed.reshape(v.shape)))
        rows.append(-rbm.free_energy(v) - torch.stack(scores).logsumexp(0))
    return torch.stack(rows)


@each_discrete_visible
@each_hidden
def test_against_substitution(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, ((2, 2), (2, 2)), scale=0.7)
    v = values(rbm.visible, (3,))
    expected = torch.stack([by_substitution(rbm, sample).mean() for sample in v])
    torch.testing.assert_close(log_pseudolikelihood(rbm, v), expected)


@each_discrete_visible
def test_batch_dimensions(visible: str) -> None:
    rbm = machine(visible, "DReLU", (4, 3))
    v = values(rbm.visible, (2, 3))
    result = log_pseudolikelihood(rbm, v)
    assert result.shape == (2, 3)
    assert log_pseudolikelihood(rbm, v[1, 2]).shape == ()
    torch.testing.assert_close(log_pseudolikelihood(rbm, v[1, 2]), result[1, 2])
    assert log_pseudolikelihood(rbm, v[:0]).shape == (0, 3)
    torch.testing.assert_close(rbm.log_pseudolikelihood(v), result)


@each_discrete_visible
def test_blocks_do_not_change_the_result(visible: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rbm = machine(visible, "DReLU", (5, 3))
    v = values(rbm.visible, (7,))
    whole = log_pseudolikelihood(rbm, v)
    for elements in (1, 40):
        monkeypatch.setattr("halfwave.rbm.pseudolikelihood._BLOCK_ELEMENTS", elements)
        torch.testing.assert_close(log_pseudolikelihood(rbm, v), whole)


@pytest.mark.parametrize("visible", ["Binary", "Spin", "Potts", "Gaussian"])
def test_random_sites_are_drawn_evenly_and_without_repetition(visible: str) -> None:
    """One site: always one of the exact terms, each equally often. Three of four: the mean without one of them.

    Frequencies of 4 sites in 20,000 draws: six standard deviations, false alarms below 1e-8.
    """
    rbm = machine(visible, "Gaussian", (4, 3), scale=0.3)
    v = values(rbm.visible, ())
    draws = v.expand(20_000, *v.shape)
    exact = log_pseudolikelihood(rbm, v)
    one = log_pseudolikelihood(rbm, draws, sites=1, generator=seeded(1))
    terms = one.unique()
    assert len(terms) == 4
    assert float(terms.mean()) == pytest.approx(float(exact), rel=1e-12)
    for term in terms:
        assert int((one == term).sum()) == pytest.approx(5000, abs=6 * math.sqrt(20_000 * 3 / 16))
    three = log_pseudolikelihood(rbm, draws[:200], sites=3, generator=seeded(2))
    left_out = 4.0 * exact - 3.0 * three
    assert float((left_out.unsqueeze(-1) - terms).abs().amin(-1).max()) < 1e-10
    assert len(three.unique()) >= 4
    every = log_pseudolikelihood(rbm, draws[:3], sites=4, generator=seeded(3))
    torch.testing.assert_close(every, exact.expand(3))


def test_random_sites_follow_the_generator() -> None:
    rbm = machine("Binary", "DReLU", (30, 3))
    v = values(rbm.visible, (10,))
    first = log_pseudolikelihood(rbm, v, sites=2, generator=seeded(1))
    assert torch.equal(first, log_pseudolikelihood(rbm, v, sites=2, generator=seeded(1)))
    assert not torch.equal(first, log_pseudolikelihood(rbm, v, sites=2, generator=seeded(2)))


def test_two_gaussian_layers_against_quadrature() -> None:
    """``log p(v_i | v_−i) = −F(v) − log ∫ exp(−F) dv_i``."""
    rbm = machine("Gaussian", "Gaussian", ((1, 3), 2), scale=0.3)
    v = values(rbm.visible, ())
    nodes, weights = (torch.from_numpy(x) for x in quadrature(limit=40.0, panels=40, order=20))
    terms = []
    for site in range(3):
        changed = v.expand(len(nodes), 1, 3).clone()
        changed[:, 0, site] = nodes
        terms.append(-rbm.free_energy(v) - (torch.exp(-rbm.free_energy(changed)) @ weights).log())
    torch.testing.assert_close(log_pseudolikelihood(rbm, v), torch.stack(terms).mean())
    assert log_pseudolikelihood(rbm, v.expand(2, 3, 1, 3)).shape == (2, 3)
    assert log_pseudolikelihood(rbm, v.expand(0, 1, 3)).shape == (0,)


@pytest.mark.parametrize("unit", [Binary, Spin])
@pytest.mark.parametrize("field", [21.0, 30.0, 300.0])
def test_near_certain_sites_keep_their_digits(unit: type[Binary] | type[Spin], field: float) -> None:
    """``log(1 + e^t)`` is more than the ``t`` that ``softplus`` returns above 20, and ``log(1 + e^−t)`` is not 0."""
    rbm = RBM(unit(field=torch.full((2,), field, dtype=torch.float64)), DReLU(1, dtype=torch.float64))
    t = field if unit is Binary else 2.0 * field
    likely, unlikely = torch.ones(2), torch.full((2,), 0.0 if unit is Binary else -1.0)
    remainder = math.log1p(math.exp(-t))
    assert log_pseudolikelihood(rbm, likely).item() == pytest.approx(-remainder, rel=1e-12, abs=1e-300)
    assert log_pseudolikelihood(rbm, unlikely).item() == pytest.approx(-t - remainder, rel=1e-13)


def test_single_precision_agrees_with_double_at_size() -> None:
    """2,000 hidden units: differences formed unit by unit lose 4e-6, differences of their sums 8e-5."""
    rbm = machine("Binary", "DReLU", (20, 2000), scale=0.1)
    v = values(rbm.visible, (20,))
    double = log_pseudolikelihood(rbm, v)
    single = log_pseudolikelihood(rbm.float(), v.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0.0, atol=2e-5)


@pytest.mark.parametrize(
    ("visible", "hidden"),
    [("ReLU", "Binary"), ("DReLU", "Gaussian"), ("XReLU", "DReLU"), ("Gaussian", "DReLU")],
)
def test_unsupported_units_are_named(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, (3, 2))
    with pytest.raises(HalfwaveError, match=f"got {visible} visible with {hidden} hidden"):
        log_pseudolikelihood(rbm, values(rbm.visible, ()))


def test_bad_input_is_named() -> None:
    rbm = RBM(Binary(4), DReLU(2))
    with pytest.raises(HalfwaveError, match=r"from 1 to 4, the number of sites of the layer; got 0"):
        log_pseudolikelihood(rbm, torch.zeros(4), sites=0)
    with pytest.raises(HalfwaveError, match=r"from 1 to 4, .* got 5"):
        log_pseudolikelihood(rbm, torch.zeros(4), sites=5)
    with pytest.raises(HalfwaveError, match=r"v of Binary must be 0 or 1; got 0.5"):
        log_pseudolikelihood(rbm, torch.full((4,), 0.5))
    with pytest.raises(HalfwaveError, match=r"layer's shape \(4,\); got \(3,\)"):
        log_pseudolikelihood(rbm, torch.zeros(3))
    unstable = RBM(Gaussian(2), Gaussian(1), torch.tensor([[0.5], [1.5]]))
    with pytest.raises(HalfwaveError, match=r"positive curvature .* got -1.25 at site 1"):
        log_pseudolikelihood(unstable, torch.zeros(2))
