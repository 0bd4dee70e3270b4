"""The inputs and outputs of every rectifier in an audit: distributions, kinks, and the Gaussian that fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from halfwave.errors import HalfwaveError
from halfwave.plots.audit.units import short_names
from halfwave.plots.style import DATA, MODEL, NEUTRAL, blank, new_figure, style, ticks

if TYPE_CHECKING:
    from halfwave.audit import ChannelHistograms, LayerReport, Report

__all__ = ["audit_distributions"]

_MOST = 60
"""Layers drawn at most."""
_WIDTH = 7.4
"""Inches, as of the other figures of an audit."""
_CELLS = 96
_KINKS = 4
"""Different kinks that are drawn one by one."""
_CURVE = 241
_TAIL = 0.002
"""Share of the values that may lie outside a panel on either side."""


def audit_distributions(report: Report, most: int = _MOST) -> Figure:
    """What every rectifier is given and what it makes of it, over all its units.

    On the left of each pair the inputs, with the kinks (dotted) and the fit (line): the mean of one Gaussian a unit,
    which has the unit's mean and deviation. On the right the outputs without those that are exactly zero, whose share
    is written there.

    Args:
        report: what `halfwave.audit.audit` returned.
        most: layers drawn at most, positive: of more, those with the largest shares of useless units.

    Returns:
        The figure; its axes are the inputs and the outputs of one layer after another.

    Raises:
        HalfwaveError: if ``most`` is not a positive integer.

    >>> import torch
    >>> from halfwave.audit import audit
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> [axes.get_xlabel() for axes in audit_distributions(audit(model, [torch.randn(100, 4)])).axes]
    ['input', 'output']
    """
    layers = _drawn(report.layers, most)
    across = 1 if len(layers) <= 3 else 2
    rows = max(1, -(-len(layers) // across))
    names = short_names([layer.name for layer in layers], 34 if across == 1 else 20)
    with style():
        height = (2.0 if across == 1 else 1.55) * rows + 0.45
        figure = new_figure(_WIDTH, height, _described(layers, report))
        # laid out by hand: with a hundred panels the solver would take most of the time
        figure.set_layout_engine("none")
        widths = (1.5, 0.1, 1.0) if across == 1 else (1.5, 0.1, 1.0, 0.22, 1.5, 0.1, 1.0)
        places = figure.add_gridspec(
            rows,
            len(widths),
            width_ratios=widths,
            wspace=0.0,
            hspace=0.42 if across == 1 else 0.62,
            left=0.015,
            right=0.985,
            top=1.0 - 0.3 / height,
            bottom=0.5 / height,
        )
        for number, (layer, name) in enumerate(zip(layers, names, strict=True)):
            row, pair = divmod(number, across)
            before, after = (figure.add_subplot(places[row, 4 * pair + side]) for side in (0, 2))
            _draw_before(before, layer, name)
            _draw_after(after, layer)
            if number + across >= len(layers):
                before.set_xlabel("input")
                after.set_xlabel("output")
    return figure


def _drawn(layers: Sequence[LayerReport], most: int) -> list[LayerReport]:
    """All layers, or of too many those with the most useless units, in the order of the network."""
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise HalfwaveError(f"`most` of audit_distributions must be a positive integer; got {most!r}")
    if len(layers) <= most:
        return list(layers)
    useless = [float((layer.dead | layer.always_on).mean()) for layer in layers]
    chosen = sorted(np.argsort(useless, kind="stable")[-most:])
    return [layers[number] for number in chosen]


def _described(layers: Sequence[LayerReport], report: Report) -> str:
    of = f" of {len(report.layers)}" if len(layers) < len(report.layers) else ""
    return (
        f"Distributions of the inputs and outputs of {len(layers)}{of} "
        f"{'rectifier' if len(report.layers) == 1 else 'rectifiers'}, with kinks and Gaussian fits. "
        f"{report.headline}"
    )


def _draw_before(axes: Axes, layer: LayerReport, name: str) -> None:
    axes.set_title(name)
    kinks = np.unique(layer.lower if layer.upper is None else np.concatenate([layer.lower, layer.upper]))
    ends = _range(layer.histogram_before, kinks[np.isfinite(kinks)])
    if ends is None:
        blank(axes, "no finite input")
        return
    edges, x = np.linspace(*ends, _CELLS + 1), np.linspace(*ends, _CURVE)
    heights = _density(layer.histogram_before, edges)
    axes.stairs(heights, edges, fill=True, color=DATA, alpha=0.45)
    axes.plot(x, _gaussians(layer, x), color=MODEL, linewidth=1.2)
    if len(kinks) <= _KINKS:
        for kink in kinks:
            axes.axvline(kink, color="black", linewidth=1.1, linestyle=":")
    else:  # a kink a unit: where they are
        axes.axvspan(kinks[0], kinks[-1], color=NEUTRAL, alpha=0.25, linewidth=0)
    _finish(axes, ends, heights)


def _draw_after(axes: Axes, layer: LayerReport) -> None:
    from halfwave.audit.counting.shares import percent  # here, since the audit takes a second to import

    axes.set_title(
        f"outputs, {percent(layer.sparsity)} zero" if layer.sparsity > 0 else "outputs", color="#333333"
    )
    if not layer.histogram_after.counts.any():
        blank(axes, "no finite output" if layer.nan_count.any() else "not recorded")
        return
    histograms = _without_zeros(layer)
    ends = _range(histograms, np.zeros(1))
    if ends is None:
        blank(axes, "nothing but zeros")
        return
    width = (ends[1] - ends[0]) / _CELLS
    edges = width * np.arange(np.floor(ends[0] / width), np.ceil(ends[1] / width) + 1)  # 0 is one of them
    heights = _density(histograms, edges)
    axes.stairs(heights, edges, fill=True, color=DATA, alpha=0.45)
    _finish(axes, ends, heights)


def _without_zeros(layer: LayerReport) -> ChannelHistograms:
    """The outputs without the exact zeros: drawn, these would flatten all the rest."""
    histograms = layer.histogram_after.copy()
    zeros = np.round(np.nan_to_num(layer.zero_share) * histograms.counts.sum(axis=1)).astype(np.int64)
    middle = histograms.counts[:, histograms.counts.shape[1] // 2]  # the bin that begins at 0, a view
    middle -= np.minimum(middle, zeros)
    return histograms


def _finish(axes: Axes, ends: tuple[float, float], heights: np.ndarray) -> None:
    """Limits, and few marks: the scale of a density says nothing here.

    A spike, such as units that do not vary make, may leave the panel, so that the rest is seen.
    """
    typical = float(np.sort(heights)[-4])
    tallest = min(float(heights.max()), 5.0 * typical) if typical > 0 else float(heights.max())
    axes.set(xlim=ends, ylim=(0.0, 1.15 * tallest if tallest > 0 else 1.0), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(ticks(5))


def _range(histograms: ChannelHistograms, kinks: np.ndarray) -> tuple[float, float] | None:
    """What a panel shows: nearly all values, and the kinks unless these lie far off."""
    pooled = histograms.pooled()
    if not pooled.total:
        return None
    low, high = pooled.quantile(_TAIL), pooled.quantile(1.0 - _TAIL)
    width = high - low
    near = kinks[(kinks > low - 4.0 * width) & (kinks < high + 4.0 * width)]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _density(histograms: ChannelHistograms, edges: np.ndarray) -> np.ndarray:
    """Mean density of all units between edges; the bins of each unit may be much finer than those of another."""
    counts = histograms.counts
    half = counts.shape[1] // 2
    cumulative = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):  # a unit that was always 0 has bins of no width
        places = edges[None, :] * np.ldexp(1.0, -histograms.exponents)[:, None]
        places = np.clip(np.nan_to_num(places) + half, 0, 2 * half)
    whole = np.minimum(places.astype(np.int64), 2 * half - 1)
    inside = np.take_along_axis(counts, whole, axis=1) * (places - whole)
    below = np.take_along_axis(cumulative, whole, axis=1) + inside
    return np.diff(below.sum(axis=0)) / (counts.sum() * np.diff(edges))


def _gaussians(layer: LayerReport, x: np.ndarray) -> np.ndarray:
    """Mean density of one Gaussian a unit; units that do not vary have none."""
    some = layer.std_before > 0
    mean, std = layer.mean_before[some, None], layer.std_before[some, None]
    total = np.exp(-0.5 * ((x - mean) / std) ** 2) / std
    return total.sum(axis=0) / (np.sqrt(2.0 * np.pi) * max(1, layer.channels))
