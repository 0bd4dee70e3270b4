"""The report: one file that needs nothing else, and sentences that fit the numbers."""

from __future__ import annotations

import base64
import math
import re

import pytest
import torch
from page_cases import Page, read

from halfwave import HalfwaveError
from halfwave.plots import run_report, write_report
from halfwave.plots.machine.wording import Subject, facts
from halfwave.plots.numerals import factor, plain, with_error
from halfwave.plots.style import new_figure
from halfwave.rbm.machine import RBM
from halfwave.units import Binary, DReLU, Gaussian, Potts, ReLU, Spin, Unit

EVALUATION = {
    "method": "annealed importance sampling",
    "chains": 500,
    "temperatures": 2000,
    "train_log_likelihood": -16.0,
    "train_standard_error": 0.1,
    "held_out_log_likelihood": -17.0,
    "held_out_standard_error": 0.3,
    "log_partition_lower": 69.99,
    "log_partition_lower_error": 0.02,
    "log_partition_upper": 70.01,
    "log_partition_upper_error": 0.02,
    "sandwich_width": 0.02,
    "independent_train": -25.0,
    "independent_held_out": -25.0,
    "pseudolikelihood_train": -0.2,
    "pseudolikelihood_held_out": math.log(0.78),
    "reconstruction_error_train": 0.06,
    "reconstruction_error_held_out": 0.07,
    "free_energy_gap": 1.0,
    "samples_train": 1527,
    "samples_held_out": 270,
}
METRICS = {"update": [0, 100], "seconds": [0.0, 90.5], "free_energy_gap": [math.nan, 0.3]}


def check_self_contained(page: Page, text: str) -> None:
    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", without_pictures)
    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "a"}
        assert "href" not in attributes
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,")


def machine(visible: Unit, hidden: Unit) -> RBM:
    weights = 0.3 * torch.randn(visible.size, hidden.size, generator=torch.Generator().manual_seed(0))
    return RBM(visible, hidden, weights)


def drawn(unit: Unit, count: int = 40) -> torch.Tensor:
    zero = torch.zeros(count, *unit.shape)
    return unit.sample_from_inputs(zero, torch.Generator().manual_seed(1))


CASES = {
    "binary images": (Binary((4, 4)), DReLU(5), (4, 4)),
    "spins": (Spin(7), Potts((2, 3)), None),
    "categories": (Potts((6, 21)), Spin(3), None),
    "images of categories": (Potts((6, 3)), ReLU(2), (2, 3)),
    "real values": (Gaussian(5), ReLU(4), None),
    "real images": (Gaussian((3, 3)), DReLU(1), (3, 3)),
}


FEW = ("binary images", "images of categories", "real values")
"""One of each kind of values; a report takes seconds."""


@pytest.mark.parametrize(
    "name", [n if n in FEW else pytest.param(n, marks=pytest.mark.thorough) for n in sorted(CASES)]
)
def test_report_of_a_run_is_one_self_contained_file(name, tmp_path):
    visible, hidden, image_shape = CASES[name]
    v = drawn(visible)
    config = {"source": "folder/words.csv", "transform": {"kind": "binary", "mean": [0.5] * 99}, "seed": 0}
    path = run_report(
        machine(visible, hidden),
        v,
        v[:7],
        v[:20],
        EVALUATION,
        METRICS,
        config,
        image_shape,
        tmp_path / "report.html",
    )
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    check_self_contained(page, text)
    pictures = page.named("img")
    names = ("samples", "log_likelihood", "features", "hidden_units", "learning_curves")
    assert len(pictures) == len(names)
    for picture, file in zip(pictures, names, strict=True):
        assert len(picture["alt"] or "") > 40
        content = base64.b64decode((picture["src"] or "").split(",")[1])
        assert content == (tmp_path / "figures" / f"{file}.png").read_bytes()
    assert page.named("title")
    assert f"words.csv: {hidden.size} {hidden.name} hidden units" in page.text
    assert "100 updates in 90.5 seconds." in page.text
    assert "transform.mean" in page.text
    assert "(99 values)" in page.text
    assert not list(tmp_path.rglob("*.partial"))


def test_report_of_a_run_without_numbers_says_what_is_missing(tmp_path):
    visible = Gaussian(4)
    v = drawn(visible)
    none = {**dict.fromkeys(EVALUATION), "samples_train": 40, "samples_held_out": 0}
    path = run_report(machine(visible, DReLU(2)), v, v[:0], v, none, {}, {}, None, tmp_path / "report.html")
    page = read(path)
    assert page.text.count("not available") == 7
    assert "No samples were held out" in page.text
    assert "this machine has Gaussian visible and DReLU hidden units" in page.text
    assert "None" not in page.text
    assert "nan" not in page.text
    assert len(page.named("img")) == 3


@pytest.mark.parametrize("missing", sorted(EVALUATION))
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_every_number_may_be_missing(missing, value):
    entries = facts({**EVALUATION, missing: value}, Subject())
    assert len(entries) == 7
    for entry in entries:
        for words in (entry.value, entry.meaning):
            assert not re.search(r"\b(None|nan|inf)\b", words)
        assert entry.meaning.endswith(".")


