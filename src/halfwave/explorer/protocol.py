"""The protocol of the websocket: JSON, one answer for each request, whatever the request holds.

A request is ``{"id": 7, "kind": "describe", "payload": {…}}``. Its answer is ``{"id": 7, "payload": {…}}``, or
``{"id": 7, "error": "one sentence", "place": "what to show below it"}``.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.answers import ANSWERS

__all__ = ["LARGEST_MESSAGE", "answer"]

LARGEST_MESSAGE = 64 * 1024
"""Characters of a request."""

_log = logging.getLogger(__name__)


def answer(message: str) -> str:
    """The answer to one message; nothing that a message holds makes this raise.

    >>> answer('{"id": 1, "kind": "parse", "payload": {"text": "relu(x"}}')[:45]
    '{"id": 1, "error": "every `(` must be closed;'
    """
    identity: int | None = None
    try:
        request = _decoded(message)
        identity = _identity(request)
        return _encoded({"id": identity, "payload": ANSWERS[_kind(request)](_payload(request))})
    except HalfwaveError as error:
        sentence, _, place = str(error).partition("\n")
        return _encoded({"id": identity, "error": sentence, **({"place": place} if place else {})})
    except Exception:
        # a fault of ours: the page learns of it, the terminal shows where, and the server goes on
        _log.exception("the explorer could not answer a request")
        return _encoded({"id": identity, "error": "the library failed here; the terminal shows where"})


def _decoded(message: str) -> dict[str, Any]:
    if len(message) > LARGEST_MESSAGE:
        raise HalfwaveError(f"a request may have at most {LARGEST_MESSAGE} characters; got {len(message)}")
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
    if not isinstance(kind, str) or kind not in ANSWERS:
        raise HalfwaveError(f"`kind` of a request must be one of {', '.join(ANSWERS)}")
    return kind


def _payload(request: dict[str, Any]) -> dict[str, Any]:
    payload = request.get("payload")
    if not isinstance(payload, dict):
        raise HalfwaveError("`payload` of a request must be an object")
    return payload


def _encoded(reply: dict[str, Any]) -> str:
    return json.dumps(reply, allow_nan=False)
