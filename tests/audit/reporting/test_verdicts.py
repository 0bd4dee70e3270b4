"""The four regimes of the issue, told apart in the first line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.audit.reporting.layer import rate_bounds
from halfwave.audit.reporting.verdicts import ENOUGH


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Bundled digits, pixels from 0 to 1."""
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)


def trained(rate: float, steps: int = 150) -> nn.Sequential:
    """A perceptron trained on digits by plain gradient descent."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    x, y = digits()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(steps):
        chosen = torch.randint(len(x), (64,))
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return model


def always_on() -> nn.Sequential:
    """Biases so large that hardly an input is below a kink."""
    model = trained(0.05, steps=0)
    for layer in (model[0], model[2]):
        nn.init.constant_(layer.bias, 3.0)
    return model


def thresholded() -> nn.Sequential:
    """The healthy network with thresholds at the 90 % quantile of each unit's input."""
    model, x = trained(0.05), digits()[0]
    for place in (1, 3):
        with torch.no_grad():
            threshold = model[:place](x).quantile(0.9, dim=0).clamp(min=0.01)
        model[place] = hw.nn.ThresholdedReLU(threshold, form="keep")
    return model


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (lambda: trained(0.02), ("Healthy", "Mostly healthy")),
        (lambda: trained(2.0), ("Dead units",)),
        (always_on, ("Always on",)),
        (thresholded, ("Sparse by design",)),
    ],
    ids=["healthy", "learning rate too high", "always on", "thresholded"],
)
def test_regimes_are_told_apart_in_the_first_line(make, first: tuple[str, ...]) -> None:
    report = hw.audit.audit(make(), [digits()])
    line = str(report).splitlines()[0]
    assert line.startswith(first), str(report)
    assert line == report.headline
    serious = [verdict for verdict in report.verdicts if verdict.severity == "problem"]
    assert bool(serious) == (first[0] in ("Dead units", "Always on"))
    for verdict in report.verdicts:
        assert verdict.advice.endswith(".")
        assert str(verdict.units) in verdict.evidence or verdict.finding.startswith("sparse")


def test_units_that_fire_without_gradient_are_found() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))
    with torch.no_grad():
        model[2].bias.fill_(-100.0)
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    report = hw.audit.audit(model, [x], loss=lambda output, batch: output.sum())
    assert ("1", "no gradient") in [(verdict.layer, verdict.finding) for verdict in report.verdicts]
    assert report.headline.startswith("Dead units: 6")


def test_the_table_has_a_line_a_layer() -> None:
    report = hw.audit.audit(trained(0.05, steps=1), [digits()])
    lines = report.table().splitlines()
    assert lines[0].split()[:4] == ["layer", "rectifier", "units", "dead"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "3"]
    assert "nan" not in report.table()


def constant(bias: float, activation: nn.Module, units: int = 6) -> nn.Sequential:
    """A layer whose inputs lie round a bias."""
    layer = nn.Linear(4, units)
    nn.init.constant_(layer.bias, bias)
    return nn.Sequential(layer, activation)


def samples(number: int, features: int = 4) -> torch.Tensor:
    return torch.randn(number, features, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("number", [1, 2, 8, 28])
def test_few_samples_say_nothing_about_healthy_networks(number: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 5))
    report = hw.audit.audit(model, [samples(number, 20)], loss=lambda output, batch: output.sum())
    assert {verdict.finding for verdict in report.verdicts} <= {"too few samples"}
    assert not any(verdict.severity == "problem" for verdict in report.verdicts)
    assert "learning rate" not in str(report)
    assert "do not vary" not in str(report)
    if number <= 2:
        assert report.headline.startswith("Too few samples to say: ")
        assert report.headline.endswith("at least 29 are needed.")
        assert "1 samples" not in str(report)


def test_what_is_proven_needs_no_samples() -> None:
    model = constant(-50.0, nn.ReLU())
    report = hw.audit.audit(model, [samples(1).clamp(-1.0, 1.0)], input_range=(-1.0, 1.0))
    assert report.headline == "Dead units: 6 of 6 never fired on 1 sample; worst in layer 1, 6 of 6."
    (verdict,) = report.verdicts
    assert "did not fire on 1 sample (" in verdict.evidence
    assert "6 of them cannot fire" in verdict.evidence
    assert "distance" not in verdict.evidence  # of one input there is no deviation
    assert "do not vary" not in verdict.advice


def test_enough_samples_bound_the_rate_by_a_tenth() -> None:
    silent = np.zeros(1, dtype=np.int64)
    assert rate_bounds(silent, ENOUGH)[1][0] <= 0.1 < rate_bounds(silent, ENOUGH - 1)[1][0]
    model = constant(-50.0, nn.ReLU())
    assert hw.audit.audit(model, [samples(ENOUGH)]).verdicts[0].finding == "dead"
    assert hw.audit.audit(model, [samples(ENOUGH - 1)]).verdicts[0].finding == "too few samples"


