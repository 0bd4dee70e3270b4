"""Shapes, dtypes, devices, copies, files and compilation: every unit."""

from __future__ import annotations

import copy
import io
import os
import pickle
import shutil

import numpy as np
import pytest
import torch

from halfwave.units import UNITS, DReLU, Gaussian, Unit

from .registry import ALL, each_continuous_unit, each_dtype, each_unit, example, example_inputs

LAYERS = {"Potts": [(4,), (3, 4), (2, 3, 4)]}
BATCHES = [(), (5,), (2, 5), (0,), (2, 0)]
ARRAYS = (
    "cgfs",
    "mean_from_inputs",
    "var_from_inputs",
    "std_from_inputs",
    "mode_from_inputs",
    "mean_abs_from_inputs",
    "sample_from_inputs",
)
compiled = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None, reason="torch.compile needs a C++ compiler"
)


def layers(name: str) -> list[tuple[int, ...]]:
    return LAYERS.get(name, [(), (3,), (2, 3)])


@each_unit
@each_dtype
@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_shapes_and_dtypes_of_all_results(name, dtype, batch):
    for shape in layers(name):
        unit = UNITS[name](shape, dtype=dtype)
        sites = shape[:-1] if name == "Potts" else shape
        assert (unit.shape, unit.dtype, unit.size) == (shape, dtype, int(np.prod(shape)))
        inputs = torch.zeros((*batch, *shape), dtype=dtype)
        for method in ARRAYS:
            value = getattr(unit, method)(inputs)
            expected = sites if method == "cgfs" else shape
            assert value.shape == (*batch, *expected), method
            assert value.dtype == dtype, method
        x = unit.sample_from_inputs(inputs)
        for value in (unit.energies(x), *unit.statistics(x).values()):
            assert value.shape == (*batch, *shape)
            assert value.dtype == dtype
        for value in unit.statistics_from_inputs(inputs).values():
            assert value.shape == (*batch, *shape)
            assert value.dtype == dtype
        assert unit.log_probs(x, inputs).shape == (*batch, *sites)
        for value in (unit.energy(x), unit.cgf(inputs), unit.log_prob(x, inputs)):
            assert value.shape == batch
            assert value.dtype == dtype
        assert unit.batch_shape(inputs) == batch


@each_unit
def test_sums_over_the_layer(name):
    for shape in layers(name):
        unit = UNITS[name](shape, dtype=torch.float64)
        inputs = torch.linspace(-1, 2, 7 * unit.size, dtype=torch.float64).reshape(7, *shape)
        x = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(0))
        for whole, parts in (
            (unit.energy(x), unit.energies(x)),
            (unit.cgf(inputs), unit.cgfs(inputs)),
            (unit.log_prob(x, inputs), unit.log_probs(x, inputs)),
        ):
            torch.testing.assert_close(whole, parts.reshape(7, -1).sum(-1), rtol=1e-13, atol=1e-13)


@each_unit
def test_a_batch_is_its_rows(name):
    unit = example(name)
    inputs = example_inputs(unit)
    for method in ARRAYS[:-1]:
        together = getattr(unit, method)(inputs)
        for row, value in zip(inputs, together, strict=True):
            torch.testing.assert_close(getattr(unit, method)(row), value, rtol=1e-14, atol=0)


@each_unit
def test_single_precision_agrees_with_double(name):
    double, single = example(name, torch.float64), example(name, torch.float32)
    inputs = example_inputs(double)
    for method in ARRAYS[:-1]:
        got, exact = getattr(single, method)(inputs.float()), getattr(double, method)(inputs.float().double())
        scale = 1.0 + exact.abs()
        assert ((got.double() - exact).abs() <= 2e-5 * scale).all(), method


@each_unit
@pytest.mark.parametrize("kind", [torch.int64, torch.int8, torch.uint8, torch.bool, torch.float64], ids=str)
def test_values_of_other_types_are_accepted(name, kind):
    if name == "Spin" and kind in (torch.uint8, torch.bool):
        return  # −1 is not a value of these types
    unit = example(name, torch.float32)
    inputs = example_inputs(unit)
    x = torch.ones_like(inputs) if name != "Potts" else unit.mode_from_inputs(inputs)
    if name not in ("Binary", "Spin", "Potts") and kind != torch.bool:
        x = 100 * x  # its square does not fit into eight bits
    typed = x.to(kind)
    for value in (unit.energies(typed), unit.log_probs(typed, inputs), *unit.statistics(typed).values()):
        assert value.dtype == torch.float32
    torch.testing.assert_close(unit.energies(typed), unit.energies(x))
    torch.testing.assert_close(unit.energy(typed), unit.energy(x))
    torch.testing.assert_close(unit.log_probs(typed, inputs), unit.log_probs(x, inputs))
    for key, value in unit.statistics(x).items():
        torch.testing.assert_close(unit.statistics(typed)[key], value)
    for key, value in unit.moments_from_samples(x).items():
        torch.testing.assert_close(unit.moments_from_samples(typed)[key], value)
    assert unit.check_values(typed).dtype == torch.float32


@each_unit
def test_samplers_and_moments_convert_inputs_to_the_layer(name):
    unit = example(name, torch.float32)
    inputs = example_inputs(unit).double()
    assert unit.sample_from_inputs(inputs).dtype == torch.float32
    assert unit.sample_from_inputs(inputs.long()).dtype == torch.float32
    assert all(value.dtype == torch.float32 for value in unit.moments_from_inputs(inputs).values())


