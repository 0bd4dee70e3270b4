"""From what was recorded to a report."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from halfwave.audit.bounds.wiring import InputRange, Wiring, wiring_of
from halfwave.audit.counting.site import Site, SiteKey
from halfwave.audit.examples import Arguments, repeated
from halfwave.audit.listening.recorder import Recorder
from halfwave.audit.reporting.layer import LayerReport, layer_report
from halfwave.errors import HalfwaveError

__all__ = ["in_words", "layers_of", "wire"]


def layers_of(recorder: Recorder, wiring: dict[SiteKey, Wiring]) -> tuple[LayerReport, ...]:
    """The reports of all rectifiers that were called since the recorder was made or reset, in the order of calls."""
    calls = Counter((key.module, key.operation) for key in recorder.sites)
    return tuple(
        layer_report(key.label(calls[key.module, key.operation] == 1), key, site, wiring.get(key))
        for key, site in _in_order(recorder.sites)
        if site.samples
    )


def _in_order(sites: dict[SiteKey, Site]) -> list[tuple[SiteKey, Site]]:
    """Rectifiers as they were first called, with all calls of an activation behind its first."""
    first: dict[tuple[str, str] | SiteKey, int] = {}

    def place(key: SiteKey) -> tuple[int, int]:
        # functions in a forward are layers of their own: relu#1 of a model may come after all its blocks
        one = (key.module, key.operation) if key.whole else key
        return first.setdefault(one, len(first)), key.call

    placed = [(place(key), key, site) for key, site in sites.items()]
    return [(key, site) for _, key, site in sorted(placed, key=lambda entry: entry[0])]


def wire(recorder: Recorder, input_range: InputRange) -> dict[SiteKey, Wiring]:
    """The wiring of the model as one sample shows it; where it cannot be run with one, a note says so."""
    found: dict[SiteKey, Wiring] = {}
    for module, (sample, length) in recorder.examples.items():
        try:
            found |= _wire(recorder, module, sample, length, input_range)
        except HalfwaveError:
            raise
        except Exception as error:  # whatever a model may raise
            recorder.note(
                "the layers before and after the rectifiers and proofs are missing, since the model did not run on "
                f"one sample: {type(error).__name__}: {error}"
            )
    return found


def _wire(
    recorder: Recorder, module: nn.Module, sample: Arguments, length: int, input_range: InputRange
) -> dict[SiteKey, Wiring]:
    try:
        return wiring_of(recorder.model, module, *sample, input_range)
    except HalfwaveError:
        raise
    except Exception:  # an exported program may insist on the size of its batches
        return wiring_of(recorder.model, module, *repeated(sample, length), input_range)


def in_words(input_range: Any) -> str:
    """The domain of inputs as it was stated."""
    if input_range is None:
        return "any input"
    low, high = input_range
    if low.ndim or high.ndim:
        return f"inputs between arrays of shapes {tuple(low.shape)} and {tuple(high.shape)}"
    return f"inputs between {low.item():g} and {high.item():g}"
