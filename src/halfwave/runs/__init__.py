"""From a file to results on disk, in one call: a machine trained, a table fitted, a network audited.

What enters is a file, or data in memory, and options; what leaves is an object with the results and the files that
were written. `train` begins a run, `open` finds one again; read `training.py` first, then `run.py`.

>>> import numpy as np, tempfile
>>> from halfwave import runs
>>> data, folder = np.random.default_rng(0).integers(0, 2, (40, 4)), tempfile.mkdtemp()
>>> run = runs.train(data, folder, updates=20, batch_size=8, hidden_size=2, evaluate=False, progress=False)
>>> runs.open(run.folder).sample(3, steps=5, progress=False).shape
(3, 4)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from halfwave.runs.evaluation import Evaluation as Evaluation
    from halfwave.runs.file_audit import FileAudit as FileAudit
    from halfwave.runs.file_audit import audit_file as audit_file
    from halfwave.runs.run import Run as Run
    from halfwave.runs.sampling import SavedSamples as SavedSamples
    from halfwave.runs.table_fit import TableFit as TableFit
    from halfwave.runs.table_fit import fit_table as fit_table
    from halfwave.runs.training import open as open
    from halfwave.runs.training import train as train

# a fit does not wait for the imports of a training, nor the other way round
_PLACES = {
    "Evaluation": "evaluation",
    "FileAudit": "file_audit",
    "Run": "run",
    "SavedSamples": "sampling",
    "TableFit": "table_fit",
    "audit_file": "file_audit",
    "fit_table": "table_fit",
    "open": "training",
    "train": "training",
}

__all__ = [
    "Evaluation",
    "FileAudit",
    "Run",
    "SavedSamples",
    "TableFit",
    "audit_file",
    "fit_table",
    "open",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"halfwave.runs.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
