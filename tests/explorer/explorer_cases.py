"""A server of its own for the tests, and what they ask of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import halfwave.functions as hf

COMMAND = "import typer; from halfwave.cli.explore import explore; typer.run(explore)"


def start(*arguments: str) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def address_of(process: subprocess.Popen[str]) -> str:
    """The address in the first line that the command prints, without the room that it opens."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("the explorer runs at http://127.0.0.1:"), line
    return line.split()[4].partition("#")[0]


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The address of a server that is stopped afterwards."""
    process = start("--no-browser", *(arguments or ("--port", "0")))
    try:
        yield address_of(process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def port_of(address: str) -> int:
    """The port in an address."""
    port = urlsplit(address).port
    assert port is not None
    return port


def sum_of(
    terms: list[tuple[float, float, float]], *, leak: float = 0.0, slope: float = 0.0, offset: float = 0.0
) -> hf.PiecewiseLinear:
    """The function ``Σ w leaky(m x + b) + slope x + offset``, put together by the algebra of the library."""
    x = hf.identity()
    total = slope * x + offset
    for w, m, b in terms:
        total = total + w * hf.leaky_relu(leak).compose(m * x + b)
    return total
