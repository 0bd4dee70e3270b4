"""Small machines for the tests: every pair of units, with parameters that no two units share by accident."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from halfwave.rbm.machine import RBM
from halfwave.units import UNITS, Unit

DISCRETE = ("Binary", "Spin", "Potts")
CONTINUOUS = ("Gaussian", "ReLU", "DReLU", "PReLU", "XReLU", "NSReLU")
ALL = (*DISCRETE, *CONTINUOUS)

each_visible = pytest.mark.parametrize("visible", ALL)
each_hidden = pytest.mark.parametrize("hidden", ALL)
each_discrete_visible = pytest.mark.parametrize("visible", DISCRETE)

_RANGES = {
    "finite": (-1.0, 1.0),
    "positive": (0.6, 2.5),
    "inside (-1, 1)": (-0.7, 0.7),
}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer(
    name: str,
    shape: int | tuple[int, ...],
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    strength: float = 1.0,
) -> Unit:
    """A layer with parameters drawn evenly from the ranges above; a Potts layer takes three colours a site."""
    sizes = (shape,) if isinstance(shape, int) else shape
    unit = UNITS[name]((*sizes, 3) if name == "Potts" else sizes, dtype=dtype)
    generator = seeded(seed)
    for key, value in unit.named_parameters():
        low, high = _RANGES[unit.parameter_rules[key]]
        draw = low + (high - low) * torch.rand(value.shape, generator=generator, dtype=torch.float64)
        value.data.copy_(draw if low > 0 else strength * draw)
    return unit


def machine(
    visible: str,
    hidden: str,
    shapes: tuple[int | tuple[int, ...], int | tuple[int, ...]] = (4, 3),
    seed: int = 0,
    scale: float = 0.5,
    dtype: torch.dtype = torch.float64,
) -> RBM:
    """A machine with normal weights of this standard deviation."""
    v, h = layer(visible, shapes[0], 2 * seed, dtype), layer(hidden, shapes[1], 2 * seed + 1, dtype)
    weights = torch.randn(v.size, h.size, generator=seeded(seed), dtype=torch.float64) * scale
    return RBM(v, h, weights.to(dtype))


def normalisable(visible: str, hidden: str, shapes: tuple = (4, 3), seed: int = 0) -> RBM:
    """The same with weights so small that no pair of units runs away."""
    return machine(visible, hidden, shapes, seed, scale=0.1)


def values(unit: Unit, batch: tuple[int, ...], seed: int = 0) -> Tensor:
    """Values of a layer ``(*batch, *shape)``: samples at zero input."""
    zeros = torch.zeros((*batch, *unit.shape), dtype=unit.dtype)
    return unit.sample_from_inputs(zeros, seeded(seed))


def quadrature(limit: float = 30.0, panels: int = 24, order: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on ``[−limit, limit]``, with an edge at zero, where dReLU units have theirs."""
    edges = np.linspace(-limit, limit, 2 * (panels // 2) + 1)
    nodes, weights = np.polynomial.legendre.leggauss(order)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def potential(unit: Unit, x: np.ndarray) -> np.ndarray:
    """``U(x)`` summed over the layer, in NumPy, from the table of formulas and nothing of the library's."""
    p = {key: value.double().numpy() for key, value in unit.named_parameters()}
    sites = tuple(range(x.ndim - len(unit.shape), x.ndim))
    if "field" in p:
        return -(p["field"] * x).sum(sites)
    if "theta_pos" not in p and "delta" not in p:
        return (p["gamma"] / 2 * x**2 + p["theta"] * x).sum(sites)
    if "delta" in p:
        eta = p["eta"] if "eta" in p else p["xi"] / (1 + np.abs(p["xi"]))
        gamma = p.get("gamma", 1.0)
        p = {
            "gamma_pos": gamma / (1 + eta),
            "gamma_neg": gamma / (1 - eta),
            "theta_pos": p["theta"] + p["delta"] / (1 + eta),
            "theta_neg": p["theta"] - p["delta"] / (1 - eta),
        }
    pos, neg = np.maximum(x, 0), np.minimum(x, 0)
    positive = p["gamma_pos"] / 2 * pos**2 + p["theta_pos"] * pos
    return (positive + p["gamma_neg"] / 2 * neg**2 + p["theta_neg"] * neg).sum(sites)


def exact_samples(rbm: RBM, count: int, seed: int) -> Tensor:
    """Independent samples of ``p(v)`` of a machine with discrete visible units, by enumeration."""
    states, probabilities = exact_distribution(rbm)
    return states[torch.multinomial(probabilities, count, replacement=True, generator=seeded(seed))]


def exact_distribution(rbm: RBM) -> tuple[Tensor, Tensor]:
    """All visible states and their probabilities."""
    from halfwave.rbm.likelihood.enumeration import enumerate_states

    states = torch.cat(list(enumerate_states(rbm.visible)))
    return states, torch.softmax(-rbm.free_energy(states).double(), 0)


def uninformed(rbm: RBM) -> RBM:
    """A reference that knows nothing of the machine: default parameters, so that the path is a long one."""

    def fresh(unit: Unit) -> Unit:
        return type(unit)(unit.shape, dtype=unit.dtype)

    return RBM(fresh(rbm.visible), fresh(rbm.hidden))


def linear(count: int) -> Tensor:
    return torch.linspace(0.0, 1.0, count, dtype=torch.float64)
