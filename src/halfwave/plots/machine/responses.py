"""How hidden units respond: their inputs over the data, response curves and exact distributions."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from halfwave.plots.style import COLOURS, NEUTRAL, new_figure, style, ticks
from halfwave.rbm.profiles import QUANTILES, HiddenProfiles

__all__ = ["hidden_units"]

_QUANTILE_COLOURS = (COLOURS[5], COLOURS[0], COLOURS[3])
_MEAN = COLOURS[1]
_MODE = COLOURS[2]


def hidden_units(profiles: HiddenProfiles) -> Figure:
    """For each hidden unit, what it receives and how it answers, and below it how its values are distributed.

    Upper panels: the histogram of the inputs ``I = Wᵀv`` over the data (its height has no scale), the mean
    ``E[h | I]`` and the mode. Lower panels: the exact ``p(h | I)`` at the 5 %, 50 % and 95 % quantile of the inputs
    and its average over the data; bars of probabilities if the units are discrete.

    Args:
        profiles: what `halfwave.rbm.features.hidden_profiles` returns.

    Returns:
        The figure.

    >>> import torch
    >>> from halfwave.rbm.features import hidden_profiles
    >>> from halfwave.rbm.machine import RBM
    >>> from halfwave.units import Binary, DReLU
    >>> figure = hidden_units(hidden_profiles(RBM(Binary(3), DReLU(2)), torch.ones(9, 3), [0, 1]))
    >>> [axes.get_title("left") for axes in figure.axes[:2]]
    ['hidden unit 0', 'hidden unit 1']
    """
    count = len(profiles.indices)
    columns = count if count < 3 else 2 if count == 4 else 3
    blocks = -(-count // columns)
    with style():
        figure = new_figure(max(2.65 * columns, 5.6), 3.8 * blocks + 0.8, _description(count))
        grid = figure.subplots(2 * blocks, columns, squeeze=False, height_ratios=[1.0, 1.1] * blocks)
        for place in range(blocks * columns):
            pair = grid[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
            if place >= count:
                for axes in pair:
                    axes.set_axis_off()
                continue
            _draw_response(pair[0], profiles, place)
            _draw_distribution(pair[1], profiles, place)
        for axes, label in zip(grid[:, 0], ["value of h", _amount(profiles)] * blocks, strict=True):
            axes.set_ylabel(label)
        figure.legend(handles=_handles(profiles), loc="outside lower center", ncols=3 if columns == 3 else 2)
    return figure


def _draw_response(axes: Axes, profiles: HiddenProfiles, row: int) -> None:
    mean, mode, inputs = profiles.mean[row], profiles.mode[row], profiles.inputs[row]
    low, high = min(mean.min(), mode.min()), max(mean.max(), mode.max())
    pad = 0.08 * (high - low) or 0.5
    axes.set_ylim(low - pad, high + pad)
    # the histogram stands on the floor of the panel and fills at most half of it: it has no scale of its own
    heights = profiles.input_density[row] / profiles.input_density[row].max()
    base = low - pad
    axes.stairs(
        base + 0.5 * (high - low + 2 * pad) * heights,
        profiles.edges[row],
        baseline=base,
        fill=True,
        color="#D5DAE1",
    )
    axes.plot(inputs, mode, color=_MODE, linewidth=1.2, linestyle=(0, (4, 2)))
    axes.plot(inputs, mean, color=_MEAN)
    for value, colour in zip(profiles.quantile_inputs[row], _QUANTILE_COLOURS, strict=True):
        axes.plot([value], [base], marker="^", markersize=6, color=colour, clip_on=False, linestyle="none")
    axes.margins(x=0.0)
    axes.xaxis.set_major_locator(ticks(5))
    axes.set_xlabel("input I")
    axes.set_title(f"hidden unit {profiles.indices[row]}")


def _draw_distribution(axes: Axes, profiles: HiddenProfiles, row: int) -> None:
    values, marginal = profiles.values[row], profiles.marginal[row]
    curves = zip(profiles.conditional[row], _QUANTILE_COLOURS, strict=True)
    axes.set_xlabel("value of h")
    if profiles.discrete:
        _draw_bars(axes, values, [(marginal, "#C3C9D2"), *curves])
        return
    axes.xaxis.set_major_locator(ticks(5))
    axes.fill_between(values, marginal, color="#D5DAE1", linewidth=0)
    axes.plot(values, marginal, color=NEUTRAL, linewidth=1.0)
    for density, colour in curves:
        axes.plot(values, density, color=colour, linewidth=1.4)
    # a density of a nearly certain unit would dwarf all others
    shown = np.flatnonzero(np.vstack([marginal, *profiles.conditional[row]]).max(0) > 1e-3 * marginal.max())
    axes.set_xlim(values[shown[0]], values[shown[-1]])
    axes.set_ylim(bottom=0.0)


def _draw_bars(axes: Axes, values: np.ndarray, groups: list[tuple[np.ndarray, str]]) -> None:
    width = 0.8 / len(groups)
    for place, (heights, colour) in enumerate(groups):
        axes.bar(
            np.arange(len(values)) + (place - 1.5) * width, heights, width=width, color=colour, linewidth=0
        )
    axes.set_xticks(range(len(values)), [f"{value:g}".replace("-", "−") for value in values])
    axes.set_ylim(0.0, 1.0)
    axes.grid(False, axis="x")


def _amount(profiles: HiddenProfiles) -> str:
    return "probability" if profiles.discrete else "probability density"


def _handles(profiles: HiddenProfiles) -> list[Line2D | Patch]:
    lines: list[Line2D | Patch] = [
        Line2D([], [], color=_MEAN, label="mean E[h | I]"),
        Line2D([], [], color=_MODE, linewidth=1.2, linestyle=(0, (4, 2)), label="most probable h"),
        Patch(color="#D5DAE1", label="over the data (inputs; values of h)"),
    ]
    for share, colour in zip(QUANTILES, _QUANTILE_COLOURS, strict=True):
        label = f"h given the {share:.0%} quantile of I (▲)".replace("%", " %")
        lines.append(Line2D([], [], color=colour, label=label))
    return lines


def _description(count: int) -> str:
    return (
        f"Two panels for each of {count} hidden units. Upper: histogram of its inputs over the data, with its mean and "
        "its most probable value as functions of the input. Lower: distribution of its value over the data and at a "
        "low, a middle and a high input."
    )
