"""``halfwave explore``: a page on which rectified units are taken in hand."""

from __future__ import annotations

from pathlib import Path

import typer

__all__ = ["explore"]


def explore(
    port: int | None = typer.Option(None, help="Port on 127.0.0.1. Default: 8710, or a free one."),
    no_browser: bool = typer.Option(False, "--no-browser", help="Print the address, open nothing."),
    export: Path | None = typer.Option(
        None, metavar="PAGE.HTML", help="Write the page as one file that needs no server, and serve nothing."
    ),
) -> None:
    """Open the explorer in the browser: drag kinks and slopes, and read what the library says about them."""
    from halfwave import explorer

    if export is not None:
        typer.echo(f"page: {explorer.export(export)}")
        return
    try:
        explorer.serve(port, lambda address: _announce(address, no_browser))
    except KeyboardInterrupt:
        typer.echo("stopped")


def _announce(address: str, no_browser: bool) -> None:
    typer.echo(f"the explorer runs at {address} (Ctrl-C ends it)")
    if not no_browser:
        import webbrowser

        webbrowser.open(address)
