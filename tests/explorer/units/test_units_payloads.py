"""Whatever a page sends to the room "Units" ends in one answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from units_questions_cases import ask, asked, told

from halfwave.explorer.units.questions import PARAMETERS

BAD = [
    ("density", {}, "`temperature` must be a number; got None"),
    ("density", asked((1, 1, 0, 1), 0, 1), "`gamma_pos` must be from 0.0001 to 1e+06 here; got 0"),
    ("density", asked((1, 1, 1, 1), 0, -1), "`temperature` must be from 0.0001"),
    ("density", asked((1e9, 1, 1, 1), 0, 1), "`theta_pos` must be from -1e+06 to 1e+06 here; got 1e+09"),
    ("density", asked((1, 1, 1, 1), 1e300, 1), "`input` must be from -1e+06"),
    ("density", asked((1, "1", 1, 1), 0, 1), "`theta_neg` must be a number; got '1'"),  # pyright: ignore[reportArgumentType]
    (
        "density",
        asked((1, 1, 1, 1), 0, 1, samples=10**7),
        "`samples` must be a whole number from 1 to 100000",
    ),
    ("density", asked((1, 1, 1, 1), 0, 1, samples=0.5), "`samples` must be a whole number"),
    ("density", asked((1, 1, 1, 1), 0, 1, window=[2, 1]), "the ends of `window` must increase"),
    ("density", asked((1, 1, 1, 1), 0, 1, window="all"), "`window` must be null or a list of 2 numbers"),
    ("transfer", asked((1, 1, 1, 1), 0, 1, window=[0, 1]), "`window` must be null or a list of 4 numbers"),
    ("transfer", asked((1, 1, 1, 1), 0, 1, window=[0, 1, 0, 1e300]), "the ends of `window` must increase"),
    ("sample", asked((1, 1, 1, 1), 0, 1, samples="many"), "`samples` must be a number; got 'many'"),
    ("nothing", {}, "`kind` of a request must be that of a question that a room asks"),
]


@pytest.mark.parametrize(("kind", "payload", "words"), BAD)
def test_bad_payloads(kind: str, payload: Any, words: str) -> None:
    reply = ask(kind, payload)
    assert words in reply["error"]
    assert len(reply["error"]) < 300


limits = {"theta": st.floats(-1e6, 1e6), "gamma": st.floats(1e-4, 1e6)}
units = st.fixed_dictionaries(
    {
        **{key: limits[key.partition("_")[0]] for key in PARAMETERS},
        "temperature": st.floats(1e-4, 1e6),
        "input": st.floats(-1e6, 1e6),
        "samples": st.just(50),
    }
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(["density", "transfer", "sample"]), units)
def test_every_unit_has_finite_answers(kind: str, payload: dict[str, Any]) -> None:
    told(kind, payload)  # JSON without NaN and infinity, or it would be an error


junk = st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.floats(), max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["density", "transfer", "sample", "sixteen"]),
    st.dictionaries(st.sampled_from([*PARAMETERS, "temperature", "input", "samples", "window"]), junk),
)
def test_any_payload_gets_one_answer(kind: str, changes: dict[str, Any]) -> None:
    reply = ask(kind, {**asked((1, -1, 1, 1), 0, 1, samples=10), **changes})
    assert ("error" in reply) != ("payload" in reply)
    assert "the library failed" not in reply.get("error", "")
