"""How a training run went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from halfwave.errors import HalfwaveError
from halfwave.plots.style import DATA, MODEL, NEUTRAL, blank, new_figure, style, ticks

__all__ = ["learning_curves"]

_PANELS = (
    (
        "Pseudolikelihood (higher is better)",
        "nats per site",
        (("pseudolikelihood_train", "training", DATA), ("pseudolikelihood_held_out", "held-out", MODEL)),
    ),
    ("Free-energy gap, held-out − training", "nats per sample", (("free_energy_gap", "", MODEL),)),
    ("Reconstruction error after one step", "mean |v − v′| per site", (("reconstruction_error", "", DATA),)),
    ("Speed", "updates per second", (("updates_per_second", "", NEUTRAL),)),
)


def learning_curves(metrics: Mapping[str, Sequence[float]]) -> Figure:
    """Four panels over the updates: pseudolikelihood, free-energy gap, reconstruction error and speed.

    Values that are NaN are left out; a panel without values says so.

    Args:
        metrics: columns of equal length: ``update`` and any of ``pseudolikelihood_train``,
            ``pseudolikelihood_held_out`` (nats a site), ``free_energy_gap`` (nats a sample),
            ``reconstruction_error``, ``updates_per_second``.

    Returns:
        The figure.

    Raises:
        HalfwaveError: if there is no column ``update`` or the columns differ in length.

    >>> figure = learning_curves({"update": [0, 10], "reconstruction_error": [0.5, 0.2]})
    >>> [len(axes.lines) for axes in figure.axes]
    [0, 0, 1, 0]
    """
    columns = _checked(metrics)
    description = (
        "Four curves over the updates of the training run: pseudolikelihood of training and held-out samples, gap "
        "between their free energies, reconstruction error, and updates per second."
    )
    with style():
        figure = new_figure(8.0, 5.0, description)
        for axes, (title, unit, curves) in zip(figure.subplots(2, 2).flat, _PANELS, strict=True):
            axes.set_title(title)
            drawn = [_curve(axes, columns, *curve) for curve in curves]
            if not any(drawn):
                blank(axes, "not measured in this run")
                continue
            axes.set_ylabel(unit)
            axes.set_xlabel("update")
            axes.xaxis.set_major_locator(ticks(6, integer=True))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            if sum(drawn) > 1:
                axes.legend(loc="lower right")
        _anchor(figure.axes[1], figure.axes[3])
    return figure


def _checked(metrics: Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    if "update" not in metrics:
        raise HalfwaveError(
            f"metrics need the column 'update'; got {', '.join(map(repr, metrics)) or 'none'}"
        )
    columns = {key: np.asarray(values, dtype=float) for key, values in metrics.items()}
    for key, values in columns.items():
        if values.shape != columns["update"].shape or values.ndim != 1:
            raise HalfwaveError(
                f"every column of the metrics must have {len(columns['update'])} values, as 'update' has; "
                f"{key!r} has shape {values.shape}"
            )
    return columns


def _curve(axes: Axes, columns: dict[str, np.ndarray], key: str, label: str, colour: str) -> bool:
    """Draw one column if it has any finite value, and say whether it does."""
    if key not in columns:
        return False
    finite = np.isfinite(columns[key])
    if not finite.any():
        return False
    # points as well where a line alone would hide how few they are
    marks: dict[str, Any] = {"marker": "o", "markersize": 3} if finite.sum() < 40 else {}
    axes.plot(columns["update"][finite], columns[key][finite], color=colour, label=label, **marks)
    return True


def _anchor(gap: Axes, speed: Axes) -> None:
    """Show zero where it means something: no overfitting, no progress."""
    if gap.lines:
        gap.axhline(0.0, color=NEUTRAL, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    if speed.lines:
        speed.set_ylim(bottom=0.0)
