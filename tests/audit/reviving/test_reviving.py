"""New units fire, learn and change nothing; what cannot be revived safely is left alone and named."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from audit_cases import seeded
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.audit import Revival, audit, revive
from halfwave.errors import HalfwaveError


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def perceptron(dead: int = 3, **options: Any) -> nn.Sequential:
    """Of eight hidden units the first ones are dead."""
    model = nn.Sequential(nn.Linear(4, 8, **options), nn.ReLU(), nn.Linear(8, 2))
    seeded(model)
    bias = model[0].bias
    if bias is not None:
        with torch.no_grad():
            bias[:dead] = -100.0
    return model


def kill(parameter: Any, units: list[int], value: float = -100.0) -> None:
    with torch.no_grad():
        parameter[units] = value


def revived_alike(model: nn.Module, x: Tensor, tolerance: float = 0.0, **options: Any) -> Revival:
    """Revive in place; assert that outputs stay and that new units fire on about half of the data."""
    model.eval()
    y = model(x)
    result = revive(model, audit(model, x), x, generator=torch.Generator().manual_seed(2), **options)
    assert (model(x) - y).abs().max() <= tolerance
    after = audit(model, x)
    for layer in result.layers:
        rates = after.layer(layer.name).firing_rate[list(layer.revived)]
        np.testing.assert_allclose(rates, options.get("rate", 0.5), atol=0.03)
    return result


def test_new_units_fire_and_change_nothing(generator: torch.Generator):
    model, x = perceptron(), torch.randn(2000, 4, generator=generator) + 1
    before = copy.deepcopy(model)
    result = revived_alike(model, x)
    assert result.layer("1").revived == result.layer("1").dead == (0, 1, 2)
    assert (result.revived, result.dead) == (3, 3)
    assert not model[2].weight[:, :3].any()
    assert (model[0].weight[:3] != before[0].weight[:3]).all()
    # the others are as they were
    assert torch.equal(model[0].weight[3:], before[0].weight[3:])
    assert torch.equal(model[0].bias[3:], before[0].bias[3:])
    assert torch.equal(model[2].weight[:, 3:], before[2].weight[:, 3:])
    assert torch.equal(model[2].bias, before[2].bias)
    # of a pre-activation with unit deviation
    np.testing.assert_allclose(audit(model, x).layer("1").std_before[:3], 1.0, rtol=1e-4)
    assert str(result).startswith("3 of 3 dead units revived.")


@pytest.mark.parametrize("rate", [0.1, 0.8])
def test_the_share_of_the_data_is_chosen(rate: float, generator: torch.Generator):
    revived_alike(perceptron(), torch.randn(4000, 4, generator=generator), rate=rate)


def test_convolutions_normalisation_pooling_and_flattening(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(32, 5)),
    )
    seeded(model)
    kill(model[1].bias, [0, 4])
    kill(model[4].bias, [2, 3])
    model.train()
    model[1].eval()
    flags = [module.training for module in model.modules()]
    images = torch.randn(500, 1, 8, 8, generator=generator).exp()
    report = audit(model, images)
    revive(model, report, images)
    assert [module.training for module in model.modules()] == flags
    report = audit(model, images)
    assert not report.layer("2").dead.any()
    assert not report.layer("5").dead.any()
    np.testing.assert_allclose(report.layer("2").firing_rate[[0, 4]], 0.5, atol=0.03)
    assert not model[4].weight[:, [0, 4]].any()
    flat = model[8].weight.view(5, 8, 4)
    assert not flat[:, [2, 3]].any()
    assert flat[:, [0, 1, 4, 5, 6, 7]].all()
    assert (model[1].weight[[0, 4]] == 1).all()
    assert (model[1].running_var[[0, 4]] == 1).all()


def test_the_function_of_a_convolutional_network_stays(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 5)),
    )
    seeded(model)
    kill(model[1].bias, [0, 4])
    kill(model[4].bias, [2, 3])
    result = revived_alike(model, torch.randn(500, 1, 8, 8, generator=generator))
    assert result.revived == 4


@pytest.mark.parametrize(
    ("activation", "bias"),
    [
        (nn.Threshold(0.5, -2.0), -100.0),
        (nn.Hardtanh(-1.0, 2.0), 100.0),
        (nn.Hardtanh(-1.0, 0.5), -100.0),
        (nn.ReLU6(), 100.0),
    ],
)
def test_a_constant_output_moves_into_the_bias_behind(
    activation: nn.Module, bias: float, generator: torch.Generator
):
    model = nn.Sequential(nn.Linear(4, 8), activation, nn.Linear(8, 2))
    seeded(model)
    kill(model[0].bias, [1, 6], bias)
    assert revived_alike(model, torch.randn(2000, 4, generator=generator), 5e-6).revived == 2
    assert not model[2].weight[:, [1, 6]].any()


def test_a_constant_output_moves_through_pooling_and_normalisation(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 3), nn.Threshold(0.0, 1.0), nn.BatchNorm2d(6), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 3, 2), nn.Flatten(), nn.Linear(12, 2)),
    )
    seeded(model)
    kill(model[0].bias, [0, 5])
    assert revived_alike(model, torch.randn(300, 1, 8, 8, generator=generator), 5e-6).revived == 2
    norm = model[2]
    assert norm.weight[[0, 5]].tolist() == norm.running_var[[0, 5]].tolist() == [1.0, 1.0]
    assert norm.bias[[0, 5]].tolist() == norm.running_mean[[0, 5]].tolist() == [0.0, 0.0]


def test_two_sided_units(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(4, 8), nn.Softshrink(30.0), nn.Linear(8, 2))
    seeded(model)
    kill(model[0].weight, [0, 1, 2, 4, 5, 6], 0.0)
    assert revived_alike(model, torch.randn(2000, 4, generator=generator)).revived == 8


def test_groups_and_transposed_convolutions(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(2, 6, 3, groups=2), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), nn.ReLU()),
        *(nn.ConvTranspose2d(6, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3, groups=2)),
    )
    seeded(model)
    for place, units in ((0, [1, 5]), (2, [0, 3]), (4, [2])):
        kill(model[place].bias, units)
    result = revived_alike(model, torch.randn(300, 2, 9, 9, generator=generator))
    # unit 1 of the depthwise layer was dead since its only input was
    assert [layer.revived for layer in result.layers] == [(1, 5), (0, 1, 3), (2,)]
    assert not model[2].weight[5].any()
    assert not model[6].weight[2].any()


class Tokens(nn.Module):
    """Its channels come last and are flattened behind the places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(20, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x)).flatten(1))


