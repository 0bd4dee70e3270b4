"""The picture of the dReLU unit: histograms of samples with the exact densities on top."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from halfwave.errors import HalfwaveError
from halfwave.plots.style import COLOURS, DASHES, NEUTRAL, new_figure, style
from halfwave.units.drelu_family.drelu import DReLU
from halfwave.units.histograms import LayerHistograms, drelu_histograms

__all__ = ["density_panel", "drelu_grid", "drelu_panels"]


def drelu_grid(
    samples: int = 1_000_000, generator: torch.Generator | None = None, inputs: float = 0.0
) -> Figure:
    """The 16 dReLU units with ``θ± ∈ {−3, 3}`` and ``γ± ∈ {0.5, 1}``: samples against exact densities.

    One panel for each (θ⁺, θ⁻); in it, for each (γ⁺, γ⁻), the histogram of the samples and the curve
    ``exp(I h − U(h) − Γ(I))``. Draws what `halfwave.units.histograms.drelu_histograms` returns.

    Args:
        samples: number of samples of each unit, at least 1.
        generator: source of random numbers.
        inputs: the input ``I`` of all units.

    Returns:
        The figure.

    Raises:
        HalfwaveError: if the number of samples is not positive or the input not finite.

    >>> len(drelu_grid(samples=1000).axes)
    4
    """
    return drelu_panels(drelu_histograms(samples, inputs=inputs, generator=generator))


def drelu_panels(histograms: LayerHistograms) -> Figure:
    """Histograms and densities of a dReLU layer whose axes are θ⁺, θ⁻, γ⁺, γ⁻, one panel for each (θ⁺, θ⁻).

    Args:
        histograms: of a `DReLU` layer of four dimensions.

    Raises:
        HalfwaveError: if the layer is not a dReLU layer of four dimensions.

    >>> from halfwave.units.histograms import drelu_histograms
    >>> drelu_panels(drelu_histograms(1000)).axes[0].get_title("left")
    'θ⁺ = −3,  θ⁻ = −3:  leans to the positive side'
    """
    layer = histograms.unit
    if not isinstance(layer, DReLU) or len(layer.shape) != 4:
        raise HalfwaveError(
            f"the panels need a DReLU layer with four axes; got {layer.name} of shape {layer.shape}"
        )
    rows, columns = layer.shape[:2]
    description = (
        f"Grid of {rows * columns} panels, one for each pair of thresholds of a dReLU unit. In each, histograms of "
        f"{histograms.samples:,} samples follow the exact density curves of {layer.shape[2] * layer.shape[3]} pairs "
        "of curvatures."
    )
    with style():
        figure = new_figure(3.8 * columns, 2.75 * rows + 0.9, description)
        panels = figure.subplots(rows, columns, squeeze=False)
        for row in range(rows):
            for column in range(columns):
                _panel(panels[row, column], histograms, layer, row, column)
        for axes in panels[-1]:
            axes.set_xlabel("value of the unit, h")
        for axes in panels[:, 0]:
            axes.set_ylabel("probability density")
        figure.suptitle(f"dReLU units{_at_input(histograms)}", x=0.01, ha="left", fontsize=11)
        _legend(figure, histograms, layer)
    return figure


def density_panel(
    axes: Axes,
    histograms: LayerHistograms,
    index: tuple[int, ...],
    *,
    colour: str = COLOURS[0],
    dashes: object = "-",
    label: str = "",
) -> Axes:
    """Draw the histogram and the exact density of one unit of a layer.

    Args:
        axes: where to draw.
        histograms: of the layer.
        index: of the unit in the layer.
        colour: of both.
        dashes: Matplotlib line style of the density.
        label: of the density, for a legend.

    Returns:
        The same axes.

    >>> from halfwave.plots.style import new_figure
    >>> from halfwave.units.histograms import drelu_histograms
    >>> axes = new_figure(3, 2, "one unit").subplots()
    >>> len(density_panel(axes, drelu_histograms(1000), (0, 0, 0, 0)).lines)
    1
    """
    edges, heights = histograms.edges[index], histograms.heights[index]
    axes.stairs(heights, edges, fill=True, color=colour, alpha=0.2, linewidth=0)
    axes.stairs(heights, edges, color=colour, alpha=0.45, linewidth=0.6)
    points, densities = histograms.points[index], histograms.densities[index]
    axes.plot(points, densities, color=colour, linestyle=dashes, label=label)  # pyright: ignore[reportArgumentType]
    return axes


def _panel(axes: Axes, histograms: LayerHistograms, layer: DReLU, row: int, column: int) -> None:
    for k, (i, j) in enumerate(_pairs(layer)):
        look = {
            "colour": COLOURS[k % len(COLOURS)],
            "dashes": DASHES[k % len(DASHES)],
            "label": _label(layer, i, j),
        }
        density_panel(axes, histograms, (row, column, i, j), **look)
    theta_pos, theta_neg = (
        layer.theta_pos[row, column, 0, 0].item(),
        layer.theta_neg[row, column, 0, 0].item(),
    )
    given = float(histograms.inputs[row, column, 0, 0])
    words = _shape(theta_pos - given, theta_neg - given)
    axes.set_title(f"θ⁺ = {_number(theta_pos)},  θ⁻ = {_number(theta_neg)}:  {words}")
    axes.margins(x=0.0)
    axes.set_ylim(bottom=0.0)


def _at_input(histograms: LayerHistograms) -> str:
    inputs = np.unique(histograms.inputs)
    return f" at input I = {_number(float(inputs[0]))}" if len(inputs) == 1 else ""


def _shape(theta_pos: float, theta_neg: float) -> str:
    """What thresholds, counted from the input, do to the density, in words."""
    if theta_pos < 0 < theta_neg:
        return "two wells"
    if theta_neg < 0 < theta_pos:
        return "dead zone around zero"
    return "leans to the positive side" if theta_pos < 0 else "leans to the negative side"


def _legend(figure: Figure, histograms: LayerHistograms, layer: DReLU) -> None:
    handles: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            color=COLOURS[k % len(COLOURS)],
            linestyle=DASHES[k % len(DASHES)],
            label=_label(layer, i, j),
        )
        for k, (i, j) in enumerate(_pairs(layer))
    ]
    curve = Line2D([], [], color=NEUTRAL, label="exact density  exp(I h − U(h) − Γ(I))")
    filled = Patch(
        color=NEUTRAL, alpha=0.3, linewidth=0, label=f"histogram of {histograms.samples:,} samples"
    )
    figure.legend(handles=[*handles, curve, filled], loc="outside lower center", ncols=3)


def _pairs(layer: DReLU) -> list[tuple[int, int]]:
    return [(i, j) for i in range(layer.shape[2]) for j in range(layer.shape[3])]


def _label(layer: DReLU, i: int, j: int) -> str:
    gamma_pos, gamma_neg = layer.gamma_pos[0, 0, i, j].item(), layer.gamma_neg[0, 0, i, j].item()
    return f"γ⁺ = {_number(gamma_pos)},  γ⁻ = {_number(gamma_neg)}"


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")
