"""Thresholds for a sparsity or a loss: exact quantiles, the model that comes back, what is refused."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.audit import calibrate_thresholds
from halfwave.audit.counting.magnitudes import Magnitudes
from halfwave.errors import HalfwaveError

ThresholdedReLU = hw.nn.ThresholdedReLU


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seeded(model: nn.Module) -> nn.Module:
    for place, parameter in enumerate(model.parameters()):
        spread = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.1
        nn.init.normal_(parameter, std=spread, generator=generator(place))
    return model


def network(*activations: nn.Module) -> nn.Sequential:
    """8 inputs, a hidden layer of 64 for each activation, 3 outputs."""
    parts: list[nn.Module] = []
    for place, activation in enumerate(activations):
        parts += [nn.Linear(64 if place else 8, 64), activation]
    model = seeded(nn.Sequential(*parts, nn.Linear(64, 3)))
    assert isinstance(model, nn.Sequential)
    return model


def data(batches: int = 3, size: int = 50) -> list[tuple[Tensor, Tensor]]:
    x = torch.randn(batches, size, 8, generator=generator(100))
    labels = torch.randint(3, (batches, size), generator=generator(101))
    return list(zip(x, labels, strict=True))


def cross_entropy(output: Tensor, batch: Any) -> Tensor:
    return F.cross_entropy(output.float(), batch[1])


def accuracy(output: Tensor, batch: Any) -> Tensor:
    return (output.argmax(1) == batch[1]).float().mean()


def zero_shares(model: nn.Module, names: list[str], batches: list[Any]) -> dict[str, float]:
    """Share of zeros among the outputs of some modules, by hand."""
    zeros, total = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    handles = []
    for name in names:

        def count(module: nn.Module, args: Any, output: Tensor, name: str = name) -> None:
            zeros[name] += int((output == 0).sum())
            total[name] += output.numel()

        handles.append(model.get_submodule(name).register_forward_hook(count))
    with torch.no_grad():
        for batch in batches:
            model(batch[0])
    for handle in handles:
        handle.remove()
    return {name: zeros[name] / total[name] for name in names}


# counting


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("share", [0.001, 0.3, 0.5, 0.9, 0.999, 1.0])
def test_quantiles_are_within_their_bound(dtype: torch.dtype, share: float) -> None:
    # sizes over fifteen decades
    values = (torch.randn(20_000, generator=generator(), dtype=torch.float64) * 5).exp().to(dtype)
    values = values[torch.isfinite(values)]
    counted = Magnitudes()
    for part in values.split(777):
        assert counted.add(part)
    exact = values.double().sort().values[math.ceil(share * len(values)) - 1].item()
    found = counted.threshold(share)
    assert (1 - 1e-7) * exact <= found <= (1 + 2.0**-11) * exact
    if dtype != torch.float64:
        assert counted.share_at_most(found) == (values.double() <= found).double().mean().item() >= share


def test_counting_does_not_depend_on_batches_or_signs() -> None:
    values = torch.randn(1000, generator=generator())
    whole, parts = Magnitudes(), Magnitudes()
    whole.add(values)
    for part in values.abs().view(10, 100).t():
        parts.add(part)
    assert np.array_equal(whole.counts, parts.counts)
    assert whole.total == 1000


@pytest.mark.parametrize("bad", [math.nan, -math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_told(bad: float) -> None:
    counted = Magnitudes()
    assert not counted.add(torch.tensor([1.0, bad]))


def test_zeros_need_no_threshold() -> None:
    counted = Magnitudes()
    counted.add(torch.tensor([0.0, -0.0, 0.0, 3.0]))
    assert counted.threshold(0.75) == 0.0
    assert counted.share_at_most(0.0) == 0.75
    assert math.isnan(Magnitudes().share_at_most(1.0))


# the model that comes back


@pytest.mark.parametrize("form", ["keep", "subtract"])
@pytest.mark.parametrize("sparsity", [0.6, 0.9, 0.97])
def test_every_layer_reaches_its_sparsity(form: Any, sparsity: float) -> None:
    model = network(nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU())
    before = copy.deepcopy(model.state_dict())
    result = calibrate_thresholds(model, data(), sparsity=sparsity, form=form, rounds=3)
    shares = zero_shares(result.model, ["1", "3", "5"], data())
    assert shares == pytest.approx(result.sparsity, abs=1e-12)
    # the quantiles of three rounds hold for three layers: below by nothing, above by the width of a bin
    for share in shares.values():
        assert sparsity <= share <= sparsity + 0.004
    for name, threshold in result.thresholds.items():
        module = result.model.get_submodule(name)
        assert isinstance(module, ThresholdedReLU)
        assert (module.threshold, module.form) == (threshold, form)
    assert result.model.get_submodule("3").inplace
    # the original is as it was
    assert [type(part) for part in model[1::2]] == [nn.ReLU] * 3
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_first_threshold_is_the_exact_quantile() -> None:
    model = network(nn.ReLU())
    x = torch.cat([batch[0] for batch in data()])
    inputs = model[0](x).detach().flatten().sort().values
    exact = inputs[math.ceil(0.9 * len(inputs)) - 1].item()
    found = calibrate_thresholds(model, data(), sparsity=0.9, rounds=1).thresholds["1"]
    assert exact <= found <= exact * (1 + 2.0**-11)


def test_default_is_nine_tenths_in_form_keep() -> None:
    result = calibrate_thresholds(network(nn.ReLU()), data())
    assert result.point.asked == 0.9
    assert result.model.get_submodule("1").form == "keep"
    assert len(result.curve) == 2  # nothing to draw a curve of


def test_sparser_layers_stay_as_they_were() -> None:
    model = network(nn.ReLU())
    result = calibrate_thresholds(model, data(), sparsity=0.1)
    assert result.thresholds == {"1": 0.0}
    assert result.sparsity == result.sparsity_before
    x = data()[0][0]
    assert torch.equal(result.model(x), model(x))


def test_thresholds_are_never_lowered() -> None:
    model = network(ThresholdedReLU(0.7, "keep"))
    result = calibrate_thresholds(model, data(), sparsity=0.3)
    assert result.thresholds == {"1": 0.7}
    assert result.sparsity["1"] > 0.7
    x = data()[0][0]
    assert torch.equal(result.model(x), model(x))


def test_second_round_corrects_later_layers() -> None:
    model = network(nn.ReLU(), nn.ReLU())
    once = calibrate_thresholds(model, data(), sparsity=0.95, rounds=1)
    twice = calibrate_thresholds(model, data(), sparsity=0.95, rounds=2)
    assert once.thresholds["1"] == twice.thresholds["1"]
    assert abs(once.sparsity["3"] - 0.95) > abs(twice.sparsity["3"] - 0.95)


def test_shared_and_nested_modules_have_one_threshold() -> None:
    relu = nn.ReLU()
    model = seeded(nn.Sequential(nn.Linear(8, 16), relu, nn.Sequential(nn.Linear(16, 16), relu)))
    result = calibrate_thresholds(model, data(), sparsity=0.8)
    assert list(result.thresholds) == ["1"]
    assert result.model.get_submodule("1") is result.model.get_submodule("2.1")
    assert result.model.get_submodule("1").threshold > 0


def test_a_bare_rectifier_is_a_model() -> None:
    result = calibrate_thresholds(nn.ReLU(), [torch.linspace(-1, 1, 101)], sparsity=0.75)
    assert isinstance(result.model, ThresholdedReLU)
    assert result.thresholds[""] == pytest.approx(0.5, rel=1e-3)
    assert "(model)" in result.table()


def test_thresholded_modules_keep_their_form() -> None:
    model = network(ThresholdedReLU(0.3, "subtract"), nn.Threshold(0.2, 0.0))
    result = calibrate_thresholds(model, data(), form="keep")
    assert [result.model.get_submodule(name).form for name in ("1", "3")] == ["subtract", "keep"]
    before = zero_shares(model, ["1", "3"], data())
    assert result.sparsity_before == pytest.approx(before, abs=0.001)


@pytest.mark.parametrize(("form", "kind"), [("keep", hw.nn.HardThreshold), ("subtract", hw.nn.SoftThreshold)])
@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU])
def test_soft_activations_by_size(form: Any, kind: type[nn.Module], activation: type[nn.Module]) -> None:
    model = network(activation())
    result = calibrate_thresholds(model, data(), sparsity=0.7, form=form, soft=True)
    pair = result.model.get_submodule("1")
    assert isinstance(pair, nn.Sequential)
    assert (type(pair[0]), type(pair[1])) == (activation, kind)
    assert zero_shares(result.model, ["1"], data())["1"] == pytest.approx(result.sparsity["1"])
    # outputs of SiLU crowd at its minimum, many in one bin
    assert 0.7 <= result.sparsity["1"] < 0.71
    small = model[:2](data()[0][0]).abs() <= result.thresholds["1"]
    assert torch.equal(result.model[:2](data()[0][0]) == 0, small)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_other_precisions(dtype: torch.dtype) -> None:
    model = network(nn.ReLU()).to(dtype)
    batches = [(x.to(dtype), y) for x, y in data()]
    result = calibrate_thresholds(model, batches, loss=cross_entropy, curve=())
    assert result.model.get_submodule("0").weight.dtype == dtype
    assert zero_shares(result.model, ["1"], batches)["1"] == pytest.approx(result.sparsity["1"], abs=1e-4)
    assert result.sparsity["1"] >= 0.9


class Doubtful(nn.Module):
    """Rectifiers of many kinds, called as modules and as functions, with statistics that run."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.relu = nn.Linear(8, 64), nn.BatchNorm1d(64), nn.ReLU()
        self.second, self.leaky, self.six = nn.Linear(64, 64), nn.LeakyReLU(), nn.ReLU6()
        self.drop, self.unused, self.last = nn.Dropout(0.5), nn.ReLU(), nn.Linear(64, 3)
        self.gelu = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        h = self.drop(self.relu(self.norm(self.first(x))))
        h = F.relu(self.second(h))
        return self.last(self.gelu(self.six(self.leaky(h))))


