"""Figures and page of an audit: what is drawn and written is what the report holds."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from page_cases import read
from scipy import special
from torch import nn

from halfwave import HalfwaveError
from halfwave.audit import LayerReport, Report, audit, watch
from halfwave.nn import ThresholdedReLU
from halfwave.plots import (
    audit_dead_units,
    audit_distributions,
    audit_firing_rates,
    save_figure,
    write_audit_report,
)
from halfwave.plots.audit.units import short_names
from halfwave.plots.style import COLOURS, MODEL


def stack(sizes: tuple[int, ...], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), activation())]
    return nn.Sequential(*layers)


def data(samples: int = 200, features: int = 6) -> torch.Tensor:
    return torch.randn(samples, features, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def report() -> Report:
    """Two layers: in the first 2 units are dead and 1 always on, in the second 1 is dead for any input."""
    model = stack((6, 12, 5))
    with torch.no_grad():
        model[0].bias[:2] -= 50.0
        model[0].bias[2] += 50.0
        model[2].weight[0], model[2].bias[0] = -1.0, -1.0
        model[2].weight[:, 2] = 0.0
    return audit(model, [data()])


def bars(figure: Figure) -> dict[str, list[float]]:
    """Widths of the bars by the name of their part."""
    return {
        container.get_label(): [patch.get_width() for patch in container.patches]
        for container in figure.axes[0].containers
    }


def test_bars_are_the_shares_of_units(report: Report) -> None:
    first, second = report.layers
    assert (first.dead.sum(), first.always_on.sum(), second.provably_dead.sum()) == (2, 1, 1)
    drawn = bars(audit_dead_units(report))
    observed = [(layer.dead & ~layer.provably_dead).mean() for layer in report.layers]
    np.testing.assert_allclose(drawn["dead on the data"], observed)
    np.testing.assert_allclose(
        drawn["dead for any input of the domain"],
        [(layer.dead & layer.provably_dead).mean() for layer in report.layers],
    )
    np.testing.assert_allclose(drawn["always on"], [layer.always_on.mean() for layer in report.layers])
    np.testing.assert_allclose(np.sum(list(drawn.values()), axis=0), 1.0)
    texts = [text.get_text() for text in audit_dead_units(report).axes[0].texts]
    assert texts[0] == "2 dead, 1 on of 12"


def test_units_that_are_not_finite_are_not_healthy() -> None:
    model = stack((6, 8))
    with torch.no_grad():
        model[0].bias[:3] = torch.nan
    bad = audit(model, [data()])
    drawn = bars(audit_dead_units(bad))
    np.testing.assert_allclose(drawn["no finite input"], [3 / 8])
    np.testing.assert_allclose(drawn["some inputs NaN or infinite"], [3 / 8])
    colours = audit_firing_rates(bad).axes[0].images[0].get_array()
    assert np.isclose(colours[0, -3:], to_rgb("#D9DCE1")).all()


def test_a_few_nan_do_not_hide_what_units_are() -> None:
    model = stack((6, 8), nn.Hardtanh)
    with torch.no_grad():
        model[0].weight.mul_(2.0)
        model[0].bias[:3], model[0].bias[3:5] = -50.0, 50.0
        model[0].weight[5], model[0].bias[5] = 0.01, 0.0
    x = data()
    x[7] = torch.nan
    found = audit(model, [x])
    drawn = bars(audit_dead_units(found))
    np.testing.assert_allclose(drawn["saturated"], [5 / 8])
    np.testing.assert_allclose(drawn["always on"], [1 / 8])
    np.testing.assert_allclose(drawn["healthy"], [2 / 8])
    np.testing.assert_allclose(drawn["some inputs NaN or infinite"], [1.0])
    bar, mark = (
        next(
            container.patches[0]
            for container in audit_dead_units(found).axes[0].containers
            if label in str(container.get_label())
        )
        for label in ("healthy", "NaN")
    )
    assert mark.get_height() < bar.get_height() / 4
    assert mark.get_y() >= bar.get_y() + bar.get_height() - 1e-9


def test_saturated_units_are_counted_apart(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Hardtanh(), nn.Linear(8, 5), nn.ReLU())
    with torch.no_grad():
        model[0].bias[:3] = 50.0
        model[2].bias[:2] = -50.0
    found = audit(model, [data()])
    (head, *rows) = (line.split() for line in found.table().splitlines())
    assert head[3:5] == ["dead", "saturated"]
    assert [row[3:5] for row in rows] == [["0", "3"], ["2", "0"]]
    page = read(write_audit_report(found, tmp_path / "audit.html"))
    assert "saturated" in page.text
    assert sum(record["saturated"] for record in found.records()) == 3


def test_names_in_tables_break_between_their_parts(tmp_path: Path) -> None:
    model = nn.Sequential()
    model.add_module("encoder_block", stack((6, 4)))
    path = write_audit_report(audit(model, [data()]), tmp_path / "audit.html")
    assert "encoder_<wbr>block.<wbr>1" in path.read_text(encoding="utf-8")
    for heading in read(path).named("th"):
        assert "overflow-wrap: normal" in (heading["style"] or "") or heading["class"] == "name"


def test_what_is_written_in_figures_is_nearly_as_large_as_the_page(report: Report) -> None:
    """A picture is 52 rem wide at most, the text of the page 1 rem high."""
    for draw in (audit_dead_units, audit_firing_rates, audit_distributions):
        figure = draw(report)
        size = figure.axes[0].xaxis.get_ticklabels()[0].get_fontsize()
        assert 52 * float(size) / 72 / figure.get_figwidth() > 0.75


def test_rows_of_the_heat_map_are_sorted_rates(report: Report) -> None:
    from matplotlib import colormaps

    colours = np.asarray(audit_firing_rates(report).axes[0].images[0].get_array())
    assert colours.shape == (2, 12, 3)
    layer = report.layers[0]
    order = np.argsort(layer.firing_rate, kind="stable")
    expected = colormaps["Blues"](layer.firing_rate[order])[:, :3]
    expected[:2], expected[-1] = to_rgb(MODEL), to_rgb(COLOURS[4])
    np.testing.assert_allclose(colours[0], expected)


def test_many_units_keep_the_share_of_dead_ones() -> None:
    model = stack((6, 4096))
    with torch.no_grad():
        model[0].bias[:1024] -= 50.0
    colours = np.asarray(audit_firing_rates(audit(model, [data(50)])).axes[0].images[0].get_array())
    assert colours.shape == (1, 1024, 3)
    assert np.isclose(colours[0], to_rgb(MODEL)).all(axis=1).sum() == 256


def steps(axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Heights and edges of the bars of a distribution."""
    (patch,) = axes.patches
    values, edges, _ = patch.get_data()  # pyright: ignore[reportAttributeAccessIssue]
    return values, edges


