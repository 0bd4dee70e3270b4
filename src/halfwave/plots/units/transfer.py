"""The mean of a unit at several temperatures beside its mode, which is the mean at temperature zero."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.nn import UnitMean
from halfwave.plots.functions.piecewise import (
    Range,
    Vector,
    check_range,
    corners,
    default_range,
    draw_pieces,
    fit_height,
)
from halfwave.plots.numerals import short
from halfwave.plots.style import new_figure, style
from halfwave.units import Unit

__all__ = ["unit_mean_and_mode"]

_POINTS = 401
_SYMBOLS = {
    "theta_pos": "θ⁺",
    "theta_neg": "θ⁻",
    "gamma_pos": "γ⁺",
    "gamma_neg": "γ⁻",
    "theta": "θ",
    "gamma": "γ",
    "delta": "Δ",
    "eta": "η",
    "xi": "ξ",
}


def unit_mean_and_mode(
    unit: Unit,
    temperatures: Sequence[float] = (4.0, 1.0, 0.25, 0.05),
    index: int | tuple[int, ...] | None = None,
    x_range: tuple[float, float] | None = None,
) -> Figure:
    """The mean of one unit at several temperatures, and the mode, to which it tends as they fall to zero.

    At temperature t the density is ``exp((I h − U(h)) / t)`` up to its norm; the unit itself has t = 1.

    Args:
        unit: a layer with a piecewise-linear mode: `DReLU` or another parametrisation of it, `ReLU`, `Gaussian`.
        temperatures: which to draw; positive.
        index: of the unit in the layer; the first one by default.
        x_range: lower and upper end of the inputs; around the kinks of the mode by default.

    Returns:
        The figure, with one axes: the mode, and then the means in the order of falling temperature.

    Raises:
        HalfwaveError: if the unit has no piecewise-linear mode, a temperature is not a positive number, or the
            range is not two increasing finite numbers.

    >>> from halfwave.units import DReLU
    >>> unit = DReLU(theta_pos=torch.tensor([1.0]), theta_neg=torch.tensor([-1.0]),
    ...              gamma_pos=torch.tensor([1.0]), gamma_neg=torch.tensor([2.0]))
    >>> [line.get_label() for line in unit_mean_and_mode(unit, (1.0, 0.1)).axes[0].lines[:1]]
    ['mode: temperature 0']
    """
    place = (0,) * len(unit.shape) if index is None else index
    mode = unit.mode_function(place)
    falling = sorted(_checked(temperatures), reverse=True)
    ends = check_range(_default(mode, falling) if x_range is None else x_range, [mode])
    inputs = np.linspace(*ends, _POINTS)
    means = [_mean(unit, inputs, temperature, place) for temperature in falling]
    colours = matplotlib.colormaps["plasma"](np.linspace(0.82, 0.08, len(falling)))
    with style():
        figure = new_figure(
            6.0, 4.4, f"Mean of a {unit.name} unit at {len(falling)} temperatures, and its mode."
        )
        axes = figure.subplots()
        mode_label = "mode: temperature 0"
        draw_pieces(axes, mode, ends, colour="black", dashes=(0, (4, 2)), label=mode_label, zorder=3)
        for temperature, mean, colour in zip(falling, means, colours, strict=True):
            axes.plot(inputs, mean, color=tuple(colour), label=f"mean at temperature {short(temperature)}")
        axes.axvline(0.0, color="#B4BAC4", linewidth=0.8, zorder=1)
        fit_height(axes, corners(mode, ends)[1], *means)
        axes.set(xlim=ends, xlabel="input I", ylabel="value of the unit, h", title=_title(unit, place))
        figure.legend(handles=axes.get_legend_handles_labels()[0], loc="outside lower center", ncols=2)
    return figure


@torch.no_grad()
def _mean(unit: Unit, inputs: Vector, temperature: float, index: int | tuple[int, ...]) -> Vector:
    """The mean of one unit of the layer at the inputs (n,), in double precision."""
    place = unit.check_index(index)
    one = type(unit).from_parameters({k: v[place].double().reshape(1) for k, v in unit.named_parameters()})
    return UnitMean(one, temperature=temperature)(torch.from_numpy(inputs)[:, None])[:, 0].numpy()


def _checked(temperatures: Sequence[float]) -> list[float]:
    values = [float(value) for value in temperatures]
    for value in values:
        if not 0.0 < value < np.inf:
            raise HalfwaveError(f"a temperature must be a positive number; got {value!r}")
    if not values:
        raise HalfwaveError("there must be at least one temperature; got none")
    return values


def _default(mode: PiecewiseLinear, falling: Sequence[float]) -> Range:
    """Around the kinks, and as far out as the warmest mean needs to come near the mode."""
    low, high = default_range([mode])
    flattest = float(np.abs(mode.slopes[mode.slopes != 0]).min())
    reach = 2.0 * np.sqrt(falling[0] / flattest)
    kinks = mode.kinks if len(mode.kinks) else np.zeros(1)
    return min(low, float(kinks[0] - reach)), max(high, float(kinks[-1] + reach))


def _title(unit: Unit, place: int | tuple[int, ...]) -> str:
    values = {key: float(value[place]) for key, value in unit.named_parameters()}
    return f"{unit.name}:  " + ",  ".join(
        f"{_SYMBOLS[key]} = {short(value)}" for key, value in values.items()
    )
