"""Serving the page on the loopback address until it is interrupted."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from halfwave.errors import HalfwaveError

__all__ = ["DEFAULT_PORT", "serve"]

DEFAULT_PORT = 8710
_LOOPBACK = "127.0.0.1"
_LARGEST_FRAME = 1024 * 1024  # bytes; longer ones close the connection before they are read


def serve(port: int | None = None, ready: Callable[[str], None] = lambda address: None) -> None:
    """Serve the page on 127.0.0.1 until the process is interrupted.

    Args:
        port: from 0 to 65535, where 0 means any free one; by default 8710, or a free one where that is taken.
        ready: called with the address of the page once it can be reached.

    Raises:
        HalfwaveError: if the port that was asked for cannot be had, or the packages for it are missing.
    """
    try:
        import uvicorn

        from halfwave.explorer.application import application
    except ImportError as error:
        raise HalfwaveError(
            f"the explorer needs the package `{error.name}`; pip install 'halfwave[web]'"
        ) from error
    with _bound(port) as listener:
        own = listener.getsockname()[1]
        config = uvicorn.Config(
            application(f"{name}:{own}" for name in (_LOOPBACK, "localhost")),
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
        ready(f"http://{_LOOPBACK}:{own}/")
        uvicorn.Server(config).run(sockets=[listener])


def _bound(port: int | None) -> socket.socket:
    """A socket bound to the port, or to a free one where the default is taken."""
    if port is not None and not 0 <= port <= 65535:
        raise HalfwaveError(f"a port must be from 0 to 65535; got {port}")
    wanted = DEFAULT_PORT if port is None else port
    try:
        return _bind(wanted)
    except OSError as error:
        if port is not None:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
            raise HalfwaveError(f"port {port} {reason}; leave --port out for a free one") from error
    return _bind(0)


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # without it a port stays taken for a minute after its last server
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
    except OSError:
        listener.close()
        raise
    return listener
