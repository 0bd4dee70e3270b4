"""Questions of the room "Units", as its page sends them."""

from __future__ import annotations

import json
from typing import Any

from halfwave.explorer.server.protocol import answer
from halfwave.explorer.session.session import Session
from halfwave.explorer.units.questions import PARAMETERS


def asked(values: tuple[float, ...], given: float, temperature: float, **more: Any) -> dict[str, Any]:
    unit = dict(zip(PARAMETERS, values, strict=True))
    return {**unit, "input": given, "temperature": temperature, "samples": 1000, **more}


def ask(kind: str, payload: Any, session: Session | None = None) -> dict[str, Any]:
    message = json.dumps({"id": 3, "kind": f"units.{kind}", "payload": payload})
    return json.loads(answer(session or Session(), message))


def told(kind: str, payload: Any, session: Session | None = None) -> dict[str, Any]:
    reply = ask(kind, payload, session)
    assert "payload" in reply, reply
    return reply["payload"]
