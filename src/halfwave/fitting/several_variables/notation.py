"""How linear terms of several variables are written, in the notations of functions of one variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from halfwave.functions.double_double import Vector
from halfwave.functions.notation.numbers import Latex, Plain

__all__ = ["affine", "joined", "maximum", "weighted_sum"]


def affine(notation: Plain, slopes: Vector, intercept: float, names: Sequence[str]) -> str:
    """``slopes · x + intercept``, without the terms that are zero."""
    return weighted_sum(notation, zip(slopes.tolist(), names, strict=True), intercept)


def weighted_sum(notation: Plain, terms: Iterable[tuple[float, str]], constant: float = 0.0) -> str:
    """``Σ weight · body + constant`` with the signs between the terms; 0 if none is left."""
    parts = []
    for weight, body in terms:
        rounded = _rounded(notation, weight)
        if rounded:
            size = abs(rounded)
            parts.append(("-" if rounded < 0 else "") + (body if size == 1 else notation.times(size, body)))
    level = _rounded(notation, constant)
    if level:
        parts.append(("-" if level < 0 else "") + notation.number(abs(level)))
    return joined(parts)


def joined(parts: Iterable[str]) -> str:
    """Sums joined to one: a part's leading minus becomes the sign between; 0 if there is none."""
    text = ""
    for part in parts:
        if not text:
            text = part
        else:
            text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text or "0"


def maximum(notation: Plain, pieces: Sequence[str]) -> str:
    """``max(…, …)``."""
    if isinstance(notation, Latex):
        inside = r",\; ".join(pieces)
        return rf"\max\left({inside}\right)"
    return f"max({', '.join(pieces)})"


def _rounded(notation: Plain, value: float) -> float:
    return value if notation.digits is None else float(f"{value:.{notation.digits}g}")