def test_says_what_was_left_and_why() -> None:
    left = calibrate_thresholds(seeded(Doubtful()), data()).left
    assert set(left) == {":relu#0", "leaky", "six", "unused", "gelu"} or set(left) == {
        "(model):relu#0", "leaky", "six", "unused", "gelu"
    }  # fmt: skip
    assert "called as a function" in next(why for name, why in left.items() if "#" in name)
    assert "soft=True" in left["gelu"]
    assert left["unused"] == "it was not called on the batches"


def test_training_flags_statistics_and_random_numbers_are_untouched() -> None:
    model = seeded(Doubtful()).train()
    model.norm.eval()
    state, drawn = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    result = calibrate_thresholds(model, data(), loss=cross_entropy, curve=(0.5,))
    for made in (model, result.model):
        assert made.training
        assert not made.norm.training
        assert made.drop.training
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in made.modules())
        assert all(torch.equal(value, state[name]) for name, value in made.state_dict().items())
        assert all(parameter.grad is None for parameter in made.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert result.model.relu.training
    # in evaluation mode: the same numbers as from a model that is in it
    again = calibrate_thresholds(seeded(Doubtful()).eval(), data(), loss=cross_entropy, curve=(0.5,))
    assert [point.loss for point in again.curve] == [point.loss for point in result.curve]


def test_chosen_layers_only() -> None:
    model = network(nn.ReLU(), nn.ReLU(), nn.ReLU())
    result = calibrate_thresholds(model, data(), layers=["[15]"])
    assert list(result.thresholds) == ["1", "5"]
    assert result.left == {"3": "it is not among `layers`"}
    assert type(result.model.get_submodule("3")) is nn.ReLU


def test_fused_transformer_layers_are_thresholded_too() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 32, activation=nn.ReLU(), batch_first=True).eval()
    x = torch.randn(4, 5, 8, generator=generator())
    result = calibrate_thresholds(layer, [x], sparsity=0.9)
    with torch.no_grad():
        fast = result.model(x)
        handle = result.model.register_forward_hook(lambda *args: None)  # no fused kernel with hooks
        slow = result.model(x)
        handle.remove()
        assert torch.allclose(fast, slow, atol=1e-5)
        assert not torch.allclose(fast, layer(x), atol=1e-3)


