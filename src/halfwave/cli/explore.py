"""``halfwave explore``: a page on which rectified units are taken in hand."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import typer

from halfwave.errors import HalfwaveError

__all__ = ["explore"]


def explore(
    data: Path | None = typer.Argument(
        None, help="A table (.csv, .tsv, .npz, .parquet), the folder of a run, or a folder of these."
    ),
    port: int | None = typer.Option(None, help="Port. Default: 8710, or a free one."),
    host: str = typer.Option(
        "127.0.0.1", help="Address to serve at. Others than this machine's own let other machines in."
    ),
    no_browser: bool = typer.Option(False, "--no-browser", help="Print the address, open nothing."),
    export: Path | None = typer.Option(
        None, metavar="PAGE.HTML", help="Write the page as one file that needs no server, and serve nothing."
    ),
) -> None:
    """Open the explorer in the browser: functions, random units, fits and trained machines, taken in hand.

    halfwave explore

    halfwave explore flow.csv

    halfwave explore runs/digits
    """
    from halfwave import explorer

    if export is not None:
        if data is not None:
            raise HalfwaveError(f"a page in a file opens no data; leave out `{data}` or --export")
        typer.echo(f"page: {explorer.export(export)}")
        return
    # the server ends by an interrupt only, which it may or may not hand on
    with suppress(KeyboardInterrupt):
        explorer.serve(port, lambda address: _announce(address, no_browser), data=data, host=host)
    typer.echo("stopped")


def _announce(address: str, no_browser: bool) -> None:
    typer.echo(f"the explorer runs at {address} (Ctrl-C ends it)")
    if "//127." not in address:
        typer.echo(
            "anybody who can reach this address can use the page and read the data that it opens", err=True
        )
    if not no_browser:
        import webbrowser

        webbrowser.open(address)
