"""The dReLU picture: what is drawn is what the unit says."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from halfwave import HalfwaveError
from halfwave.plots import drelu_grid, drelu_panels
from halfwave.plots.style import png
from halfwave.units import DReLU
from halfwave.units.histograms import drelu_grid_layer, drelu_histograms, layer_histograms


@pytest.fixture(scope="module")
def grid():
    return drelu_grid(samples=5000, generator=torch.Generator().manual_seed(0))


def test_one_panel_for_each_pair_of_thresholds(grid):
    titles = [axes.get_title("left").split(":")[0] for axes in grid.axes]
    assert titles == [
        "θ⁺ = −3,  θ⁻ = −3",
        "θ⁺ = −3,  θ⁻ = 3",
        "θ⁺ = 3,  θ⁻ = −3",
        "θ⁺ = 3,  θ⁻ = 3",
    ]


def test_curves_are_the_exact_densities(grid):
    layer = drelu_grid_layer(torch.float64)
    zero = torch.zeros(layer.shape, dtype=torch.float64)
    for panel, axes in enumerate(grid.axes):
        assert [line.get_label() for line in axes.lines] == [
            "γ⁺ = 0.5,  γ⁻ = 0.5",
            "γ⁺ = 0.5,  γ⁻ = 1",
            "γ⁺ = 1,  γ⁻ = 0.5",
            "γ⁺ = 1,  γ⁻ = 1",
        ]
        for k, line in enumerate(axes.lines):
            index = (panel // 2, panel % 2, k // 2, k % 2)
            x, y = line.get_data()
            values = torch.from_numpy(x).double().view(-1, 1, 1, 1, 1).expand(-1, *layer.shape)
            exact = torch.exp(-layer.cgfs(zero) - layer.energies(values))[(slice(None), *index)]
            np.testing.assert_allclose(y, exact, rtol=2e-5, atol=1e-7)


def test_bars_integrate_to_one(grid):
    for axes in grid.axes:
        filled = [patch for patch in axes.patches if patch.get_fill()]
        assert len(filled) == 4
        for patch in filled:
            heights, edges, _ = patch.get_data()
            assert (heights * np.diff(edges)).sum() == pytest.approx(1.0, abs=2e-3)


def test_every_panel_says_what_its_axes_are(grid):
    assert [axes.get_xlabel() for axes in grid.axes[2:]] == ["value of the unit, h"] * 2
    assert [axes.get_ylabel() for axes in grid.axes[::2]] == ["probability density"] * 2
    labels = [text.get_text() for text in grid.legends[0].get_texts()]
    assert "histogram of 5,000 samples" in labels
    assert len(labels) == 6


def test_words_follow_the_input():
    figure = drelu_panels(drelu_histograms(100, inputs=5.0))
    assert figure.get_suptitle() == "dReLU units at input I = 5"
    words = {axes.get_title("left").split(":  ")[1] for axes in figure.axes}
    assert words == {"leans to the positive side"}


def test_same_seed_gives_the_same_file():
    files = [png(drelu_grid(500, torch.Generator().manual_seed(3))) for _ in range(2)]
    assert files[0] == files[1]
    assert imread(io.BytesIO(files[0])).shape[:2] == (1280, 1520)


def test_other_layers_are_refused():
    histograms = layer_histograms(DReLU(3), 10)
    with pytest.raises(HalfwaveError, match=r"four axes; got DReLU of shape \(3,\)"):
        drelu_panels(histograms)