def test_compiled_model_is_seen_as_before() -> None:
    model = network(nn.ReLU())
    compiled = torch.compile(model, backend="eager")
    assert calibrate_thresholds(compiled, data()).thresholds == calibrate_thresholds(model, data()).thresholds


# the curve and the loss


def by_hand(model: nn.Module, score: Callable[[Tensor, Any], Tensor], batches: list[Any]) -> float:
    with torch.no_grad():
        return sum(len(b[0]) * score(model(b[0]), b).item() for b in batches) / sum(
            len(b[0]) for b in batches
        )


def test_curve_reports_loss_and_metric_over_samples() -> None:
    model, batches = network(nn.ReLU(), nn.ReLU()), [*data(), *data(1, 7)]
    result = calibrate_thresholds(
        model, batches, sparsity=0.8, loss=cross_entropy, metric=accuracy, curve=(0.95, 0.7)
    )
    assert [point.asked for point in result.curve] == [0.0, 0.7, 0.8, 0.95]
    first, *_, last = result.curve
    assert first.loss == pytest.approx(by_hand(model, cross_entropy, batches), rel=1e-6)
    assert first.loss_increase == 0
    assert result.point.loss == pytest.approx(by_hand(result.model, cross_entropy, batches), rel=1e-6)
    assert result.point.metric == pytest.approx(by_hand(result.model, accuracy, batches), rel=1e-6)
    assert first.sparsity < result.point.sparsity < last.sparsity
    assert result.records()[2]["loss"] == result.point.loss
    text = str(result)
    assert "80.0% (chosen)" in text
    assert "threshold" in text


