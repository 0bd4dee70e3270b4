"""``halfwave audit MODEL DATA``: what the rectifiers of a saved network do on data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from halfwave.cli.common import progress_bar
from halfwave.errors import HalfwaveError
from halfwave.words import counted

if TYPE_CHECKING:
    from halfwave.audit import Batches, ExportedNetwork, OnnxNetwork, Report

__all__ = ["audit"]

_LONG = 20
"""Batches from which on a progress bar is worth its line."""


def audit(
    model: Path = typer.Argument(help="Exported program .pt2 (torch.export.save), or .onnx."),
    data: Path = typer.Argument(help="Arrays: .npz, .npy or .safetensors; samples along the first axis."),
    inputs: str | None = typer.Option(
        None,
        metavar="NAME,…",
        help="Arrays for the model's inputs, in their order. Default: those of the inputs' names, or the only one.",
    ),
    batch_size: int | None = typer.Option(
        None, help="Samples a batch. Default: the model's own if it is fixed, else 256."
    ),
    input_range: tuple[float, float] | None = typer.Option(
        None, metavar="LOW HIGH", help="Range of all inputs, for proofs (.pt2 only). Default: any input."
    ),
    output: str | None = typer.Option(
        None, help="Folder/ for audit.html and audit.json, or a name without suffix. Default: NAME_audit."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON instead of the table."),
) -> None:
    """Dead units, units that are always on, and sparsity of MODEL on DATA: verdicts, a table, and a report.

    halfwave audit model.pt2 data.npz --inputs x_test
    """
    from halfwave.audit import Batches, read_arrays
    from halfwave.plots import write_audit_report

    network = _network(model)
    if input_range is not None and model.suffix == ".onnx":
        raise HalfwaveError(
            "--input-range is for proofs, which need an exported program (.pt2); got an ONNX file"
        )
    names = None if inputs is None else [name.strip() for name in inputs.split(",")]
    batches = Batches(read_arrays(data), network.inputs, names, batch_size)
    if batches.left_out:
        left = f"the last {counted(batches.left_out, 'sample')} of {batches.samples:,}"
        verb = (
            "does not fill a batch of {} and is"
            if batches.left_out == 1
            else "do not fill a batch of {} and are"
        )
        typer.echo(f"note: {left} {verb.format(batches.batch_size)} left out", err=True)
    report = _audited(network, batches, input_range)
    base = _base(output, model)
    page = write_audit_report(report, base.with_name(base.name + ".html"), title=f"Audit of {model.name}")
    numbers = base.with_name(base.name + ".json")
    text = report.to_json(numbers)
    if as_json:
        typer.echo(text)
        return
    typer.echo(f"{report}\nreport: {page}\nnumbers: {numbers}")


def _network(model: Path) -> ExportedNetwork | OnnxNetwork:
    from halfwave.audit import load_exported, load_onnx
    from halfwave.audit.files.exported import refuse_pickles

    refuse_pickles(model)
    if model.suffix not in (".pt2", ".onnx"):
        raise HalfwaveError(
            f"a model must be an exported program (.pt2) or an ONNX file (.onnx); got {model}"
        )
    return load_exported(model) if model.suffix == ".pt2" else load_onnx(model)


def _audited(
    network: ExportedNetwork | OnnxNetwork, batches: Batches, input_range: tuple[float, float] | None
) -> Report:
    from halfwave.audit import OnnxNetwork, audit, audit_onnx

    if isinstance(network, OnnxNetwork):
        return audit_onnx(network, _shown(batches))
    return audit(network, _shown(batches), input_range=input_range)


def _shown(batches: Batches) -> Iterator[Any]:
    """The batches, with a progress bar where there are many."""
    if len(batches) < _LONG:
        yield from batches
        return
    with progress_bar("auditing", len(batches)) as show:
        for number, batch in enumerate(batches):
            show(number, counted(number * batches.batch_size, "sample"))
            yield batch
        show(len(batches), counted(batches.samples - batches.left_out, "sample"))


def _base(output: str | None, model: Path) -> Path:
    """The files to write, without suffix."""
    if output is None:
        return Path(f"{model.stem}_audit")
    return Path(output) / "audit" if Path(output).is_dir() or output.endswith("/") else Path(output)
