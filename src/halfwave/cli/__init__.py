"""The command ``halfwave``: one file per command, each a thin shell around the library.

Errors of the user end in one sentence on standard error and exit status 2, an interrupted run in status 130.
"""

from __future__ import annotations

import typer

from halfwave.cli.audit import audit
from halfwave.cli.common import fail, sentence_of
from halfwave.cli.evaluate import evaluate
from halfwave.cli.explore import explore
from halfwave.cli.fit import fit
from halfwave.cli.plot import plot
from halfwave.cli.sample import sample
from halfwave.cli.show import show
from halfwave.cli.train import train
from halfwave.errors import HalfwaveError

__all__ = ["app", "main"]

app = typer.Typer(
    name="halfwave",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(show_version: bool) -> None:
    if show_version:
        from halfwave._version import __version__

        typer.echo(f"halfwave {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Rectified units: plot functions, fit curves, audit networks, train restricted Boltzmann machines."""


for _command in (train, evaluate, sample, show, fit, audit, explore):
    app.command()(_command)
# An expression may begin with a minus sign, which is not the beginning of an option.
app.command(context_settings={"ignore_unknown_options": True})(plot)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its status."""
    try:
        app(arguments)
    except HalfwaveError as error:
        fail(sentence_of(error))
    except OSError as error:
        fail(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    except (MemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        fail("out of memory: try a smaller --batch-size, --chains or --hidden-size")


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
