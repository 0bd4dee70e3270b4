"""Interval bounds: true on random inputs of the domain, sharp where that is known, silent where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from audit_cases import identity_layer, images, random_network
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw


class Mixed(nn.Module):
    """Functions that bounds go through: sums, products, joins, soft activations, in-place calls, normalisation."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(12, 5)
        self.norm = nn.LayerNorm(5)
        self.last = nn.Linear(5, 5)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.first(x)) * 2 - x.abs().mean(1, keepdim=True)
        joined = torch.cat([F.relu(hidden), torch.sigmoid(hidden)], dim=1)
        squeezed = self.second(joined).clamp_(min=0) + 0.5
        return F.leaky_relu(self.last(self.norm(squeezed))).relu()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("which", ["convolutional", "mixed"])
def test_bounds_hold_on_random_inputs(which: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = random_network(generator) if which == "convolutional" else Mixed(generator).double()
    shape = (1, 8, 8) if which == "convolutional" else (4,)
    dtype = torch.float32 if which == "convolutional" else torch.float64
    low, high = -0.5, 1.0
    uniform = torch.rand(300, *shape, generator=generator, dtype=dtype)
    corners = uniform.round()
    x = low + (high - low) * torch.cat([uniform, corners])
    report = hw.audit.audit(model, [x], input_range=(low, high))
    assert not report.notes
    for layer in report.layers:
        assert np.isfinite(layer.input_low).all(), layer.name
        slack = 1e-4 * (1 + np.abs(layer.min_before))  # the network runs in its own precision
        assert (layer.input_low <= layer.min_before + slack).all(), layer.name
        assert (layer.max_before <= layer.input_high + slack).all(), layer.name
        assert not (layer.provably_dead & ~layer.dead).any()
        assert not (layer.provably_always_on & ~layer.always_on & ~layer.provably_dead).any()


def test_bounds_of_one_layer_are_sharp() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [-1.0, -1.0]]))
    layer = hw.audit.audit(
        model, [torch.zeros(3, 2)], input_range=(torch.zeros(2), torch.tensor([1.0, 3.0]))
    ).layers[0]
    assert layer.input_low.tolist() == [-6.0, -4.0]
    assert layer.input_high.tolist() == [1.0, 0.0]
    assert layer.provably_dead.tolist() == [False, True]


class Quotient(nn.Module):
    """One column divided by another."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x[:, :1] / x[:, 1:])


@pytest.mark.parametrize(
    ("divisor", "bounds"),
    [((2.0, 4.0), (-1.0, 0.5)), ((-4.0, -2.0), (-0.5, 1.0)), ((0.0, 4.0), None)],
    ids=str,
)
def test_bounds_of_quotients_are_sharp(
    divisor: tuple[float, float], bounds: tuple[float, float] | None
) -> None:
    domain = torch.tensor([-2.0, divisor[0]]), torch.tensor([1.0, divisor[1]])
    (layer,) = hw.audit.audit(Quotient(), [torch.stack([domain[1]] * 3)], input_range=domain).layers
    found = layer.input_low.item(), layer.input_high.item()
    assert found == bounds if bounds else not np.isfinite(found).any()


def test_signs_prove_without_a_domain() -> None:
    """Behind a rectifier inputs have no upper bound: W ≤ 0 and b ≤ 0 is dead, W ≥ 0 and b ≥ 0 always on."""
    model = nn.Sequential(identity_layer(2), nn.ReLU(), nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU())
    with torch.no_grad():
        model[2].weight.copy_(torch.tensor([[-1.0, -1.0], [1.0, 0.0], [1.0, -1.0], [0.0, 0.0]]))
        model[2].bias.copy_(torch.tensor([0.0, 0.5, 0.0, -1.0]))
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    report = hw.audit.audit(model.eval(), [x])
    assert report.input_range == "any input"
    assert not report.layer("1").provably_dead.any()
    last = report.layer("4")
    assert last.provably_dead.tolist() == [True, False, False, True]
    assert last.provably_always_on.tolist() == [False, True, False, False]


def test_dead_on_the_data_is_not_proven() -> None:
    model = nn.Sequential(identity_layer(1, -5.0), nn.ReLU())
    x = torch.rand(100, 1)
    layer = hw.audit.audit(model, [x], input_range=(0.0, 10.0)).layers[0]
    assert layer.dead.all()
    assert not layer.provably_dead.any()
    assert hw.audit.audit(model, [x], input_range=(0.0, 5.0)).layers[0].provably_dead.all()


class Careless(nn.Module):
    """What a bound may not survive: a value that leaves the tensors, a view written to, an unknown function."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "number":
            return F.relu(torch.zeros(1, 1) + x.sum().item())
        if self.how == "view":
            y = torch.zeros_like(x)
            y[:, :1] = x[:, :1]
            return F.relu(y)
        if self.how == "alias":
            y = x.clone()
            part = y[:, :1]
            part.add_(100.0)
            return F.relu(y)
        if self.how == "random":
            return F.relu(torch.rand_like(x) + 5.0)
        return F.relu(torch.cumsum(x, 1))


