"""Sampled curves as JSON files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from halfwave.errors import HalfwaveError


def write_curve(path: str | os.PathLike[str], curve: Mapping[str, Sequence[float]]) -> Path:
    """Writes the curve as JSON: folders are created, and a reader never sees half a file."""
    from halfwave.files import (
        write_atomically,
    )  # here, since its temporary files take longer to import than curves

    try:
        text = json.dumps(dict(curve), allow_nan=False)
    except ValueError as error:
        bad = next(v for values in curve.values() for v in values if not abs(v) < float("inf"))
        raise HalfwaveError(f"a saved curve must be finite, as JSON is; got {bad!r}") from error
    target = Path(path)
    write_atomically(target, (text + "\n").encode())
    return target