def test_flattened_tokens(generator: torch.Generator):
    model = seeded(Tokens())
    assert isinstance(model, Tokens)
    kill(model.first.bias, [1])
    assert revived_alike(model, torch.randn(400, 5, 3, generator=generator)).revived == 1
    columns = model.second.weight.view(2, 5, 4)
    assert not columns[:, :, 1].any()
    assert columns[:, :, [0, 2, 3]].all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_precisions(dtype: torch.dtype, generator: torch.Generator):
    model = perceptron().to(dtype)
    assert revived_alike(model, torch.randn(2000, 4, generator=generator).to(dtype)).revived == 3
    assert model[0].weight.dtype == dtype


def test_a_network_of_dead_layers_comes_back(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    seeded(model)
    kill(model[0].bias, list(range(6)))
    kill(model[2].bias, list(range(5)))
    x = torch.randn(1000, 4, generator=generator)
    report = audit(model, x)
    with pytest.raises(
        HalfwaveError, match="readable again, since all inputs of units of layer 3 are dead; got a list_ite"
    ):
        revive(model, report, iter([x]))
    assert revived_alike(model, x).revived == 11


def test_a_group_of_channels_whose_inputs_are_all_dead(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(), nn.Conv2d(4, 2, 3))
    )
    seeded(model)
    kill(model[0].bias, [0, 1, 2])
    kill(model[2].bias, [0, 3])
    assert revived_alike(model, torch.randn(300, 2, 9, 9, generator=generator)).revived == 5
    assert model[2].weight[0].all()
    assert not model[2].weight[3, 0].any()