@pytest.mark.parametrize("how", ["number", "view", "alias", "random", "unknown"])
def test_nothing_is_proven_where_bounds_are_lost(how: str) -> None:
    layer = hw.audit.audit(Careless(how), [torch.zeros(4, 3)], input_range=(-1.0, 0.0)).layers[0]
    assert not layer.provably_dead.any()
    assert not layer.provably_always_on.any()


def test_neighbours_are_found_and_incomplete_ones_said_to_be() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.last = nn.Linear(3 * 16, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu(self.first(x))
            x = F.relu(self.second(x) + x)
            return self.last(F.max_pool2d(x, 2).flatten(1))

    first, second = hw.audit.audit(Residual(), [images(4, torch.Generator().manual_seed(0))]).layers
    assert first.before is not None
    assert (first.before.module, first.before.weight, first.before.bias) == (
        "first",
        "first.weight",
        "first.bias",
    )
    assert [neighbour.module for neighbour in first.after] == ["second"]
    assert not first.after_is_complete  # the sum reads it too
    assert second.before is None
    assert second.after_is_complete
    assert [(n.weight, n.between) for n in second.after] == [("last.weight", ("max_pool2d", "flatten"))]


def test_embeddings_are_bounded_by_their_table() -> None:
    model = nn.Sequential(nn.Embedding(7, 3), nn.ReLU())
    layer = hw.audit.audit(model, [torch.tensor([[0, 1], [2, 3]])]).layers[0]
    weight = model[0].weight.detach().double().numpy()
    np.testing.assert_array_equal(layer.input_low, weight.min(0))
    np.testing.assert_array_equal(layer.input_high, weight.max(0))


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(), nn.ReLU6(), nn.Hardtanh(0.0, 2.0)])
def test_a_unit_that_may_be_at_its_kink_is_not_proven_on(activation: nn.Module) -> None:
    x = torch.tensor([[-1.0, 0.5], [0.5, -1.0], [-1.0, -1.0]])
    report = hw.audit.audit(nn.Sequential(nn.ReLU(), activation), [x], input_range=(-1.0, 1.0))
    layer = report.layer("1")
    np.testing.assert_array_equal(layer.input_low, 0.0)
    assert not layer.provably_always_on.any()
    np.testing.assert_allclose(layer.firing_rate, 1 / 3)


def parametrized(kind: str, layer: nn.Module) -> nn.Module:
    if kind == "old weight_norm":
        with pytest.warns(FutureWarning):
            return nn.utils.weight_norm(layer)
    if kind == "old spectral_norm":
        return nn.utils.spectral_norm(layer)
    name, _, how = kind.partition(" ")
    return getattr(nn.utils.parametrizations, name)(layer, **({"orthogonal_map": how} if how else {}))


@pytest.mark.parametrize(
    "kind",
    [
        *("weight_norm", "spectral_norm", "old weight_norm", "old spectral_norm"),
        *("orthogonal householder", "orthogonal cayley", "orthogonal matrix_exp"),
    ],
)
@pytest.mark.parametrize("convolution", [True, False])
def test_proofs_take_the_weights_that_parametrizations_make(kind: str, convolution: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3) if convolution else nn.Linear(6, 4)
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([-100.0, 100.0, 0.0, 0.0]))
    model = nn.Sequential(parametrized(kind, layer), nn.ReLU()).eval()
    x = torch.rand(20, 3, 5, 5) if convolution else torch.rand(20, 6)
    found = hw.audit.audit(model, [x], input_range=(0.0, 1.0)).layer("1")
    plain = nn.Conv2d(3, 4, 3) if convolution else nn.Linear(6, 4)
    plain.load_state_dict({"weight": model[0].weight.detach(), "bias": layer.bias.detach()})
    expected = hw.audit.audit(nn.Sequential(plain, nn.ReLU()), [x], input_range=(0.0, 1.0)).layer("1")
    assert found.provably_dead[0]
    assert found.provably_always_on[1]
    np.testing.assert_allclose(found.input_low, expected.input_low, rtol=1e-5)
    np.testing.assert_allclose(found.input_high, expected.input_high, rtol=1e-5)
