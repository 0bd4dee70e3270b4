"""dReLU, ReLU and the other parametrisations against 50-digit arithmetic, in single and double precision.

An error passes if it is at most ``TARGET`` of the scale of the quantity (|mean| + std for means and standard
deviations, the value itself for the others) plus ``SLACK`` times the conditioning of the problem: the distance by
which the exact value moves when its arguments move by one unit in the last place.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from mpmath import mpf
from torch import Tensor

from halfwave.units import DReLU, NSReLU, PReLU, ReLU, Unit, XReLU

from .. import reference

TARGET = {torch.float32: 1e-5, torch.float64: 1e-12}
SLACK = 2
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
HALF_MOMENTS = {
    "x_pos": "prob_pos",
    "x_neg": "prob_neg",
    "x_pos_squared": "prob_pos",
    "x_neg_squared": "prob_neg",
}


def signed(generator: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Numbers of either sign whose logarithm of base ten is uniform between ``low`` and ``high``."""
    return generator.choice([-1.0, 1.0], count) * 10 ** generator.uniform(low, high, count)


def points(few: int, many: int) -> pytest.MarkDecorator:
    """How many random points a test takes beside the corners: exact numbers cost milliseconds each."""
    return pytest.mark.parametrize("count", [few, pytest.param(many, marks=pytest.mark.thorough)])