def test_distributions_are_those_of_the_histograms(report: Report) -> None:
    axes = audit_distributions(report).axes
    assert [panel.get_title("left") for panel in axes[::2]] == ["1", "3"]
    layer = report.layers[1]
    values, edges = steps(axes[2])
    below = np.concatenate([[0.0], np.cumsum(values * np.diff(edges))])
    pooled = layer.histogram_before.pooled()
    share = np.cumsum(pooled.counts) / pooled.total
    inside = (pooled.edges[1:] > edges[0]) & (pooled.edges[1:] < edges[-1])
    start = np.interp(edges[0], pooled.edges[1:], share)
    drawn = np.interp(pooled.edges[1:][inside], edges, below)
    # to the width of a bin, inside which nobody knows where values lie
    np.testing.assert_allclose(drawn + start, share[inside], atol=0.05)
    assert below[-1] > 0.98


def test_the_line_predicts_the_predicted_rate(report: Report) -> None:
    axes = audit_distributions(report).axes[2]
    layer = report.layers[1]
    x, density = axes.lines[0].get_data()
    above = np.linspace(0.0, x.max(), 5001)
    tail = special.ndtr((layer.mean_before - x.max()) / layer.std_before).mean()
    found = np.trapezoid(np.interp(above, x, density), above) + tail
    assert found == pytest.approx(layer.predicted_rate.mean(), abs=0.02)
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [0.0]


