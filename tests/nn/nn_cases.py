"""The table of activations that feeds the generic tests: each with the exact function it must equal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import halfwave as hw
from halfwave import functions as exact
from halfwave.functions import PiecewiseLinear

INF, NAN = math.inf, math.nan
POINTS = [-INF, -7.0, -3.0, -1.25, -1.0, -0.5, -0.25, -0.0, 0.0, 0.25, 0.5, 1.0, 1.25, 2.0, 6.0, 7.5, INF]
"""Inputs at and around every kink of the table, exact in half precision."""


@dataclass(frozen=True)
class Case:
    """A module, the exact function it computes, and whether its derivative at a kink is the left one."""

    make: Callable[[], nn.Module]
    function: PiecewiseLinear
    left_derivative: bool = True


def number_or_tensor(value: float, kind: str) -> float | Tensor:
    """A parameter as a number, as a vector (1,), or as a scalar tensor."""
    return {"number": value, "vector": torch.tensor([value]), "scalar": torch.tensor(value)}[kind]


def _cases() -> dict[str, Case]:
    made: dict[str, Case] = {}

    def add(
        name: str, cls: Callable[..., nn.Module], function: PiecewiseLinear, *args: float, **more: object
    ) -> None:
        left = bool(more.pop("left", True))
        for kind in ("number", "vector", "scalar"):
            values = [number_or_tensor(value, kind) for value in args]
            made[f"{name}-{kind}"] = Case(lambda v=values, m=more: cls(*v, **m), function, left)
        made[f"{name}-learnt"] = Case(lambda: cls(*args, learnable=True, **more), function, left)

    for form in ("subtract", "keep", "floor"):
        for t in (-1.25, -0.0, 0.5):
            add(
                f"ThresholdedReLU-{form}-{t}",
                hw.nn.ThresholdedReLU,
                exact.thresholded_relu(t, form),
                t,
                form=form,
            )
    add("RectifiedLinear", hw.nn.RectifiedLinear, exact.rectified_linear(2.0, -1.0), 2.0, -1.0)
    # the derivative at the kink of a falling term is that of the chain rule through ReLU, 0
    add(
        "RectifiedLinear-falling",
        hw.nn.RectifiedLinear,
        exact.rectified_linear(-2.0, 1.0),
        -2.0,
        1.0,
        left=False,
    )
    add("RectifiedLinear-flat", hw.nn.RectifiedLinear, exact.rectified_linear(0.0, 1.0), 0.0, 1.0)
    add("LeakyReLU", hw.nn.LeakyReLU, exact.leaky_relu(0.25), 0.25)
    add("LeakyReLU-zero", hw.nn.LeakyReLU, exact.leaky_relu(0.0), 0.0)
    add("LeakyReLU-negative", hw.nn.LeakyReLU, exact.leaky_relu(-0.5), -0.5)
    add("ClippedReLU", hw.nn.ClippedReLU, exact.clipped_relu(6.0), 6.0)
    add("HardTanh", hw.nn.HardTanh, exact.hard_tanh(), -1.0, 1.0)
    add("SoftThreshold", hw.nn.SoftThreshold, exact.soft_threshold(0.5), 0.5)
    add("HardThreshold", hw.nn.HardThreshold, exact.hard_threshold(1.25), 1.25)
    for name, values in {
        "dead zone": (1.0, -0.5, 0.5, 2.0),
        "two slopes": (0.0, 0.0, 0.5, 2.0),
        "double well": (-1.0, 0.5, 1.0, 1.0),
    }.items():
        add(f"TwoSidedReLU-{name}", hw.nn.TwoSidedReLU, exact.two_sided_relu(*values), *values)
    fixed = {
        "hat": exact.relu_sum([1, 1, 1], [0, -1, -2], weights=[1, -2, 1]),
        "line": 2 * exact.identity() - 1,
        "absolute": exact.absolute(),
        "step": exact.step(0.5, 2.0),
        "falling": exact.double_relu(-1.25, -1.25, 1.25, -1.25),
    }
    for name, function in fixed.items():
        made[f"PiecewiseLinearActivation-{name}"] = Case(
            lambda f=function: hw.nn.PiecewiseLinearActivation(f), function
        )
    return made


CASES = _cases()
REPRESENTATIVE = [
    name for name in CASES if not (name.endswith(("scalar", "vector")) and "Thresholded" not in name)
]
"""A smaller selection for the expensive tests."""
