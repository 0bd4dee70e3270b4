"""Logarithmic axes: fits that are piecewise linear in ln x, in ln y or in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.fitting.request import one_of
from halfwave.functions.double_double import Vector

LogAxes = Literal["none", "x", "y", "both"]


@dataclass(frozen=True, slots=True)
class Axes:
    """Which axes are logarithmic; natural logarithms, so that slopes are exponents, rates, or changes per e-fold.

    >>> axes = axes_of("both")
    >>> axes.names, float(axes.x_from(axes.x_to(np.array([2.0]), "x"))[0]).__round__(12)
    (('ln x', 'ln y'), 2.0)
    """

    log_x: bool = False
    log_y: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """What the fitted function takes and gives, as text."""
        return "ln x" if self.log_x else "x", "ln y" if self.log_y else "y"

    def x_to(self, x: Any, name: str) -> Any:
        """Abscissae (n,) as the fitted function takes them; what is not logarithmic is passed on unchecked."""
        return _logarithm(x, name, "x") if self.log_x else x

    def y_to(self, y: Any, name: str) -> Any:
        """Ordinates (n,) as the fitted function gives them."""
        return _logarithm(y, name, "y") if self.log_y else y

    def points_to(self, points: Any, name: str) -> Any:
        """Points (x, y) as the fitted function sees them."""
        if not (self.log_x or self.log_y):
            return points
        return [
            (self.x_to(pair[0], f"x of {name}"), self.y_to(pair[1], f"y of {name}"))
            if len(pair) == 2
            else pair
            for pair in points
        ]

    def x_from(self, x: Vector) -> Vector:
        """Abscissae in the user's units."""
        return np.exp(x) if self.log_x else x

    def y_from(self, y: Vector) -> Vector:
        """Ordinates in the user's units."""
        return np.exp(y) if self.log_y else y


def axes_of(log_axes: object) -> Axes:
    """The axes that a user asks for.

    Raises:
        HalfwaveError: if it is not "none", "x", "y" or "both".
    """
    chosen = one_of("log_axes", log_axes, get_args(LogAxes))
    return Axes(chosen in ("x", "both"), chosen in ("y", "both"))


def _logarithm(values: Any, name: str, axis: str) -> Vector:
    array = np.asarray(values)
    if array.dtype.kind in "mM":
        raise HalfwaveError(
            f"{name} must be numbers where its axis is logarithmic; got times ({array.dtype})"
        )
    if array.size and array.dtype.kind not in "fiub":
        raise HalfwaveError(f"{name} must be real numbers; got an array of dtype {array.dtype}")
    numbers: Vector = array.astype(np.float64)
    wrong = ~(numbers > 0) & ~np.isnan(numbers)
    if wrong.any():
        at = tuple(np.argwhere(wrong)[0].tolist())
        place = f" at index {at[0]}" if at else ""
        raise HalfwaveError(
            f"{name} must be positive with a logarithmic {axis} axis; got {float(numbers[at])!r}{place}"
        )
    return np.log(numbers)