def distance(model: nn.Module) -> Callable[[Tensor, Any], Tensor]:
    """A loss that rises with what is lost of the model's own outputs."""
    return lambda output, batch: (output - model(batch[0])).pow(2).mean()


@pytest.mark.parametrize("bound", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("curve", [(), (0.5, 0.9)])
def test_largest_sparsity_that_the_loss_allows(bound: float, curve: tuple[float, ...]) -> None:
    model = network(nn.ReLU(), nn.ReLU())
    result = calibrate_thresholds(model, data(), max_loss_increase=bound, loss=distance(model), curve=curve)
    assert result.point.loss_increase <= bound
    assert by_hand(result.model, distance(model), data()) <= bound * 1.000001
    beyond = [point for point in result.curve if point.asked > result.point.asked]
    assert beyond
    assert beyond[0].loss_increase > bound
    assert beyond[0].asked - result.point.asked < 0.03


def test_nothing_allowed_leaves_the_model_as_it_was() -> None:
    model = network(ThresholdedReLU(0.1, "subtract"), nn.ReLU())
    x = data()[0][0]
    result = calibrate_thresholds(
        model,
        data(),
        max_loss_increase=0.0,
        loss=lambda y, b: 1.0 * (y - model(b[0])).abs().gt(0).any(),
        curve=(0.9,),
    )
    assert torch.equal(result.model(x), model(x))
    assert result.thresholds == {"1": 0.1, "3": 0.0}


def test_everything_allowed_is_nearly_everything() -> None:
    result = calibrate_thresholds(
        network(nn.ReLU()), data(), max_loss_increase=1e6, loss=cross_entropy, curve=()
    )
    assert result.point.asked > 0.97


# bad input


class Once:
    """Batches that can be gone through but once."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        raise StopIteration


def with_nan(batch: int) -> list[tuple[Tensor, Tensor]]:
    batches = data()
    batches[batch][0][7, 0] = math.nan
    return batches


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 0.0}, r"`sparsity` of calibrate_thresholds must be inside \(0, 1\); got 0.0"),
        ({"sparsity": 1.0}, r"inside \(0, 1\); got 1.0"),
        ({"sparsity": math.nan}, "`sparsity` .* must be finite; got nan"),
        ({"sparsity": "high"}, "`sparsity` .* must be a real number; got 'high'"),
        ({"sparsity": 0.5, "max_loss_increase": 0.1}, "not both; got 0.5 and 0.1"),
        ({"max_loss_increase": 0.1}, "`max_loss_increase` needs a `loss`"),
        ({"max_loss_increase": -0.1, "loss": cross_entropy}, "must not be negative; got -0.1"),
        ({"max_loss_increase": math.nan, "loss": cross_entropy}, "must be finite; got nan"),
        ({"loss": lambda y, b: math.nan}, "`loss` of the model as it is must be finite; got nan"),
        ({"loss": lambda y, b: y}, r"`loss` and `metric` must return one number; got shape \(50, 3\)"),
        ({"curve": [1.5], "loss": cross_entropy}, r"`curve` .* inside \(0, 1\); got 1.5"),
        ({"form": "floor"}, '`form` .* "keep" or "subtract"; got \'floor\''),
        ({"rounds": 0}, "`rounds` .* positive integer; got 0"),
        ({"layers": ["relu*"]}, "`layers` of calibrate_thresholds must name layers, of '1'; got 'relu\\*'"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        calibrate_thresholds(network(nn.ReLU()), data(), **options)


@pytest.mark.parametrize(
    ("model", "batches", "message"),
    [
        (lambda: network(nn.ReLU()), list, "`batches` must hold at least one batch; got none"),
        (lambda: network(nn.ReLU()), lambda: 3, "`batches` must be an iterable of batches; got int"),
        (lambda: network(nn.ReLU()), lambda: Once(), "must not be an iterator; got Once"),
        (lambda: network(nn.ReLU()), lambda: with_nan(1), "layer 1 must be finite; got NaN .* in batch 1"),
        (lambda: nn.Linear(8, 3), data, "the model must call a rectifier; got none in Linear"),
        (lambda: network(nn.SiLU()), data, "rectifier module that can be thresholded; got 1: SiLU .* soft=True"),
        (lambda: network(nn.Threshold(0.1, 1.0)), data, "got 1: it is not zero below one threshold"),
        (lambda: network(ThresholdedReLU(0.1, learnable=True)), data, "got 1: it is not zero below one"),
        (lambda: network(nn.LeakyReLU()), data, "leaky_relu is not a rectifier that is zero on one side"),
        (lambda: "network", data, "`model` of calibrate_thresholds must be a torch.nn.Module; got str"),
    ],
)  # fmt: skip
def test_bad_models_and_batches(model: Callable[[], Any], batches: Callable[[], Any], message: str) -> None:
    with pytest.raises(HalfwaveError, match=message):
        calibrate_thresholds(model(), batches())


def test_hooks_are_removed_after_an_exception() -> None:
    model = network(nn.ReLU())
    model[1].register_forward_hook(lambda *args: None)
    with pytest.raises(HalfwaveError, match="it has hooks"):
        calibrate_thresholds(model, data())
    seen: list[nn.Module] = []

    def fails(output: Tensor, batch: Any) -> float:
        raise KeyError("loss")

    class Remembered(nn.ReLU):
        pass

    clean = network(nn.ReLU(), Remembered())
    with pytest.raises(KeyError):
        calibrate_thresholds(clean, data(), loss=fails)
    seen += [m for m in clean.modules() if m._forward_hooks or m._forward_pre_hooks]
    assert not seen


def test_rows_of_the_curve_can_be_told_apart() -> None:
    model = network(nn.ReLU())
    result = calibrate_thresholds(
        model, data(), loss=cross_entropy, curve=(0.9, 0.9001, 0.90004), sparsity=0.9001
    )
    rows = [line.split()[0] for line in result.table().split("\n\n")[1].splitlines()[1:]]
    assert rows == ["0.000%", "90.000%", "90.004%", "90.010%"]
    assert str(result).startswith("90.")
    assert "zeros in 1 layer," in str(result)


# what is said of the result


def test_layers_that_are_silenced_are_named() -> None:
    """Half zeros, half ones: no threshold makes nine of ten zero, and one above 1 makes all of them so."""
    x = torch.tensor([[0.0, 1.0, -1.0, 0.0], [1.0, 0.0, -1.0, 2.0]]).clamp(0, 1).repeat(20, 1)
    result = calibrate_thresholds(nn.Sequential(nn.ReLU()), [x], sparsity=0.9)
    assert result.silenced == ("0",)
    assert "Note: layer 0 is silenced, since its largest inputs are all but equal" in str(result)
    assert calibrate_thresholds(network(nn.ReLU()), data(), sparsity=0.9).silenced == ()


def test_shares_are_not_rounded_to_all() -> None:
    result = calibrate_thresholds(network(nn.ReLU()), data(20, 200), sparsity=0.9997)
    assert 0.9997 <= result.sparsity["1"] < 1
    assert str(result).startswith(">99.9% zeros in 1 layer.")
    assert ">99.9%" in result.table()


def test_empty_batches_among_others_are_skipped() -> None:
    model, batches = network(nn.ReLU()), data()
    empty = [tuple(part[:0] for part in batches[0])]
    expected = calibrate_thresholds(model, batches, loss=cross_entropy)
    result = calibrate_thresholds(model, [*empty, *batches, *empty], loss=cross_entropy)
    assert result.thresholds == expected.thresholds
    assert result.point.loss == expected.point.loss
    with pytest.raises(HalfwaveError, match="at least one sample; got only empty batches"):
        calibrate_thresholds(model, empty)
