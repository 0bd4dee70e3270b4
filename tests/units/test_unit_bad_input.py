"""Every refusal names the offending value and the rule, and is a `HalfwaveError` that is also a `ValueError`."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from halfwave import HalfwaveError
from halfwave.constraints import require
from halfwave.units import UNITS, Binary, DReLU, Gaussian, Potts, PReLU, ReLU, Spin, XReLU, unit_type

from .registry import each_unit, example

POSITIVE = [
    (Gaussian, "gamma"),
    (ReLU, "gamma"),
    (DReLU, "gamma_pos"),
    (DReLU, "gamma_neg"),
    (PReLU, "gamma"),
    (XReLU, "gamma"),
]


def refuses(*parts: str):
    """A `HalfwaveError` of one line whose text holds all these parts, in this order."""
    return pytest.raises(HalfwaveError, match=".*".join(re.escape(part) for part in parts))


def parameters(unit_class) -> dict[str, torch.Tensor]:
    return {
        key: torch.full((2, 3), unit_class.parameter_defaults.get(key, 0.0))
        for key in unit_class.parameter_rules
    }


@pytest.mark.parametrize(("unit_class", "key"), POSITIVE)
@pytest.mark.parametrize(
    ("value", "text"), [(-0.3, "-0.3"), (0.0, "0"), (math.nan, "nan"), (math.inf, "inf"), (-1e-20, "-1e-20")]
)
def test_curvatures_must_be_positive_and_finite(unit_class, key, value, text):
    values = parameters(unit_class)
    values[key][1, 2] = value
    with refuses(f"`{key}` of {unit_class.__name__} must be positive; got {text} at index (1, 2)"):
        unit_class(**values)


@each_unit
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_all_parameters_must_be_finite(name, value):
    for key in UNITS[name].parameter_rules:
        values = parameters(UNITS[name])
        values[key][0, 1] = value
        with refuses(f"`{key}` of {name} must be", f"got {value} at index (0, 1)"):
            UNITS[name](**values)


@pytest.mark.parametrize(("value", "text"), [(1.0, "1"), (-1.0, "-1"), (1.5, "1.5"), (math.nan, "nan")])
def test_eta_must_lie_inside_its_interval(value, text):
    values = parameters(PReLU)
    values["eta"][0, 0] = value
    with refuses(f"`eta` of PReLU must be inside (-1, 1); got {text} at index (0, 0)"):
        PReLU(**values)


def test_the_first_offender_of_a_scalar_layer_has_no_index():
    with pytest.raises(HalfwaveError, match=r"^`gamma` of ReLU must be positive; got -2$"):
        ReLU(theta=0.0, gamma=-2.0)


@each_unit
def test_shapes_of_parameters_must_match(name):
    values = parameters(UNITS[name])
    if len(values) > 1:
        last = list(values)[-1]
        values[last] = values[last][0]
        with refuses(f"all parameters of {name} must have the same shape", "(2, 3)", "(3,)"):
            UNITS[name](**values)


@each_unit
def test_unknown_missing_and_no_parameters(name):
    unit_class = UNITS[name]
    values = parameters(unit_class)
    first = next(iter(values))
    with refuses(f"the parameters of {name} are", f"`{first}`", "got `mu`"):
        unit_class(**values, mu=torch.zeros(2, 3))
    if len(values) > 1:
        missing = list(values)[-1]
        with refuses(f"{name} needs all its parameters", f"`{missing}` is missing"):
            unit_class(**{key: value for key, value in values.items() if key != missing})
    with refuses(f"{name} needs a shape or its parameters", f"`{first}`", "got neither"):
        unit_class()
    with refuses(f"{name} takes a shape or parameters, not both; got shape (2, 3)"):
        unit_class((2, 3), **values)


@each_unit
@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (0, "(0,)"),
        (-1, "(-1,)"),
        (2.5, "(2.5,)"),
        ((3, 0), "(3, 0)"),
        ((2, 2.5), "(2, 2.5)"),
        ((True, 2), "(True, 2)"),
        ("34", "('3', '4')"),
        (np.float64(3.0), "3.0"),
    ],
)
def test_shapes_of_layers_must_hold_positive_integers(name, shape, text):
    with refuses(f"the shape of {name} must hold positive integers; got ", text):
        UNITS[name](shape)


@each_unit
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int64, torch.complex64], ids=str)
def test_only_single_and_double_precision_layers_exist(name, dtype):
    with refuses(f"the dtype of {name} must be float32 or float64; got {dtype}"):
        UNITS[name]((2, 3), dtype=dtype)


def test_half_precision_parameters_are_refused():
    with refuses("the dtype of Binary must be float32 or float64; got torch.float16"):
        Binary(field=torch.zeros(3, dtype=torch.float16))


@each_unit
@pytest.mark.parametrize("shape", [(2,), (4, 3), (3, 2), (2, 3, 1), (5, 2, 4), ()], ids=str)
def test_inputs_of_another_trailing_shape(name, shape):
    unit = UNITS[name]((2, 3))
    wrong = torch.zeros(shape)
    for call, what in (
        (unit.sample_from_inputs, "inputs"),
        (unit.moments_from_inputs, "inputs"),
        (unit.check_inputs, "inputs"),
        (unit.moments_from_samples, "values"),
        (unit.check_values, "values"),
    ):
        with refuses(f"{what} of {name} must end in the layer's shape (2, 3); got {shape}"):
            call(wrong)


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        (Binary(3), 0.5, "values of Binary must be 0 or 1; got 0.5 at index (1, 2)"),
        (Binary(3), -1.0, "values of Binary must be 0 or 1; got -1 at index (1, 2)"),
        (Spin(3), 0.0, "values of Spin must be -1 or 1; got 0 at index (1, 2)"),
        (Spin(3), 0.5, "values of Spin must be -1 or 1; got 0.5 at index (1, 2)"),
        (ReLU(3), -0.25, "values of ReLU must be at least 0; got -0.25 at index (1, 2)"),
    ],
    ids=lambda x: str(x)[:24],
)
def test_values_outside_the_layer(unit, value, text):
    values = torch.ones(2, 3)
    unit.check_values(values)
    values[1, 2] = value
    with refuses(text):
        unit.check_values(values)


@each_unit
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_must_be_finite(name, value):
    unit = example(name)
    values = unit.sample_from_inputs(torch.zeros(unit.shape))
    unit.check_values(values)
    place = tuple(0 for _ in unit.shape)
    values[place] = value
    with refuses(f"of {name}", f"got {value} at index {place}"):
        unit.check_values(values)


def test_the_caller_may_name_the_values():
    with refuses("data of Binary must be 0 or 1; got 2 at index (0,)"):
        Binary(1).check_values(torch.tensor([2.0]), "data")


def test_potts_needs_one_colour_a_site():
    unit = Potts((2, 3))
    values = torch.eye(3)[[0, 2]]
    unit.check_values(values)
    two, none = values.clone(), values.clone()
    two[1, 0] = 1.0
    none[0, 0] = 0.0
    with refuses("values of Potts must have one colour a site; got 2 at index (1,)"):
        unit.check_values(two)
    with refuses("values of Potts must have one colour a site; got 0 at index (0,)"):
        unit.check_values(none)
    with refuses("values of Potts", "must be 0 or 1; got 0.5 at index (0, 0)"):
        unit.check_values(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))


@pytest.mark.parametrize(
    ("colours", "text"),
    [
        (torch.tensor([[0, 1], [3, 2]]), "got 3 at index (1, 0)"),
        (torch.tensor([[0, -1]]), "got -1 at index (0, 1)"),
        (torch.tensor([[0.0, 1.5]]), "got 1.5 at index (0, 1)"),
        (torch.tensor([[math.nan, 1.0]]), "got nan at index (0, 0)"),
    ],
)
def test_potts_colours_must_be_integers_of_the_layer(colours, text):
    with refuses("a colour of a 3-colour Potts layer must be an integer from 0 to 2; " + text):
        Potts((2, 3)).one_hot(colours)


def test_potts_needs_a_colour_dimension():
    with refuses("Potts needs a last dimension for the colours; got shape ()"):
        Potts(())
    with refuses("Potts needs a last dimension for the colours; got shape ()"):
        Potts(field=torch.tensor(0.0))


def test_unit_type_finds_names_in_any_case_and_lists_them_otherwise():
    for name, unit_class in UNITS.items():
        assert unit_type(name) is unit_type(name.upper()) is unit_type(name.lower()) is unit_class
    with refuses("unknown unit 'poisson'; the units are Binary", "NSReLU"):
        unit_type("poisson")


@pytest.mark.parametrize("name", ["Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU"])
@pytest.mark.parametrize("index", [(), 0, (0,), (2, 0), (0, 3), (0, 0, 0), "a", (0, 0.5), slice(None)])
def test_a_mode_function_belongs_to_one_unit(name, index):
    with refuses("must name one unit of (2, 3); got"):
        UNITS[name]((2, 3)).mode_function(index)


@pytest.mark.parametrize("name", ["Binary", "Spin", "Potts"])
def test_discrete_units_have_no_mode_function(name):
    with refuses("mode_function is for units with a piecewise-linear mode", name):
        UNITS[name]((2, 3)).mode_function((0, 0))


@each_unit
def test_moments_need_samples_and_one_weight_for_each(name):
    unit = UNITS[name]((2, 3))
    with refuses(f"moments of {name} need at least one sample; got an empty batch"):
        unit.moments_from_samples(torch.zeros(0, 2, 3))
    with refuses(f"moments of {name} need one weight a sample; got 3 for 4 samples"):
        unit.moments_from_samples(torch.zeros(4, 2, 3), torch.ones(3))
    with refuses(f"moments of {name} need one weight a sample; got 3 for 4 samples"):
        unit.moments_from_inputs(torch.zeros(2, 2, 2, 3), torch.ones(3))


def test_nsrelu_refuses_another_scale():
    unit = Gaussian(theta=torch.zeros(2), gamma=torch.tensor([1.0, 0.25]))
    with refuses("NSReLU has γ = 1", "γ = 0.25 at index (1,)"):
        unit.to_nsrelu()


def test_errors_are_value_errors_of_one_line():
    with pytest.raises(ValueError, match="`x` must be finite; got nan") as caught:
        require(torch.tensor(math.nan), "finite", "`x`")
    assert isinstance(caught.value, HalfwaveError)
    assert "\n" not in str(caught.value)
