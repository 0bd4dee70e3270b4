"""The log-likelihood of training and held-out samples, with its uncertainty and a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from halfwave.plots.numerals import known
from halfwave.plots.style import COLOURS, DATA, MODEL, NEUTRAL, blank, new_figure, style

__all__ = ["likelihood_interval", "log_likelihood"]

_PARTS = (("train", "training", DATA), ("held_out", "held-out", MODEL))
_BASELINE = "independent units with the means of the training data"
_PSEUDO = "pseudolikelihood summed over the sites: not a likelihood, usually larger"
_ERRORS = 2.0
"""Standard errors in an interval."""


def log_likelihood(evaluation: Mapping[str, Any], sites: int | None = None, sample: str = "sample") -> Figure:
    """Log-likelihoods of training and held-out samples against a model of independent units.

    The thick bar is where the log-likelihood can lie, given the bounds on log Z and two of their standard errors;
    the thin bar is two standard errors of the mean over the samples. With the number of sites, the pseudolikelihood
    summed over the sites is drawn too: it is no likelihood and usually larger.

    Args:
        evaluation: what `halfwave.rbm.evaluation.evaluate` returns; any value may be None.
        sites: number of visible sites.
        sample: what one sample is called.

    Returns:
        The figure.

    >>> figure = log_likelihood({"train_log_likelihood": -16.0, "independent_train": -25.0})
    >>> figure.axes[0].get_xlabel()
    'log-likelihood, nats per sample (further right is better)'
    """
    description = (
        "Mean log-likelihood of training and held-out samples with error bars, and on the same scale the "
        "log-likelihood of a model of independent units."
    )
    evaluation = known(evaluation)
    with style():
        figure = new_figure(8.0, 2.7, description)
        axes = figure.subplots()
        shown = [part for part in _PARTS if f"{part[0]}_log_likelihood" in evaluation]
        if not shown:
            blank(axes, "the log-likelihood was not measured")
            return figure
        for row, (part, _, colour) in enumerate(shown):
            _draw_row(axes, evaluation, part, -row, colour, sites)
        axes.set_yticks(
            [-row for row in range(len(shown))], [_row_label(evaluation, p, n) for p, n, _ in shown]
        )
        axes.set_ylim(-len(shown) + 0.4, 0.6)
        axes.grid(False, axis="y")
        axes.tick_params(left=False)
        axes.margins(x=0.1)
        axes.set_xlabel(f"log-likelihood, nats per {sample} (further right is better)")
        figure.legend(handles=_handles(axes), loc="outside upper left", ncols=2)
    return figure


def likelihood_interval(evaluation: Mapping[str, Any], part: str) -> tuple[float, float] | None:
    """Where a mean log-likelihood can lie, given the bounds on log Z and two of their standard errors.

    Args:
        evaluation: what `halfwave.rbm.evaluation.evaluate` returns.
        part: "train" or "held_out".

    Returns:
        Its lowest and highest value in nats per sample, or None where a number is missing.

    >>> bounds = {"log_partition_lower": 9.0, "log_partition_upper": 9.5}
    >>> likelihood_interval({"train_log_likelihood": -16.0, **bounds}, "train")
    (-16.25, -15.75)
    """
    value = evaluation.get(f"{part}_log_likelihood")
    lower, upper = evaluation.get("log_partition_lower"), evaluation.get("log_partition_upper")
    if value is None or lower is None or upper is None:
        return None
    used = evaluation.get("log_partition")
    used = 0.5 * (lower + upper) if used is None else used
    # the two estimates may cross within their errors
    ends = [
        used - lower + _ERRORS * (evaluation.get("log_partition_lower_error") or 0.0),
        used - upper - _ERRORS * (evaluation.get("log_partition_upper_error") or 0.0),
    ]
    return value + min(ends), value + max(ends)


def _draw_row(
    axes: Axes, evaluation: Mapping[str, Any], part: str, row: float, colour: str, sites: int | None
) -> None:
    value = evaluation[f"{part}_log_likelihood"]
    error = evaluation.get(f"{part}_standard_error")
    if error is not None:
        axes.errorbar(value, row, xerr=_ERRORS * error, color=colour, linewidth=1.2, capsize=4, zorder=3)
    interval = likelihood_interval(evaluation, part)
    if interval is not None:
        axes.plot(
            interval, (row, row), color=colour, linewidth=7, alpha=0.35, solid_capstyle="butt", zorder=2
        )
    axes.plot(
        value, row, marker="o", markersize=7, color=colour, linestyle="none", label="the machine", zorder=4
    )
    axes.annotate(
        f"{value:.2f}".replace("-", "−"), (value, row), (0, 9), textcoords="offset points", ha="center"
    )
    baseline, pseudo = evaluation.get(f"independent_{part}"), evaluation.get(f"pseudolikelihood_{part}")
    total = sites * pseudo if pseudo is not None and sites is not None else None
    # their numbers point away from each other: in a machine that has learnt little the marks lie close
    baseline_is_left = baseline is None or total is None or baseline <= total
    if baseline is not None:
        _mark(axes, (baseline, row), "D", NEUTRAL, _BASELINE, to_the_left=baseline_is_left)
        axes.plot(
            (baseline, value), (row, row), color=NEUTRAL, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1
        )
    if total is not None:
        _mark(axes, (total, row), "^", COLOURS[3], _PSEUDO, to_the_left=not baseline_is_left)


def _mark(
    axes: Axes, place: tuple[float, float], marker: str, colour: str, label: str, to_the_left: bool
) -> None:
    face = "none" if marker == "^" else colour
    axes.plot(*place, marker=marker, markersize=7, color=colour, mfc=face, linestyle="none", label=label)
    # below the mark: the machine's own number is above, and may be close
    offset, side = ((1, -17), "right") if to_the_left else ((-1, -17), "left")
    text = f"{place[0]:.2f}".replace("-", "−")
    axes.annotate(text, place, offset, textcoords="offset points", ha=side, color=NEUTRAL)


def _row_label(evaluation: Mapping[str, Any], part: str, name: str) -> str:
    count = evaluation.get(f"samples_{part}")
    return name if count is None else f"{name}\n({count:,})"


def _handles(axes: Axes) -> list[Line2D]:
    """One entry for each kind of mark, and what the two bars mean."""
    kinds = {str(line.get_label()): line for line in axes.lines if not str(line.get_label()).startswith("_")}
    marks = [
        Line2D(
            [],
            [],
            marker=line.get_marker(),
            color=NEUTRAL if name == "the machine" else line.get_color(),
            mfc="none" if line.get_marker() == "^" else None,
            linestyle="none",
            markersize=6,
            label=name,
        )
        for name, line in kinds.items()
    ]
    return [
        *marks,
        Line2D(
            [],
            [],
            color=NEUTRAL,
            linewidth=1.2,
            marker="|",
            markersize=6,
            label="two standard errors over the samples",
        ),
        Line2D([], [], color=NEUTRAL, linewidth=6, alpha=0.35, label="what the bounds on log Z leave open"),
    ]
