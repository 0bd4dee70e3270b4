"""What an audit returns: a verdict in words, a table of layers, records of units, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from halfwave._version import __version__
from halfwave.audit.bounds.ways import Ways
from halfwave.audit.reporting.headlines import VerdictGroup, grouped, headline, paragraphs
from halfwave.audit.reporting.layer import COLUMNS, LayerReport
from halfwave.audit.reporting.table import table_text
from halfwave.audit.reporting.verdicts import Verdict, saturated_units, verdicts_of
from halfwave.errors import HalfwaveError
from halfwave.files import write_atomically

__all__ = ["Report"]


class Report:
    """What the rectifiers of a model did.

    Args:
        layers: one report a rectifier, in the order in which they were first called.
        batches: number of batches or recorded passes.
        input_range: the domain that proofs are about, in words.
        notes: what could not be looked at, one sentence each.
        ways: what reads rectifiers with dead units, for `revive`, where that is not next to them.

    >>> import torch
    >>> from halfwave.audit import audit
    >>> model = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ReLU())
    >>> model[0].load_state_dict({"weight": torch.tensor([[1.0], [-1.0]]), "bias": torch.tensor([0.0, -9.0])})
    <All keys matched successfully>
    >>> report = audit(model, [torch.linspace(-1, 1, 40)[:, None]])
    >>> report.headline
    'Dead units: 1 of 2 never fired on 40 samples; worst in layer 1, 1 of 2.'
    >>> report.layer("1").firing_rate
    array([0.5, 0. ])
    """

    def __init__(
        self,
        layers: tuple[LayerReport, ...],
        batches: int,
        input_range: str,
        notes: tuple[str, ...],
        ways: Ways | None = None,
    ) -> None:
        self._layers, self._batches, self._notes = layers, batches, notes
        self.ways: Ways = {} if ways is None else ways
        """What reads rectifiers with dead units, or why that is not known, where it is not next to them."""
        self.input_range = input_range
        """The domain of inputs that `provably_dead` and `provably_always_on` are about, in words."""

    @property
    def layers(self) -> tuple[LayerReport, ...]:
        """One report a rectifier, in the order in which they were first called."""
        return self._layers

    @property
    def batches(self) -> int:
        """Number of batches, or of recorded passes."""
        return self._batches

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at, one sentence each."""
        return self._notes

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What is worth knowing, the worst first; empty for a healthy network."""
        return verdicts_of(self.layers)

    @property
    def verdict_groups(self) -> tuple[VerdictGroup, ...]:
        """The verdicts, those of equal severity, finding and advice together, the worst first."""
        return grouped(self.verdicts)

    @property
    def headline(self) -> str:
        """The state of the network in one line."""
        layers = self.layers
        return headline(layers, verdicts_of(layers))

    def layer(self, name: str) -> LayerReport:
        """The report of one rectifier.

        Raises:
            HalfwaveError: if there is none of that name.
        """
        layers = self.layers
        for layer in layers:
            if layer.name == name:
                return layer
        names = ", ".join(repr(layer.name) for layer in layers)
        raise HalfwaveError(f"there is no rectifier named {name!r}; the report has {names or 'none'}")

    def records(self) -> list[dict[str, Any]]:
        """One dictionary of plain numbers for each unit of each layer, as rows for a data frame.

        "dead" are all units that never fired; of these "saturated" are those that were beyond a limit, which the first
        line and the table count apart.
        """
        return [
            record | {"saturated": bool(saturated)}
            for layer in self.layers
            for record, saturated in zip(layer.records(), saturated_units(layer), strict=True)
        ]

    def table(self) -> str:
        """The layers as lines of text."""
        return table_text(self.layers)

    def __str__(self) -> str:
        layers = self.layers
        verdicts = verdicts_of(layers)
        lines = [headline(layers, verdicts), *(f"  {text}" for text in paragraphs(verdicts, _MOST_GROUPS))]
        return "\n".join([*lines, "", table_text(layers), *(f"Note: {note}." for note in self.notes)])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def to_json(self, path: str | Path | None = None) -> str:
        """The whole report as JSON text, with null for what is not a finite number.

        Args:
            path: a file to write it to as well, whole or not at all.

        Raises:
            HalfwaveError: if the file cannot be written.
        """
        text = json.dumps(_plain(self._contents()), indent=1, allow_nan=False)
        if path is not None:
            write_atomically(path, text.encode())
        return text

    def _contents(self) -> dict[str, Any]:
        layers = self.layers
        verdicts = verdicts_of(layers)
        return {
            "halfwave": __version__,
            "headline": headline(layers, verdicts),
            "batches": self.batches,
            "input_range": self.input_range,
            "verdicts": [_fields(verdict) for verdict in verdicts],
            "layers": [_layer(layer) for layer in layers],
            "notes": self.notes,
        }


_MOST_GROUPS = 6
"""Paragraphs of equal verdicts in the text of a report: they fill about a screen."""

_PLAIN = (
    *("name", "operation", "kind", "thresholded", "channels", "channel_dimension", "samples", "elements"),
    *("lower", "upper", "sparsity", "after_is_complete"),
)


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def _layer(layer: LayerReport) -> dict[str, Any]:
    found = {name: getattr(layer, name) for name in (*_PLAIN, *COLUMNS)}
    found["saturated"] = saturated_units(layer)
    for name in ("histogram_before", "histogram_after"):
        pooled = getattr(layer, name).pooled()
        found[name] = {"edges": pooled.edges, "counts": pooled.counts}
    found["first_non_finite"] = None if layer.first_non_finite is None else _fields(layer.first_non_finite)
    found["before"] = None if layer.before is None else _fields(layer.before)
    return found | {"after": [_fields(neighbour) for neighbour in layer.after]}


def _plain(value: Any) -> Any:
    """Only what JSON knows."""
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
