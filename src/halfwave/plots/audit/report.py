"""The page of an audit: what is wrong and what usually helps, with the evidence next to it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from halfwave.files import write_atomically
from halfwave.plots.audit.distributions import audit_distributions
from halfwave.plots.audit.units import audit_dead_units, audit_firing_rates, saturated
from halfwave.plots.numerals import plain
from halfwave.plots.page import figure_section, page
from halfwave.plots.style import style
from halfwave.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from halfwave.audit import LayerReport, Report
    from halfwave.audit.reporting.headlines import VerdictGroup

__all__ = ["write_audit_report"]

_OPEN = 8
"""Groups of verdicts shown before the rest is folded away."""
_DRAWN = 16
"""Layers whose distributions are drawn at most."""
_TALL = 8
"""Inches from which on a figure is drawn with fewer pixels."""
_COLOURS = 128
"""Of a picture."""
_WORST = 60
"""Units in the table at most."""
_FOOT = (
    "Shares and means are over the inputs that each unit was given; those that were not finite are left out. Bounds "
    "are at 95 % confidence."
)


def write_audit_report(report: Report, path: str | Path, *, title: str = "Audit") -> Path:
    """Write an audit as one HTML file: verdicts, layers, figures, and the worst units.

    The file needs nothing else: it opens offline, in light and dark, on a phone and on paper.

    Args:
        report: what `halfwave.audit.audit`, `halfwave.audit.audit_onnx` or `halfwave.audit.watch` gave.
        path: of the file; written whole or not at all, missing folders are made.
        title: heading of the page, such as the name of the model.

    Returns:
        The path.

    Raises:
        HalfwaveError: if the file cannot be written.

    >>> import tempfile, torch
    >>> from halfwave.audit import audit
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> report = audit(model, [torch.randn(100, 4)])
    >>> path = write_audit_report(report, tempfile.mkdtemp() + "/audit.html", title="A layer")
    >>> "<h1>A layer</h1>" in path.read_text(encoding="utf-8")
    True
    """
    sections = [_verdicts(report.headline, report.verdict_groups), _layers(report.layers)]
    if report.layers:
        figures = {
            "audit_dead_units": audit_dead_units(report),
            "audit_firing_rates": audit_firing_rates(report),
            "audit_distributions": audit_distributions(report, _DRAWN),
        }
        sections += [figure_section(name, figure, _picture(figure)) for name, figure in figures.items()]
    if len(report.layers) > _DRAWN:
        sections.append(
            f"<p>Drawn are {_DRAWN} of {len(report.layers):,} layers, those with the largest shares of useless "
            "units.</p>"
        )
    sections += [_worst_units(report.layers), _notes(report)]
    text = page(title, _sentences(report), [section for section in sections if section], _FOOT)
    write_atomically(path, text.encode())
    return Path(path)


def _picture(figure: Figure) -> bytes:
    """A PNG file; of a tall figure with fewer pixels, since some readers refuse pictures of many megapixels."""
    figure.set_dpi(200.0 if figure.get_figheight() < _TALL else 140.0)
    canvas = FigureCanvasAgg(figure)
    with style():
        canvas.draw()  # once, where savefig would draw twice
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    # the figures have few colours: with a palette the file is a third as large
    buffer = io.BytesIO()
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(buffer, "png")
    return buffer.getvalue()


def _sentences(report: Report) -> list[str]:
    layers = report.layers
    samples = max((layer.samples for layer in layers), default=0)
    units = sum(layer.channels for layer in layers)
    return [
        f"{counted(len(layers), 'rectifier')} with {counted(units, 'unit')}, on {counted(samples, 'sample')} in "
        f"{counted(report.batches, 'batch', 'batches')}. What "
        f'is called proven holds for {report.input_range}; "dead" and "always on" without it were observed on these '
        "samples."
    ]


def _verdicts(headline: str, groups: Sequence[VerdictGroup]) -> str:
    parts = ["<section>\n<h2>What was found</h2>", f'<p class="headline">{escape(headline)}</p>']
    if groups:
        parts.append(_list(groups[:_OPEN]))
    if len(groups) > _OPEN:
        rest = groups[_OPEN:]
        summary = counted(len(rest), "more finding")
        parts.append(f"<details><summary>{summary}</summary>\n{_list(rest)}\n</details>")
    return "\n".join([*parts, "</section>"])


def _list(groups: Sequence[VerdictGroup]) -> str:
    return '<ul class="verdicts">\n' + "\n".join(map(_group, groups)) + "\n</ul>"


def _group(group: VerdictGroup) -> str:
    """One finding: the layers, the evidence (of the worst layer, with that of the others folded away), the advice."""
    worst, *others = group.verdicts
    kind = f"{worst.severity}: {worst.finding}"
    evidence = f"<p>{escape(worst.evidence)}.</p>"
    if others:
        rows = "\n".join(f"<li>{escape(one.layer)}: {escape(one.evidence)}.</li>" for one in others)
        summary = f"The evidence in {counted(len(others), 'other layer')}"
        evidence = (
            f"<p>layer {escape(worst.layer)}: {escape(worst.evidence)}.</p>\n"
            f"<details><summary>{summary}</summary>\n<ul>\n{rows}\n</ul>\n</details>"
        )
    return (
        f'<li class="verdict {worst.severity}"><h3>{escape(group.layers)} '
        f'<span class="kind">{escape(kind)}</span></h3>{evidence}'
        f'<p class="advice">{escape(worst.advice)}</p></li>'
    )


_LAYER_COLUMNS: dict[str, Callable[[Any], str]] = {
    "layer": lambda layer: layer.name,
    "rectifier": lambda layer: layer.operation,
    "units": lambda layer: f"{layer.channels:,}",
    "dead": lambda layer: f"{int((layer.dead & ~saturated(layer)).sum()):,}",
    "saturated": lambda layer: f"{int(saturated(layer).sum()):,}",
    "proven": lambda layer: f"{int(layer.provably_dead.sum()):,}",
    "always on": lambda layer: f"{int(layer.always_on.sum()):,}",
    "fires": lambda layer: _percent(layer.active_inputs),
    "Gaussian": lambda layer: _percent(_mean(layer.predicted_rate)),
    "zeros": lambda layer: _percent(layer.sparsity),
    "zero gradient": lambda layer: _percent(_mean(layer.gradient_zero_share)),
    "not finite": lambda layer: f"{int((layer.nan_count + layer.infinite_count).sum()):,}",
}
"""Heading → what a layer shows."""


def _layers(layers: Sequence[LayerReport]) -> str:
    cells = {heading: [show(layer) for layer in layers] for heading, show in _LAYER_COLUMNS.items()}
    for heading in ("saturated", "not finite"):
        if set(cells[heading]) <= {"0"}:
            del cells[heading]
    legend = (
        '<p>Units that never fired are "dead" or, where they were beyond a limit of their activation, "saturated"; '
        '"proven" are those of both that cannot fire for any input of the domain; "fires" is the mean firing '
        'rate of the units, "Gaussian" what it would be for Gaussian inputs of the same means and deviations, "zeros" '
        'the share of outputs and "zero gradient" that of gradients that are exactly zero (– where no gradient was '
        "recorded).</p>"
    )
    table = _table(
        list(cells), list(zip(*cells.values(), strict=True)), "Layers in the order in which they run"
    )
    return f"<section>\n<h2>Layers</h2>\n{table}\n{legend}\n</section>"


_UNIT_COLUMNS: dict[str, Callable[[Any, int], str]] = {
    "layer": lambda layer, unit: layer.name,
    "unit": lambda layer, unit: str(unit),
    "state": lambda layer, unit: _state(layer, unit),
    "fires": lambda layer, unit: _percent(layer.firing_rate[unit]),
    "at most": lambda layer, unit: _percent(layer.sample_rate_high[unit]),
    "distance": lambda layer, unit: _number(layer.distance[unit]),
    "mean": lambda layer, unit: _number(layer.mean_before[unit]),
    "deviation": lambda layer, unit: _number(layer.std_before[unit]),
    "smallest": lambda layer, unit: _number(layer.min_before[unit]),
    "largest": lambda layer, unit: _number(layer.max_before[unit]),
}


def _worst_units(layers: Sequence[LayerReport]) -> str:
    """A folded table of units that are not finite, dead or always on, the farthest from their kinks first."""
    found = [(layer, int(unit)) for layer in layers for unit in np.flatnonzero(_useless(layer))]
    if not found:
        return ""
    found.sort(key=lambda pair: _rank(*pair))
    rows = [[show(*pair) for show in _UNIT_COLUMNS.values()] for pair in found[:_WORST]]
    count = f"{len(rows):,} of {len(found):,}" if len(rows) < len(found) else f"{len(found):,}"
    table = _table(list(_UNIT_COLUMNS), rows, "Units, the worst first")
    legend = (
        '<p>"at most" bounds the share of samples in which the unit fires anywhere, at 95 % confidence; the distance '
        "is from its mean input to the nearest kink, in deviations of the input.</p>"
    )
    return (
        f"<section>\n<h2>Units</h2>\n<details><summary>The worst units ({count})</summary>\n{table}\n{legend}\n"
        "</details>\n</section>"
    )


def _useless(layer: LayerReport) -> np.ndarray:
    return layer.dead | layer.always_on | (layer.nan_count + layer.infinite_count > 0)


def _rank(layer: LayerReport, unit: int) -> tuple[int, float]:
    """Not finite before dead before always on, and those far from the kink first."""
    group = ("NaN or infinite", "proven dead", "dead", "saturated", "always on").index(_state(layer, unit))
    distance = abs(float(layer.distance[unit]))
    return group, -distance if distance == distance else 0.0


def _state(layer: LayerReport, unit: int) -> str:
    if layer.nan_count[unit] + layer.infinite_count[unit]:
        return "NaN or infinite"
    if saturated(layer)[unit]:
        return "saturated"
    if layer.dead[unit]:
        return "proven dead" if layer.provably_dead[unit] else "dead"
    return "always on"


def _notes(report: Report) -> str:
    if not report.notes:
        return ""
    items = "\n".join(f"<li>{escape(note)}</li>" for note in report.notes)
    return f"<section>\n<h2>What was not looked at</h2>\n<ul>\n{items}\n</ul>\n</section>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table whose first column names its rows; it scrolls where the screen is narrow."""
    head = "".join(
        f'<th scope="col"{_LEFT if n == 0 else _CELL}>{escape(text)}</th>' for n, text in enumerate(headings)
    )
    body = "\n".join(
        f'<tr><th scope="row"{_LEFT}>{_breakable(row[0])}</th>'
        + "".join(f"<td{_CELL}>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0"><table class="numbers">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


# eleven columns fit the page only if they stand close, and if headings take two lines
_CELL = ' style="white-space: normal; overflow-wrap: normal; padding-right: .55rem"'
_LEFT = ' class="name" style="min-width: 8rem; padding-right: .55rem"'


def _breakable(name: str) -> str:
    """A name whose lines end between its parts."""
    return re.sub(r"([./_:])", r"\1<wbr>", escape(name))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _percent(share: float) -> str:
    from halfwave.audit.counting.shares import percent  # here, since the audit takes a second to import

    return percent(share)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else plain(float(value), 3)
