"""The units of an audit, layer by layer: how often each fires, and how many are dead or always on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from halfwave.plots.style import COLOURS, MODEL, NEUTRAL, new_figure, style
from halfwave.words import counted

if TYPE_CHECKING:
    from halfwave.audit import LayerReport, Report

__all__ = ["audit_dead_units", "audit_firing_rates", "saturated", "short_names"]

_WIDTH = 7.4
"""Inches: on the page, 9 points then are nearly as large as its text."""
_WIDEST = 1024
"""Units of a row drawn at most: a screen has no more pixels."""
_LONGEST = 30
"""Characters of a layer's name."""
_ON = COLOURS[4]
_HEALTHY = "#C9D6E4"
_PROVEN = "#8A2D00"
_UNKNOWN = "#D9DCE1"
_SATURATED = COLOURS[3]
_BAR, _MARK = 0.72, 0.13
"""Heights of a bar, and of the mark below it."""


_NOT_FINITE = (NEUTRAL, "some inputs NaN or infinite")


def short_names(names: Sequence[str], longest: int = _LONGEST) -> list[str]:
    """Names short enough for labels: without the path that all share, then without the end, then without their middle.

    >>> short_names(["encoder.stages.3.activation", "encoder.stages.17.activation"], 20)
    ['…3.activation', '…17.activation']
    >>> short_names(["block_0.activation_function", "block_1.activation_function"], 20)
    ['block_0…', 'block_1…']
    >>> short_names(["a_name_without_any_dots_in_it"], 20)
    ['a_name…ny_dots_in_it']
    """
    if len(names) > 1 and any(len(name) > longest for name in names):
        separator = "/" if any("/" in name for name in names) else "."
        paths = [name.split(separator) for name in names]
        shared = min(_shared(paths), min(map(len, paths)) - 1)
        if shared:
            names = [f"…{separator.join(path[shared:])}" for path in paths]
        tail = _shared([path[:0:-1] for path in paths])
        if tail and any(len(name) > longest for name in names):
            # where a name is cut in its middle, what tells it from others may go
            names = [
                f"{name[: -len(separator.join(path[-tail:])) - 1]}…"
                for name, path in zip(names, paths, strict=True)
            ]
    start = longest // 3
    return [
        name if len(name) <= longest else f"{name[:start]}…{name[start + 1 - longest :]}" for name in names
    ]


def _shared(paths: Sequence[Sequence[str]]) -> int:
    """Steps that all paths begin with."""
    together = zip(*paths, strict=False)
    return next((place for place, steps in enumerate(together) if len(set(steps)) > 1), min(map(len, paths)))


def audit_firing_rates(report: Report) -> Figure:
    """How often every unit fires: a row a layer, its units sorted from the most silent to the busiest.

    Args:
        report: what `halfwave.audit.audit` returned.

    Returns:
        The figure; its axes are the rows and the scale.

    >>> import torch
    >>> from halfwave.audit import audit
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> figure = audit_firing_rates(audit(model, [torch.randn(100, 4)]))
    >>> figure.axes[0].images[0].get_array().shape
    (1, 8, 3)
    """
    layers = report.layers
    width = min(_WIDEST, max((layer.channels for layer in layers), default=1))
    with style():
        figure = new_figure(_WIDTH, _height(len(layers)), _described("Firing rates", report))
        axes = figure.subplots()
        rows = np.stack([_row(layer, width) for layer in layers]) if layers else np.ones((1, 1, 3))
        axes.imshow(rows, aspect="auto", interpolation="nearest", extent=(0.0, 1.0, len(rows) - 0.5, -0.5))
        for border in range(1, len(layers)):
            axes.axhline(border - 0.5, color="white", linewidth=1.5)
        axes.grid(visible=False)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        _label_rows(axes, layers)
        axes.set_xlabel(
            "share of the layer's units, from the one that fires least to the one that fires most"
        )
        scale = figure.colorbar(
            _scale(), ax=axes, pad=0.02, fraction=0.05, aspect=25, shrink=_shrink(len(layers))
        )
        scale.ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        scale.set_label("firing rate")
        marks = {
            (MODEL, "dead on the data"): [layer.dead & ~saturated(layer) for layer in layers],
            (_SATURATED, "saturated"): [saturated(layer) for layer in layers],
            (_ON, "always on"): [layer.always_on for layer in layers],
            (_UNKNOWN, "no finite input"): [np.isnan(layer.firing_rate) for layer in layers],
        }
        _legend(axes, [mark for mark, where in marks.items() if any(some.any() for some in where)])
    return figure


