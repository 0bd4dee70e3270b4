"""Halfwave: rectified units as functions, layers, fits and random units.

The rooms (`functions`, `units`, `rbm`, `plots`, `datasets`, …) are imported when first used, so that
``import halfwave as hw`` costs little and does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from halfwave._version import __version__ as __version__
from halfwave.errors import HalfwaveError as HalfwaveError

if TYPE_CHECKING:
    from halfwave import audit as audit
    from halfwave import datasets as datasets
    from halfwave import explorer as explorer
    from halfwave import fitting as fitting
    from halfwave import functions as functions
    from halfwave import nn as nn
    from halfwave import plots as plots
    from halfwave import rbm as rbm
    from halfwave import runs as runs
    from halfwave import units as units
    from halfwave.rbm.loading import load as load
    from halfwave.rbm.machine import RBM as RBM

_ROOMS = ("audit", "datasets", "explorer", "fitting", "functions", "nn", "plots", "rbm", "runs", "units")
_MEMBERS = {"RBM": ("halfwave.rbm.machine", "RBM"), "load": ("halfwave.rbm.loading", "load")}

__all__ = [
    "RBM",
    "HalfwaveError",
    "__version__",
    "audit",
    "datasets",
    "explorer",
    "fitting",
    "functions",
    "load",
    "nn",
    "plots",
    "rbm",
    "runs",
    "units",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"halfwave.{name}")
    if name in _MEMBERS:
        module, attribute = _MEMBERS[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'halfwave' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
