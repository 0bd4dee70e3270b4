"""``halfwave audit MODEL DATA``: what the rectifiers of a saved network do on data."""

from __future__ import annotations

from pathlib import Path

import typer

from halfwave.cli.common import print_notes

__all__ = ["audit"]


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
    from halfwave import runs

    done = runs.audit_file(
        model,
        data,
        inputs=None if inputs is None else [name.strip() for name in inputs.split(",")],
        batch_size=batch_size,
        input_range=input_range,
        output=output,
    )
    print_notes(done.notes)
    if as_json:
        typer.echo(done.text)
        return
    typer.echo(f"{done.report}\nreport: {done.page}\nnumbers: {done.file}")