def audit_dead_units(report: Report) -> Figure:
    """How many units of every layer are dead, always on, or neither.

    Args:
        report: what `halfwave.audit.audit` returned.

    Returns:
        The figure, with one bar a layer; the numbers stand beside it.

    >>> import torch
    >>> from halfwave.audit import audit
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> figure = audit_dead_units(audit(model, [torch.randn(100, 4)]))
    >>> figure.axes[0].get_xlabel()
    "share of the layer's units"
    """
    layers = report.layers
    with style():
        figure = new_figure(_WIDTH, _height(len(layers)), _described("Dead and always-on units", report))
        axes = figure.subplots()
        axes.grid(axis="y", visible=False)
        left = np.zeros(len(layers))
        for colour, label, counts in _parts(layers):
            shares = counts / np.array([layer.channels for layer in layers])
            axes.barh(range(len(layers)), shares, left=left, color=colour, label=label, height=_BAR)
            left += shares
        bad = np.array([_not_finite(layer).mean() for layer in layers])
        if bad.any():  # beside the bars, since a unit may be dead for all its other inputs
            below = np.arange(len(layers)) + (_BAR + _MARK) / 2
            axes.barh(below, bad, color=_NOT_FINITE[0], label=_NOT_FINITE[1], height=_MARK)
        _label_rows(axes, layers)
        axes.set(xlim=(0.0, 1.0), ylim=(len(layers) - 0.45, -0.55), xlabel="share of the layer's units")
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        found = [(colour, label) for colour, label, counts in _parts(layers) if counts.any()]
        _legend(axes, [*found, _NOT_FINITE] if bad.any() else found)
    return figure


def _parts(layers: Sequence[LayerReport]) -> list[tuple[str, str, np.ndarray]]:
    """Colour, name and number of units (layers,) of each part of the bars; every unit is in one."""
    limited = np.array([saturated(layer).sum() for layer in layers])
    dead = np.array([layer.dead.sum() for layer in layers]) - limited
    proven = np.array([(layer.dead & ~saturated(layer) & layer.provably_dead).sum() for layer in layers])
    on = np.array([(layer.always_on & ~layer.dead).sum() for layer in layers])
    unknown = np.array([np.isnan(layer.firing_rate).sum() for layer in layers])
    channels = np.array([layer.channels for layer in layers])
    return [
        (_PROVEN, "dead for any input of the domain", proven),
        (MODEL, "dead on the data", dead - proven),
        (_SATURATED, "saturated", limited),
        (_UNKNOWN, "no finite input", unknown),
        (_HEALTHY, "healthy", channels - dead - limited - on - unknown),
        (_ON, "always on", on),
    ]


def saturated(layer: LayerReport) -> np.ndarray:
    """Which units never fired because they were beyond a limit of their activation (channels,)."""
    from halfwave.audit.reporting.verdicts import (
        saturated_units,  # here, since the audit takes a second to import
    )

    return saturated_units(layer)


def _not_finite(layer: LayerReport) -> np.ndarray:
    return layer.nan_count + layer.infinite_count > 0


def _row(layer: LayerReport, width: int) -> np.ndarray:
    """Colours (width, 3) of a layer's units, sorted by their rates."""
    rates = layer.firing_rate
    order = np.argsort(rates, kind="stable")
    colours = _scale().cmap(np.nan_to_num(rates))[:, :3]
    for where, colour in (
        (layer.dead, MODEL),
        (saturated(layer), _SATURATED),
        (layer.always_on, _ON),
        (np.isnan(rates), _UNKNOWN),
    ):
        colours[where] = to_rgb(colour)
    return colours[order[((np.arange(width) + 0.5) * layer.channels / width).astype(np.int64)]]


def _scale():
    """From silent to always firing, in a blue that neither of the two marks has."""
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(cmap=colormaps["Blues"])


def _height(layers: int) -> float:
    """Rows as tall as their labels need, and not a wall for one layer."""
    return 1.25 + max(0.5, (0.34 if layers <= 12 else 0.21) * layers)


def _shrink(layers: int) -> float:
    return 1.0 if layers <= 12 else max(0.35, 12 / layers)


def _label_rows(axes: Axes, layers: Sequence[LayerReport]) -> None:
    """Names to the left, numbers to the right."""
    axes.set_yticks(range(len(layers)), short_names([layer.name for layer in layers]))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    for place, layer in enumerate(layers):
        axes.text(
            1.01, place, _numbers(layer), transform=axes.get_yaxis_transform(), va="center", fontsize=8.0
        )


def _numbers(layer: LayerReport) -> str:
    limited = saturated(layer)
    counts = {
        "dead": (layer.dead & ~limited).sum(),
        "saturated": limited.sum(),
        "on": layer.always_on.sum(),
        "not finite": _not_finite(layer).sum(),
    }
    found = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f"{', '.join(found)} of {layer.channels:,}" if found else counted(layer.channels, "unit")


def _legend(axes: Axes, entries: Sequence[tuple[str, str]]) -> None:
    handles = [Patch(color=colour, label=label) for colour, label in entries]
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=min(3, len(handles)),
        handlelength=1.4,
        columnspacing=1.4,
    )


def _described(what: str, report: Report) -> str:
    return f"{what} of the units in {counted(len(report.layers), 'layer')}. {report.headline}"