def test_new_units_do_not_read_new_units(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    seeded(model)
    kill(model[0].bias, [0, 1])
    kill(model[2].bias, [3])
    assert revived_alike(model, torch.randn(1000, 4, generator=generator)).revived == 3
    assert not model[2].weight[:, :2].any()
    assert model[2].weight[:, 2:].all()


def test_what_the_optimizer_remembers_of_them_is_forgotten(generator: torch.Generator):
    x = torch.randn(200, 4, generator=generator)
    kinds = {"exp_avg": torch.optim.Adam, "exp_avg_sq": torch.optim.Adam, "momentum_buffer": torch.optim.SGD}
    for name, kind in kinds.items():
        model = perceptron()
        options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        optimizer = kind(model.parameters(), lr=1e-3, **options)
        model(x).square().sum().backward()
        optimizer.step()
        memory = {key: optimizer.state[key][name].fill_(7.0) for key in model.parameters()}
        assert revive(model, audit(model, x), x, optimizer=optimizer).revived == 3
        incoming, bias, outgoing, last = (memory[parameter] for parameter in model.parameters())
        assert not incoming[:3].any()
        assert not bias[:3].any()
        assert not outgoing[:, :3].any()
        for kept in (incoming[3:], bias[3:], outgoing[:, 3:], last):
            assert (kept == 7).all()
        gradient = model[0].weight.grad
        assert gradient is not None
        assert not gradient[:3].any()
        if name != "momentum_buffer":
            assert all(state["step"] == 1 for state in optimizer.state.values())


def test_new_units_learn_and_contribute(generator: torch.Generator):
    model, x = perceptron(dead=8), torch.randn(500, 4, generator=generator)
    y = torch.stack([x[:, 0].abs(), x[:, 1] * x[:, 2]], dim=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    revive(model, audit(model, x), x, optimizer=optimizer, generator=generator)
    first, losses = model[0].weight.clone(), []
    for step in range(200):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), y)
        loss.backward()
        if not step:  # only the zeros get a gradient at first
            assert not model[0].weight.grad.any()
            assert model[2].weight.grad.all()
        optimizer.step()
        losses.append(loss.item())
    assert model[2].weight.abs().min() > 1e-3
    assert (model[0].weight - first).abs().amax(1).min() > 1e-3
    # without its units the network was a constant, whose best loss is the variance
    assert losses[-1] < 0.5 * y.var(0, correction=0).mean()


# without data


def test_mixtures_without_data(generator: torch.Generator):
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)),
    )
    seeded(model).eval()
    kill(model[1].bias, [0, 4])
    kill(model[4].bias, [2, 3])
    x = torch.randn(500, 1, 8, 8, generator=generator)
    y = model(x)
    result = revive(model, audit(model, x), generator=generator)
    assert result.revived == result.dead >= 4
    assert torch.equal(model(x), y)
    after = audit(model, x)
    for layer in result.layers:
        rates = after.layer(layer.name).firing_rate[list(layer.revived)]
        assert ((rates > 0.2) & (rates < 0.8)).all()


def test_without_data_a_constant_output_stays(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU6(), nn.Linear(8, 2))
    seeded(model)
    kill(model[0].bias, [1], 100.0)
    x = torch.randn(100, 4, generator=generator)
    assert revive(model, audit(model, x)).layer("1").left == (
        "1 unit whose output is not 0, for which revive needs `batches`"
    )


# what is left alone


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        return self.second(h) + h


class Tied(nn.Module):
    """Decodes with the transpose of what it encodes with."""

    def __init__(self, separate: bool) -> None:
        super().__init__()
        self.first, self.second, self.separate = nn.Linear(4, 8), nn.Linear(8, 4), separate

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.first(x))
        if self.separate:  # the weight is read once more where no rectifier is
            return self.second(h) + x @ self.first.weight.T @ self.first.weight
        return F.linear(h, self.first.weight.t())


def shared() -> nn.Sequential:
    linear = nn.Linear(4, 4)
    return nn.Sequential(linear, nn.ReLU(), linear, nn.ReLU(), nn.Linear(4, 1))