@each_unit
def test_construction_from_parameters_and_from_a_shape(name):
    unit = example(name, torch.float32)
    values = {key: value.detach() for key, value in unit.named_parameters()}
    assert tuple(values) == tuple(UNITS[name].parameter_rules)
    same = UNITS[name](**values)
    for key, value in same.named_parameters():
        assert torch.equal(value, values[key])
        assert value.data_ptr() != values[key].data_ptr()
        assert not value.requires_grad
    nested = UNITS[name](**{key: value.tolist() for key, value in values.items()})
    assert nested.dtype == torch.get_default_dtype()
    assert nested.shape == unit.shape
    double = UNITS[name](**{key: value.double().numpy() for key, value in values.items()})
    assert double.dtype == torch.float64
    assert UNITS[name](**values, dtype=torch.float64).dtype == torch.float64
    default = UNITS[name](unit.shape)
    for key, value in default.named_parameters():
        assert (value == UNITS[name].parameter_defaults.get(key, 0.0)).all()


def test_shapes_may_come_from_numpy_and_torch():
    for shape in (3, np.int64(3), (3,), [3], torch.Size([3]), (np.int32(3),)):
        assert DReLU(shape).shape == (3,)
    assert DReLU(()).shape == ()
    assert all(type(size) is int for size in Gaussian((np.int64(2), 3)).shape)


def test_mixed_precision_parameters_take_the_wider_type():
    unit = Gaussian(theta=torch.zeros(2), gamma=torch.ones(2, dtype=torch.float64))
    assert unit.dtype == torch.float64
    assert Gaussian(theta=torch.zeros(2, dtype=torch.int64), gamma=torch.ones(2)).dtype == torch.float32


@each_unit
def test_device_is_taken(name):
    unit = UNITS[name]((2, 3), device="cpu")
    assert unit.device == torch.device("cpu")
    values = {key: value.detach() for key, value in unit.named_parameters()}
    assert UNITS[name](**values, device=torch.device("cpu")).device.type == "cpu"


def equal_units(first: Unit, second: Unit) -> bool:
    return type(first) is type(second) and all(
        torch.equal(a, b) and a.dtype == b.dtype
        for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


@each_unit
def test_copies_and_pickles(name):
    unit = example(name, torch.float32)
    inputs = example_inputs(unit)
    for twin in (copy.deepcopy(unit), pickle.loads(pickle.dumps(unit))):
        assert equal_units(twin, unit)
        assert torch.equal(twin.mean_from_inputs(inputs), unit.mean_from_inputs(inputs))
        next(twin.parameters()).data.add_(1.0)
        assert not equal_units(twin, unit)


@each_unit
def test_state_dict_round_trip(name):
    unit = example(name, torch.float32)
    file = io.BytesIO()
    torch.save(unit.state_dict(), file)
    file.seek(0)
    fresh = UNITS[name](unit.shape)
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert equal_units(fresh, unit)
    assert set(unit.state_dict()) == set(UNITS[name].parameter_rules)


@each_unit
def test_modules_move_between_dtypes(name):
    unit = example(name, torch.float32).double()
    assert unit.dtype == torch.float64
    assert unit.mean_from_inputs(example_inputs(unit)).dtype == torch.float64
    assert UNITS[name].__name__ in repr(unit)
    assert str(unit.shape) in repr(unit)


@each_continuous_unit
def test_gradients_have_the_shapes_of_the_parameters(name):
    unit = UNITS[name]((2, 3)).requires_grad_()
    unit.cgf(torch.zeros(4, 5, 2, 3)).sum().backward()
    assert all(p.grad is not None and p.grad.shape == (2, 3) for p in unit.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "backend"),
    [(name, "eager") for name in ALL]  # the capture alone, which is what fails where a graph breaks
    + [pytest.param("DReLU", "inductor", marks=compiled)]  # half a minute of C++ a unit
    + [pytest.param(n, "inductor", marks=[compiled, pytest.mark.thorough]) for n in ALL if n != "DReLU"],
)
def test_compiled_sampler_equals_eager(name, backend):
    # one graph, no breaks: training runs it as a single fused kernel
    torch.compiler.reset()
    unit = example(name, torch.float32)
    inputs = example_inputs(unit)
    noise = unit.draw_noise((len(inputs),), torch.Generator().manual_seed(0))
    with torch.no_grad():
        sampler = torch.compile(unit.sample_with_statistics, fullgraph=True, backend=backend)
        samples, statistics = sampler(inputs, noise)
        eager, expected = unit.sample_with_statistics(inputs, noise)
        cgfs = torch.compile(unit.cgfs, fullgraph=True, backend=backend)(inputs)
    torch.testing.assert_close(samples, eager, rtol=1e-5, atol=1e-5)
    for key, value in expected.items():
        torch.testing.assert_close(statistics[key], value, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(cgfs, unit.cgfs(inputs), rtol=1e-5, atol=1e-5)


@compiled
@pytest.mark.thorough
def test_compiled_double_precision_sampler_equals_eager():
    unit = example("DReLU", torch.float64)
    inputs = example_inputs(unit)
    noise = unit.draw_noise((len(inputs),), torch.Generator().manual_seed(0))
    with torch.no_grad():
        samples, _ = torch.compile(unit.sample_with_statistics, fullgraph=True)(inputs, noise)
    torch.testing.assert_close(samples, unit.sample_from_noise(inputs, noise), rtol=1e-11, atol=1e-12)
