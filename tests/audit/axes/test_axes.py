"""Which dimensions of activations hold channels and samples, through everything that moves them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw


class Made(nn.Module):
    """A function of some layers and the input."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.parts, self.function = nn.ModuleList(parts), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


SIGNAL, IMAGE = (7, 3, 11), (5, 3, 8, 8)


def conv1d() -> nn.Module:
    return nn.Conv1d(3, 4, 3, padding=1)


def conv2d() -> nn.Module:
    return nn.Conv2d(3, 4, 3)


def linear() -> nn.Module:
    return nn.Linear(11, 6)


MOVED = {
    # what is rectified, its layers, the shape of the input; channels and where they lie
    "cat": (lambda x, a, b: torch.cat([a(x), b(x)], 1), (conv1d, conv1d), SIGNAL, (8, 1)),
    "stack": (lambda x, a, b: torch.stack([a(x), b(x)], 1), (conv1d, conv1d), SIGNAL, (4, 2)),
    "residual": (lambda x, a: x[:, :1] + a(x), (conv1d,), SIGNAL, (4, 1)),
    "where": (lambda x, a: torch.where(x[:, :1] > 0, a(x), 2 * a(x)), (conv1d,), SIGNAL, (4, 1)),
    "chunk": (lambda x, a: a(x).chunk(2, 1)[1], (conv1d,), SIGNAL, (2, 1)),
    "layer norm of places": (lambda x, a: F.layer_norm(a(x), (11,)), (conv1d,), SIGNAL, (4, 1)),
    "pooled": (lambda x, a: F.max_pool1d(a(x), 2), (conv1d,), SIGNAL, (4, 1)),
    "permute": (lambda x, a: a(x).permute(0, 2, 3, 1), (conv2d,), IMAGE, (4, 3)),
    "movedim": (lambda x, a: a(x).movedim(1, -1), (conv2d,), IMAGE, (4, 3)),
    "flatten": (lambda x, a: a(x).flatten(2), (conv2d,), IMAGE, (4, 1)),
    "tokens": (lambda x, a: a(x).flatten(2).transpose(1, 2), (conv2d,), IMAGE, (4, 2)),
    "positions first": (lambda x, a: a(x).flatten(2).permute(2, 0, 1), (conv2d,), IMAGE, (4, 2)),
    "view": (lambda x, a: a(x).view(5, 4, -1), (conv2d,), IMAGE, (4, 1)),
    "features": (lambda x, a: a(x).flatten(1), (conv2d,), IMAGE, (144, 1)),
    "mean": (lambda x, a: a(x).mean(3), (conv2d,), IMAGE, (4, 1)),
    "largest": (lambda x, a: a(x).max(2)[0], (conv2d,), IMAGE, (4, 1)),
    "part": (lambda x, a: a(x)[:, :2, 0], (conv2d,), IMAGE, (2, 1)),
    "new dimension": (lambda x, a: a(x)[:, None], (conv1d,), SIGNAL, (4, 2)),
    "transpose": (lambda x, a: a(x).transpose(1, 2), (linear,), SIGNAL, (6, 1)),
    "mT": (lambda x, a: a(x).mT, (linear,), SIGNAL, (6, 1)),
    "product": (lambda x, a: x @ a.weight.T, (linear,), SIGNAL, (6, 2)),
    "product from the left": (lambda x, a: a.weight @ x.mT, (linear,), SIGNAL, (6, 1)),
    "einsum": (lambda x, a: torch.einsum("bct,dt->bdc", x, a.weight), (linear,), SIGNAL, (6, 1)),
    "recurrent": (lambda x, a: a(x)[0], (lambda: nn.GRU(11, 6, batch_first=True),), SIGNAL, (6, 2)),
    "last state": (lambda x, a: a(x)[1][0], (lambda: nn.LSTM(11, 6, 2, batch_first=True),), SIGNAL, (6, 2)),
}


