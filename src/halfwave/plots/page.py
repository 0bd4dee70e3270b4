"""The parts of a report in HTML."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from matplotlib.figure import Figure

from halfwave._version import __version__
from halfwave.plots.numerals import plain
from halfwave.plots.partition_words import MISSING, Fact

__all__ = ["details", "facts_section", "figure_section", "page"]

_MOST_ROWS = 60
_LONGEST_VALUE = 90

FIGURE_WORDS: dict[str, tuple[str, str]] = {
    "samples": (
        "Data and samples",
        "Samples drawn from the machine should be as varied as the data and look like them. On the right, each dot is "
        "one site: on the diagonal, its mean over the samples is its mean over the data.",
    ),
    "log_likelihood": (
        "How probable the data are",
        "The mean log-likelihood of the machine, and of a model without any interaction. Where a bar is too narrow to "
        "be seen, the uncertainty is smaller than the dot.",
    ),
    "features": (
        "What the hidden units look for",
        "Each hidden unit responds to a pattern, its weights: red where it raises the visible unit, blue where it "
        "lowers it. They are multiplied by the standard deviation of the unit on the data, so that units can be "
        "compared; the norm of the result is the importance of the unit.",
    ),
    "hidden_units": (
        "How the most important hidden units respond",
        "Upper panels: the inputs that the unit gets over the data (grey, no scale), its mean response (red) and its "
        "most probable response (dashed). Lower panels: the distribution of its value, over the data (grey) and at a "
        "low, a middle and a high input.",
    ),
    "hidden_gallery": (
        "Every hidden unit",
        "The most important first, with its number. Left in each cell, the inputs that the unit gets over the data; "
        "right, the distribution of its values. Two humps are a unit that decides; one hump at zero, a unit that is "
        "mostly silent; a hump away from zero, one that is always on.",
    ),
    "learning_curves": (
        "How training went",
        "If the curve of held-out samples turns down while that of training samples rises, or the free-energy gap "
        "keeps growing, the machine has begun to memorise.",
    ),
    "audit_dead_units": (
        "Units that do no work",
        "A dead unit never fired on the data and gets no gradient; one that is always on is a straight line. The dark "
        "part is proven for every input that the audit allows for, the rest was observed.",
    ),
    "audit_firing_rates": (
        "How often every unit fires",
        "A row a layer, its units sorted. A healthy layer goes from pale to dark without long ends: many units near "
        "0 % are about to die, many near 100 % about to be linear.",
    ),
    "audit_distributions": (
        "What the rectifiers are given, and what they make of it",
        "Left of each pair, the inputs of all units of a layer with the kinks of its rectifier (dotted) and one "
        "Gaussian a unit, added up (line): where the line leaves the bars, firing rates cannot be told from means and "
        "deviations. Right, the outputs that are not zero.",
    ),
}
"""Heading and caption of the figures that the library draws."""

NATS = "Log-likelihoods are in nats: natural logarithms of probabilities."
"""What the foot of the page of a machine says about its numbers."""


def page(title: str, sentences: Sequence[str], sections: Sequence[str], foot: str = NATS) -> str:
    """The whole page: heading, paragraphs, sections, a last line, the style inside, and nothing from elsewhere."""
    return Template(_package_text("report.html")).substitute(
        title=escape(title),
        style=_package_text("report.css").strip(),
        lead="\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences),
        body="\n".join(sections),
        version=escape(__version__),
        foot=escape(foot),
    )


def _package_text(name: str) -> str:
    return files("halfwave.plots").joinpath(name).read_text(encoding="utf-8")


def facts_section(entries: Sequence[Fact]) -> str:
    """The numbers, each with what it means."""
    return (
        '<section>\n<h2>The numbers</h2>\n<dl class="facts">\n'
        + "\n".join(map(_fact, entries))
        + "\n</dl>\n</section>"
    )


def _fact(fact: Fact) -> str:
    missing = " missing" if fact.value == MISSING else ""
    return (
        f'<div class="fact"><dt>{escape(fact.name)}</dt><dd class="value{missing}">{escape(fact.value)}</dd>'
        f'<dd class="meaning">{escape(fact.meaning)}</dd></div>'
    )


def figure_section(name: str, figure: Figure, picture: bytes) -> str:
    """A figure, its PNG inside the page, with heading and caption if the library knows its name."""
    heading, caption = FIGURE_WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
    description = str(figure.get_label()) or heading
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    width, height = (round(100 * inches) for inches in figure.get_size_inches())
    return (
        f'<section>\n<h2>{escape(heading)}</h2>\n<figure>\n<div class="sheet"><img src="{source}" '
        f'alt="{escape(description)}" width="{width}" height="{height}"></div>\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>\n</section>"
    )


def details(config: Mapping[str, Any], metrics: Mapping[str, Sequence[float]]) -> str:
    """Tables that are folded away until they are asked for."""
    parts = []
    if config:
        parts.append(
            f"<details><summary>How the run was started</summary>\n{_config_table(config)}\n</details>"
        )
    if metrics and any(len(values) for values in metrics.values()):
        parts.append(
            f"<details><summary>What was measured on the way</summary>\n{_metrics_table(metrics)}\n</details>"
        )
    return "<section>\n<h2>Details</h2>\n" + "\n".join(parts) + "\n</section>" if parts else ""


def _config_table(config: Mapping[str, Any]) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(_short(value))}</td></tr>'
        for key, value in _flat(config)
    )
    return f'<div class="scroll"><table>\n{rows}\n</table></div>'


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Entries of nested mappings, their keys joined by dots."""
    entries: list[tuple[str, Any]] = []
    for key, value in config.items():
        if isinstance(value, Mapping):
            entries += _flat(value, f"{prefix}{key}.")
        else:
            entries.append((f"{prefix}{key}", value))
    return entries


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list | tuple):
        text = ", ".join(str(entry) for entry in value)
        return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}… ({len(value):,} values)"
    return str(value)


def _metrics_table(metrics: Mapping[str, Sequence[float]]) -> str:
    count = max(len(values) for values in metrics.values())
    rows = sorted(
        {round(k * (count - 1) / max(1, min(count, _MOST_ROWS) - 1)) for k in range(min(count, _MOST_ROWS))}
    )
    note = f"<p>{len(rows)} of {count:,} rows, evenly spaced.</p>\n" if len(rows) < count else ""
    head = "".join(f'<th scope="col">{escape(key.replace("_", " "))}</th>' for key in metrics)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_cell(values, row)}</td>" for values in metrics.values()) + "</tr>"
        for row in rows
    )
    return f'{note}<div class="scroll"><table class="numbers">\n<tr>{head}</tr>\n{body}\n</table></div>'


def _cell(values: Sequence[float], row: int) -> str:
    value = values[row] if row < len(values) else None
    return "–" if value is None or math.isnan(value) else plain(float(value))
