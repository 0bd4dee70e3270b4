"""Training: gradients against autograd, gauges that change nothing, exact continuation, bad input."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor

import halfwave as hw
from halfwave.rbm import RBM, initialize
from halfwave.rbm.likelihood import log_likelihood, log_partition_exact
from halfwave.rbm.train import PCDTrainer, Regularization, pcd
from halfwave.rbm.train.phases import can_compile
from halfwave.units import UNITS, Unit

HIDDEN = ["Binary", "Spin", "Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU"]


def patterns(samples: int = 60, sites: int = 6, seed: int = 0) -> Tensor:
    """Two noisy binary patterns: data that an independent model cannot describe."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.randint(2, (samples, 1), generator=generator).double()
    flips = (torch.rand(samples, sites, generator=generator) < 0.1).double()
    half = torch.cat((torch.ones(sites // 2), torch.zeros(sites - sites // 2))).double()
    return ((which * half + (1 - which) * (1 - half)) - flips).abs()


def machine(hidden: str, data: Tensor, count: int = 3, seed: int = 0, scale: float = 0.5) -> RBM:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 2) if hidden == "Potts" else (count,)
    rbm = RBM(hw.units.Binary(data.shape[1:], dtype=data.dtype), UNITS[hidden](shape, dtype=data.dtype))
    return initialize(rbm, data, scale=scale, generator=generator)


def disturb(unit: Unit, seed: int = 1) -> None:
    """Move all parameters of a layer away from their defaults, inside their constraints."""
    generator = torch.Generator().manual_seed(seed)
    for key, rule in unit.parameter_rules.items():
        value = unit.get_parameter(key).data
        draw = torch.randn(value.shape, generator=generator, dtype=value.dtype) * 0.4
        value.copy_(draw.exp() if rule == "positive" else draw.tanh() if rule.startswith("inside") else draw)


def leaf_values(trainer: PCDTrainer) -> dict[str, Tensor]:
    tensors, _ = trainer.state()
    return {k: v.clone() for k, v in tensors.items() if k.startswith("leaf.hidden") or k == "rbm.weights"}


def free_energy_from_leaves(rbm: RBM, leaves: dict[str, Tensor], v: Tensor, offset_v: Tensor) -> Tensor:
    """``F`` without its visible potential, as a differentiable function of the leaves of hidden layer and weights."""
    weights = leaves["rbm.weights"].reshape(rbm.visible.size, rbm.hidden.size)
    constant = (offset_v.reshape(-1) @ weights).reshape(rbm.hidden.shape)
    plain = {}
    for key, rule in rbm.hidden.parameter_rules.items():
        leaf = leaves[f"leaf.hidden.{key}"]
        value = leaf.exp() if rule == "positive" else leaf.tanh() if rule.startswith("inside") else leaf
        plain[key] = value - rbm.hidden.input_signs.get(key, 0.0) * constant
    unit = copy.deepcopy(rbm.hidden)
    for key, value in plain.items():
        unit._parameters[key] = value
    return -unit.cgf((v.reshape(len(v), -1) @ weights).reshape(-1, *rbm.hidden.shape))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("hidden", HIDDEN)
def test_gradient_is_that_of_the_free_energies(hidden: str, weighted: bool) -> None:
    data = patterns()
    rbm = machine(hidden, data)
    disturb(rbm.hidden)
    weights = torch.linspace(0.5, 2.0, len(data)).double() if weighted else None
    options = {"batch_size": len(data), "chains": 40, "optimizer": "SGD", "learning_rate": 1e-12}
    trainer = PCDTrainer(rbm, data, updates=5, weights=weights, unit_variance=False, **options)
    offset_v, offset_h = trainer.offset_v.clone(), trainer.offset_h.clone()
    leaves = {key: value.requires_grad_() for key, value in leaf_values(trainer).items()}
    trainer.step()

    share = torch.ones(len(data)).double() if weights is None else weights / weights.mean()
    model = trainer.chain_v
    positive = (share * free_energy_from_leaves(rbm, leaves, data, offset_v)).mean()
    negative = free_energy_from_leaves(rbm, leaves, model, offset_v).mean()
    expected = torch.autograd.grad(positive - negative, list(leaves.values()))
    expected = dict(zip(leaves, expected, strict=True))
    # the centred machine also has the term v·(W offset_h) of the visible layer
    difference = (share[:, None] * data).mean(0) - model.mean(0)
    expected["rbm.weights"] = expected["rbm.weights"] + torch.outer(
        difference, offset_h.reshape(-1)
    ).reshape_as(rbm.weights)
    torch.testing.assert_close(rbm.weights.grad, expected["rbm.weights"], rtol=1e-9, atol=1e-10)
    for key, leaf in trainer._hidden.tensors.items():
        torch.testing.assert_close(leaf.grad, expected[f"leaf.hidden.{key}"], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("centred", [False, True])
def test_penalties_are_those_of_the_plain_machine(centred: bool) -> None:
    data = patterns()
    penalty = Regularization(l1_weights=0.3, l2_weights=0.2, l2l1_weights=0.4, l2_fields=0.5)
    gradients = []
    for regularization in (None, penalty):
        rbm = machine("DReLU", data)
        trainer = PCDTrainer(
            rbm, data, updates=5, batch_size=20, optimizer="SGD", learning_rate=1e-12,
            regularization=regularization, centred=centred, unit_variance=False,
        )  # fmt: skip
        offset_h = trainer.offset_h.clone()
        trainer.step()
        gradients.append((rbm.weights.grad.clone(), trainer._visible.tensors["field"].grad.clone()))
    leaf_w = rbm.weights.detach().clone().requires_grad_()
    leaf_g = trainer._visible.tensors["field"].detach().clone().requires_grad_()
    field = leaf_g - leaf_w @ offset_h
    column = leaf_w.abs().sum(0)
    value = (
        0.3 * column.sum()
        + 0.1 * leaf_w.square().sum()
        + 0.2 / 6 * column.square().sum()
        + 0.25 * field.square().sum()
    )
    expected = torch.autograd.grad(value, (leaf_w, leaf_g))
    for index in range(2):
        torch.testing.assert_close(
            gradients[1][index] - gradients[0][index], expected[index], rtol=1e-8, atol=1e-9
        )
    plain = copy.deepcopy(rbm.visible)
    plain.field.data.copy_(field.detach())
    torch.testing.assert_close(penalty.penalty(plain, leaf_w), value, rtol=1e-12, atol=0)


@pytest.mark.parametrize("hidden", ["Gaussian", "ReLU", "DReLU", "PReLU", "XReLU"])
def test_offsets_and_scale_leave_the_distribution_alone(hidden: str) -> None:
    data = patterns()
    rbm = machine(hidden, data)
    disturb(rbm.hidden)
    trainer = PCDTrainer(rbm, data, updates=100, batch_size=20, unit_variance=True)
    before = rbm.free_energy(data)
    trainer.update = 50  # an update at which offsets and scale follow
    moments = rbm.hidden.moments_from_inputs(3.0 * rbm.inputs_h_from_v(data))
    with torch.no_grad():
        trainer._follow(moments, 1.0)
        trainer._rescale(3.0 * rbm.inputs_h_from_v(data))
        trainer._write()
        trainer.synchronise()
    after = rbm.free_energy(data)
    assert not torch.equal(trainer.offset_h, torch.zeros_like(trainer.offset_h))
    torch.testing.assert_close(after - after[0], before - before[0], rtol=1e-10, atol=1e-10)


def test_gauge_changes_lead_to_unit_variance() -> None:
    data = patterns(samples=200)
    rbm = machine("DReLU", data, scale=2.0)
    trainer = PCDTrainer(rbm, data, updates=1, batch_size=50, unit_variance=True)

    def variance() -> Tensor:
        trainer.synchronise()
        inputs = rbm.inputs_h_from_v(data)
        return rbm.hidden.var_from_inputs(inputs).mean(0) + rbm.hidden.mean_from_inputs(inputs).var(
            0, correction=0
        )

    assert bool((variance() > 1.5).all())
    for _ in range(100):
        with torch.no_grad():
            trainer._rescale(rbm.inputs_h_from_v(data - trainer.offset_v))
            trainer._write()
    torch.testing.assert_close(variance(), torch.ones(3).double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "hidden",
    [pytest.param(h, marks=pytest.mark.thorough) if h in ("PReLU", "NSReLU") else h for h in HIDDEN],
)
@pytest.mark.parametrize(
    ("updates", "batch_size", "learning_rate"),
    [(400, 100, 0.05), pytest.param(800, 50, 0.03, marks=pytest.mark.thorough)],
)
def test_training_raises_the_exact_likelihood(
    hidden: str, updates: int, batch_size: int, learning_rate: float
) -> None:
    data = patterns(samples=300)
    rbm = machine(hidden, data, scale=0.1)
    before = float(log_likelihood(rbm, data, log_partition_exact(rbm)).mean())
    pcd(
        rbm,
        data,
        updates=updates,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule="linear",
        seed=3,
    )
    after = float(log_likelihood(rbm, data, log_partition_exact(rbm)).mean())
    # two patterns with 10 % flips have an entropy of log 2 + 6·0.325 = 2.64 nats, independent sites 4.16
    assert before < -4.0
    assert -2.75 < after < -2.4, (before, after)


@pytest.mark.parametrize("visible", ["Spin", "Potts", "Gaussian", "ReLU", "DReLU"])
def test_every_visible_unit_trains(visible: str) -> None:
    generator = torch.Generator().manual_seed(0)
    binary = patterns(samples=200)
    noise = torch.randn(binary.shape, generator=generator, dtype=torch.float64)
    data = {
        "Spin": 2 * binary - 1,
        "Potts": torch.stack((binary, 1 - binary), -1),
        "Gaussian": 2 * binary - 1 + 0.3 * noise,
        "ReLU": binary + 0.3 * noise.abs(),
        "DReLU": 2 * binary - 1 + 0.3 * noise,
    }[visible]
    rbm = RBM(UNITS[visible](data.shape[1:], dtype=data.dtype), hw.units.DReLU(3, dtype=data.dtype))
    initialize(rbm, data, generator=generator)
    error = float(rbm.reconstruction_error(data, 1, generator).mean())
    trainer = pcd(rbm, data, updates=250, batch_size=50, learning_rate=0.02)
    assert float(rbm.reconstruction_error(data, 1, generator).mean()) < 0.8 * error
    assert bool(torch.isfinite(trainer.chain_v).all())


@pytest.mark.parametrize("hidden", ["DReLU", "PReLU"])
def test_curvatures_stay_positive_at_a_high_learning_rate(hidden: str) -> None:
    data = patterns()
    rbm = machine(hidden, data)
    pcd(rbm, data, updates=60, batch_size=20, learning_rate=0.3)
    for key, rule in rbm.hidden.parameter_rules.items():
        value = rbm.hidden.get_parameter(key)
        assert bool(torch.isfinite(value).all())
        if rule == "positive":
            assert bool((value > 0).all())


def test_divergence_is_noticed() -> None:
    data = patterns()
    rbm = machine("DReLU", data)
    with pytest.raises(
        hw.HalfwaveError, match=r"training has diverged by update \d+.*learning rate there is 50"
    ):
        pcd(rbm, data, updates=200, batch_size=20, learning_rate=50.0, optimizer="SGD")


@pytest.mark.parametrize(
    ("hidden", "options"),
    [
        ("DReLU", {"optimizer": "Adam"}),
        ("DReLU", {"optimizer": "SGD", "optimizer_options": {"momentum": 0.9}, "steps": 2, "chains": 7}),
        ("XReLU", {"optimizer": "AdamW", "schedule": "cosine"}),
        ("Binary", {"optimizer": "RMSprop", "centred": False}),
        ("Gaussian", {"optimizer": "Rprop", "weights": torch.linspace(1, 2, 60)}),
    ],
)
def test_a_continued_run_is_the_same_bit_for_bit(hidden: str, options: dict) -> None:
    data = patterns().float()

    def fresh() -> PCDTrainer:
        return PCDTrainer(machine(hidden, data), data, updates=113, batch_size=25, seed=5, **options)

    whole = fresh()
    whole.run()
    first = fresh()
    first.run(until=51)
    tensors, header = copy.deepcopy(first.state())
    first.run(until=60)  # what happens after the state was taken must not matter
    second = fresh()
    second.restore(tensors, header)
    second.run()
    for key, value in whole.state()[0].items():
        assert torch.equal(value, second.state()[0][key]), key


def test_one_gibbs_step_an_update_unless_more_are_asked_for() -> None:
    data = patterns()
    chains = []
    for options in ({}, {"steps": 1}, {"steps": 2}):
        trainer = PCDTrainer(machine("DReLU", data), data, updates=3, batch_size=20, **options)
        trainer.run()
        chains.append(trainer.chain_v)
    assert torch.equal(chains[0], chains[1])
    assert not torch.equal(chains[0], chains[2])


def test_the_global_generator_is_neither_read_nor_moved() -> None:
    data = patterns().float()
    weights = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        rbm = machine("DReLU", data)
        pcd(rbm, data, updates=10, batch_size=20)
        assert torch.equal(before, torch.get_rng_state())
        weights.append(rbm.weights.clone())
    assert torch.equal(*weights)


def test_schedule_and_callbacks() -> None:
    data = patterns()
    rates: list[float] = []
    pcd(
        machine("DReLU", data),
        data,
        updates=4,
        batch_size=20,
        learning_rate=0.8,
        schedule="linear",
        callbacks=[lambda trainer: rates.append(trainer.optimizer.param_groups[0]["lr"])],
    )
    assert rates == pytest.approx([0.8, 0.6, 0.4, 0.2])


@pytest.mark.slow
@pytest.mark.skipif(not can_compile(torch.device("cpu")), reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("hidden", ["DReLU", pytest.param("XReLU", marks=pytest.mark.thorough)])
def test_compiled_updates_equal_eager_ones(hidden: str) -> None:
    data = patterns().float()
    results = []
    for compiled in (False, True):
        rbm = machine(hidden, data)
        pcd(rbm, data, updates=3, batch_size=20, learning_rate=1e-3, compile=compiled)
        results.append(rbm.weights.clone())
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 61}, r"`batch_size` must be at most the number of samples 60; got 61"),
        ({"batch_size": 0}, r"`batch_size` must be at least 1; got 0"),
        ({"updates": 0}, r"`updates` must be at least 1; got 0"),
        ({"steps": 0}, r"`steps` must be at least 1; got 0"),
        ({"chains": -3}, r"`chains` must be at least 1; got -3"),
        ({"learning_rate": 0.0}, r"`learning_rate` must be positive; got 0.0"),
        ({"learning_rate": math.nan}, r"`learning_rate` must be positive; got nan"),
        ({"optimizer": "Adamm"}, r"unknown optimizer 'Adamm'"),
        ({"schedule": "cosinus"}, r"unknown schedule 'cosinus'"),
        ({"weights": torch.zeros(60)}, r"`weights` must be positive and finite; got 0.0 at sample 0"),
        ({"weights": torch.ones(59)}, r"`weights` must have shape \(60,\); got \(59,\)"),
    ],
)
def test_bad_options(change: dict, message: str) -> None:
    data = patterns()
    options = {"updates": 5, "batch_size": 20, **change}
    with pytest.raises(hw.HalfwaveError, match=message):
        PCDTrainer(machine("DReLU", data), data, **options)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda d: d.index_put((torch.tensor(3), torch.tensor(2)), torch.tensor(math.nan).double()),
            "got nan at",
        ),
        (
            lambda d: d.index_put((torch.tensor(3), torch.tensor(2)), torch.tensor(math.inf).double()),
            "got inf at",
        ),
        (lambda d: d * 0.5, "must be 0 or 1; got 0.5"),
        (lambda d: d[:, :5], r"must end in the layer's shape \(6,\); got \(60, 5\)"),
        (lambda d: d[0], r"must have shape \(samples, 6\); got \(6,\)"),
        (lambda d: d[:1], "at least 2 samples; got 1"),
    ],
)
def test_bad_data(spoil, message: str) -> None:
    data = patterns()
    rbm = machine("DReLU", data)
    with pytest.raises(hw.HalfwaveError, match=message):
        PCDTrainer(rbm, spoil(data.clone()), updates=5, batch_size=1)


def test_negative_penalty() -> None:
    with pytest.raises(hw.HalfwaveError, match="`l1_weights` must be at least 0 and finite; got -1"):
        Regularization(l1_weights=-1.0)
