"""Annealing: the path, its weights, and estimates of ``log Z`` against enumeration.

Estimates are held to six of their standard errors. Their weights have effective sample sizes of more than half the
chains, so that the means are close to normal, and a false alarm has a probability of about 1e-8.
"""

from __future__ import annotations

import math

import pytest
import torch
from machine_cases import (
    each_hidden,
    each_visible,
    exact_samples,
    layer,
    linear,
    machine,
    seeded,
    uninformed,
    values,
)

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood import (
    ais,
    annealing,
    choose_betas,
    independent_reference,
    log_partition_exact,
    log_partition_sandwich,
    reverse_ais,
)
from halfwave.rbm.likelihood.partition import _resample
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.rbm.likelihood.result import bennett
from halfwave.rbm.machine import RBM
from halfwave.rbm.train.phases import can_compile
from halfwave.units import Gaussian

SIGMAS = 6.0


# the path


@each_visible
@each_hidden
def test_energy_is_linear_along_the_path(visible: str, hidden: str) -> None:
    """``E_β = (1 − β) E_0 + β E_1``, also where η and ξ differ between the ends."""
    rbm = machine(visible, hidden, ((2, 2), 3))
    reference = RBM(layer(visible, (2, 2), 8), layer(hidden, 3, 9))
    path = AnnealingPath(reference, rbm)
    v, h = values(rbm.visible, (5,), 1), values(rbm.hidden, (5,), 2)
    for beta in (0.0, 0.3, 1.0):
        expected = (1.0 - beta) * reference.energy(v, h) + beta * rbm.energy(v, h)
        torch.testing.assert_close(path.machine(beta).energy(v, h), expected)


@pytest.mark.parametrize("name", ["PReLU", "XReLU", "NSReLU"])
def test_raw_parameters_would_leave_the_path(name: str) -> None:
    """The trap that the conversion avoids: with η or ξ interpolated, the energy is off by tenths."""
    start, end = layer(name, 3, 8), layer(name, 3, 9)
    middle = layer(name, 3)
    for key, value in middle.named_parameters():
        value.data.copy_(0.5 * (start.get_parameter(key) + end.get_parameter(key)))
    h = values(end, (50,))
    straight = 0.5 * (start.energy(h) + end.energy(h))
    assert float((middle.energy(h) - straight).abs().max()) > 0.1