def drelu_points(count: int) -> dict[str, np.ndarray]:
    """Inputs and dReLU parameters: far apart, in the body, double wells in balance, and corners of the range."""
    generator = np.random.default_rng(2024)
    inputs, theta_pos, theta_neg = (signed(generator, -3, 4, count) for _ in range(3))
    gamma_pos, gamma_neg = (10 ** generator.uniform(-4, 4, count) for _ in range(2))
    body, wells = slice(0, count // 3), slice(0, count // 9)
    beyond = np.stack([signed(generator, -1, 2, count) for _ in range(2)])
    beyond[:, wells] = -np.abs(beyond[0, wells])
    theta_pos[body] = np.clip(inputs + beyond[0] * np.sqrt(gamma_pos), -1e4, 1e4)[body]
    theta_neg[body] = np.clip(inputs - beyond[1] * np.sqrt(gamma_neg), -1e4, 1e4)[body]
    corners = np.array(
        np.meshgrid([-1e4, 0.0, 1e4], [-1e4, 30.0, 1e4], [-1e4, 30.0, 1e4], [1e-4, 1e4], [1e-4, 1e4])
    ).reshape(5, -1)
    rows = np.concatenate([np.stack([inputs, theta_pos, theta_neg, gamma_pos, gamma_neg]), corners], 1)
    return dict(zip(("inputs", "theta_pos", "theta_neg", "gamma_pos", "gamma_neg"), rows, strict=True))


def family_points(count: int, asymmetry: str) -> dict[str, np.ndarray]:
    """Inputs and parameters of the other parametrisations."""
    generator = np.random.default_rng(7)
    xi = signed(generator, -2, 5 if asymmetry == "xi" else 1, count)
    return {
        "inputs": signed(generator, -2, 4, count),
        "theta": signed(generator, -2, 4, count),
        "gamma": 10 ** generator.uniform(-4, 4, count),
        "delta": signed(generator, -2, 3, count),
        asymmetry: xi if asymmetry == "xi" else xi / (1 + np.abs(xi)),
    }


def tensors(points: dict[str, np.ndarray], dtype: torch.dtype) -> tuple[Tensor, dict[str, Tensor]]:
    """Inputs and parameters, rounded to the precision under test."""
    values = {key: torch.tensor(value, dtype=dtype) for key, value in points.items()}
    return values.pop("inputs"), values


def computed(unit: Unit, inputs: Tensor) -> dict[str, Tensor]:
    """Everything the unit says about itself."""
    return {
        "cgf": unit.cgfs(inputs),
        "mean": unit.mean_from_inputs(inputs),
        "variance": unit.var_from_inputs(inputs),
        "std": unit.std_from_inputs(inputs),
        "mean_abs": unit.mean_abs_from_inputs(inputs),
        **unit.statistics_from_inputs(inputs),
    }


def exact_numbers(values: list[Tensor]) -> list[tuple[mpf, ...]]:
    """The same floating-point numbers as exact mpmath numbers, one tuple for each element."""
    return [tuple(mpf(number) for number in row) for row in torch.stack(values).T.tolist()]


def differences(rows: list[tuple[mpf, ...]]) -> list[tuple[mpf, ...]]:
    """(I, θ⁺, θ⁻, γ⁺, γ⁻) or (I, θ, γ) as (t⁺, t⁻, γ⁺, γ⁻) or (t, γ): the subtraction itself is exact here."""
    half = len(rows[0]) // 2
    return [(*(row[0] - theta for theta in row[1 : 1 + half]), *row[1 + half :]) for row in rows]


def check(
    got: dict[str, Tensor],
    arguments: list[tuple[mpf, ...]],
    function: Callable[..., dict[str, mpf]],
    slack: int = SLACK,
) -> None:
    """Every value within the target and the conditioning; the message names the worst offender."""
    dtype = got["mean"].dtype
    epsilon, tiny = torch.finfo(dtype).eps, mpf(torch.finfo(dtype).tiny)
    lists = {key: value.tolist() for key, value in got.items()}
    for place, point in enumerate(arguments):
        exact = function(*point)
        moved = reference.movement(function, point, epsilon)
        location = abs(exact["mean"]) + exact["std"]
        for key, values in lists.items():
            scale = location if key in ("mean", "std") else abs(exact[key])
            # a probability below the smallest normal number has no relative accuracy
            floor = tiny * scale / exact[HALF_MOMENTS[key]] if key in HALF_MOMENTS and scale else tiny
            error = abs(mpf(values[place]) - exact[key])
            allowed = TARGET[dtype] * scale + slack * moved[key] + floor
            assert error <= allowed, (
                f"{key}: got {values[place]!r}, exact {float(exact[key])!r}, error {float(error):.2e}, "
                f"allowed {float(allowed):.2e} at {[float(x) for x in point]}"
            )


@DTYPES
@points(120, 500)
def test_drelu_agrees_with_fifty_digits(dtype, count):
    inputs, parameters = tensors(drelu_points(count), dtype)
    arguments = differences(exact_numbers([inputs, *parameters.values()]))
    check(computed(DReLU(**parameters), inputs), arguments, reference.drelu)


@DTYPES
def test_drelu_is_right_a_million_deviations_beyond_both_thresholds(dtype):
    values = [
        torch.tensor(row, dtype=dtype)
        for row in np.array(
            np.meshgrid([0.0, 3.0], [1e4, 3e4], [-1e4, -3e4], [1e-4, 1e-2], [1e-4, 3e-4])
        ).reshape(5, -1)
    ]
    names = ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg")
    unit = DReLU(**dict(zip(names, values[1:], strict=True)))
    assert (unit.sides(values[0]).threshold_pos > 9e4).all()
    assert float(unit.sides(values[0]).threshold_pos.max()) > 1e6
    check(computed(unit, values[0]), differences(exact_numbers(values)), reference.drelu)


@DTYPES
@points(120, 500)
def test_relu_agrees_with_fifty_digits(dtype, count):
    given = drelu_points(count)
    given = {"inputs": given["inputs"], "theta": given["theta_pos"], "gamma": given["gamma_pos"]}
    inputs, parameters = tensors(given, dtype)
    arguments = differences(exact_numbers([inputs, *parameters.values()]))
    check(computed(ReLU(**parameters), inputs), arguments, reference.relu)


@DTYPES
@pytest.mark.parametrize(
    ("unit_class", "asymmetry", "function"),
    [(PReLU, "eta", reference.prelu), (XReLU, "xi", reference.xrelu), (NSReLU, "xi", reference.nsrelu)],
    ids=["PReLU", "XReLU", "NSReLU"],
)
@points(40, 150)
def test_other_parametrisations_agree_with_fifty_digits(unit_class, asymmetry, function, dtype, count):
    inputs, parameters = tensors(family_points(count, asymmetry), dtype)
    parameters = {key: parameters[key] for key in unit_class.parameter_rules}
    arguments = exact_numbers([inputs, *parameters.values()])
    # twice the slack: the conversion rounds each of the four numbers once more
    check(computed(unit_class(**parameters), inputs), arguments, function, slack=2 * SLACK)


@DTYPES
@points(30, 100)
def test_drelu_log_density_agrees_with_fifty_digits(dtype, count):
    inputs, parameters = tensors(drelu_points(count), dtype)
    unit = DReLU(**parameters)
    numbers = torch.from_numpy(np.random.default_rng(3).random((2, *inputs.shape))).to(dtype)
    # where samples fall, so that I x, U and Γ are huge and nearly cancel; and a point on the other side
    for x in (unit.sample_from_noise(inputs, numbers), -unit.mode_from_inputs(inputs) - 1e-3):
        arguments = [
            (point, *rest)
            for (point, *_), rest in zip(
                exact_numbers([x, x]),
                differences(exact_numbers([inputs, *parameters.values()])),
                strict=True,
            )
        ]
        check_log_density(unit.log_probs(x, inputs), arguments, reference.log_density)


@DTYPES
@points(40, 150)
def test_relu_log_density_agrees_with_fifty_digits(dtype, count):
    given = drelu_points(count)
    given = {"inputs": given["inputs"], "theta": given["theta_pos"], "gamma": given["gamma_pos"]}
    inputs, parameters = tensors(given, dtype)
    unit = ReLU(**parameters)
    numbers = torch.from_numpy(np.random.default_rng(3).random(inputs.shape)).to(dtype)
    x = unit.sample_from_noise(inputs, numbers)
    rows = differences(exact_numbers([inputs, *parameters.values()]))
    arguments = [(mpf(value), *row) for value, row in zip(x.tolist(), rows, strict=True)]
    check_log_density(unit.log_probs(x, inputs), arguments, reference.relu_log_density)
    assert (unit.log_probs(-torch.ones_like(x), inputs) == -torch.inf).all()


def check_log_density(
    got: Tensor, arguments: list[tuple[mpf, ...]], function: Callable[..., dict[str, mpf]]
) -> None:
    """Log densities within the target, relative to 1 + |log density|, and the conditioning."""
    epsilon = torch.finfo(got.dtype).eps
    for value, point in zip(got.tolist(), arguments, strict=True):
        exact = function(*point)["log_prob"]
        moved = reference.movement(function, point, epsilon)["log_prob"]
        allowed = TARGET[got.dtype] * (1 + abs(exact)) + SLACK * moved
        assert abs(mpf(value) - exact) <= allowed, (value, float(exact), [float(x) for x in point])


@DTYPES
def test_deep_wells_whose_depths_are_exact_numbers_keep_their_odds(dtype):
    # beyond what the conditioning promises: a difference of two exponents of 5e7 would be off by several units
    steps = torch.arange(-8.0, 9.0, dtype=dtype) * 2.0**-10
    depth = torch.full_like(steps, 1e4)
    ones = torch.ones_like(steps)
    unit = DReLU(theta_pos=-depth, theta_neg=depth + steps, gamma_pos=ones, gamma_neg=ones)
    log_odds = unit.sides(torch.zeros_like(steps)).log_odds
    for value, step in zip(log_odds.tolist(), steps.tolist(), strict=True):
        pos, neg = reference.side(mpf(1e4), mpf(1)), reference.side(mpf(1e4) + mpf(step), mpf(1))
        exact = pos.cgf - neg.cgf
        assert abs(value - exact) <= TARGET[dtype] * max(abs(exact), mpf(1))