def test_of_one_input_no_deviation_is_reported() -> None:
    layer = hw.audit.audit(constant(1.0, nn.ReLU()), [samples(1)]).layers[0]
    assert np.isnan(layer.distance).all()
    assert np.isnan(layer.predicted_rate).all()
    light = hw.audit.audit(constant(1.0, nn.ReLU()), [samples(8)], statistics="light").layers[0]
    assert np.isnan(light.distance).all()  # the moments are those of one sample of eight


def test_inputs_that_vary_are_not_called_constant_because_few_were_measured() -> None:
    # one of eight samples goes into the moments
    x = torch.ones(64, 4)
    x[1] = 2.0
    report = hw.audit.audit(constant(-50.0, nn.ReLU()), [x], statistics="light")
    assert "do not vary" not in report.verdicts[0].advice
    report = hw.audit.audit(constant(-50.0, nn.ReLU()), [torch.ones(64, 4)], statistics="light")
    assert "do not vary" in report.verdicts[0].advice


@pytest.mark.parametrize(
    ("bias", "activation", "finding", "evidence", "advice"),
    [
        (-30.0, nn.PReLU(), "always below", "were below the kink on all 100", "always in the leaky branch"),
        (-30.0, nn.LeakyReLU(), "always below", "were below the kink", "always in the leaky branch"),
        (30.0, nn.LeakyReLU(), "always on", "were above the kink", "too large and positive"),
        (30.0, nn.ReLU(), "always on", "were above the kink", "too large and positive"),
        (0.0, nn.Hardtanh(-9.0, 9.0), "always linear", "were between the limits", "small against the limits"),
        (30.0, nn.Hardtanh(), "saturated", "were beyond a limit", "above the upper limit"),
        (-30.0, nn.Hardtanh(), "saturated", "were beyond a limit", "below the lower limit"),
        (30.0, nn.ReLU6(), "saturated", "were beyond a limit", "above the upper limit"),
        (-30.0, nn.ReLU6(), "dead", "did not fire on 100 samples", "hw.audit.revive"),
        (3.0, nn.ReLU6(), "always on", "were above the kink", "too large and positive"),
        (-30.0, nn.Softshrink(), "always below", "were below the kink", "beyond one of the two thresholds"),
        (-30.0, nn.ReLU(), "dead", "did not fire on 100 samples", "hw.audit.revive"),
        (-30.0, nn.GELU(), "dead", "did not fire", "slope is almost zero"),
    ],
)
def test_the_side_of_the_kink_decides(
    bias: float, activation: nn.Module, finding: str, evidence: str, advice: str
) -> None:
    model = constant(bias, activation)
    with torch.no_grad():
        model[0].weight.copy_(0.3 * torch.eye(4).repeat(2, 1)[:6])
    report = hw.audit.audit(model, [samples(100)])
    (verdict,) = (verdict for verdict in report.verdicts if verdict.severity == "problem")
    assert verdict.finding == finding
    assert evidence in verdict.evidence
    assert advice in verdict.advice
    assert not report.headline.startswith(("Healthy", "Mostly"))
    assert "6 of 6" in report.headline


def test_units_on_both_sides_are_told_apart() -> None:
    model = constant(0.0, nn.LeakyReLU())
    with torch.no_grad():
        model[0].bias[:2], model[0].bias[2:] = -30.0, 30.0
    found = {v.finding: v.units for v in hw.audit.audit(model, [samples(100)]).verdicts}
    assert found == {"always below": 2, "always on": 4}


def test_saturation_on_both_sides() -> None:
    x = torch.cat([samples(50) + 30.0, samples(50) - 30.0])
    report = hw.audit.audit(nn.Hardtanh(), [x])
    assert "beyond both limits" in report.verdicts[0].advice


def test_relu6_goes_by_its_name() -> None:
    report = hw.audit.audit(constant(0.0, nn.ReLU6()), [samples(40)])
    assert report.layers[0].operation == "relu6"
    assert " relu6 " in report.table()
    assert hw.audit.audit(constant(0.0, nn.Hardtanh()), [samples(40)]).layers[0].operation == "hardtanh"