@pytest.mark.parametrize("name", MOVED)
def test_channels_are_followed_through_what_moves_them(name: str) -> None:
    rectified, parts, shape, (channels, dimension) = MOVED[name]
    model = Made(lambda x, *layers: F.relu(rectified(x, *layers)), *(part() for part in parts))
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    report = hw.audit.audit(model, [x])
    (layer,) = report.layers
    assert (layer.channels, layer.channel_dimension, layer.samples) == (channels, dimension, shape[0])
    assert report.notes == ()
    y = model.eval()(x).detach().movedim(dimension, 0).reshape(channels, -1)
    np.testing.assert_array_equal(layer.firing_rate, (y > 0).double().mean(1).numpy())


def test_lengths_may_vary_where_channels_are_followed() -> None:
    model = Made(lambda x, a, b: F.relu(torch.cat([a(x), b(x)], 1)), conv1d(), conv1d())
    report = hw.audit.audit(model, [torch.randn(7, 3, 11), torch.randn(7, 3, 13)])
    assert (report.layers[0].channels, report.layers[0].samples) == (8, 14)
    assert report.notes == ()


def test_what_is_guessed_is_noted() -> None:
    model = Made(lambda x, a: F.relu(a(x).view(5, 2, 2, 6, 6)), conv2d())
    report = hw.audit.audit(model, [torch.randn(IMAGE)])
    assert report.layers[0].channel_dimension == 1
    (note,) = report.notes
    assert note.startswith("channel dimension of (model):relu#0 guessed: nothing before it says where")
    told = hw.audit.audit(model, [torch.randn(IMAGE)], channel_dimensions=2)
    assert (told.layers[0].channel_dimension, told.notes) == (2, ())
    # rectifiers of vectors leave no choice
    assert hw.audit.audit(nn.ReLU(), [torch.randn(4, 3)]).notes == ()


def test_batches_that_are_left_out_are_counted() -> None:
    lengths = (11, 13, 13, 11, 9)
    report = hw.audit.audit(nn.ReLU(), [torch.randn(2, 3, length) for length in lengths])
    assert report.layers[0].samples == 4
    _, first, second = report.notes
    assert first.startswith(
        "(model) had 11 channels along dimension 2 and then 13 along 2, and 2 batches were left out"
    )
    assert second.startswith(
        "(model) had 11 channels along dimension 2 and then 9 along 2, and 1 batch was left out"
    )


def test_guesses_stay_noted_after_a_reset() -> None:
    with hw.audit.watch(nn.ReLU(), gradients=False) as report:
        model = report._recorder.model
        model(torch.randn(2, 3, 4))
        model(torch.randn(2, 3, 5))
        assert len(report.notes) == 2
        report.reset()
        model(torch.randn(2, 3, 4))
        (note,) = report.notes
    assert "guessed" in note


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Hardshrink(0.2), hw.nn.ThresholdedReLU(0.1)])
def test_an_image_without_a_dimension_for_samples_is_one_sample(activation: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), activation, nn.Conv2d(4, 2, 3))
    x = torch.randn(6, 3, 8, 8)
    single = hw.audit.audit(model, list(x), loss=lambda y, batch: y.square().sum()).layer("1")
    batched = hw.audit.audit(model, [x], loss=lambda y, batch: y.square().sum()).layer("1")
    assert (single.channels, single.channel_dimension, single.samples, single.elements) == (4, 0, 6, 216)
    for name in (
        "firing_rate",
        "sample_rate",
        "mean_before",
        "std_after",
        "zero_share",
        "gradient_zero_share",
    ):
        np.testing.assert_allclose(getattr(single, name), getattr(batched, name), rtol=1e-5, atol=1e-7)


