"""Explicit functions of several variables that generic tests run on, and data drawn from some."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.fitting.several_variables.additive_function import AdditiveFunction
from halfwave.fitting.several_variables.hinge_sum import HingeSum
from halfwave.fitting.several_variables.max_affine_function import DifferenceOfMaxAffine, MaxAffine
from halfwave.functions import absolute, hard_threshold, relu_sum

Array = npt.NDArray[Any]


def functions() -> dict[str, Any]:
    """One of each kind and the corner cases."""
    random = np.random.default_rng(5)
    corner = MaxAffine([[0, 0], [2, 0], [0, 2]], [0, 0, 0])
    other = MaxAffine(random.normal(size=(4, 3)), random.normal(size=4))
    bump = relu_sum([1, 1, 1], [0.1, -1, -2], [1, -2, 1], slope=0.3, offset=1.0)
    return {
        "corner": corner,
        "max affine": other,
        "one piece": MaxAffine([[1.5, -2.0]], [0.25]),
        "difference": DifferenceOfMaxAffine(other, MaxAffine(random.normal(size=(2, 3)), [0.1, -0.2])),
        "hinge sum": HingeSum(
            random.normal(size=(5, 3)), random.normal(size=5), random.normal(size=5), [1, 0, -2], 0.7
        ),
        "plane": HingeSum(np.zeros((0, 2)), [], [], [1.0, 2.0], -1.0),
        "one variable": HingeSum([[1.0], [-2.0]], [-0.3, 0.2], [2.0, -1.0]),
        "additive": AdditiveFunction([absolute(), bump, 0.1 * absolute() - 3], offset=-0.5),
        "additive, jumps": AdditiveFunction([hard_threshold(0.5), bump]),
    }


def corner_data(n: int, seed: int, noise: float = 0.1) -> tuple[Array, Array, Array]:
    """Points, noisy values and values of ``max(0, 2x, 2y)``."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 2))
    truth = np.maximum(0, 2 * x.max(axis=1))
    return x, truth + noise * random.normal(size=n), truth


def hinge_data(n: int, seed: int, noise: float = 0.3, terms: int = 6) -> tuple[Array, Array, HingeSum]:
    """Points, noisy values and a random sum of hinges of three variables."""
    random = np.random.default_rng(seed)
    truth = HingeSum(
        random.normal(size=(terms, 3)), random.normal(size=terms) / 2, 2 * random.normal(size=terms)
    )
    x = random.normal(size=(n, 3))
    return x, truth(x) + noise * random.normal(size=n), truth


def rms(difference: Array) -> float:
    return float(np.sqrt(np.mean(difference**2)))
