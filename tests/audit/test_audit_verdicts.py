"""The four regimes of the issue, told apart in the first line."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import halfwave as hw


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