class OneReader(nn.Module):
    """Two layers that the same layer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other, self.reader = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.reader(F.relu(self.first(x))) + self.reader(F.relu(self.other(x)))


def no_bias() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8, bias=False), nn.ReLU(), nn.Linear(8, 2))


def frozen() -> nn.Sequential:
    model = perceptron()
    model[2].weight.requires_grad_(False)
    return model


def constant_in_padding() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, 8),
        nn.Unflatten(1, (2, 4)),
        nn.Conv1d(2, 3, 1),
        nn.Threshold(0, 1),
        nn.Conv1d(3, 2, 3, padding=1),
    )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Residual(), "not only linear layers and convolutions read it, so that its units cannot be silenced"),
        (Tied(separate=False), "the weight of the layer behind it is not a parameter of the model but made"),
        (Tied(separate=True), "neighbours whose weights are used more than once in a pass"),
        (shared(), "its neighbours' parameter 0.weight is used in more than one place"),
        (OneReader(), "its neighbours' parameter reader.weight is used in more than one place"),
        (no_bias(), "the layer before it has no bias, by which new units could be placed"),
        (frozen(), "the weight of the layer behind it is frozen"),
        (nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1)), "it is a soft rectifier"),
        (
            nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 1)),
            "is not known to follow",
        ),
        (constant_in_padding(), "3 units whose constant output meets padding with zeros behind it"),
    ],
)
def test_what_cannot_be_revived_is_left_alone(model: nn.Module, words: str, generator: torch.Generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(
                -1e4 if "bias" in name else -1.0 if name.endswith(("0.weight", "first.weight")) else 1.0
            )
    x = torch.rand(100, 4, generator=generator)
    before = copy.deepcopy(model.state_dict())
    result = revive(model, audit(model, x), x)
    assert result.revived == 0
    assert any(words in layer.left for layer in result.layers), result.table()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_units_that_are_always_on_are_left_alone(generator: torch.Generator):
    model = perceptron()
    kill(model[0].bias, [5, 6], 100.0)
    result = revived_alike(model, torch.randn(1000, 4, generator=generator))
    assert result.layer("1").left == "2 units are always on, which is not dead"


def test_units_that_fire_on_the_data_are_left_alone(generator: torch.Generator):
    model, x = perceptron(), torch.randn(1000, 4, generator=generator)
    report = audit(model, x)
    kill(model[0].bias, [0], 0.0)
    y = model(x)
    result = revive(model, report, x)
    assert result.layer("1").revived == (1, 2)
    assert result.layer("1").left == "1 unit whose outputs vary on `batches`"
    assert torch.equal(model(x), y)


def test_inputs_that_do_not_vary_or_are_not_finite():
    model = perceptron()
    for value, words in (
        (1.0, "have inputs that do not vary"),
        (float("nan"), "have inputs that are NaN or inf"),
    ):
        report = audit(model, torch.randn(10, 4))
        result = revive(model, report, torch.full((10, 4), value))
        assert result.revived == 0
        assert words in result.layer("1").left


def test_only_the_named_layers(generator: torch.Generator):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
    seeded(model)
    kill(model[0].bias, [0])
    kill(model[2].bias, [3])
    result = revived_alike(model, torch.randn(1000, 4, generator=generator), layers="3")
    assert [(layer.name, layer.revived) for layer in result.layers] == [("3", (3,))]


def test_the_same_generator_gives_the_same_units(generator: torch.Generator):
    x = torch.randn(100, 4, generator=generator)
    models = [perceptron(), perceptron()]
    for model in models:
        batches = (part for part in x.split(30))
        revive(model, audit(model, x), batches, generator=torch.Generator().manual_seed(3))
    assert torch.equal(models[0][0].weight, models[1][0].weight)


def test_nothing_dead_is_nothing_to_do(generator: torch.Generator):
    model, x = perceptron(dead=0), torch.randn(1000, 4, generator=generator)
    assert str(revive(model, audit(model, x), x)).startswith("0 of 0 dead units revived.")


# bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"report": "report"}, "`report` of revive must be a halfwave.audit.Report; got str"),
        ({"model": 3}, "`model` of revive must be a torch.nn.Module; got int"),
        ({"batches": []}, "`batches` of revive must hold at least one batch; got none"),
        ({"rate": 1.0}, r"`rate` of revive must be inside \(0, 1\); got 1.0"),
        ({"rate": "often"}, "`rate` of revive"),
        ({"optimizer": "adam"}, "`optimizer` of revive must be a torch.optim.Optimizer; got str"),
        ({"layers": "9"}, "`layers` of revive must name layers, of '1'; got '9'"),
        (
            {"optimizer": torch.optim.SGD([nn.Parameter(torch.zeros(1))])},
            "`optimizer` of revive must hold parameters of the model; it holds none of them",
        ),
        (
            {"model": nn.Linear(4, 8)},
            "`report` of revive must be of this model; its parameter '0.weight' is not there",
        ),
        (
            {"model": nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 2))},
            r"`report` of revive must be of this model; '0.weight' has shape \(7, 4\), its layer 8 units",
        ),
    ],
)
def test_bad_input(options: dict[str, Any], message: str):
    model, x = perceptron(), torch.randn(50, 4)
    given: dict[str, Any] = {"model": model, "report": audit(model, x), "batches": x} | options
    with pytest.raises(HalfwaveError, match=message):
        revive(given.pop("model"), given.pop("report"), given.pop("batches"), **given)


def test_an_unknown_name():
    model, x = perceptron(), torch.randn(50, 4)
    with pytest.raises(HalfwaveError, match="`name` must be a layer that was looked at, of '1'; got '2'"):
        revive(model, audit(model, x), x).layer("2")
