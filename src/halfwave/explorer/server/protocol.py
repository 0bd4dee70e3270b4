"""The protocol of the page: JSON, one answer for each request, whatever the request holds.

A request is ``{"id": 7, "kind": "functions.describe", "payload": {…}}``. Its answer is
``{"id": 7, "payload": {…}}``, or ``{"id": 7, "error": "one sentence", "place": "what to show below it"}``.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.server.answers import answer_of, room_of
from halfwave.explorer.session.session import Session

__all__ = ["LARGEST_MESSAGE", "LARGEST_UPLOAD", "Request", "answer", "read_request", "refusal", "reply_to"]

LARGEST_MESSAGE = 64 * 1024
"""Characters of a request."""

LARGEST_UPLOAD = 32 * 1024 * 1024
"""Characters of a request that brings a file."""

_UPLOADS = ("fit.read",)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A question of a page: its number, its kind ("room.verb"), and what it asks about."""

    identity: int
    kind: str
    payload: dict[str, Any]

    @property
    def room(self) -> str:
        """The room that asks."""
        return room_of(self.kind)

    @property
    def cancels(self) -> bool:
        """Whether this ends another question, beside which it must be answered."""
        return self.kind.endswith(".cancel")


def answer(session: Session, message: str) -> str:
    """The answer to one message; nothing that a message holds makes this raise.

    >>> answer(Session(), '{"id": 1, "kind": "functions.parse", "payload": {"text": "relu(x"}}')[:45]
    '{"id": 1, "error": "every `(` must be closed;'
    """
    request = read_request(message)
    return request if isinstance(request, str) else reply_to(session, request)


def read_request(message: str) -> Request | str:
    """The request that a message holds, or the answer that says why it holds none."""
    identity: int | None = None
    try:
        fields = _decoded(message)
        identity = _identity(fields)
        request = Request(identity, _kind(fields), _payload(fields))
        if len(message) > LARGEST_MESSAGE and request.kind not in _UPLOADS:
            raise HalfwaveError(
                f"a request may have at most {LARGEST_MESSAGE} characters; got {len(message)}"
            )
        return request
    except HalfwaveError as error:
        return refusal(identity, error)


def reply_to(session: Session, request: Request) -> str:
    """The answer to a request; a fault of ours is logged, and the page is told that there was one."""
    try:
        payload = answer_of(request.kind)(session, request.payload)
        return _encoded({"id": request.identity, "payload": payload})
    except HalfwaveError as error:
        return refusal(request.identity, error)
    except Exception:
        # the page learns of it, the terminal shows where, and the server goes on
        _log.exception("the explorer could not answer a request")
        return _encoded(
            {"id": request.identity, "error": "the library failed here; the terminal shows where"}
        )


def refusal(identity: int | None, error: HalfwaveError) -> str:
    """The answer that carries an error: its first line, and the rest as its place."""
    sentence, _, place = str(error).partition("\n")
    return _encoded({"id": identity, "error": sentence, **({"place": place} if place else {})})


def _decoded(message: str) -> dict[str, Any]:
    if len(message) > LARGEST_UPLOAD:
        raise HalfwaveError(f"a request may have at most {LARGEST_UPLOAD} characters; got {len(message)}")
    try:
        request = json.loads(message, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HalfwaveError("a request must be JSON") from error
    if not isinstance(request, dict):
        raise HalfwaveError(f"a request must be an object; got a {type(request).__name__}")
    return request


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _identity(request: dict[str, Any]) -> int:
    identity = request.get("id")
    if isinstance(identity, bool) or not isinstance(identity, int) or not 0 <= identity < 2**53:
        raise HalfwaveError("`id` of a request must be a whole number that is not negative")
    return identity


def _kind(request: dict[str, Any]) -> str:
    kind = request.get("kind")
    if not isinstance(kind, str) or len(kind) > 60:
        raise HalfwaveError("`kind` of a request must be a short text such as functions.describe")
    return kind


def _payload(request: dict[str, Any]) -> dict[str, Any]:
    payload = request.get("payload")
    if not isinstance(payload, dict):
        raise HalfwaveError("`payload` of a request must be an object")
    return payload


def _encoded(reply: dict[str, Any]) -> str:
    return json.dumps(reply, allow_nan=False)
