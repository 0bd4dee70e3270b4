"""Evaluation and monitors against enumeration."""

from __future__ import annotations

import math

import pytest
import torch

import halfwave as hw
from halfwave.rbm.evaluation import evaluate
from halfwave.rbm.likelihood import log_likelihood, log_partition_exact
from halfwave.rbm.pseudolikelihood import log_pseudolikelihood
from halfwave.runs.monitor import MONITOR_COLUMNS, Monitor
from halfwave.units import Binary, DReLU, Gaussian


def machine(sites: int, seed: int = 0) -> hw.RBM:
    generator = torch.Generator().manual_seed(seed)
    rbm = hw.RBM(Binary(sites), DReLU(3), 0.4 * torch.randn(sites, 3, generator=generator))
    rbm.visible.field.data.normal_(generator=generator)
    return rbm


def sample(rbm: hw.RBM, count: int, seed: int) -> torch.Tensor:
    start = torch.zeros(count, *rbm.visible.shape)
    return rbm.sample_v_from_v(start, 200, torch.Generator().manual_seed(seed))


def test_small_machines_are_enumerated() -> None:
    rbm = machine(8)
    train, held_out = sample(rbm, 300, 1), sample(rbm, 100, 2)
    values = evaluate(rbm, train, held_out)
    assert values["method"] == "enumeration"
    exact = log_likelihood(rbm, held_out, log_partition_exact(rbm)).double()
    assert values["held_out_log_likelihood"] == pytest.approx(float(exact.mean()), abs=1e-5)
    assert values["held_out_standard_error"] == pytest.approx(float(exact.std()) / 10, rel=1e-5)
    assert values["samples_train"] == 300
    gap = rbm.free_energy(held_out).mean() - rbm.free_energy(train).mean()
    assert values["free_energy_gap"] == pytest.approx(float(gap), abs=1e-4)


def test_larger_machines_are_annealed() -> None:
    """The estimate is held to six of its standard errors (false alarms about 2e-9)."""
    rbm = machine(18)
    train = sample(rbm, 300, 1)
    seen: list[tuple[int, int]] = []
    values = evaluate(
        rbm, train, train[:0], chains=200, temperatures=200, progress=lambda *step: seen.append(step)
    )
    assert values["method"] == "annealed importance sampling"
    error = max(values["log_partition_error"], 1e-4)
    assert abs(values["log_partition"] - log_partition_exact(rbm)) < 6 * error
    assert values["sandwich_width"] == values["log_partition_upper"] - values["log_partition_lower"]
    assert values["held_out_log_likelihood"] is None
    assert values["free_energy_gap"] is None
    assert seen[-1][0] == seen[-1][1]


def test_the_baseline_is_the_model_of_independent_units() -> None:
    rbm = machine(8)
    train = sample(rbm, 500, 1)
    mean = train.double().mean(0)
    entropy = -(mean * mean.log() + (1 - mean) * (1 - mean).log()).sum()
    assert evaluate(rbm, train, train)["independent_train"] == pytest.approx(-float(entropy), abs=1e-3)


def test_machines_without_pseudolikelihood() -> None:
    generator = torch.Generator().manual_seed(0)
    rbm = hw.RBM(Gaussian(3), DReLU(2), 0.1 * torch.randn(3, 2, generator=generator))
    data = torch.randn(100, 3, generator=generator)
    values = evaluate(rbm, data, data, chains=50, temperatures=50)
    assert values["pseudolikelihood_train"] is None
    assert math.isnan(Monitor(data, data).measure(rbm, 0)["pseudolikelihood_train"])


def test_monitor_measures_the_pseudolikelihood_of_both_sets() -> None:
    rbm = machine(3)  # all of whose sites are looked at
    train, held_out = sample(rbm, 50, 1), sample(rbm, 20, 2)
    values = Monitor(train, held_out).measure(rbm, 0)
    for part, data in (("train", train), ("held_out", held_out)):
        exact = float(log_pseudolikelihood(rbm, data).mean())
        assert values[f"pseudolikelihood_{part}"] == pytest.approx(exact, rel=1e-5)


def test_monitor_repeats_itself_and_reads_no_global_generator() -> None:
    rbm = machine(8)
    data = sample(rbm, 50, 1)
    monitor = Monitor(data, data[:0], seed=3)
    state = torch.get_rng_state()
    first, again, later = monitor.measure(rbm, 7), monitor.measure(rbm, 7), monitor.measure(rbm, 8)
    assert torch.equal(state, torch.get_rng_state())
    assert tuple(first) == MONITOR_COLUMNS
    assert first["reconstruction_error"] == again["reconstruction_error"]
    assert first["reconstruction_error"] != later["reconstruction_error"]
    assert math.isnan(first["free_energy_gap"])
