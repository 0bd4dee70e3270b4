"""The gallery of all hidden units draws what the profiles say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from halfwave.plots import hidden_gallery
from halfwave.rbm.machine import RBM
from halfwave.rbm.profiles import hidden_profiles
from halfwave.units import Binary, DReLU, Spin


@pytest.mark.parametrize(("hidden", "bars"), [(DReLU(20), 1), (Spin(20), 2)])
def test_one_cell_a_unit(hidden, bars: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rbm = RBM(Binary(6), hidden, torch.randn(6, 20, generator=generator))
    data = (torch.rand(200, 6, generator=generator) < 0.5).float()
    profiles = hidden_profiles(rbm, data, list(range(20))[::-1])
    axes = hidden_gallery(profiles).axes[0]
    inputs, _, values, _ = axes.collections
    assert len(inputs.get_paths()) == 20
    assert len(values.get_paths()) == 20 * bars
    assert [text.get_text() for text in axes.texts] == [str(k) for k in range(20)][::-1]
    # the tallest point of a histogram stands where the profile has its largest bin
    corners = inputs.get_paths()[0].vertices
    top = corners[corners[:, 1] >= corners[:, 1].max() - 1e-9][:, 0]
    edges = profiles.edges[0]
    first = int(np.argmax(profiles.input_density[0]))
    expected = (edges[first] - edges[0]) / (edges[-1] - edges[0])
    assert top.min() == pytest.approx(expected, abs=1e-6)