def meaning(changes: dict, name: str, subject: Subject | None = None) -> str:
    entries = facts({**EVALUATION, **changes}, subject or Subject("image", "pixel"))
    return next(f"{entry.value}: {entry.meaning}" for entry in entries if entry.name == name)


def test_likelihood_is_compared_with_the_baseline():
    words = meaning({}, "Held-out log-likelihood")
    assert words.startswith(
        "−17.00 ± 0.30 nats per image: That is, the machine gives an unseen image a probability"
    )
    assert "about 3,000 times larger than independent pixels would" in words  # e⁸ = 2981
    assert "one standard error over the 270 images" in words
    worse = meaning({"held_out_log_likelihood": -26.0}, "Held-out log-likelihood")
    assert "about 2.7 times smaller" in worse
    same = meaning({"held_out_log_likelihood": -25.01}, "Held-out log-likelihood")
    assert "about the same probability as independent pixels." in same
    density = meaning({}, "Training log-likelihood", Subject(discrete=False))
    assert "a probability density about 8,100 times larger" in density


def test_gap_is_judged_against_its_error():
    assert "2.7 times less probable" in meaning({}, "Free-energy gap")
    assert "3.2 standard errors from none" in meaning({}, "Free-energy gap")
    assert "No sign of memorising" in meaning({"free_energy_gap": 0.5}, "Free-energy gap")
    assert "times more probable" in meaning({"free_energy_gap": -0.5}, "Free-energy gap")


def test_sandwich_is_explained_and_judged():
    name = "Partition function, log Z"
    agree = meaning({}, name)
    assert agree.startswith("between 69.990 and 70.010 nats")
    assert "too little: 69.990 ± 0.020" in agree
    assert "too much: 70.010 ± 0.020" in agree
    assert "(500 chains, 2,000 temperatures)" in agree
    assert "agree within their errors" in agree
    combined = {"log_partition": 70.002, "log_partition_error": 0.011}
    assert "the value that combines both runs, 70.002 ± 0.011." in meaning(combined, name)
    assert "leave 1.01 nats open" in meaning({"log_partition_upper": 71.0}, name)
    assert "below the forward one by 0.99 nats" in meaning({"log_partition_upper": 69.0}, name)
    assert "summed exactly" in meaning({"method": "enumeration"}, name)


@pytest.mark.parametrize(
    ("visible", "value", "words"),
    [
        ("Binary", 0.07, "7 % of the pixels"),
        ("Spin", 0.14, "7 % of the pixels"),
        ("Potts", 0.14, "7 % of the pixels"),
        ("Gaussian", 0.52, "change by 0.52 on average"),
    ],
)
def test_reconstruction_error_counts_changed_sites(visible, value, words):
    subject = Subject("image", "pixel", visible, "DReLU", discrete=visible != "Gaussian")
    assert words in meaning({"reconstruction_error_held_out": value}, "Reconstruction error", subject)


def test_pseudolikelihood_is_a_percentage():
    assert "a pixel a probability of 78 % (geometric mean)" in meaning({}, "Pseudolikelihood")


def test_text_of_others_is_escaped(tmp_path):
    path = write_report(
        tmp_path / "report.html",
        title="<b>$title & co</b>",
        sentences=["a < b", "${style} costs $5"],
        config={"<key>": "<script>alert(1)</script>"},
        figures={"odd": new_figure(1, 1, 'a "quoted" <label>')},
    )
    page = read(path)
    assert not page.named("script")
    assert not page.named("b")
    assert "<b>$title & co</b>" in page.text
    assert "${style} costs $5" in page.text
    assert page.named("img")[0]["alt"] == 'a "quoted" <label>'
    assert "Odd" in page.text


def test_long_metrics_are_thinned_and_keep_both_ends(tmp_path):
    metrics = {"update": list(range(0, 100_000, 10)), "free_energy_gap": [0.5, None] * 5000}
    page = read(write_report(tmp_path / "report.html", title="long", metrics=metrics))
    assert len(page.named("tr")) == 61
    assert "60 of 10,000 rows" in page.text
    assert "99,990" in page.text


def test_a_report_that_cannot_be_written_is_an_error_in_words(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(HalfwaveError, match="cannot write"):
        write_report(tmp_path / "file" / "report.html", title="nowhere")


def test_numbers_read_well():
    assert [plain(x) for x in (0.0, -0.5, 12345.678, 1e-12, 99.999)] == [
        "0",
        "−0.5",
        "12,346",
        "1.000e−12",
        "100",
    ]
    assert [with_error(*x) for x in ((-17.0821, 0.29), (5.0, 40.0), (1.0, 0.0))] == [
        "−17.08 ± 0.29",
        "5 ± 40",
        "1",
    ]
    assert [factor(x) for x in (0.0, 0.7, 3.0, 11.5, 13.82, 700.0)] == [
        "1",
        "2",
        "20",
        "99,000",
        "1.0 × 10⁶",
        "1.0 × 10³⁰⁴",
    ]
