"""From the file of a network and the file of its data to an audit, its page and its numbers on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfwave.audit import (
    Batches,
    ExportedNetwork,
    OnnxNetwork,
    Report,
    audit,
    audit_onnx,
    load_exported,
    load_onnx,
    read_arrays,
)
from halfwave.audit.files.exported import refuse_pickles
from halfwave.errors import HalfwaveError, OptionError
from halfwave.plots import write_audit_report
from halfwave.runs.progress import progress_bar
from halfwave.words import counted

__all__ = ["FileAudit", "audit_file"]

_LONG = 20
"""Batches from which on a progress bar is worth its line."""


@dataclass(frozen=True, eq=False)
class FileAudit:
    """An audit of a network on data, and the files that hold it; as text, its verdicts and its table.

    >>> import numpy as np, tempfile, torch
    >>> folder = Path(tempfile.mkdtemp())
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()).eval()
    >>> torch.export.save(torch.export.export(network, (torch.zeros(8, 2),)), folder / "net.pt2")
    >>> np.save(folder / "x.npy", np.ones((9, 2), np.float32))
    >>> audit_file(folder / "net.pt2", folder / "x.npy", output=folder / "net", progress=False).notes
    ('the last 1 sample of 9 does not fill a batch of 8 and is left out',)
    """

    report: Report
    """The audit."""
    text: str
    """The same as JSON, as it stands in `file`."""
    page: Path
    """The page with figures."""
    file: Path
    """The numbers as JSON."""
    notes: tuple[str, ...]
    """What deserves a look: samples that were left out."""

    def __str__(self) -> str:
        return "\n".join([*(f"note: {note}" for note in self.notes), str(self.report)])


def audit_file(
    model: str | os.PathLike[str],
    data: str | os.PathLike[str],
    *,
    inputs: Sequence[str] | None = None,
    batch_size: int | None = None,
    input_range: tuple[float, float] | None = None,
    output: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> FileAudit:
    """Audit the rectifiers of a saved network on saved data, and write a page and the numbers.

    Args:
        model: an exported program .pt2 (``torch.export.save``), or an .onnx file.
        data: arrays in an .npz, .npy or .safetensors file; samples along the first axis.
        inputs: names of arrays for the model's inputs, in their order; by default those of the inputs' own names, or
            the only one.
        batch_size: samples a batch; by default the model's own if it is fixed, else 256.
        input_range: lowest and highest value of all inputs, for proofs (.pt2 only); by default any input.
        output: a folder (of this name, if it ends in /) for ``audit.html`` and ``audit.json``, or the path of both
            without suffix; by default ``NAME_audit`` here.
        progress: show a bar where there are many batches.

    Returns:
        The report, and where it is.

    Raises:
        HalfwaveError: if a file cannot be read or written, or arrays and inputs do not match; as
            `halfwave.audit.audit`.

    >>> import numpy as np, tempfile, torch
    >>> folder = Path(tempfile.mkdtemp())
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU()).eval()
    >>> torch.export.save(torch.export.export(network, (torch.zeros(8, 2),)), folder / "net.pt2")
    >>> np.save(folder / "x.npy", np.ones((8, 2), np.float32))
    >>> done = audit_file(folder / "net.pt2", folder / "x.npy", output=folder / "net", progress=False)
    >>> done.report.layers[0].samples, done.page.name, done.file.name
    (8, 'net.html', 'net.json')
    """
    model = Path(model)
    network = _network(model)
    if input_range is not None and isinstance(network, OnnxNetwork):
        raise OptionError(
            "`input_range` is for proofs, which need an exported program (.pt2); got an ONNX file",
            "input_range",
        )
    batches = Batches(read_arrays(Path(data)), network.inputs, inputs, batch_size)
    report = _audited(network, batches, input_range, progress)
    base = _base(output, model)
    page = write_audit_report(report, base.with_name(base.name + ".html"), title=f"Audit of {model.name}")
    file = base.with_name(base.name + ".json")
    return FileAudit(report, report.to_json(file), page, file, _notes(batches))


def _network(model: Path) -> ExportedNetwork | OnnxNetwork:
    refuse_pickles(model)
    if model.suffix not in (".pt2", ".onnx"):
        raise HalfwaveError(
            f"a model must be an exported program (.pt2) or an ONNX file (.onnx); got {model}"
        )
    return load_exported(model) if model.suffix == ".pt2" else load_onnx(model)


def _audited(
    network: ExportedNetwork | OnnxNetwork,
    batches: Batches,
    input_range: tuple[float, float] | None,
    progress: bool,
) -> Report:
    shown = _shown(batches, progress and len(batches) >= _LONG)
    if isinstance(network, OnnxNetwork):
        return audit_onnx(network, shown)
    return audit(network, shown, input_range=input_range)


def _shown(batches: Batches, progress: bool) -> Iterator[Any]:
    """The batches, with a progress bar where it is wanted."""
    with progress_bar("auditing", len(batches), shown=progress) as show:
        for number, batch in enumerate(batches):
            show(number, counted(number * batches.batch_size, "sample"))
            yield batch
        show(len(batches), counted(batches.samples - batches.left_out, "sample"))


def _notes(batches: Batches) -> tuple[str, ...]:
    if not batches.left_out:
        return ()
    left = f"the last {counted(batches.left_out, 'sample')} of {batches.samples:,}"
    one = batches.left_out == 1
    verb = "does not fill a batch of {} and is" if one else "do not fill a batch of {} and are"
    return (f"{left} {verb.format(batches.batch_size)} left out",)


def _base(output: str | os.PathLike[str] | None, model: Path) -> Path:
    """The files to write, without suffix."""
    if output is None:
        return Path(f"{model.stem}_audit")
    folder = str(output).endswith("/") or Path(output).is_dir()
    return Path(output) / "audit" if folder else Path(output)
