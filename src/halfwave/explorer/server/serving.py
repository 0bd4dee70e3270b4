"""Serving the page, on the loopback address unless asked otherwise, until it is interrupted."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.shelf import Shelf

__all__ = ["DEFAULT_PORT", "LOOPBACK", "serve"]

DEFAULT_PORT = 8710
LOOPBACK = "127.0.0.1"
_LARGEST_FRAME = 40 * 1024 * 1024  # bytes; longer ones close the connection before they are read


def serve(
    port: int | None = None,
    ready: Callable[[str], None] = lambda address: None,
    *,
    data: str | Path | None = None,
    host: str = LOOPBACK,
) -> None:
    """Serve the page until the process is interrupted: to this machine only, unless another host is given.

    Args:
        port: from 0 to 65535, where 0 means any free one; by default 8710, or a free one where that is taken.
        ready: called with the address of the page once it can be reached.
        data: a table, the folder of a run, or a folder of these: what the page may open; see `Shelf`.
        host: the name or address under which the page is reached. Anybody who can reach it can use the page and
            read what `data` holds.

    Raises:
        HalfwaveError: if the port or host that was asked for cannot be had, there is nothing to open at `data`, or
            the packages for it are missing.
    """
    shelf = Shelf(data)
    try:
        import uvicorn

        from halfwave.explorer.server.application import application
    except ImportError as error:
        raise HalfwaveError(
            f"the explorer needs the package `{error.name}`; pip install 'halfwave[web]'"
        ) from error
    with _bound(host, port) as listener:
        own = listener.getsockname()[1]
        names = (LOOPBACK, "localhost") if host == LOOPBACK else (host,)
        config = uvicorn.Config(
            application([f"{name}:{own}" for name in names], shelf),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="websockets-sansio",
            ws_max_size=_LARGEST_FRAME,
            timeout_graceful_shutdown=1,
        )
        listener.listen(128)  # from here on a browser that comes early waits instead of failing
        ready(f"http://{host}:{own}/{_room_for(shelf)}")
        uvicorn.Server(config).run(sockets=[listener])


def _room_for(shelf: Shelf) -> str:
    """The end of the address that opens what was given: the room, and the file or run where there is one only."""
    files, runs = shelf.data_files(), shelf.runs()
    if len(files) == 1 and not runs:
        return f"#fit?file={quote(files[0], safe='')}"
    if len(runs) == 1 and not files:
        return f"#machine?run={quote(runs[0], safe='')}"
    return "#fit" if files else "#machine" if runs else ""


def _bound(host: str, port: int | None) -> socket.socket:
    """A socket bound to the port, or to a free one where the default is taken."""
    if port is not None and not 0 <= port <= 65535:
        raise HalfwaveError(f"a port must be from 0 to 65535; got {port}")
    _check(host)
    wanted = DEFAULT_PORT if port is None else port
    try:
        return _bind(host, wanted)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise HalfwaveError(f"`{host}` is no address of this machine") from error
        if port is not None:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
            raise HalfwaveError(f"port {port} {reason}; leave --port out for a free one") from error
    return _bind(host, 0)


def _check(host: str) -> None:
    """Every request must name the host, so it has to be the one that others write into their browser."""
    try:
        address = socket.gethostbyname(host)
    except (OSError, UnicodeError) as error:
        raise HalfwaveError(f"`{host}` is no name or IPv4 address of a machine") from error
    if address == "0.0.0.0":
        raise HalfwaveError(
            "give the one address of this machine that others write into their browser; got `0.0.0.0`"
        )


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # without it a port stays taken for a minute after its last server
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