def test_types_of_the_drelu_family_mix() -> None:
    rbm = machine("Binary", "XReLU")
    reference = RBM(layer("Binary", 4, 8), layer("Gaussian", 3, 9))
    v, h = values(rbm.visible, (5,)), values(rbm.hidden, (5,))
    halfway = AnnealingPath(reference, rbm).machine(0.5)
    assert halfway.hidden.name == "DReLU"
    torch.testing.assert_close(halfway.energy(v, h), 0.5 * (reference.energy(v, h) + rbm.energy(v, h)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@each_visible
@each_hidden
def test_increments_are_differences_of_free_energies(visible: str, hidden: str, dtype: torch.dtype) -> None:
    """A step from a to b adds ``F_a(v) − F_b(v)`` at the state before its move; in both directions."""
    rbm = machine(visible, hidden, ((2, 2), 3), scale=0.1, dtype=dtype)
    reference = RBM(layer(visible, (2, 2), 8, dtype), layer(hidden, 3, 9, dtype))
    path = AnnealingPath(reference, rbm)
    for betas in ([0.0, 0.3, 1.0], [1.0, 0.6, 0.0]):
        before = start = values(reference.visible, (6,))
        for step, (after, increments) in enumerate(annealing.annealing_steps(path, start, betas, seeded(1))):
            old, new = path.machine(betas[step]), path.machine(betas[step + 1])
            expected = (old.free_energy(before) - new.free_energy(before)).double()
            assert increments.dtype == torch.float64
            tolerance = 1e-4 if dtype == torch.float32 else 1e-9
            torch.testing.assert_close(increments, expected, rtol=tolerance, atol=tolerance)
            before = after


def test_every_step_moves_by_gibbs_sampling_at_its_temperature() -> None:
    """Exact samples of the machine at 0.6 are exact samples still after the move of a step from 0 to 0.6.

    Total variation over 16 states of 20,000 chains, by McDiarmid's inequality: false alarms below 1e-7.
    """
    rbm = machine("Binary", "DReLU", scale=1.5)
    path = AnnealingPath(RBM(layer("Binary", 4, 8), layer("DReLU", 3, 9)), rbm)
    there, count = path.machine(0.6), 20_000
    start = exact_samples(there, count, 3)
    ends, _ = next(annealing.annealing_steps(path, start, [0.0, 0.6, 1.0], seeded(4)))
    frequencies = torch.bincount((ends.long() * 2 ** torch.arange(4)).sum(-1), minlength=16) / count
    states = torch.tensor([[i >> k & 1 for k in range(4)] for i in range(16)], dtype=torch.float64)
    probabilities = torch.softmax(-there.free_energy(states), 0)
    limit = 0.5 * math.sqrt(16 / count) + math.sqrt(math.log(1e7) / (2 * count))
    assert 0.5 * float((frequencies - probabilities).abs().sum()) < limit
    assert int((ends != start).any(-1).sum()) > count / 4


def test_the_start_is_normalised_in_double_precision() -> None:
    """``log Z_0`` of a single-precision reference, where sums of 3,000 terms would lose the fifth digit."""
    visible, hidden = layer("Binary", 2000, 1, torch.float32), layer("DReLU", 1000, 2, torch.float32)
    start = AnnealingPath(RBM(visible, hidden), RBM(visible, hidden)).log_partition_start()
    at_zero = [
        unit.cgf(torch.zeros(unit.shape, dtype=torch.float64)) for unit in (visible.double(), hidden.double())
    ]
    assert start == pytest.approx(float(sum(at_zero)), rel=1e-14)


# estimates against enumeration


CASES = {
    "Binary × DReLU": machine("Binary", "DReLU", (10, 5), seed=7, scale=0.5),
    "Potts × DReLU": machine("Potts", "DReLU", (6, 4), seed=3, scale=0.5),
    "Spin × Gaussian": machine("Spin", "Gaussian", (10, 4), seed=2, scale=0.32),
    "Binary × XReLU": machine("Binary", "XReLU", (10, 5), seed=4, scale=0.5),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("default_reference", [True, pytest.param(False, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("temperatures", [100, pytest.param(400, marks=pytest.mark.thorough)])
def test_both_directions_agree_with_enumeration(
    name: str, default_reference: bool, temperatures: int
) -> None:
    rbm = CASES[name]
    exact = log_partition_exact(rbm)
    reference = independent_reference(rbm, generator=seeded(2)) if default_reference else uninformed(rbm)
    forward = ais(rbm, chains=1000, betas=temperatures, reference=reference, generator=seeded(3))
    v = exact_samples(rbm, 1000, 4)
    reverse = reverse_ais(rbm, v, betas=forward.betas, reference=reference, generator=seeded(5))
    for result in (forward, reverse):
        assert result.effective_sample_size > 500
        assert result.standard_error < 0.05
        assert abs(result.log_partition - exact) < SIGMAS * result.standard_error
    assert (forward.bound, reverse.bound) == ("lower", "upper")


@pytest.mark.parametrize("name", CASES)
def test_the_cases_need_annealing(name: str) -> None:
    """One jump from the uninformed reference leaves a few of 1000 samples in charge, and is off by far."""
    rbm = CASES[name]
    jump = ais(rbm, chains=1000, betas=linear(2), reference=uninformed(rbm), generator=seeded(3))
    assert jump.effective_sample_size < 60
    mean_error = float(jump.log_weights.mean()) - log_partition_exact(rbm)
    assert mean_error < -2.0


@pytest.mark.parametrize("name", CASES)
def test_few_temperatures_bracket_the_exact_value(name: str) -> None:
    """With 12 temperatures the mean log weights miss by their divergence, forward from below, reverse from above."""
    rbm = CASES[name]
    exact = log_partition_exact(rbm)
    reference = uninformed(rbm)
    forward = ais(rbm, chains=1000, betas=linear(12), reference=reference, generator=seeded(3))
    v = exact_samples(rbm, 1000, 4)
    reverse = reverse_ais(rbm, v, betas=linear(12), reference=reference, generator=seeded(5))
    below, above = exact - forward.log_weights, reverse.log_weights - exact
    for gap in (below, above):
        assert float(gap.mean()) > SIGMAS * float(gap.std()) / math.sqrt(1000)


def test_crooks_relation_holds_between_the_directions() -> None:
    """Bennett's equation at the exact ``log Z``: ``E_f[σ(ℓ − log Z)] = E_r[σ(log Z − ℓ)]``.

    The difference of the two means is held to six standard errors: false alarms about 2e-9.
    """
    rbm = CASES["Binary × DReLU"]
    exact, reference = log_partition_exact(rbm), uninformed(rbm)
    forward = ais(rbm, chains=4000, betas=linear(20), reference=reference, generator=seeded(3))
    v = exact_samples(rbm, 4000, 4)
    reverse = reverse_ais(rbm, v, betas=linear(20), reference=reference, generator=seeded(5))
    ahead, behind = torch.sigmoid(forward.log_weights - exact), torch.sigmoid(exact - reverse.log_weights)
    error = math.sqrt((float(ahead.var()) + float(behind.var())) / 4000)
    assert abs(float(ahead.mean() - behind.mean())) < SIGMAS * error
    assert error < 0.1 * float(ahead.mean())


@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.thorough)])
def test_sandwich_holds_the_exact_value(dtype: torch.dtype) -> None:
    rbm = machine("Binary", "DReLU", (10, 5), seed=7, scale=0.5, dtype=dtype)
    exact = log_partition_exact(rbm)
    sandwich = log_partition_sandwich(
        rbm, chains=1000, betas=300, equilibration_steps=200, generator=seeded(1)
    )
    assert abs(sandwich.lower - exact) < SIGMAS * sandwich.lower_error
    assert abs(sandwich.estimate - exact) < SIGMAS * sandwich.estimate_error
    # the reverse chains descend from resampled ends: twice the error allows for what they share
    assert abs(sandwich.upper - exact) < 2.0 * SIGMAS * sandwich.upper_error
    assert sandwich.width == sandwich.upper - sandwich.lower
    assert sandwich.lower == sandwich.forward.log_partition
    assert sandwich.upper == sandwich.reverse.log_partition
    assert sandwich.estimate_error < sandwich.lower_error
    assert sandwich.forward.log_weights.dtype == torch.float64
    assert torch.equal(sandwich.forward.betas, sandwich.reverse.betas)


def test_sandwich_starts_from_given_samples() -> None:
    """Without equilibration the reverse run is exactly the one from these samples."""
    rbm = machine("Spin", "Gaussian", (6, 3), scale=0.4)
    v, betas = exact_samples(rbm, 300, 1), linear(30)
    reference = independent_reference(rbm, v, generator=seeded(1))
    sandwich = log_partition_sandwich(
        rbm,
        samples=v,
        chains=200,
        betas=betas,
        reference=reference,
        equilibration_steps=0,
        generator=seeded(2),
    )
    generator = seeded(2)
    forward = ais(rbm, chains=200, betas=betas, reference=reference, generator=generator)
    reverse = reverse_ais(rbm, v, betas=betas, reference=reference, generator=generator)
    assert torch.equal(sandwich.forward.log_weights, forward.log_weights)
    assert torch.equal(sandwich.reverse.log_weights, reverse.log_weights)
    assert len(reverse.log_weights) == 300


@pytest.mark.parametrize(
    ("visible", "hidden"), [("Gaussian", "Gaussian"), ("DReLU", "Binary"), ("ReLU", "Potts")]
)
def test_continuous_visible_units(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, (3, 4), seed=3, scale=0.3)
    result = ais(rbm, chains=1000, betas=100, generator=seeded(1))
    assert result.effective_sample_size > 500
    assert abs(result.log_partition - log_partition_exact(rbm)) < SIGMAS * result.standard_error


def test_a_machine_without_couplings_is_exact() -> None:
    rbm = machine("Potts", "XReLU", (4, 3), scale=0.0)
    result = ais(rbm, chains=10, betas=5, reference=RBM(rbm.visible, rbm.hidden), generator=seeded(1))
    assert result.log_partition == pytest.approx(log_partition_exact(rbm), rel=1e-12)
    assert result.standard_error < 1e-12
    assert result.effective_sample_size == pytest.approx(10.0)


def test_standard_error_is_the_spread_of_repeated_runs() -> None:
    """Over 400 independent groups of 50 chains: their spread is known to 4 %, held to a third; 8 deviations."""
    rbm = CASES["Binary × DReLU"]
    result = ais(rbm, chains=20_000, betas=linear(60), generator=seeded(1))
    groups = result.log_weights.reshape(400, 50).logsumexp(1) - math.log(50)
    stated = result.standard_error * math.sqrt(400)
    assert float(groups.std()) == pytest.approx(stated, rel=1 / 3)


def test_summary_follows_from_the_weights() -> None:
    rbm = machine("Binary", "DReLU", (6, 3))
    forward = ais(rbm, chains=200, betas=linear(9), generator=seeded(1))
    reverse = reverse_ais(rbm, exact_samples(rbm, 200, 2), betas=linear(9), generator=seeded(1))
    assert forward.log_partition == pytest.approx(math.log(float(forward.log_weights.exp().mean())))
    assert reverse.log_partition == pytest.approx(-math.log(float((-reverse.log_weights).exp().mean())))
    w = forward.log_weights.exp()
    assert forward.effective_sample_size == pytest.approx(float(w.sum() ** 2 / w.square().sum()))
    assert forward.standard_error == pytest.approx(float(w.std() / w.mean()) / math.sqrt(200))
    assert torch.equal(forward.betas, linear(9))


def test_bennett_combines_gaussian_weights() -> None:
    """Normal ``ℓ`` with means ``z ∓ σ²/2`` obey the relation between the directions exactly."""
    z, sigma = -3.25, 1.5
    forward = z - sigma**2 / 2 + sigma * torch.randn(4000, generator=seeded(1), dtype=torch.float64)
    reverse = z + sigma**2 / 2 + sigma * torch.randn(1000, generator=seeded(2), dtype=torch.float64)
    estimate, error = bennett(forward, reverse)
    assert abs(estimate - z) < SIGMAS * error
    assert 0.0 < error < 0.06
    shifted, same = bennett(forward + 1000.0, reverse + 1000.0)
    assert shifted == pytest.approx(estimate + 1000.0, abs=1e-9)
    assert same == pytest.approx(error, rel=1e-6)


def test_bennett_without_overlap_stays_finite() -> None:
    estimate, error = bennett(torch.full((10,), -3e3).double(), torch.full((10,), 3e3).double())
    assert estimate == pytest.approx(0.0, abs=1e-6)
    assert math.isfinite(error)


def test_resampling_follows_the_weights() -> None:
    """Systematic resampling gives each chain the whole numbers next to its share."""
    log_weights = torch.randn(50, generator=seeded(1), dtype=torch.float64) * 2.0 - 500.0
    share = torch.softmax(log_weights, 0) * 300
    for seed in range(20):
        counts = torch.bincount(_resample(log_weights, 300, seeded(seed)), minlength=50)
        assert int(counts.sum()) == 300
        assert bool(((counts - share).abs() < 1.0 + 1e-9).all())


# running


def test_the_same_generator_gives_the_same_result() -> None:
    rbm = machine("Binary", "DReLU", (6, 3))
    first, again, other = (ais(rbm, chains=20, betas=10, generator=seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.log_weights, again.log_weights)
    assert torch.equal(first.betas, again.betas)
    assert not torch.equal(first.log_weights, other.log_weights)


def test_the_machine_is_left_as_it_was() -> None:
    rbm = machine("Potts", "XReLU")
    before = {key: value.clone() for key, value in rbm.state_dict().items()}
    log_partition_sandwich(rbm, chains=10, betas=5, equilibration_steps=2, generator=seeded(1))
    assert all(torch.equal(value, before[key]) for key, value in rbm.state_dict().items())
    assert not any(value.requires_grad for value in rbm.parameters())


def test_blocks_and_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of chains are independent runs; progress counts their steps up to the total."""
    monkeypatch.setattr("halfwave.rbm.likelihood.path._BLOCK_ELEMENTS", 6 * 100)
    rbm = machine("Binary", "DReLU", (6, 3))
    seen: list[tuple[int, int]] = []
    result = ais(
        rbm, chains=250, betas=linear(40), generator=seeded(1), progress=lambda *state: seen.append(state)
    )
    assert seen == [(done, 3 * 39) for done in range(1, 3 * 39 + 1)]
    assert result.log_weights.shape == (250,)
    assert abs(result.log_partition - log_partition_exact(rbm)) < SIGMAS * result.standard_error
    seen.clear()
    log_partition_sandwich(
        rbm, chains=50, betas=linear(4), generator=seeded(1), progress=lambda *state: seen.append(state)
    )
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.slow
@pytest.mark.skipif(not can_compile(torch.device("cpu")), reason="no C++ compiler")
@pytest.mark.parametrize(
    ("visible", "hidden"), [("Binary", "DReLU"), pytest.param("Potts", "ReLU", marks=pytest.mark.thorough)]
)
def test_compiled_steps_agree_with_enumeration(visible: str, hidden: str) -> None:
    rbm = machine(visible, hidden, (6, 4), scale=0.8, dtype=torch.float32)
    exact = log_partition_exact(rbm)
    result = ais(rbm, chains=500, betas=100, generator=seeded(1), compile=True)
    assert abs(result.log_partition - exact) < SIGMAS * result.standard_error
    plain = ais(rbm, chains=500, betas=100, generator=seeded(1))
    torch.testing.assert_close(result.betas, plain.betas)
    assert result.standard_error == pytest.approx(plain.standard_error, rel=0.5)


# bad input


def small() -> RBM:
    return machine("Binary", "DReLU", (4, 2))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ais(small(), chains=1), r"at least 2 chains; got 1"),
        (lambda: ais(small(), betas=1), r"at least 2 temperatures; got 1"),
        (
            lambda: ais(small(), betas=torch.tensor([0.0, 0.5])),
            r"start at 0 and end at 1; got \[0.0\] … \[0.5\]",
        ),
        (lambda: ais(small(), betas=torch.tensor([0.0, 0.5, 0.4, 1.0])), r"got 0.4 after 0.5 at index 2"),
        (lambda: ais(small(), betas=torch.tensor([0.0, 0.5, 0.5, 1.0])), r"got 0.5 after 0.5 at index 2"),
        (lambda: ais(small(), betas=torch.tensor([0.0, math.nan, 1.0])), r"betas must increase; got nan"),
        (
            lambda: ais(small(), reference=small()),
            r"reference machine must have zero weights; got one of size",
        ),
        (
            lambda: ais(small(), reference=RBM(layer("Spin", 4), layer("DReLU", 2))),
            r"visible layer of the reference must be like the machine's, Binary .* got Spin",
        ),
        (
            lambda: ais(small(), reference=RBM(layer("Binary", 4), layer("DReLU", 3))),
            r"hidden layer of the reference .* got DReLU of shape \(3,\)",
        ),
        (
            lambda: ais(small(), reference=RBM(layer("Binary", 4), layer("ReLU", 2))),
            r"hidden layer of the reference .* got ReLU",
        ),
        (lambda: ais(small(), mean_v=torch.zeros(3)), r"layer's shape \(4,\); got \(3,\)"),
        (lambda: ais(small(), mean_v=torch.zeros(2, 4)), r"mean_v must be finite and have shape \(4,\)"),
        (
            lambda: ais(small(), mean_v=torch.full((4,), math.nan)),
            r"mean_v must be finite and have shape \(4,\)",
        ),
        (lambda: choose_betas(small(), 10, chains=1), r"at least 2 chains; got 1"),
        (lambda: reverse_ais(small(), torch.zeros(4)), r"\(chains ≥ 2, \*visible.shape\); got \(4,\)"),
        (lambda: reverse_ais(small(), torch.zeros(1, 4)), r"\(chains ≥ 2, \*visible.shape\); got \(1, 4\)"),
        (lambda: reverse_ais(small(), torch.full((3, 4), 0.5)), r"v of Binary must be 0 or 1; got 0.5"),
        (lambda: log_partition_sandwich(small(), chains=4, betas=3, equilibration_steps=-1), r"0; got -1"),
    ],
)
def test_bad_input_is_named(build, message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        build()


def test_a_machine_without_normalisation_is_refused() -> None:
    weights = torch.tensor([[30.0]], dtype=torch.float64)
    rbm = RBM(Gaussian(1, dtype=torch.float64), Gaussian(1, dtype=torch.float64), weights)
    with pytest.raises(HalfwaveError, match="may have no normalisation"):
        ais(rbm, chains=20, betas=linear(400), reference=uninformed(rbm), generator=seeded(1))


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(HalfwaveError, match=r"needs a C\+\+ compiler"):
        ais(small(), compile=True)


def test_results_are_frozen() -> None:
    result = ais(small(), chains=4, betas=3, generator=seeded(1))
    with pytest.raises(AttributeError):
        result.log_partition = 0.0  # pyright: ignore[reportAttributeAccessIssue]
