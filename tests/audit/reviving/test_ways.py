"""Units are revived behind what averages, joins and resizes them; what cannot be looked through is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from audit_cases import seeded
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.audit import audit, revive, watch

DEAD = [1, 4]


class Between(nn.Module):
    """A convolution with a ReLU, something, and a layer that reads it."""

    def __init__(self, middle: Callable[[Tensor], Tensor], reader: nn.Module) -> None:
        super().__init__()
        self.conv, self.middle, self.reader = nn.Conv2d(2, 6, 3, padding=1), middle, reader
        seeded(self)
        with torch.no_grad():
            self.conv.bias[DEAD] = -100.0  # pyright: ignore[reportOptionalSubscript]

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(self.middle(F.relu(self.conv(x))))


class UNet(nn.Module):
    """A skip joins two rectifiers in front of one convolution, with a normalisation of both."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 4, 3, stride=2, padding=1)
        self.norm, self.third = nn.BatchNorm2d(10), nn.Conv2d(10, 3, 3)
        seeded(self).eval()
        kill(self.first, [1, 4])
        kill(self.second, [0, 3])

    def forward(self, x: Tensor) -> Tensor:
        skip = F.relu(self.first(x))
        deep = F.interpolate(F.relu(self.second(skip)), scale_factor=2, mode="bilinear")
        return self.third(self.norm(torch.cat([deep, skip], dim=1)))


def kill(layer: nn.Conv2d, units: list[int]) -> None:
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias[units] = -100.0


def images(number: int = 200) -> Tensor:
    return torch.randn(number, 2, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("data", [True, False], ids=["batches", "report"])
@pytest.mark.parametrize(
    ("middle", "reader"),
    [
        (lambda h: h.mean((2, 3)), nn.Linear(6, 3)),
        (lambda h: h.mean(dim=(-2, -1), keepdim=True), nn.Conv2d(6, 3, 1)),
        (lambda h: h.amax((2, 3)), nn.Linear(6, 3)),
        (lambda h: h.sum(3).amin(dim=2), nn.Linear(6, 3)),
        (lambda h: torch.cat([h.new_ones(len(h), 6, 6, 6), h], 1), nn.Conv2d(12, 3, 3)),
        (lambda h: F.interpolate(h, scale_factor=2.0), nn.Conv2d(6, 3, 3)),
        (lambda h: F.interpolate(h, size=(4, 4), mode="bilinear"), nn.Conv2d(6, 3, 3, groups=3)),
        (lambda h: F.pad(h, (1, 1, 1, 1)), nn.Conv2d(6, 3, 3)),
        (lambda h: F.pad(h, (1, 1, 1, 1), "reflect"), nn.Conv2d(6, 3, 3)),
        (lambda h: h.permute(0, 2, 3, 1).flatten(1), nn.Linear(216, 3)),
        (lambda h: h.permute(0, 2, 3, 1), nn.Linear(6, 3)),
        (lambda h: h.flatten(2).transpose(1, 2), nn.Linear(6, 3)),
        (lambda h: torch.cat([h.mean(3), h.amax(3)], 1).flatten(1), nn.Linear(72, 3)),
    ],
    ids=[
        *("mean", "mean kept", "amax", "sum amin", "cat", "interpolate", "grouped", "pad", "reflect"),
        *("permute flatten", "channels last", "tokens", "two ways"),
    ],
)  # fmt: skip
def test_units_are_found_behind(middle: Callable[[Tensor], Tensor], reader: nn.Module, data: bool) -> None:
    model, x = Between(middle, reader), images()
    y = model(x)
    before = reader.weight.clone()  # pyright: ignore[reportCallIssue]
    report = audit(model, x)
    result = revive(model, report, x if data else None, generator=torch.Generator().manual_seed(2))
    assert result.layers[0].revived == tuple(DEAD), result.table()
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-6)
    rates = audit(model, x).layers[0].firing_rate[DEAD]
    np.testing.assert_allclose(rates, 0.5, atol=0.05 if data else 0.3)
    # their weights alone are zeros
    after = reader.weight
    assert isinstance(after, Tensor)
    own = after[:, 6:] if isinstance(reader, nn.Conv2d) and reader.in_channels == 12 else after
    assert (own == 0).double().mean().item() == pytest.approx(len(DEAD) / 6)
    assert torch.equal(after[after != 0], before[after != 0])


