"""What waits for a larger sweep is there when somebody looks, and counts once."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn

from halfwave.audit import Report, audit, watch


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


NAMES = (
    "firing_rate",
    "mean_before",
    "std_before",
    "mean_after",
    "std_after",
    "min_before",
    "max_after",
    "zero_share",
)


def same(one: Report, other: Report) -> None:
    """Counts are equal, moments to rounding."""
    for a, b in zip(one.layers, other.layers, strict=True):
        assert (a.samples, a.elements) == (b.samples, b.elements)
        for name in NAMES:
            np.testing.assert_allclose(
                getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-14, err_msg=name
            )
        assert np.array_equal(a.histogram_before.counts, b.histogram_before.counts)
        assert np.array_equal(a.histogram_after.counts, b.histogram_after.counts)


@pytest.mark.parametrize("statistics", ["full", "light"])
@pytest.mark.parametrize(
    "activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.Hardtanh(), nn.GELU(), nn.Softshrink()]
)
def test_batches_of_any_size_and_a_look_in_between(
    statistics: Literal["full", "light"], activation: nn.Module, generator: torch.Generator
):
    model = nn.Sequential(nn.Linear(6, 40), activation, nn.Linear(40, 9), activation).double()
    x = torch.randn(5000, 6, generator=generator, dtype=torch.float64)
    looks = {}
    with torch.no_grad(), watch(model, statistics=statistics) as live:
        for batch in x.split([1, 700, 30, 2, 1999, 2268]):
            model(batch)
            looks[live.layers[0].samples] = live.snapshot()
    for samples, look in looks.items():
        same(look, audit(model, x[:samples], statistics=statistics))


def test_a_reset_forgets_what_waits(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
    x = torch.randn(50, 6, generator=generator)
    with torch.no_grad(), watch(model, statistics="full") as report:
        model(1000 * x)
        report.reset()
        model(x)
    np.testing.assert_allclose(report.layers[0].mean_before, audit(model, x).layers[0].mean_before, rtol=1e-6)
    assert report.layers[0].samples == 50


def test_what_is_not_finite_among_what_waits(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    x = torch.randn(90, 3, generator=generator)
    bad = x.clone()
    bad[40, 1] = torch.nan
    report = audit(model, bad.split(30))
    layer = report.layers[0]
    assert layer.nan_count.tolist() == [1] * 4
    assert (layer.first_non_finite.batch, layer.first_non_finite.sample) == (1, 10)
    clean = audit(model, torch.cat([x[:40], x[41:]])).layers[0]
    np.testing.assert_allclose(layer.mean_before, clean.mean_before, rtol=1e-6)
    np.testing.assert_allclose(layer.std_after, clean.std_after, rtol=1e-5)
    np.testing.assert_array_equal(layer.firing_rate, clean.firing_rate)