def test_reports_of_many_layers_stay_short() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(part for _ in range(60) for part in (nn.Linear(16, 16), nn.ReLU())))
    report = hw.audit.audit(model, [samples(64, 16)])
    words, _, table = str(report).partition("\n\n")
    paragraphs = words.splitlines()
    assert len(report.verdicts) > 60
    assert len(paragraphs) <= 8
    assert sum(-(-len(line) // 100) for line in paragraphs) <= 30
    for verdict in report.verdicts:
        assert words.count(verdict.advice) <= 1
    worst = report.verdicts[0]
    assert paragraphs[1].startswith(f"  {worst.severity}: {worst.finding} in ")
    assert f"Layer {worst.layer}: {worst.evidence}." in paragraphs[1]
    assert len(table.splitlines()) == 61


def test_dead_and_saturated_units_are_counted_alike_everywhere() -> None:
    model = nn.Sequential(*(constant(0.0, nn.Hardtanh(), 20)), nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 1))
    with torch.no_grad():
        model[0].bias[:7], model[2].bias[:20] = 50.0, -500.0
        model[2].weight[:, :7] = 0.0  # what the saturated units add could silence others
    report = hw.audit.audit(model, [samples(100)])
    found = {verdict.finding: verdict.units for verdict in report.verdicts}
    assert (found["dead"], found["saturated"]) == (20, 7)
    assert report.headline.startswith("Dead units: 20 of 50 never fired")
    columns = report.table().splitlines()[0].split()[3:5]
    numbers = [line.split()[3:5] for line in report.table().splitlines()[1:]]
    assert columns == ["dead", "saturated"]
    assert numbers == [["0", "7"], ["20", "0"]]
    revival = hw.audit.revive(model, report)
    assert (revival.dead, revival.saturated) == (27, 7)
    assert "of 27 units, 20 dead and 7 saturated, revived." in str(revival)
    assert [line.split()[2:4] for line in revival.table().splitlines()[1:]] == numbers


def test_the_first_line_speaks_of_the_first_verdict() -> None:
    # 3 of 8 units are dead, 20 of 20 always on
    model = nn.Sequential(*constant(0.0, nn.ReLU(), 8), nn.Linear(8, 20), nn.ReLU())
    with torch.no_grad():
        model[0].bias[:3], model[2].bias[:] = -50.0, 50.0
    report = hw.audit.audit(model, [samples(100)])
    assert [verdict.finding for verdict in report.verdicts[:2]] == ["always on", "dead"]
    assert report.headline.startswith("Always on: 20 of 28")
    assert "worst in layer 3, 20 of 20." in report.headline
    bad = samples(100)
    bad[3] = torch.nan
    report = hw.audit.audit(model, [bad])
    assert report.verdicts[0].finding == "not finite"  # which may be the cause of all the rest
    assert report.headline.startswith("Not finite")


def test_samples_are_those_of_the_layers_that_are_spoken_of() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.often, self.rarely = constant(0.0, nn.ReLU()), constant(-50.0, nn.ReLU())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.often(x) + (self.rarely(x) if len(x) < 10 else 0)

    report = hw.audit.audit(Branches(), [samples(60), samples(5)])
    assert [layer.samples for layer in report.layers] == [65, 5]
    assert report.headline == (
        "Too few samples to say: 6 of 12 units were silent, linear or without gradient on 5 samples; at least 29 are "
        "needed."
    )
    evidence = report.verdicts[0].evidence
    assert (
        "on 5 samples, which is too few samples to say; a unit that was silent on them may still fire"
        in evidence
    )
    assert evidence.endswith("on up to 45% of others")


def test_healthy_on_few_samples_is_not_sure() -> None:
    layer = constant(0.0, nn.ReLU())
    with torch.no_grad():
        layer[0].weight.copy_(torch.eye(4).repeat(2, 1)[:6])  # pyright: ignore[reportCallIssue]
    x = torch.cat([torch.eye(4), -torch.eye(4)])
    assert hw.audit.audit(layer, [x]).headline.endswith("on 8 samples, too few samples to be sure.")
    assert hw.audit.audit(layer, [x] * 5).headline.endswith("on 40 samples.")


def test_shares_are_all_or_nothing_only_where_they_are() -> None:
    model = constant(-50.0, nn.ReLU(), 300)
    with torch.no_grad():
        model[0].bias[0] = 0.0
    report = hw.audit.audit(model, [samples(100)])
    assert "299 of 300 units (>99%) did not fire" in report.verdicts[0].evidence


def test_numbers_and_nouns_agree() -> None:
    report = hw.audit.audit(constant(-50.0, nn.ReLU(), units=1), [samples(100)])
    assert report.verdicts[0].evidence.startswith("1 of 1 unit (100%) did not fire on 100 samples")
    on = hw.audit.audit(constant(0.0, nn.ReLU(), units=1), [samples(100)]).headline
    assert on == "Healthy: of 1 unit in 1 layer, none dead and none always on, on 100 samples."
