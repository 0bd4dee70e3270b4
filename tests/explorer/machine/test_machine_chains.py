"""Chains of the room "Machine" sample what they say they do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from explorer_machines import (
    CHAINS,
    ask,
    every_state,
    pixels,
    random_machine,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfwave.errors import HalfwaveError
from halfwave.explorer.machine.sampling import Chains, Clamp, Held, tempered
from halfwave.explorer.session.session import Session
from halfwave.units import UNITS

# A two-sided normal deviate beyond 6.5 has probability 8e-11. The tests of samples here look at 26 numbers in all,
# whose means over 4,000 independent chains are normal far enough out: false-alarm rate below 1e-8.
FARTHEST = 6.5
MANY = 4000


# chains


def test_chains_are_those_of_the_library(run: Any) -> None:
    session = Session()
    shown = [ask(session, "step", **CHAINS, steps=steps) for steps in (0, 3, 4)]
    generator = torch.Generator().manual_seed(CHAINS["seed"])
    v = run.rbm.visible.sample_from_inputs(torch.zeros(5, 8, 8), generator)
    for got, steps in zip(shown, (0, 3, 4), strict=True):
        v = run.rbm.sample_v_from_v(v, steps, generator)
        np.testing.assert_array_equal(pixels(got["pictures"]), 255 * v.flatten().numpy())
        assert got["free_energy"] == float(run.rbm.free_energy(v).double().mean())
    assert [got["steps"] for got in shown] == [0, 3, 7]


def test_chains_begin_anew_where_the_page_does(run: Any) -> None:
    first, second = Session(), Session()
    want = [ask(first, "step", **CHAINS, steps=2)["pictures"] for _ in range(2)]
    ask(second, "step", **{**CHAINS, "seed": 4}, steps=9)
    assert [ask(second, "step", **CHAINS, steps=2)["pictures"] for _ in range(2)] == want
    again = ask(second, "step", **{**CHAINS, "round": 1}, steps=2)
    assert (again["pictures"], again["steps"]) == (want[0], 2)
    data = ask(first, "data", seed=3, count=5)
    started = ask(first, "step", **{**CHAINS, "start": "data"}, steps=0)
    assert started["pictures"] == data["pictures"]
    assert started["free_energy"] == data["free_energy"]


@pytest.mark.parametrize("hidden", UNITS)
@pytest.mark.parametrize("visible", ["Binary", "Spin", "Potts", "Gaussian", "XReLU"])
def test_tempered_energy_is_the_energy_over_the_temperature(visible: str, hidden: str) -> None:
    rbm = random_machine(visible, hidden, (3, 2), (2, 2) if hidden == "Potts" else 3)
    generator = torch.Generator().manual_seed(0)
    v = rbm.visible.sample_from_inputs(torch.zeros(20, *rbm.visible.shape, dtype=torch.float64), generator)
    h = rbm.hidden.sample_from_inputs(torch.zeros(20, *rbm.hidden.shape, dtype=torch.float64), generator)
    for temperature in (0.4, 1.0, 3.0):
        np.testing.assert_allclose(
            tempered(rbm, temperature).energy(v, h), rbm.energy(v, h) / temperature, rtol=1e-10, atol=1e-12
        )


def deviates(values: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """How many standard errors the means of independent samples lie from where they should."""
    return (values.mean(0) - exact) / (values.std(0) / len(values) ** 0.5).clamp(min=1e-12)


@pytest.mark.parametrize(("visible", "temperature"), [("Binary", 1.0), ("Spin", 0.6), ("Binary", 2.5)])
def test_what_fills_in_has_the_exact_conditional_means(visible: str, temperature: float) -> None:
    rbm = random_machine(visible, "Binary", 5, 3)
    mask = torch.tensor([True, False, True, False, False])
    values = every_state(rbm.visible)[-1] * torch.tensor([1.0, 1, 1, 1, 1], dtype=torch.float64)
    values[2] = every_state(rbm.visible)[0][2]
    clamp = Clamp(mask, values)
    chains = Chains.from_noise(rbm, MANY, seed=7)
    chains.walk(tempered(rbm, temperature), 60, clamp)
    assert bool((chains.v[:, mask] == values[mask]).all())
    v, h = every_state(rbm.visible), every_state(rbm.hidden)
    v = v[(v[:, mask] == values[mask]).all(-1)]
    energies = torch.stack([rbm.energy(v, one.expand(len(v), -1)) for one in h], -1)
    share = (-energies / temperature).flatten().softmax(0).reshape(energies.shape).sum(-1)
    exact = (share.unsqueeze(-1) * v).sum(0)
    free = ~mask
    assert deviates(chains.v, exact)[free].abs().max() < FARTHEST
    assert deviates(chains.mean, exact)[free].abs().max() < FARTHEST


def test_held_unit_gives_draws_of_the_machine_given_its_value() -> None:
    rbm = random_machine("Binary", "Binary", 4, 3)
    chains = Chains.from_noise(rbm, MANY, seed=8)
    chains.walk(rbm, 60, held=Held(1, 1.0))
    assert bool((chains.h[:, 1] == 1).all())
    v, h = every_state(rbm.visible), every_state(rbm.hidden)
    h = h[h[:, 1] == 1]
    energies = torch.stack([rbm.energy(v, one.expand(len(v), -1)) for one in h], -1)
    share = (-energies).flatten().softmax(0).reshape(energies.shape).sum(-1)
    assert deviates(chains.v, (share.unsqueeze(-1) * v).sum(0)).abs().max() < FARTHEST


def test_free_chains_reach_the_machine() -> None:
    rbm = random_machine("Binary", "DReLU", 5, 3)
    chains = Chains.from_noise(rbm, MANY, seed=9)
    chains.walk(rbm, 60)
    v = every_state(rbm.visible)
    exact = ((-rbm.free_energy(v)).softmax(0).unsqueeze(-1) * v).sum(0)
    assert deviates(chains.v, exact).abs().max() < FARTHEST


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(levels=st.lists(st.integers(-1, 1), min_size=64, max_size=64), temperature=st.floats(0.05, 20))
def test_clamped_sites_never_change(session: Session, levels: list[int], temperature: float) -> None:
    for _ in range(2):
        got = ask(session, "fill", seed=1, temperature=temperature, steps=3, clamped=levels)
        clamped = np.array(levels) >= 0
        want = 255 * np.array(levels)[clamped]
        np.testing.assert_array_equal(pixels(got["sample"])[clamped], want)
        np.testing.assert_array_equal(pixels(got["mean"])[clamped], want)


def test_mean_begins_anew_with_the_clamps(session: Session) -> None:
    free, one = [-1] * 64, [-1] * 63 + [1]
    counts = [
        ask(session, "fill", seed=2, temperature=1, steps=steps, clamped=levels)["averaged"]
        for steps, levels in ((5, free), (5, free), (3, one), (0, free), (500, free))
    ]
    assert counts == [5, 10, 3, 0, 400]


def test_energy_without_normalisation_is_one_sentence() -> None:
    rbm = random_machine("Gaussian", "Gaussian", 4, 3, scale=5.0)
    chains = Chains.from_noise(rbm, 3, seed=0)
    with pytest.raises(HalfwaveError, match="the energy has no normalisation"):
        chains.walk(rbm, 5000)
