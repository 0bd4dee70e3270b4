"""The tutorial's way: rectified linear terms whose parameters follow a gradient, with the whole path kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear, relu_sum
from halfwave.functions.checks import finite_vector, positive_number
from halfwave.nn import ReLUSum

__all__ = ["GradientPath", "fit_by_gradient"]

Array = npt.NDArray[np.float64]
_NAMES = ("slopes", "intercepts", "weights", "slope", "offset")


@dataclass(frozen=True)
class GradientPath:
    """What a gradient-based fit did, step by step, in the units of the data.

    Attributes:
        losses: mean squared error before each step and after the last one, (steps + 1,).
        parameters: slopes, intercepts and weights (steps + 1, terms), slope and offset (steps + 1,).
        optimizer: "adam" or "lbfgs".
        points: number of data points.
    """

    losses: Array
    parameters: dict[str, Array]
    optimizer: str
    points: int

    def __len__(self) -> int:
        return len(self.losses)

    @cached_property
    def function(self) -> PiecewiseLinear:
        """The function at the step of least loss."""
        return self.function_at(int(np.argmin(self.losses)))

    @property
    def sse(self) -> float:
        """The least sum of squared errors on the path."""
        return float(self.losses.min() * self.points)

    def function_at(self, step: int) -> PiecewiseLinear:
        """The exact function at a step; negative steps count from the end.

        Raises:
            HalfwaveError: if there is no such step.
        """
        if not isinstance(step, Integral) or not -len(self) <= step < len(self):
            raise HalfwaveError(f"a step of this path is from 0 to {len(self) - 1}; got {step!r}")
        return relu_sum(*(self.parameters[name][step] for name in _NAMES))

    def __repr__(self) -> str:
        return (
            f"<GradientPath of {self.optimizer}: {len(self) - 1} steps, {self.parameters['slopes'].shape[1]} terms, "
            f"mean squared error {self.losses[0]:.6g} to {self.losses.min():.6g}>"
        )


def fit_by_gradient(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    terms: int,
    optimizer: Literal["adam", "lbfgs"] = "adam",
    *,
    steps: int = 2000,
    learning_rate: float | None = None,
    seed: int = 0,
) -> GradientPath:
    """Fit ``Σ_k weights[k] (slopes[k] x + intercepts[k])⁺ + slope x + offset`` by following the gradient.

    For comparison and teaching: it ends in one of many local minima, usually well above the optimum that
    `fit_relu_sum` finds. All parameters move; data are standardised inside, kinks start at quantiles of the data.

    Args:
        x: abscissae (n,), finite, at least two different ones.
        y: ordinates (n,), finite.
        terms: number of rectified linear terms, at least 1.
        optimizer: "adam" (each step one gradient) or "lbfgs" (each step one line search).
        steps: number of steps, at least 1; L-BFGS ends earlier when nothing is gained any more.
        learning_rate: of Adam, for standardised data; 0.02 by default.
        seed: of the random start.

    Returns:
        The path: losses, parameters, and the exact function at every step.

    Raises:
        HalfwaveError: if a number is not finite, lengths differ, all x are equal, or an option breaks its rule.

    >>> x = np.linspace(-2, 2, 50)
    >>> path = fit_by_gradient(x, np.abs(x), terms=4, optimizer="lbfgs", steps=100)
    >>> len(path), bool(path.losses[-1] < 1e-3 * path.losses[0])
    (64, True)
    """
    abscissae = finite_vector("`x` of fit_by_gradient", x)
    ordinates = finite_vector("`y` of fit_by_gradient", y, len(abscissae))
    if len(np.unique(abscissae)) < 2:
        raise HalfwaveError(f"fit_by_gradient needs two different x; got {len(np.unique(abscissae))}")
    for name, value in (("terms", terms), ("steps", steps)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
            raise HalfwaveError(f"`{name}` of fit_by_gradient must be a positive integer; got {value!r}")
    if optimizer not in ("adam", "lbfgs"):
        raise HalfwaveError(f'`optimizer` of fit_by_gradient must be "adam" or "lbfgs"; got {optimizer!r}')
    scale = _Scale.of(abscissae, ordinates)
    path = _Path(scale.inputs(abscissae), scale.targets(ordinates), int(terms), seed)
    if optimizer == "adam":
        _adam(
            path,
            int(steps),
            0.02 if learning_rate is None else positive_number("`learning_rate`", learning_rate),
        )
    else:
        _lbfgs(path, int(steps))
    losses = np.array(path.losses) * scale.y_spread**2
    return GradientPath(losses, scale.in_data_units(path.by_name()), optimizer, len(abscissae))


@dataclass(frozen=True)
class _Scale:
    """Centre and spread of the data, and the way back."""

    x_centre: float
    x_spread: float
    y_centre: float
    y_spread: float

    @classmethod
    def of(cls, x: Array, y: Array) -> _Scale:
        return cls(float(x.mean()), float(x.std()), float(y.mean()), float(y.std()) or 1.0)

    def inputs(self, x: Array) -> torch.Tensor:
        return torch.from_numpy((x - self.x_centre) / self.x_spread).unsqueeze(1)

    def targets(self, y: Array) -> torch.Tensor:
        return torch.from_numpy((y - self.y_centre) / self.y_spread).unsqueeze(1)

    def in_data_units(self, path: dict[str, Array]) -> dict[str, Array]:
        slopes, slope = path["slopes"] / self.x_spread, path["slope"] * (self.y_spread / self.x_spread)
        return {
            "slopes": slopes,
            "intercepts": path["intercepts"] - slopes * self.x_centre,
            "weights": path["weights"] * self.y_spread,
            "slope": slope,
            "offset": self.y_centre + self.y_spread * path["offset"] - slope * self.x_centre,
        }


class _Path:
    """The model on its way: its loss and gradient, and everything it passed."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor, terms: int, seed: int) -> None:
        self.x, self.y = x, y
        self.model = ReLUSum(1, terms, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.model.initialize_from_data(x)
        self.losses: list[float] = []
        self.points: list[Array] = []

    def loss(self) -> torch.Tensor:
        return (self.model(self.x) - self.y).pow(2).mean()

    def position(self) -> Array:
        return parameters_to_vector(self.model.parameters()).detach().numpy().copy()

    def loss_and_gradient(self, position: Array) -> tuple[float, Array]:
        vector_to_parameters(torch.from_numpy(position), self.model.parameters())
        loss = self.loss()
        gradients = torch.autograd.grad(loss, list(self.model.parameters()))
        return loss.item(), parameters_to_vector(gradients).numpy()

    def record(self, position: Array, loss: float) -> None:
        self.losses.append(loss)
        self.points.append(position)

    def by_name(self) -> dict[str, Array]:
        stacked, parts, start = np.stack(self.points), {}, 0
        for name, parameter in self.model.named_parameters():
            parts[name] = stacked[:, start : start + parameter.numel()]
            start += parameter.numel()
        return {n: v[:, 0] if n in ("slope", "offset") else v for n, v in parts.items()}


def _adam(path: _Path, steps: int, rate: float) -> None:
    algorithm = torch.optim.Adam(path.model.parameters(), lr=rate)
    for _ in range(steps):
        loss = path.loss()
        path.record(path.position(), loss.item())
        algorithm.zero_grad()
        loss.backward()
        algorithm.step()
    path.record(path.position(), path.loss().item())


def _lbfgs(path: _Path, steps: int) -> None:
    """L-BFGS, started anew where the kinks of the loss stop it, until nothing is gained any more."""
    start = path.position()
    path.record(start, path.loss_and_gradient(start)[0])
    options = {"ftol": 0.0, "gtol": 0.0, "maxls": 50, "maxfun": 10**9}
    while (left := steps + 1 - len(path.losses)) > 0:
        before = path.losses[-1]
        optimize.minimize(
            path.loss_and_gradient,
            path.points[-1],
            jac=True,
            method="L-BFGS-B",
            callback=lambda intermediate_result: path.record(
                intermediate_result.x.copy(), float(intermediate_result.fun)
            ),
            options={**options, "maxiter": left},
        )
        if not path.losses[-1] < before * (1 - 1e-9):
            return
