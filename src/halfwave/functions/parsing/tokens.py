"""The words of an expression, and errors that point at one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from halfwave.errors import HalfwaveError

LONGEST = 100_000  # characters that an expression may have
_SHOWN = 72  # characters of it that an error repeats

_WORD = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|(?P<symbol>[-+*/(),−])|(?P<end>\Z))"
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its text ("" at the end) and where it begins."""

    kind: Literal["number", "name", "symbol", "end"]
    text: str
    position: int


def tokenize(text: str) -> list[Token]:
    """The words of an expression, the last of kind "end"; HalfwaveError for a character outside the grammar."""
    if len(text) > LONGEST:
        sentence = f"an expression may have at most {LONGEST} characters; got {len(text)}"
        raise error_at(text, LONGEST, sentence)
    tokens: list[Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        match = _WORD.match(text, position)
        if match is None:
            position = len(text) - len(text[position:].lstrip())
            raise error_at(text, position, f"an expression has no character {text[position]!r}")
        kind = match.lastgroup
        assert kind in ("number", "name", "symbol", "end")
        tokens.append(Token(kind, match[kind].replace("−", "-"), match.start(kind)))
        position = match.end()
    return tokens


def error_at(text: str, position: int, sentence: str) -> HalfwaveError:
    """The error with the expression below its sentence, and a caret under the place."""
    first = max(0, min(position - _SHOWN // 2, len(text) - _SHOWN))
    shown = "".join(c if c.isprintable() else " " for c in text[first : first + _SHOWN])
    return HalfwaveError(f"{sentence}\n  {shown}\n  {' ' * (position - first)}^")
