"""Small data and small runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from halfwave import runs

SMALL: dict[str, Any] = {
    "updates": 60,
    "hidden_size": 3,
    "batch_size": 8,
    "metrics_every": 20,
    "compile": "off",
    "progress": False,
}
QUICK = {"ais_chains": 5, "ais_temperatures": 20}


def bits(count: int = 40, sites: int = 5) -> np.ndarray:
    """Zeros and ones that hang together."""
    generator = np.random.default_rng(0)
    return ((generator.random((count, sites)) + generator.random((count, 1))) > 1.0).astype(np.uint8)


def trained(data: Any, folder: Path, **changes: Any) -> runs.Run:
    """A short run without an evaluation."""
    return runs.train(data, folder, **{**SMALL, "evaluate": False, **changes})


def weights(folder: Path) -> bytes:
    """The machine of a run, to the last bit."""
    return (folder / "model.safetensors").read_bytes()


def process(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