def test_zeros_are_written_and_not_drawn(report: Report) -> None:
    axes = audit_distributions(report).axes[1]
    layer = report.layers[0]
    assert axes.get_title("left") == f"outputs, {layer.sparsity:.1%} zero"
    values, edges = steps(axes)
    assert not values[edges[:-1] < 0].any()
    assert (values * np.diff(edges)).sum() == pytest.approx(1.0, abs=0.05)


def test_kinks_of_other_rectifiers() -> None:
    limited = audit_distributions(audit(stack((6, 4), nn.Hardtanh), [data()])).axes[0]
    assert [line.get_xdata()[0] for line in limited.lines[1:]] == [-1.0, 1.0]
    thresholds = torch.linspace(0.1, 2.0, 8)
    each = nn.Sequential(nn.Linear(6, 8), ThresholdedReLU(thresholds))
    spans = audit_distributions(audit(each, [data()])).axes[0]
    assert len(spans.lines) == 1  # a kink a unit: a band from the first to the last
    assert len(spans.patches) == 2


@pytest.mark.parametrize("layers", [1, 5, 50])
def test_figures_of_any_depth_hold_every_layer(layers: int) -> None:
    deep = audit(stack((6,) * (layers + 1)), [data(50)])
    assert len(audit_distributions(deep).axes) == 2 * layers
    for draw in (audit_dead_units, audit_firing_rates):
        figure = draw(deep)
        assert len(figure.axes[0].get_yticklabels()) == layers
        assert len(str(figure.get_label())) > 60
        figure.draw_without_rendering()
        check_nothing_is_cut_off(figure)


def check_nothing_is_cut_off(figure: Figure) -> None:
    """Nothing that is written lies outside the figure."""
    width, height = figure.canvas.get_width_height()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= width + 1
        assert box.y1 <= height + 1


def test_too_many_layers_leave_the_worst() -> None:
    deep = stack((6,) * 71)
    with torch.no_grad():
        deep[40].bias.fill_(-50.0)
    drawn = audit_distributions(audit(deep, [data(20)])).axes
    assert len(drawn) == 120
    assert "41" in [panel.get_title("left") for panel in drawn]


def test_names_are_cut_to_what_tells_them_apart() -> None:
    names = [f"encoder.stages.{n}.blocks.activation_function" for n in range(12)]
    assert short_names(names, 30)[10] == "…10.blocks.activation_function"
    assert short_names(["/encoder/layer/a/Relu", "/encoder/layer/b/Relu"], 12) == ["…a/Relu", "…b/Relu"]
    assert short_names(["one", "two"], 5) == ["one", "two"]
    assert len(short_names(["a" * 50, "b" * 50], 20)[0]) == 20


def test_reports_with_nothing_in_them(tmp_path: Path) -> None:
    model = stack((6, 4))
    with watch(model) as empty:
        pass
    page = read(write_audit_report(empty, tmp_path / "empty.html"))
    assert "0 rectifiers" in page.text


def test_a_layer_without_a_finite_input(tmp_path: Path) -> None:
    found = audit(stack((6, 4, 3)), [torch.full((5, 6), torch.nan)])
    for draw in (audit_distributions, audit_dead_units, audit_firing_rates):
        save_figure(draw(found), tmp_path / "figure.png")
    page = read(write_audit_report(found, tmp_path / "nan.html"))
    assert "Not finite" in page.text
    assert "nan" not in page.text.replace("NaN", "")


# the page


def test_the_page_says_what_is_wrong_with_the_evidence(report: Report, tmp_path: Path) -> None:
    path = write_audit_report(report, tmp_path / "folder" / "audit.html", title="My network")
    page = read(path)
    assert report.headline in page.text
    for verdict in report.verdicts:
        assert verdict.evidence in page.text
        assert verdict.advice in page.text
    places = [
        page.text.index(words) for words in ("What was found", "Layers", "Units that do no work", "The worst")
    ]
    assert places == sorted(places)
    assert len(page.named("img")) == 3
    assert all(len(image["alt"] or "") > 60 for image in page.named("img"))
    first: LayerReport = report.layers[0]
    assert f"{first.active_inputs:.1%}" in page.text
    assert page.text.count("always on") > 2
    assert "nats" not in page.text
    assert page.named("h1")
    assert page.named("html")[0]["lang"] == "en"
    assert not list(tmp_path.rglob("*.partial"))


