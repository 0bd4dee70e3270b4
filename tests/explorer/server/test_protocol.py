"""Answers of the explorer equal those of the library, and nothing that a message holds breaks it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from explorer_cases import sum_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import halfwave.functions as hf
from halfwave.explorer.server.protocol import LARGEST_UPLOAD, answer
from halfwave.explorer.session.payloads import MOST_TERMS
from halfwave.explorer.session.session import Session

TERMS = [(1.0, -1.2, -1.2), (-0.5, 0.5, 1.0), (2.0, 0.0, 3.0)]


def ask(kind: str, payload: Any) -> dict[str, Any]:
    return json.loads(answer(Session(), json.dumps({"id": 3, "kind": kind, "payload": payload})))


@pytest.mark.parametrize("leak", [0.0, 0.25])
def test_description_is_that_of_the_library(leak: float) -> None:
    f = sum_of(TERMS, leak=leak, slope=0.5, offset=-1.0)
    payload = {
        "terms": TERMS,
        "leak": leak,
        "slope": 0.5,
        "offset": -1,
        "gaussian": {"mu": 0.3, "sigma": 2},
    }
    got = ask("functions.describe", payload)["payload"]
    assert hf.parse(got["formula"])(1.5) == pytest.approx(f(1.5), rel=1e-5)
    assert got["derivative"] == f.derivative().formula(style="cases", digits=6)
    assert got["antiderivative"] == f.antiderivative().formula(digits=6)
    assert got["latex"] == f.latex(digits=6)
    assert got["gaussian"]["mean"] == pytest.approx(f.gaussian_mean(0.3, 2.0))


def test_share_of_zeros() -> None:
    hat = {"terms": [(1, 1, 0), (-2, 1, -1), (1, 1, -2)], "gaussian": {"mu": 1, "sigma": 1}}
    from scipy.special import ndtr

    assert ask("functions.describe", hat)["payload"]["gaussian"]["zeros"] == pytest.approx(2 * ndtr(-1.0))
    above = {"terms": [(1, 1, 0)], "offset": 1, "gaussian": {"mu": 0, "sigma": 1}}
    assert ask("functions.describe", above)["payload"]["gaussian"]["zeros"] == 0.0
    at_once = {"terms": [(1, 1, 0)], "gaussian": {"mu": -1, "sigma": 0}}
    assert ask("functions.describe", at_once)["payload"]["gaussian"]["zeros"] == 1.0


@pytest.mark.parametrize(
    "text", ["relu(x + 1) - 2*relu(x)", "max(x, -1) + 3", "abs(2x - 1) - 0.5x", "clip(x, -1, 2)", "5", "x"]
)
def test_typed_formula_becomes_the_same_function(text: str) -> None:
    got = ask("functions.parse", {"text": text})["payload"]
    f = sum_of(got["terms"], slope=got["slope"], offset=got["offset"])
    x = np.linspace(-5, 5, 101)
    np.testing.assert_allclose(f(x), hf.parse(text)(x), atol=1e-12)


def test_errors_are_one_sentence_with_their_place() -> None:
    reply = ask("functions.parse", {"text": "relu(x * x)"})
    assert reply["id"] == 3
    assert reply["error"] == "the product of two functions of x is not piecewise linear"
    assert reply["place"].splitlines()[0].strip() == "relu(x * x)"
    jump = ask("functions.parse", {"text": "step(x - 1)"})["error"]
    assert jump == "a sum of rectified terms has no jumps; this one jumps by 1 at 1"


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("functions.parse", {}, "`text` must be a text"),
        ("functions.parse", {"text": "x" * 3000}, "at most 2000 characters; got 3000"),
        ("functions.parse", {"text": "__import__(x)"}, "no known name"),
        ("functions.describe", {}, "`terms` must be a list"),
        ("functions.describe", {"terms": [[1, 1]]}, "a term must be [w, m, b]"),
        ("functions.describe", {"terms": [[1, True, 0]]}, "`m` of term 0 must be a number; got True"),
        ("functions.describe", {"terms": [[1, "1", 0]]}, "`m` of term 0 must be a number; got '1'"),
        ("functions.describe", {"terms": [[1, 1e-320, 1]]}, "finite"),
        ("functions.describe", {"terms": [[1, 10**400, 1]]}, "`m` of term 0 must be finite"),
        ("functions.describe", {"terms": [[1, 1, 0]] * (MOST_TERMS + 1)}, "at most 200 terms"),
        (
            "functions.describe",
            {"terms": [], "gaussian": {"mu": 0, "sigma": -1}},
            "`sigma` must be finite and not neg",
        ),
        ("functions.describe", {"terms": [], "gaussian": [0, 1]}, "`gaussian` must be an object"),
        ("evaluate", {}, "`kind` of a request must be that of a question that a room asks; got 'evaluate'"),
        ("functions.parse", [], "`payload` of a request must be an object"),
    ],
)
def test_bad_payloads(kind: str, payload: Any, words: str) -> None:
    reply = ask(kind, payload)
    assert words in reply["error"]
    assert "\n" not in reply["error"]
    assert len(reply["error"]) < 300


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "must be JSON"),
        ("[" * 50_000, "must be JSON"),
        ('{"id": NaN}', "must be JSON"),
        ('{"id": ' + "9" * 5000 + "}", "must be JSON"),
        ("[]", "must be an object; got a list"),
        ('{"id": -1}', "`id` of a request"),
        ('{"id": true}', "`id` of a request"),
        (" " * (LARGEST_UPLOAD + 1), "at most 33554432 characters"),
    ],
)
def test_broken_messages(message: str, words: str) -> None:
    reply = json.loads(answer(Session(), message))
    assert words in reply["error"]
    assert reply["id"] is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


# the first text on a fresh machine takes a second: hypothesis builds its table of characters
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["functions.parse", "functions.describe"]), st.dictionaries(
    st.sampled_from(["text", "terms", "slope", "offset", "leak", "gaussian"]), json_values
))  # fmt: skip
def test_any_payload_gets_one_answer(kind: str, payload: dict[str, Any]) -> None:
    reply = json.loads(answer(Session(), json.dumps({"id": 3, "kind": kind, "payload": payload})))
    assert ("error" in reply) != ("payload" in reply)
    assert "the library failed" not in reply.get("error", "")
