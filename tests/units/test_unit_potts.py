"""Potts units: one colour a site, colours as integers, rare colours, many colours."""

from __future__ import annotations

import pytest
import torch

from halfwave.units import Binary, Potts

from . import chance
from .registry import each_dtype


def test_one_hot_and_back():
    unit = Potts((4, 5))
    colours = torch.tensor([[0, 4, 2, 3], [1, 1, 0, 0]])
    x = unit.one_hot(colours)
    assert x.shape == (2, 4, 5)
    assert x.dtype == torch.float32
    assert torch.equal(x.argmax(-1), colours)
    assert torch.equal(unit.check_values(x), x)
    assert torch.equal(unit.one_hot(colours.to(torch.uint8)), x)
    assert torch.equal(unit.one_hot(colours.float()), x)
    assert Potts((4, 5), dtype=torch.float64).one_hot(colours).dtype == torch.float64
    assert unit.one_hot(torch.zeros(0, 4, dtype=torch.int64)).shape == (0, 4, 5)
    assert unit.colours == 5
    assert unit.noise_shape == (4,)


def test_energies_pick_the_fields_of_the_colours():
    field = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    unit = Potts(field=field)
    colours = torch.tensor([2, 0, 3])
    expected = -field[torch.arange(3), colours]
    torch.testing.assert_close(unit.energies(unit.one_hot(colours)).sum(-1), expected)
    torch.testing.assert_close(unit.energy(unit.one_hot(colours)), expected.sum())


@each_dtype
def test_every_sample_has_one_colour_a_site(dtype):
    field = 5.0 * torch.randn(6, 21, generator=torch.Generator().manual_seed(1), dtype=dtype)
    unit = Potts(field=field)
    samples = unit.sample_from_inputs(torch.zeros(5000, 6, 21, dtype=dtype), torch.Generator().manual_seed(2))
    assert ((samples == 0) | (samples == 1)).all()
    assert (samples.sum(-1) == 1).all()


@each_dtype
def test_ends_of_the_uniform_numbers_pick_possible_colours(dtype):
    # the first and the last colour have probability zero: no number may pick them
    field = torch.tensor([[-1e4, 0.0, 1.0, -1e4]], dtype=dtype)
    unit = Potts(field=field)
    for number in (2.0**-32, 0.5, 1.0 - 2.0**-24, 1.0):
        x = unit.sample_from_noise(torch.zeros(1, 4, dtype=dtype), torch.full((1,), number, dtype=dtype))
        assert x.sum() == 1
        assert x[0, 1] + x[0, 2] == 1


def test_rare_colours_are_as_rare_as_they_should_be():
    field = torch.tensor([[0.0, -9.0, -7.0]])
    unit = Potts(field=field)
    count = 2_000_000
    samples = unit.sample_from_inputs(torch.zeros(count, 1, 3), torch.Generator().manual_seed(3))
    exact = Potts(field=field.double()).mean_from_inputs(torch.zeros(1, 3, dtype=torch.float64))[0]
    for colour in range(3):
        chance.has_probability(int(samples[:, 0, colour].sum()), count, exact[colour].item())


def test_two_colours_are_a_binary_unit():
    fields = torch.linspace(-3.0, 3.0, 5, dtype=torch.float64)
    potts = Potts(field=torch.stack([torch.zeros_like(fields), fields], -1))
    binary = Binary(field=fields)
    inputs = torch.linspace(-2.0, 2.0, 7, dtype=torch.float64)[:, None].expand(7, 5)
    both = torch.stack([torch.zeros_like(inputs), inputs], -1)
    torch.testing.assert_close(potts.mean_from_inputs(both)[..., 1], binary.mean_from_inputs(inputs))
    torch.testing.assert_close(potts.cgfs(both), binary.cgfs(inputs))
    torch.testing.assert_close(potts.var_from_inputs(both)[..., 0], binary.var_from_inputs(inputs))


def test_a_common_shift_of_the_fields_changes_nothing_but_gamma():
    field = torch.randn(3, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    unit, shifted = Potts(field=field), Potts(field=field + 2.5)
    inputs = torch.randn(6, 3, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    torch.testing.assert_close(unit.mean_from_inputs(inputs), shifted.mean_from_inputs(inputs))
    torch.testing.assert_close(unit.cgfs(inputs) + 2.5, shifted.cgfs(inputs))
    x = unit.sample_from_inputs(inputs, torch.Generator().manual_seed(6))
    torch.testing.assert_close(unit.log_probs(x, inputs), shifted.log_probs(x, inputs))


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_layers_without_or_with_many_site_dimensions(shape):
    unit = Potts(shape)
    inputs = torch.zeros(5, *shape)
    assert unit.cgfs(inputs).shape == (5, *shape[:-1])
    assert unit.cgf(inputs).shape == (5,)
    torch.testing.assert_close(unit.cgf(inputs), unit.cgfs(inputs).reshape(5, -1).sum(-1))
    samples = unit.sample_from_inputs(inputs)
    assert (samples.sum(-1) == 1).all()
