"""The web application: three texts and a websocket, for pages of this machine only."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from halfwave.explorer.server.conversation import converse
from halfwave.explorer.server.page import page, script, style
from halfwave.explorer.session.shelf import Shelf

__all__ = ["application"]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(hosts: Iterable[str], shelf: Shelf | None = None) -> ASGIApp:
    """The application for these values of the Host header, such as ``127.0.0.1:8765``.

    There is no folder that paths lead into: the four routes are all there is, and files are opened by the names
    that they have on the shelf.
    """
    own = Shelf() if shelf is None else shelf

    async def conversation(socket: WebSocket) -> None:
        await converse(socket, own)

    texts = {
        "/": ("text/html", page()),
        "/explorer.js": ("text/javascript", script()),
        "/explorer.css": ("text/css", style()),
    }
    routes = [Route(path, _sends(*text)) for path, text in texts.items()]
    return _OnlyHere(Starlette(routes=[*routes, WebSocketRoute("/ws", conversation)]), frozenset(hosts))


def _sends(media_type: str, text: str) -> Callable[[Request], Response]:
    def send(request: Request) -> Response:
        policy = _POLICY.format(host=request.headers["host"])
        return Response(text, media_type=media_type, headers={**_HEADERS, "Content-Security-Policy": policy})

    return send


class _OnlyHere:
    """Turns away requests that name another host (DNS rebinding) or come from a page of another origin."""

    def __init__(self, inner: ASGIApp, hosts: frozenset[str]) -> None:
        self._inner = inner
        self._hosts = hosts
        self._origins = frozenset(f"http://{host}" for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if refusal is None:
            await self._inner(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(code=1008, reason=refusal)
        else:
            await PlainTextResponse(refusal, status_code=403)(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        given = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in given if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "the explorer answers only under the address that it printed"
        if any(value not in self._origins for name, value in given if name == b"origin"):
            return "the explorer answers only its own page"
        return None