def test_batched_and_single_images_in_turn() -> None:
    """The first of a kind is followed whenever it comes; what is recorded is one kind, and the others are noted."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    report = hw.audit.audit(model, [torch.randn(2, 3, 8, 8), torch.randn(3, 8, 8)])
    assert report.layers[0].samples == 2
    assert "had 4 channels along dimension 1 and then 4 along 0, and 1 batch was left out" in report.notes[0]


STATISTICS = (
    *("samples", "elements", "firing_rate", "sample_rate", "sample_rate_high", "mean_before", "std_before"),
    *("mean_after", "zero_share", "dead", "gradient_zero_share"),
)


def test_sequences_count_the_same_with_positions_first() -> None:
    torch.manual_seed(0)
    one = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    other = nn.TransformerEncoderLayer(8, 2, 16)
    other.load_state_dict(one.state_dict())
    batches = [torch.randn(5, 7, 8), torch.randn(2, 7, 8)]

    def loss(y: Tensor, batch: Tensor) -> Tensor:
        return y.cos().sum()

    expected = hw.audit.audit(one, batches, loss=loss).layers[0]
    report = hw.audit.audit(other, [batch.transpose(0, 1) for batch in batches], loss=loss)
    assert report.notes == ()
    (layer,) = report.layers
    assert (layer.samples, layer.elements) == (7, 49)
    for name in STATISTICS:
        np.testing.assert_allclose(
            getattr(layer, name), getattr(expected, name), rtol=1e-5, atol=1e-6, err_msg=name
        )


def test_samples_of_recurrent_layers_and_decoders() -> None:
    x = torch.randn(7, 3, 11)  # positions, samples, features
    parts = {
        "lstm": Made(lambda x, a: F.relu(a(x)[0]), nn.LSTM(11, 6)),
        "decoder": Made(lambda x, a: a(x, memory=x), nn.TransformerDecoderLayer(11, 1, 6)),
        "attention": Made(lambda x, a: F.relu(a(x, x, x)[0]), nn.MultiheadAttention(11, 1)),
    }
    for name, model in parts.items():
        report = hw.audit.audit(model, [x])
        assert (report.layers[0].samples, report.layers[0].elements, report.notes) == (3, 21, ()), name
    alone = hw.audit.audit(nn.TransformerEncoderLayer(11, 1, 16), [x[:, 0]]).layers[0]
    assert (alone.samples, alone.elements) == (1, 7)


def test_samples_counted_before_it_is_known_where_they_lie_are_noted() -> None:
    model = Made(lambda x, a, b: F.relu(b(F.relu(a(x)))[0]), linear(), nn.GRU(6, 4))
    report = hw.audit.audit(model, [torch.randn(7, 3, 11)])
    assert [layer.samples for layer in report.layers] == [7, 3]
    assert report.notes == (
        "samples of (model):relu#0 were counted along dimension 0, but the input of parts.1 behind it has samples "
        "along dimension 1",
    )


def test_bounds_of_sequences_with_positions_first_hold_for_all_positions() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = nn.Parameter(torch.tensor([-100.0, 100.0])[:, None, None])
            self.encoder = nn.TransformerEncoderLayer(4, 1, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.encoder(F.relu(x + self.offset[: len(x)]))

    x = torch.rand(2, 5, 4)
    layer = hw.audit.audit(
        Positions(), [x], input_range=(0.0, 1.0), channel_dimensions={"*relu#0": 2}
    ).layers[0]
    assert not layer.dead.any()
    assert not layer.provably_dead.any()


class Windows(nn.Module):
    """Attention and a network in windows of 4 × 4 places, shifted and put together again, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.attention = nn.Conv2d(3, 8, 2, 2), nn.MultiheadAttention(8, 2, batch_first=True)
        self.inner, self.outer, self.last = nn.Linear(8, 12), nn.Linear(12, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.roll(self.patches(x).permute(0, 2, 3, 1), (1, 1), (1, 2))
        batch, height, width, channels = x.shape
        split = x.view(batch, height // 4, 4, width // 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        windows = split.reshape(-1, 16, channels)
        windows = self.outer(F.relu(self.inner(windows + self.attention(windows, windows, windows)[0])))
        split = windows.view(batch, height // 4, width // 4, 4, 4, channels).permute(0, 1, 3, 2, 4, 5)
        whole = F.relu(split.reshape(batch, height, width, channels))
        return F.relu(self.last(whole.flatten(1, 2).mean(1)))


@pytest.mark.parametrize("batches", [(8,), (1, 8), (8, 1)])
def test_windows_are_not_samples(batches: tuple[int, ...]) -> None:
    x = torch.randn(sum(batches), 3, 32, 16, generator=torch.Generator().manual_seed(0))
    report = hw.audit.audit(Windows(), x.split(list(batches)))
    found = [(layer.samples, layer.channel_dimension, layer.elements) for layer in report.layers]
    total = sum(batches)
    assert found == [(total, 2, 128 * total), (total, 3, 128 * total), (total, 1, total)]
    assert report.notes == ()


def test_frames_are_not_samples() -> None:
    """Statistics of films whose frames go through the layers together are those of volumes."""
    torch.manual_seed(0)
    frames = Made(lambda x, conv: F.relu(conv(x.flatten(0, 1))), conv2d())
    volumes = Made(lambda x, conv: F.relu(conv(x)), nn.Conv3d(3, 4, (1, 3, 3)))
    volumes.parts[0].weight.data = frames.parts[0].weight.data.unsqueeze(2)
    volumes.parts[0].bias.data = frames.parts[0].bias.data
    films = [torch.randn(6, 7, 3, 8, 8), torch.randn(6, 2, 3, 8, 8), torch.randn(1, 7, 3, 8, 8)]
    (layer,) = hw.audit.audit(frames, films).layers
    (other,) = hw.audit.audit(volumes, [film.transpose(1, 2) for film in films]).layers
    assert (layer.samples, layer.elements, layer.channels) == (13, 61 * 36, 4)
    for name in ("firing_rate", "sample_rate", "sample_rate_high", "min_before", "max_before"):
        np.testing.assert_allclose(
            getattr(layer, name), getattr(other, name), atol=1e-3 if "rate" in name else 1e-5
        )
    np.testing.assert_allclose(layer.mean_before, other.mean_before, atol=1e-6)


PARTS = {
    # what is done before a linear layer, the input's shape, the samples counted and what is said of them
    "rows": (lambda x: x.reshape(-1, 11), (5, 3, 11), 5, ""),
    "turned rows": (lambda x: x.permute(1, 0, 2).reshape(-1, 11), (5, 3, 11), 5, ""),
    "repeated": (lambda x: x.repeat(3, 1), (5, 11), 5, ""),
    "repeated one by one": (lambda x: x.repeat_interleave(3, 0), (5, 11), 5, ""),
    "chunks put together": (lambda x: torch.cat(x.split(2)), (5, 11), 5, ""),
    "two views": (lambda x: torch.cat([x, -x]), (5, 11), 10, "are parts of the batch's samples"),
    "sliding windows": (
        lambda x: x.unfold(1, 11, 2).reshape(-1, 11),
        (5, 21),
        30,
        "were counted along dimension 0, which is not as long as the batch",
    ),
    "masked": (lambda x: x[x[..., 0] > -99], (5, 3, 11), 15, "are parts of the batch's samples"),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_samples_are_taken_together_or_noted(name: str) -> None:
    prepared, shape, samples, said = PARTS[name]
    report = hw.audit.audit(Made(lambda x, layer: F.relu(layer(prepared(x))), linear()), [torch.randn(shape)])
    assert report.layers[0].samples == samples
    assert len(report.notes) == bool(said)
    assert all(said in note for note in report.notes)


def test_channels_of_a_parameter_are_found_in_folded_samples() -> None:
    activation = hw.nn.ThresholdedReLU(torch.tensor([0.1, 0.2, 0.3, 0.4]), form="keep")
    model = Made(lambda x, layer, last: last(layer(x.flatten(0, 1))), nn.Linear(3, 4), activation)
    x = torch.randn(6, 5, 3, generator=torch.Generator().manual_seed(0))
    (layer,) = hw.audit.audit(model, [x]).layers
    y = model.parts[0](x)
    np.testing.assert_allclose(layer.firing_rate, (y > activation.threshold).double().mean((0, 1)))
    np.testing.assert_allclose(layer.sample_rate, (y > activation.threshold).any(1).double().mean(0))
    assert layer.samples == 6


def test_dimensions_that_go_in_place() -> None:
    model = Made(lambda x, layer: F.relu(layer(x[:, None]).squeeze_()), linear())
    report = hw.audit.audit(model, [torch.randn(5, 11)])
    assert (report.layers[0].samples, report.layers[0].channels) == (5, 6)
