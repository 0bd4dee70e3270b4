"""The options of `load`, checked before anything is read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from halfwave.datasets.treatment.wording import number
from halfwave.errors import HalfwaveError

__all__ = ["KINDS", "Request", "check_held_out", "check_seed"]

KINDS = ("binary", "spin", "grey", "categorical", "real")

# "auto" is "threshold" without the claim that the values are grey levels.
_BINARISATIONS = ("auto", "threshold", "stochastic")
# One-hot arrays grow with it: a larger number is more likely a mistake than an alphabet.
_MOST_COLOURS = 256


@dataclass(frozen=True)
class Request:
    """What the caller asked for; the arguments are those of `load`."""

    kind: str
    threshold: float | None
    binarise: str
    held_out: float
    seed: int
    colours: int | None
    standardise: bool
    header: bool | None

    def __post_init__(self) -> None:
        _check_word("kind", self.kind, ("auto", *KINDS))
        _check_word("binarise", self.binarise, _BINARISATIONS)
        check_held_out(self.held_out)
        check_seed(self.seed)
        if self.threshold is not None:
            _check_threshold(self.threshold, self.binarise)
        if self.colours is not None:
            _check_colours(self.colours)
        for option, kind in self._implied_kinds().items():
            if self.kind not in ("auto", kind):
                raise HalfwaveError(f"{option} applies to kind {kind!r} only; got kind {self.kind!r}")
        if len(set(self._implied_kinds().values())) > 1:
            raise HalfwaveError(f"{' and '.join(self._implied_kinds())} exclude each other: give one of them")

    def _implied_kinds(self) -> dict[str, str]:
        """Each option that is set and makes sense for one kind only, with that kind."""
        implied = {}
        if self.threshold is not None:
            implied[f"threshold={number(self.threshold)}"] = "grey"
        if self.binarise != "auto":
            implied[f"binarise={self.binarise!r}"] = "grey"
        if self.colours is not None:
            implied[f"colours={self.colours}"] = "categorical"
        return implied

    @property
    def settled_kind(self) -> str | None:
        """The kind that was named or that an option implies; None when the data are to tell.

        >>> Request("auto", 0.3, "auto", 0.15, 0, None, True, None).settled_kind
        'grey'
        """
        return next(iter(self._implied_kinds().values()), None) if self.kind == "auto" else self.kind


def _check_word(option: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        close = difflib.get_close_matches(str(word), known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise HalfwaveError(f"{option} {word!r} is unknown{hint}; the known ones are {', '.join(known)}")


def check_held_out(held_out: float) -> None:
    """Raise unless `held_out` is a fraction in [0, 1).

    >>> check_held_out(0.15)
    """
    # True and False are numbers to Python, and a slip of the caller here
    if isinstance(held_out, bool) or not isinstance(held_out, Real) or not 0 <= held_out < 1:
        raise HalfwaveError(f"held_out must be a fraction of at least 0 and below 1; got {held_out!r}")


def check_seed(seed: int) -> None:
    """Raise unless `seed` is a whole number of at least 0.

    >>> check_seed(0)
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise HalfwaveError(f"seed must be a whole number of at least 0; got {seed!r}")


def _check_threshold(threshold: float, binarise: str) -> None:
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not math.isfinite(threshold):
        raise HalfwaveError(f"threshold must be a finite number; got {threshold!r}")
    if binarise == "stochastic":
        raise HalfwaveError(
            f"binarise='stochastic' draws each value and has no threshold; got {number(threshold)}"
        )


def _check_colours(colours: int) -> None:
    is_count = isinstance(colours, Integral) and not isinstance(colours, bool)
    if not is_count or not 2 <= colours <= _MOST_COLOURS:
        raise HalfwaveError(f"colours must be a whole number from 2 to {_MOST_COLOURS}; got {colours!r}")