def test_joined_rectifiers_keep_their_places() -> None:
    model, x = UNet(), images()
    y = model(x)
    result = revive(model, audit(model, x), x, generator=torch.Generator().manual_seed(2))
    assert [layer.revived for layer in result.layers] == [(1, 4), (0, 3)]
    silent = [0, 3, 4 + 1, 4 + 4]
    assert not model.third.weight[:, silent].any()
    assert model.third.weight[:, [1, 2, 4, 6, 7, 9]].all()
    assert model.norm.bias[silent].tolist() == [0.0] * 4
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-4)


def test_a_constant_output_moves_through_a_mean_into_the_bias() -> None:
    model: Any = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.Hardtanh(), Mean(), nn.Linear(6, 3))
    seeded(model)
    with torch.no_grad():
        model[0].bias[DEAD] = 100.0
    x = images()
    y = model(x)
    result = revive(model, audit(model, x), x, generator=torch.Generator().manual_seed(2))
    assert result.layers[0].revived == result.layers[0].saturated == tuple(DEAD)
    assert str(result).startswith("2 of 2 units, 0 dead and 2 saturated, revived.")
    torch.testing.assert_close(model(x), y, rtol=0, atol=1e-5)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


@pytest.mark.parametrize(
    ("middle", "reader", "words"),
    [
        (lambda h: F.pixel_shuffle(h[:, :4], 2), nn.Conv2d(1, 3, 3), "`getitem` reads it"),
        (lambda h: h + 1, nn.Conv2d(6, 3, 3), "`add` reads it"),
        (lambda h: F.pad(h, (1, 1), value=2.0), nn.Conv2d(6, 3, 3), "`pad` reads it"),
        (lambda h: h.mean(1, keepdim=True), nn.Conv2d(1, 3, 3), "`mean` reads it"),
        (lambda h: torch.cat([h, h], 2), nn.Conv2d(6, 3, 3), "`cat` reads it"),
        (lambda h: F.relu(h.mean((2, 3))), nn.Linear(6, 3), "`relu` reads it"),
        (lambda h: h.transpose(1, 3).contiguous(), nn.Conv2d(6, 3, 3), "`conv2d` reads it across its units"),
        (lambda h: h.mean((2, 3)), nn.Identity(), "it is part of the model's result"),
    ],
)
def test_what_cannot_be_looked_through_is_named(middle, reader: nn.Module, words: str) -> None:
    model, x = Between(middle, reader), images()
    before = [parameter.clone() for parameter in model.parameters()]
    result = revive(model, audit(model, x), x)
    assert words in result.layers[0].left, result.layers[0].left
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), before, strict=True))


def test_a_watch_does_not_know_the_way() -> None:
    model, x = Between(lambda h: h.mean((2, 3)), nn.Linear(6, 3)), images()
    with watch(model) as report:
        model(x)
    assert (
        "the report, which `audit` did not make, does not say what" in revive(model, report, x).layers[0].left
    )


def test_new_units_without_data_read_the_constants_that_stay() -> None:
    """Of a layer behind saturated units, which stay without data, the moments in the report hold their constants."""
    torch.manual_seed(3)
    model: Any = nn.Sequential(
        *(nn.Linear(8, 32), nn.Hardtanh(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3)),
    )
    with torch.no_grad():
        model[0].bias[:13] = 50
        model[0].weight[13:] *= 0.1
        model[2].bias[:] = -50
    x = torch.randn(300, 8)
    assert revive(model, audit(model, x)).layer("3").revived == tuple(range(16))
    np.testing.assert_allclose(audit(model, x).layer("3").firing_rate, 0.5, atol=0.15)


def test_new_units_without_data_read_the_constants_behind_a_normalisation() -> None:
    """Dead units with a normalisation behind them stay without data, and give a constant other than 0."""
    torch.manual_seed(3)
    model: Any = nn.Sequential(
        *(nn.Linear(8, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3)),
    ).eval()
    with torch.no_grad():
        model[0].bias[:13] = -50
        model[2].bias[:] = 20
        model[3].bias[:8] = -500
    x = torch.randn(300, 8)
    assert revive(model, audit(model, x)).layer("4").revived[:8] == tuple(range(8))
    np.testing.assert_allclose(audit(model, x).layer("4").firing_rate[:8], 0.5, atol=0.15)
