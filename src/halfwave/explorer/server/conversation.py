"""The conversation with one page over its websocket."""

from __future__ import annotations

from functools import partial

import anyio
from anyio import to_thread
from starlette.websockets import WebSocket, WebSocketDisconnect

from halfwave.errors import HalfwaveError
from halfwave.explorer.server.answers import warm_up
from halfwave.explorer.server.protocol import Request, read_request, refusal, reply_to
from halfwave.explorer.session.session import Session
from halfwave.explorer.session.shelf import Shelf

__all__ = ["converse"]

_MOST_WAITING = 64
# a thread that is still at work when its page has gone is left to itself
_in_thread = partial(to_thread.run_sync, abandon_on_cancel=True)


async def converse(socket: WebSocket, shelf: Shelf) -> None:
    """Answer the messages of one page until it goes.

    Questions of one room are answered one after the other, in the order in which they came; rooms do not wait for
    each other, and what cancels waits for nobody.
    """
    await socket.accept()
    conversation = _Conversation(socket, Session(shelf))
    try:
        async with anyio.create_task_group() as tasks:
            while (text := await _next_text(socket)) is not None:
                request = await _in_thread(read_request, text)
                if isinstance(request, str):
                    await conversation.send(request)
                else:
                    tasks.start_soon(conversation.answer, request)
                    await anyio.lowlevel.checkpoint()  # lets it take its place in the queue of its room
            tasks.cancel_scope.cancel()
    finally:
        # what a part does to close, such as ending a process, may take a moment
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(conversation.session.close)


async def _next_text(socket: WebSocket) -> str | None:
    """The next message as text, empty if it was bytes; None when the page has gone."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        return None
    return message.get("text") or ""


class _Conversation:
    def __init__(self, socket: WebSocket, session: Session) -> None:
        self._socket = socket
        self.session = session
        self._rooms: dict[str, anyio.Lock] = {}
        self._sending = anyio.Lock()
        self._waiting = 0

    async def answer(self, request: Request) -> None:
        """Answer a request when it is its turn."""
        if self._waiting >= _MOST_WAITING:
            crowd = HalfwaveError(f"{_MOST_WAITING} questions are waiting already; ask again later")
            await self.send(refusal(request.identity, crowd))
            return
        self._waiting += 1
        try:
            turn = anyio.Lock() if request.cancels else self._rooms.setdefault(request.room, anyio.Lock())
            async with turn:
                reply = await _in_thread(reply_to, self.session, request)
            await self.send(reply)
            warm_up()
        finally:
            self._waiting -= 1

    async def send(self, reply: str) -> None:
        """Send a reply whole, unless its page has gone."""
        async with self._sending:
            try:
                await self._socket.send_text(reply)
            except (WebSocketDisconnect, RuntimeError):
                return  # gone while its answer was on the way; the receiving end learns of it as well
