"""The decisions that turn raw numbers into a data set, as a record that can be applied to another file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from halfwave.datasets.reading.raw import RawData
from halfwave.datasets.treatment.recognise import grey_top
from halfwave.datasets.treatment.request import KINDS, Request, check_held_out, check_seed
from halfwave.datasets.treatment.scan import Summary, require
from halfwave.errors import HalfwaveError

__all__ = ["Treatment", "decide"]

# What a record must hold to be applied, kind by kind.
_NEEDED = {"binary": (), "spin": (), "grey": ("binarise",), "categorical": ("colours",), "real": ()}


@dataclass(frozen=True)
class Treatment:
    """How raw numbers become the arrays of a data set.

    Arguments:
        kind: "binary", "spin", "grey" (to be binarised), "categorical" or "real".
        sample_shape: shape of one raw sample; one-hot input counts without its colours.
        held_out: fraction to hold out where the source has no held-out part of its own.
        seed: seed of the split and of stochastic binarisation.
        header: whether text has a header row; None detects it.
        binarise: "threshold" or "stochastic" for grey levels, else None.
        threshold: smallest grey level that becomes 1, or None.
        top: top of the grey scale; None for other kinds and for levels below 0.
        colours: number of colours of categorical data, or None.
        standardise: whether real data are centred and scaled.
        mean: training mean of each site, in row order; None until it is measured.
        scale: divisor of each site, in row order; None until it is measured.
    """

    kind: str
    sample_shape: tuple[int, ...]
    held_out: float
    seed: int
    header: bool | None = None
    binarise: str | None = None
    threshold: float | None = None
    top: float | None = None
    colours: int | None = None
    standardise: bool = False
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """The treatment as JSON values.

        >>> Treatment("binary", (64,), 0.15, 0).to_json()["sample_shape"]
        [64]
        """
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Treatment:
        """The inverse of `to_json`; raises when the record is not one of those.

        >>> treatment = Treatment("binary", (64,), 0.15, 0)
        >>> Treatment.from_json(treatment.to_json()) == treatment
        True
        """
        if not isinstance(record, Mapping):
            raise HalfwaveError(f"a transform is a record made by `load`; got {type(record).__name__}")
        names = {field.name for field in fields(cls)}
        # missing and unknown keys alike: a guess would treat the data otherwise than they were treated
        if strange := sorted(names.symmetric_difference(record), key=str):
            raise HalfwaveError(
                f"the transform must have the keys that `load` writes; {strange[0]!r} breaks this"
            )
        treatment = cls(**{name: _as_tuple(value) for name, value in record.items()})
        treatment._check()
        return treatment

    def _check(self) -> None:
        """Raise where a record that was edited by hand would be misread."""
        shape = self.sample_shape
        if self.kind not in KINDS:
            raise HalfwaveError(
                f"kind {self.kind!r} of the transform is unknown; known are {', '.join(KINDS)}"
            )
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n > 0 for n in shape) or not shape:
            raise HalfwaveError(f"sample_shape of the transform must list positive integers; got {shape!r}")
        check_held_out(self.held_out)
        check_seed(self.seed)
        for name, values in (("mean", self.mean), ("scale", self.scale)):
            if values is not None and len(values) != math.prod(shape):
                raise HalfwaveError(
                    f"{name} of the transform has {len(values)} entries;"
                    f" its samples have {math.prod(shape)} sites"
                )
        for name in _NEEDED[self.kind]:
            if getattr(self, name) is None:
                raise HalfwaveError(f"a transform of kind {self.kind!r} needs {name}; got null")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def decide(kind: str, raw: RawData, summary: Summary, request: Request) -> Treatment:
    """The treatment for data of a known kind; raises where a value cannot be a grey level or a category."""
    common: dict[str, Any] = {
        "kind": kind,
        "sample_shape": raw.train.shape[1:],
        "held_out": float(request.held_out),
        "seed": int(request.seed),
        "header": request.header,
    }
    if kind == "grey":
        return Treatment(**common, **_grey_decisions(raw, summary, request))
    if kind == "categorical":
        return Treatment(**common, colours=_colours(raw, summary, request))
    return Treatment(**common, standardise=kind == "real" and bool(request.standardise))


def _grey_decisions(raw: RawData, summary: Summary, request: Request) -> dict[str, Any]:
    if request.threshold is None:
        require(
            raw.parts,
            lambda block: block < 0,
            "is below 0, where grey levels begin; give a threshold for such data",
        )
    # levels below 0 have no scale that starts at black: such data are only cut at the threshold given
    top = grey_top(summary.highest) if summary.lowest >= 0 else None
    if request.binarise == "stochastic":
        return {"binarise": "stochastic", "top": top}
    threshold = float(request.threshold) if request.threshold is not None else (top or 0.0) / 2
    return {"binarise": "threshold", "threshold": threshold, "top": top}


def _colours(raw: RawData, summary: Summary, request: Request) -> int:
    if request.colours is not None:
        return int(request.colours)
    require(
        raw.parts,
        lambda block: (block < 0) | (block > 255) | (block % 1 != 0),
        "is not a whole number from 0 to 255, as categories are",
    )
    return int(summary.highest) + 1
