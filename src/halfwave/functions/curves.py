"""Sampled curves as JSON files."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from halfwave.errors import HalfwaveError


def write_curve(path: str | os.PathLike[str], curve: Mapping[str, Sequence[float]]) -> Path:
    """Writes the curve as JSON: folders are created, and a reader never sees half a file."""
    try:
        text = json.dumps(dict(curve), allow_nan=False)
    except ValueError as error:
        bad = next(v for values in curve.values() for v in values if not abs(v) < float("inf"))
        raise HalfwaveError(f"a saved curve must be finite, as JSON is; got {bad!r}") from error
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the target's own folder: os.replace is atomic only within one file system.
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        scratch.write_text(text + "\n", encoding="utf-8")
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target
