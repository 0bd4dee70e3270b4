"""Batches of any size give the same numbers, in memory that does not grow."""

from __future__ import annotations

import json
import pickle
from random import Random

import numpy as np
import pytest
import torch
from audit_cases import images, random_network
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import halfwave as hw
from halfwave.audit.counting.histograms import BINS, ChannelHistograms

MOMENTS = ("mean_before", "std_before", "mean_after", "std_after", "distance", "predicted_rate")
EXACT = (
    *("firing_rate", "rate_below", "rate_above", "sample_rate", "zero_share", "dead", "always_on"),
    *("min_before", "max_before", "min_after", "max_after", "sample_rate_high"),
)


@pytest.mark.parametrize("sizes", [[60], [1] * 60, [59, 1], [7, 20, 33]])
@pytest.mark.parametrize("shape", [(60, 3), (60, 3, 5), (60, 3, 20, 20), (60, 100)])
@pytest.mark.parametrize("statistics", ["full", "light"])
def test_splits_do_not_matter(sizes: list[int], shape: tuple[int, ...], statistics) -> None:
    model = nn.Sequential(hw.nn.SoftThreshold(0.3), nn.ReLU(), nn.ReLU6(), nn.GELU())
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        x = 1.5 * torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
        options = {"channel_dimensions": 1, "statistics": statistics}
        whole, split = hw.audit.audit(model, [x], **options), hw.audit.audit(model, x.split(sizes), **options)
        assert split.batches == len(sizes)
        for a, b in zip(whole.layers, split.layers, strict=True):
            for name in MOMENTS:
                np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=tolerance, atol=tolerance)
            for name in EXACT:
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
            for name in ("histogram_before", "histogram_after"):
                np.testing.assert_array_equal(getattr(a, name).counts, getattr(b, name).counts)


def test_light_statistics_count_exactly() -> None:
    x = torch.randn(64, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    full, light = (hw.audit.audit(nn.ReLU(), [x], statistics=name).layers[0] for name in ("full", "light"))
    for name in EXACT:
        np.testing.assert_array_equal(getattr(full, name), getattr(light, name))
    expected = x[::8].transpose(0, 1).reshape(3, -1).double().mean(1)
    np.testing.assert_allclose(light.mean_before, expected.numpy(), rtol=1e-5)


def test_memory_does_not_grow() -> None:
    model = random_network(torch.Generator().manual_seed(0))
    x = images(4, torch.Generator().manual_seed(1))
    few, many = (hw.audit.audit(model, [x] * n) for n in (2, 40))
    sizes = [len(pickle.dumps([vars(layer) for layer in report.layers])) for report in (few, many)]
    assert sizes[1] <= sizes[0] + 200


@settings(max_examples=40, deadline=None)
@example([9.795705055848713e-301], Random(0))
@given(
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_histograms_do_not_depend_on_order(values: list[float], order) -> None:
    shuffled = list(values)
    order.shuffle(shuffled)
    one, other = ChannelHistograms(1), ChannelHistograms(1)
    one.add(np.array([values]), np.array([max(map(abs, values))]))
    for value in shuffled:
        other.add(np.array([[value]]), np.array([abs(value)]))
    np.testing.assert_array_equal(one.counts, other.counts)
    histogram = one.channel(0)
    np.testing.assert_array_equal(histogram.counts, np.histogram(values, histogram.edges)[0])
    assert histogram.total == len(values)


def test_histograms_leave_out_what_is_not_finite_and_pool_exactly() -> None:
    histograms = ChannelHistograms(2)
    values = np.array([[1.0, np.nan, -2.0], [100.0, np.inf, -np.inf]])
    histograms.add(values, np.array([2.0, 100.0]))
    assert histograms.counts.sum(axis=1).tolist() == [2, 1]
    pooled = histograms.pooled()
    assert pooled.total == 3
    np.testing.assert_array_equal(pooled.counts, np.histogram([1.0, -2.0, 100.0], pooled.edges)[0])
    rectified = histograms.rectified().channel(0)
    np.testing.assert_array_equal(rectified.counts, np.histogram([1.0, 0.0], rectified.edges)[0])
    assert len(rectified.counts) == BINS


def test_json_is_written_whole_and_holds_the_numbers(tmp_path) -> None:
    model = random_network(torch.Generator().manual_seed(0))
    report = hw.audit.audit(model, [images(8, torch.Generator().manual_seed(1))])
    path = tmp_path / "deep" / "report.json"
    text = report.to_json(path)
    assert path.read_text() == text
    found = json.loads(text)
    assert found["headline"] == report.headline
    assert found["layers"][0]["firing_rate"] == report.layers[0].firing_rate.tolist()
    assert found["layers"][0]["before"]["weight"] == "0.weight"
    records = report.records()
    assert len(records) == sum(layer.channels for layer in report.layers)
    assert records[0]["layer"] == "2"
    assert records[0]["firing_rate"] == report.layers[0].firing_rate[0]
