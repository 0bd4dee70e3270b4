"""The other figures: the numbers they are given are the numbers they draw."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from halfwave import HalfwaveError
from halfwave.plots import (
    features,
    hidden_units,
    learning_curves,
    log_likelihood,
    samples,
    save_figure,
)
from halfwave.plots.machine.likelihood import likelihood_interval
from halfwave.plots.style import new_figure, png, style
from halfwave.rbm.features import hidden_profiles
from halfwave.rbm.machine import RBM
from halfwave.units import Binary, DReLU, Spin


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def titles(figure) -> list[str]:
    return [axes.get_title("left") for axes in figure.axes]


# data beside samples


def test_mosaics_hold_the_images_in_order():
    data = torch.arange(64.0).reshape(64, 1, 1).expand(64, 3, 5)
    figure = samples(data, data, image_shape=(3, 5), columns=4)
    drawn = np.asarray(figure.axes[0].images[0].get_array().filled(np.nan))
    # 4 columns and as many rows as make it square: 7 rows, 28 of 64 images, evenly spaced
    assert drawn.shape == (7 * 4 - 1, 4 * 6 - 1)
    assert drawn[::4, ::6].flatten().tolist() == np.linspace(0, 63, 28).astype(int).tolist()
    assert np.isnan(drawn[3]).all()


def test_means_of_both_are_scattered_against_each_other():
    data, particles = torch.rand(50, 6, generator=seeded()), torch.rand(30, 6, generator=seeded(1))
    figure = samples(data, particles)
    points = figure.axes[2].collections[0].get_offsets()
    np.testing.assert_allclose(points, np.stack([data.mean(0), particles.mean(0)], -1), rtol=1e-5)
    assert titles(figure)[:3] == ["Data", "Samples of the machine", "Mean of each site"]


def test_one_hot_samples_become_colours():
    colours = torch.randint(0, 5, (30, 7), generator=seeded())
    one_hot = torch.nn.functional.one_hot(colours, 5).float()
    figure = samples(one_hot, one_hot, categorical=True)
    assert figure.axes[0].images[0].get_array().tolist() == colours.tolist()
    assert figure.axes[2].collections[0].get_offsets().shape == (35, 2)


def test_both_panels_share_the_colour_scale_of_the_data():
    data = torch.randn(100, 4, generator=seeded())
    figure = samples(data, 1e6 * data)
    left, middle = (axes.images[0].norm for axes in figure.axes[:2])
    assert left is middle
    assert left.vmax == -left.vmin < 5.0


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_machine_that_diverged_can_still_be_drawn(value):
    png(samples(torch.randn(5, 3), torch.full((5, 3), value)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: samples(torch.zeros(3, 4), torch.zeros(3, 5)), r"got \(3, 4\) and \(3, 5\)"),
        (lambda: samples(torch.zeros(0, 4), torch.zeros(3, 4)), "got 0 and 3"),
        (lambda: samples(torch.zeros(3, 4), torch.zeros(3, 4), (2, 3)), r"product 4; got \(2, 3\)"),
        (lambda: samples(torch.zeros(3, 4), torch.zeros(3, 4), (2, 2), columns=0), "`columns` must be"),
        (lambda: samples(torch.zeros(4), torch.zeros(4)), r"got \(4,\)"),
        (lambda: features(torch.zeros(4, 3), [0, 1], [1.0, 2.0]), r"got \(4, 3\), \(2,\) and \(2,\)"),
        (lambda: features(torch.zeros(4, 1), [0], [1.0], colours=3), "divide the 4 visible elements; got 3"),
        (lambda: learning_curves({"seconds": [1.0]}), "need the column 'update'; got 'seconds'"),
        (lambda: learning_curves({"update": [1], "free_energy_gap": []}), "must have 1 values"),
        (lambda: save_figure(new_figure(1, 1, ""), "picture.bmp"), "got `picture.bmp`"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(HalfwaveError, match=words):
        call()


# features

WEIGHTS = torch.randn(12, 5, generator=seeded())
IMPORTANCE = torch.tensor([1.0, 5.0, 3.0, 2.0, 4.0])
ORDER = torch.tensor([1, 4, 2, 3, 0])


def test_weight_images_come_in_the_given_order():
    figure = features(WEIGHTS, ORDER, IMPORTANCE, (3, 4), count=3)
    drawn = figure.axes[0].images[0].get_array()
    for place, unit in enumerate((1, 4, 2)):
        tile = drawn[:, 5 * place : 5 * place + 4]
        np.testing.assert_allclose(tile, WEIGHTS[:, unit].reshape(3, 4))
    assert [bar.get_height() for bar in figure.axes[1].patches] == [5.0, 4.0, 3.0, 2.0, 1.0]
    assert titles(figure)[0] == "Weights of the 3 most important of 5 hidden units"


def test_rows_of_weights_come_in_the_given_order():
    figure = features(WEIGHTS, ORDER, IMPORTANCE)
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), WEIGHTS[:, ORDER].T)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["1", "4", "2", "3", "0"]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [5.0, 4.0, 3.0, 2.0, 1.0]


def test_colours_of_potts_sites_have_their_own_axis():
    figure = features(WEIGHTS, ORDER, IMPORTANCE, colours=3)
    np.testing.assert_allclose(figure.axes[1].images[0].get_array(), WEIGHTS[:, 4].reshape(4, 3).T)
    assert titles(figure)[1] == "hidden unit 4: importance 4.00"


@pytest.mark.parametrize("options", [{}, {"image_shape": (3, 4)}, {"colours": 3}])
def test_the_colour_scale_is_symmetric(options):
    norm = features(WEIGHTS, ORDER, IMPORTANCE, **options).axes[0].images[0].norm
    assert norm.vmax == -norm.vmin == pytest.approx(WEIGHTS.abs().max().item())


# hidden units


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_each_unit_has_two_panels_with_its_curves(count):
    machine = RBM(Binary(6), DReLU(5), torch.randn(6, 5, generator=seeded()))
    data = (torch.rand(40, 6, generator=seeded()) < 0.5).float()
    profiles = hidden_profiles(machine, data, list(range(count)))
    figure = hidden_units(profiles)
    visible = [axes for axes in figure.axes if axes.axison]
    assert len(visible) == 2 * count
    upper = {axes.get_title("left"): axes for axes in visible if axes.get_title("left")}
    for row in range(count):
        curves = [line.get_ydata() for line in upper[f"hidden unit {row}"].lines]
        np.testing.assert_array_equal(curves[0], profiles.mode[row])
        np.testing.assert_array_equal(curves[1], profiles.mean[row])
    lower = next(axes for axes in visible if axes.get_ylabel() == "probability density")
    for line, expected in zip(lower.lines, [profiles.marginal[0], *profiles.conditional[0]], strict=True):
        np.testing.assert_array_equal(line.get_ydata(), expected)


def test_discrete_units_get_bars_of_probability():
    profiles = hidden_profiles(RBM(Binary(3), Spin(2), torch.ones(3, 2)), torch.ones(5, 3), [0])
    lower = hidden_units(profiles).axes[1]
    assert lower.get_ylabel() == "probability"
    heights = [bar.get_height() for bar in lower.patches]
    np.testing.assert_allclose(heights[:2], profiles.marginal[0])
    np.testing.assert_allclose(heights[2:], profiles.conditional[0].flatten())


# learning curves


def test_curves_are_the_columns_without_what_is_missing():
    metrics = {
        "update": [0, 100, 200],
        "pseudolikelihood_train": [-0.6, math.nan, -0.2],
        "free_energy_gap": [math.nan] * 3,
        "updates_per_second": [500.0, 510.0, 505.0],
    }
    likelihood, gap, reconstruction, speed = learning_curves(metrics).axes
    assert likelihood.lines[0].get_xydata().tolist() == [[0.0, -0.6], [200.0, -0.2]]
    assert likelihood.get_legend() is None
    for empty in (gap, reconstruction):
        assert [text.get_text() for text in empty.texts] == ["not measured in this run"]
    assert speed.get_ylim()[0] == 0.0
    assert (speed.get_xlabel(), speed.get_ylabel()) == ("update", "updates per second")


def test_training_and_held_out_are_told_apart():
    columns = {f"pseudolikelihood_{part}": [-0.5, -0.4] for part in ("train", "held_out")}
    legend = learning_curves({"update": [0, 1], **columns}).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["training", "held-out"]


# log-likelihood

EVALUATION = {
    "train_log_likelihood": -16.0,
    "train_standard_error": 0.1,
    "held_out_log_likelihood": -17.0,
    "held_out_standard_error": 0.3,
    "independent_train": -25.0,
    "independent_held_out": -25.5,
    "pseudolikelihood_train": -0.2,
    "pseudolikelihood_held_out": -0.25,
    "log_partition": 70.0,
    "log_partition_lower": 69.9,
    "log_partition_lower_error": 0.05,
    "log_partition_upper": 70.2,
    "log_partition_upper_error": 0.1,
    "samples_train": 1527,
    "samples_held_out": 270,
}


def test_interval_comes_from_both_bounds_and_their_errors():
    assert likelihood_interval(EVALUATION, "train") == pytest.approx((-16.4, -15.8))
    crossed = {**EVALUATION, "log_partition_upper": 69.5, "log_partition_upper_error": None}
    low, high = likelihood_interval(crossed, "train")
    assert low <= high
    assert likelihood_interval({**EVALUATION, "log_partition_lower": None}, "train") is None


def test_marks_stand_where_the_numbers_are():
    axes = log_likelihood(EVALUATION, sites=64, sample="image").axes[0]
    marks = {}
    for line in axes.lines:
        if not line.get_label().startswith("_"):
            marks.setdefault(line.get_label(), []).append((line.get_xdata()[0], line.get_ydata()[0]))
    assert marks["the machine"] == [(-16.0, 0), (-17.0, -1)]
    assert marks["independent units with the means of the training data"] == [(-25.0, 0), (-25.5, -1)]
    assert marks["pseudolikelihood summed over the sites: not a likelihood, usually larger"] == [
        (pytest.approx(-12.8), 0),
        (-16.0, -1),
    ]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["training\n(1,527)", "held-out\n(270)"]
    assert axes.get_xlabel() == "log-likelihood, nats per image (further right is better)"


@pytest.mark.parametrize("missing", sorted(EVALUATION))
@pytest.mark.parametrize("value", [None, math.nan])
def test_any_number_may_be_missing(missing, value):
    figure = log_likelihood({**EVALUATION, missing: value}, sites=64)
    assert len(figure.axes[0].get_yticks()) == (1 if missing.endswith("log_likelihood") else 2)


def test_nothing_measured_is_said():
    assert log_likelihood({}).axes[0].texts[0].get_text() == "the log-likelihood was not measured"


# files and settings


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_figures_are_saved_the_same_every_time(tmp_path, suffix, start):
    files = []
    for name in ("a", "b"):
        path = save_figure(
            learning_curves({"update": [0, 1], "free_energy_gap": [0, 1]}),
            tmp_path / "new" / f"{name}{suffix}",
        )
        files.append(path.read_bytes())
    assert files[0] == files[1]
    assert files[0].startswith(start)


def test_settings_outside_are_left_alone_and_do_not_leak_in():
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30}):
        loud = learning_curves({"update": [0, 1], "free_energy_gap": [0, 1]})
        assert matplotlib.rcParams["font.size"] == 30
    assert dict(matplotlib.rcParams) == before
    assert png(loud) == png(learning_curves({"update": [0, 1], "free_energy_gap": [0, 1]}))
    with pytest.raises(RuntimeError), style():
        raise RuntimeError
    assert dict(matplotlib.rcParams) == before


def test_no_figure_needs_pyplot_or_a_display(tmp_path):
    code = (
        "import sys, halfwave as hw; hw.plots.save_figure(hw.plots.drelu_grid(100), sys.argv[1]); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path / "grid.png")]
    assert (
        subprocess.run(command, env={"PATH": "/usr/bin", "HOME": str(tmp_path)}, check=False).returncode == 0
    )
    assert Path(command[-1]).is_file()