def test_the_page_needs_nothing_from_elsewhere(report: Report, tmp_path: Path) -> None:
    path = write_audit_report(report, tmp_path / "audit.html")
    page, text = read(path), path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", text))
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "a"}
        assert "href" not in attributes
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")


def test_names_are_escaped(tmp_path: Path) -> None:
    model = nn.Sequential()
    model.add_module("<b>linear</b>", nn.Linear(6, 3))
    model.add_module('<script>alert("1")</script>', nn.ReLU())
    with torch.no_grad():
        model[0].bias.fill_(-50.0)  # pyright: ignore[reportIndexIssue]
    page = read(write_audit_report(audit(model, [data()]), tmp_path / "audit.html", title="<i>$title</i>"))
    assert not page.named("script")
    assert not page.named("i")
    assert '<script>alert("1")</script>' in page.text
    assert "<i>$title</i>" in page.text


def test_equal_findings_are_one_and_units_are_folded(tmp_path: Path) -> None:
    model = stack((6,) + (40,) * 12)
    with torch.no_grad():
        for place in range(0, 24, 2):
            model[place].bias[:20] -= 50.0
    report = audit(model, [data(50)])
    page = read(write_audit_report(report, tmp_path / "audit.html"))
    groups = report.verdict_groups
    assert len(groups) < 8 < len(report.verdicts)
    assert sum(len(group.verdicts) for group in groups) == len(report.verdicts)
    several = sum(len(group.verdicts) > 1 for group in groups)
    assert len(page.named("details")) == several + 1
    for verdict in report.verdicts:
        assert verdict.evidence in page.text
        assert page.text.count(verdict.advice) <= 3  # once for each severity
    units = sum(int((layer.dead | layer.always_on).sum()) for layer in report.layers)
    assert f"The worst units (60 of {units})" in page.text


def test_a_page_of_many_layers_is_small_and_says_what_is_drawn(tmp_path: Path) -> None:
    model = stack((6,) + (8,) * 60)
    path = write_audit_report(audit(model, [data(50)]), tmp_path / "audit.html")
    assert path.stat().st_size < 600_000
    page = read(path)
    assert "Drawn are 16 of 60 layers" in page.text
    alternatives = [image["alt"] for image in page.named("img")]
    assert alternatives[2].startswith("Distributions of the inputs and outputs of 16 of 60 rectifiers")


def test_numbers_and_nouns_agree(tmp_path: Path) -> None:
    model = stack((6, 1))
    page = read(write_audit_report(audit(model, [data(40)]), tmp_path / "audit.html"))
    assert "1 rectifier with 1 unit, on 40 samples in 1 batch." in page.text
    for wrong in ("1 rectifiers", "1 units", "1 layers", "1 batches"):
        assert wrong not in " ".join([page.text, *(image["alt"] for image in page.named("img"))])


def test_the_table_of_layers_has_proofs_and_gradients(tmp_path: Path) -> None:
    model = stack((6, 8, 1))
    plain = audit(model, [data()])
    text = read(write_audit_report(plain, tmp_path / "plain.html")).text
    assert "proven" in text
    assert "zero gradient" in text
    found = audit(model, [data()], loss=lambda output, batch: output.sum())
    share = float(found.layer("1").gradient_zero_share.mean())
    assert f"{share:.1%}" in read(write_audit_report(found, tmp_path / "found.html")).text
    assert f"{share:.1%}" in found.table()


@pytest.mark.parametrize("most", [0, 2.5, True])
def test_the_number_of_drawn_layers_is_positive(report: Report, most) -> None:
    with pytest.raises(HalfwaveError, match="`most` of audit_distributions must be a positive integer; got"):
        audit_distributions(report, most)


def test_a_page_that_cannot_be_written_is_an_error_in_words(report: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(HalfwaveError, match="cannot write"):
        write_audit_report(report, tmp_path / "file" / "audit.html")
