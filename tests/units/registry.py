"""One table of example units that feeds the generic tests: every unit, in every regime, times every property."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from halfwave.units import UNITS, Unit

# Parameters of one layer of each unit; a dReLU layer holds a standard normal, a dead zone, a double well,
# strongly unequal curvatures, a side 30 deviations out, both sides 10 deviations out, and a shifted normal.
PARAMETERS: dict[str, dict[str, list]] = {
    "Binary": {"field": [-2.0, 0.0, 0.7, 5.0]},
    "Spin": {"field": [-1.5, 0.0, 0.4]},
    "Potts": {"field": [[0.0, 0.0, 0.0, 0.0], [1.0, -2.0, 0.5, 0.0], [3.0, 3.0, -3.0, 0.1]]},
    "Gaussian": {"theta": [0.0, -1.5, 2.0], "gamma": [1.0, 0.3, 4.0]},
    "ReLU": {"theta": [0.0, -3.0, 5.0, 40.0, 1.0], "gamma": [1.0, 0.5, 2.0, 1.0, 25.0]},
    "DReLU": {
        "theta_pos": [0.0, 3.0, -4.0, 0.5, 30.0, 10.0, -1.0],
        "theta_neg": [0.0, -3.0, 3.0, -1.0, 0.0, -10.0, -1.0],
        "gamma_pos": [1.0, 1.0, 1.5, 0.05, 1.0, 1.0, 2.0],
        "gamma_neg": [1.0, 0.5, 1.0, 40.0, 2.0, 1.0, 2.0],
    },
    "PReLU": {
        "theta": [0.0, 0.5, -1.0, 0.3],
        "gamma": [1.0, 2.0, 0.7, 1.0],
        "delta": [0.0, 1.5, -2.0, 0.2],
        "eta": [0.0, 0.5, -0.3, -0.95],
    },
    "XReLU": {
        "theta": [0.0, 0.5, -1.0, 0.3],
        "gamma": [1.0, 2.0, 0.7, 1.0],
        "delta": [0.0, 1.5, -2.0, 0.2],
        "xi": [0.0, 1.0, -0.5, 20.0],
    },
    "NSReLU": {
        "theta": [0.0, 0.5, -1.0, 0.3],
        "delta": [0.0, 1.5, -2.0, 0.2],
        "xi": [0.0, 1.0, -0.5, 20.0],
    },
}
CONTINUOUS = ("Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU")
DISCRETE = ("Binary", "Spin", "Potts")
FAMILY = ("DReLU", "PReLU", "XReLU", "NSReLU")
ALL = (*DISCRETE, *CONTINUOUS)

each_unit = pytest.mark.parametrize("name", ALL)
each_continuous_unit = pytest.mark.parametrize("name", CONTINUOUS)
each_discrete_unit = pytest.mark.parametrize("name", DISCRETE)
each_family_unit = pytest.mark.parametrize("name", FAMILY)
each_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])


class Outcomes(NamedTuple):
    """Values of a layer and their weights: sums over a discrete unit, quadrature of a continuous one."""

    values: Tensor
    """``(outcomes, *ones, *shape)`` after broadcasting with the inputs."""
    weights: Tensor


def example(name: str, dtype: torch.dtype = torch.float64) -> Unit:
    """The layer of this unit with the parameters of the table."""
    values = {key: torch.tensor(value, dtype=dtype) for key, value in PARAMETERS[name].items()}
    return UNITS[name](**values)


def tracked(name: str) -> Unit:
    """The same layer, with parameters that autograd follows."""
    return example(name).requires_grad_()


def example_inputs(unit: Unit) -> Tensor:
    """Inputs ``(9, *shape)`` from −8 to 8, with a zero row, where symmetric units are at their tie."""
    grid = torch.linspace(-8.0, 8.0, 9, dtype=unit.dtype)
    spread = torch.linspace(1.0, 1.5, unit.size, dtype=unit.dtype).reshape(unit.shape)
    return grid.reshape(-1, *[1] * len(unit.shape)) * spread


def outcomes(unit: Unit) -> Outcomes:
    """All values of a discrete unit, or quadrature nodes that cover the real line for the table's units."""
    if unit.name == "Potts":
        values = torch.eye(unit.shape[-1], dtype=unit.dtype)
        return Outcomes(values[:, None, None, :], torch.ones(len(values), dtype=unit.dtype))
    if unit.discrete:
        values = torch.tensor([0.0 if unit.name == "Binary" else -1.0, 1.0], dtype=unit.dtype)
        weights = torch.ones(2, dtype=unit.dtype)
    else:
        values, weights = (torch.from_numpy(part) for part in quadrature(both_sides=unit.name != "ReLU"))
    return Outcomes(values.reshape(-1, 1, *[1] * len(unit.shape)), weights)


def quadrature(both_sides: bool) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on panels that grow from 0.02 to 400 by a quarter each, zero being an edge."""
    edges = np.concatenate([[0.0], 0.02 * 1.25 ** np.arange(46)])
    nodes, weights = np.polynomial.legendre.leggauss(40)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    x, w = (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()
    return (np.concatenate([-x[::-1], x]), np.concatenate([w[::-1], w])) if both_sides else (x, w)


def average(values: Tensor, probabilities: Tensor) -> Tensor:
    """Sum over outcomes, the first dimension."""
    return (values * probabilities).sum(0)


def exact_probabilities(unit: Unit, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Values of all outcomes and their probabilities ``exp(I x − U(x) − Γ(I))·weight``, from energies and cgfs."""
    values, weights = outcomes(unit)
    exponent = inputs * values - unit.energies(values)
    if unit.name == "Potts":
        probabilities = torch.exp(exponent.sum(-1) - unit.cgfs(inputs)).unsqueeze(-1)
    else:
        probabilities = torch.exp(exponent - unit.cgfs(inputs))
    return values, probabilities * weights.reshape(-1, *[1] * (probabilities.ndim - 1))
