"""Whatever is asked of the room "Machine", and whatever lies in a run folder, ends in an answer or a sentence."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_machines import (
    BUNDLED,
    CHAINS,
    ask,
    session_of,
    spin_run,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfwave.errors import HalfwaveError
from halfwave.explorer.server.protocol import answer
from halfwave.explorer.session.session import Session

# what can go wrong


@pytest.mark.parametrize(
    ("verb", "payload", "words"),
    [
        ("open", {"name": 3}, "`name` must be a text; got 3"),
        ("open", {"name": "../digits"}, "there is no run `../digits` here; there is `bundled/digits`"),
        ("unit", {"rank": 64}, "`rank` must be a whole number from 0 to 63; got 64"),
        ("unit", {"rank": True}, "`rank` must be a whole number"),
        ("move", {"rank": 0, "value": 1e9}, "`value` must be from"),
        ("move", {"rank": 0, "value": "x"}, "`value` must be a number; got 'x'"),
        ("data", {"seed": 1, "count": 65}, "`count` must be a whole number from 1 to 64; got 65"),
        ("data", {"seed": -1, "count": 1}, "`seed` must be a whole number from 0"),
        ("step", {**CHAINS, "steps": 501}, "`steps` must be a whole number from 0 to 500; got 501"),
        ("step", {**CHAINS, "steps": 1, "temperature": 0}, "`temperature` must be from 0.05 to 20; got 0"),
        ("step", {**CHAINS, "steps": 1, "start": "x"}, "`start` must be data or noise; got 'x'"),
        (
            "step",
            {**CHAINS, "steps": 1, "held": 3},
            "`held` must be an object with rank and value; got a int",
        ),
        ("fill", {"seed": 1, "temperature": 1, "steps": 1, "clamped": [1]}, "for each of 64 sites; got 1"),
        (
            "fill",
            {"seed": 1, "temperature": 1, "steps": 1, "clamped": [2] * 64},
            "from 0 to 1; got 2 at site 0",
        ),
    ],
)
def test_bad_questions_are_one_sentence(
    session: Session, verb: str, payload: dict[str, Any], words: str
) -> None:
    with pytest.raises(HalfwaveError) as error:
        ask(session, verb, **payload)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = ["rank", "value", "seed", "count", "steps", "temperature", "clamped", "held", "start", "round"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    verb=st.sampled_from(["open", "unit", "move", "data", "step", "fill", "list"]),
    payload=st.dictionaries(st.sampled_from(names), json_values, max_size=8),
)
def test_whatever_is_asked_is_answered(session: Session, verb: str, payload: dict[str, Any]) -> None:
    message = json.dumps({"id": 1, "kind": f"machine.{verb}", "payload": {"name": BUNDLED, **payload}})
    reply = json.loads(answer(session, message))
    assert ("payload" in reply) != ("error" in reply)
    assert "the library failed" not in reply.get("error", "")


class _Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was read",))


def _broken(folder: Path, how: str) -> None:
    model, config = folder / "model.safetensors", folder / "config.json"
    values = json.loads(config.read_text())
    if how == "half a machine":
        model.write_bytes(model.read_bytes()[:200])
    elif how == "a pickle":
        model.write_bytes(pickle.dumps(_Trap()))
    elif how == "no configuration":
        config.unlink()
    elif how == "no JSON":
        config.write_text("{")
    elif how == "another shape":
        config.write_text(json.dumps({**values, "visible_shape": [5]}))
    elif how == "wrong images":
        config.write_text(json.dumps({**values, "image_shape": [3, 3]}))
    elif how == "no numbers":
        config.write_text(json.dumps({**values, "visible_shape": None}))
    elif how == "broken evaluation":
        (folder / "evaluation.json").write_text("[")


@pytest.mark.parametrize(
    "how",
    [
        "half a machine", "a pickle", "no configuration", "no JSON", "another shape", "wrong images", "no numbers",
        "broken evaluation",
    ],
)  # fmt: skip
def test_broken_runs_are_one_sentence(tmp_path: Path, how: str) -> None:
    folder = spin_run(tmp_path / "run")
    _broken(folder, how)
    session = session_of(folder)
    with pytest.raises(HalfwaveError) as error:
        ask(session, "open", "run")
    assert str(error.value).startswith("the run `run` cannot be opened: ")
    assert "\n" not in str(error.value)
    assert ask(session, "list")["runs"] == ["run", BUNDLED]
    assert ask(session, "open")["name"] == BUNDLED, "the others still open"


@pytest.mark.parametrize("how", ["gone", "changed", "a folder"])
def test_without_its_data_a_run_still_opens(tmp_path: Path, how: str) -> None:
    folder = spin_run(tmp_path / "run")
    source = tmp_path / "run.npy"
    source.unlink()
    if how == "changed":
        np.save(source, np.array([[1, -1, 1, 1], [1, 1, 1, -1]] * 20, np.int8))
    elif how == "a folder":
        source.mkdir()
    session = session_of(folder)
    got = ask(session, "open", "run")
    assert ("has changed" if how == "changed" else "are not there") in got["data"]["note"]
    assert (got["data"]["counts"], got["data"]["used"]) == (None, 256)
    ask(session, "unit", "run", rank=0)


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    folder = spin_run(tmp_path / "run")
    values = {"held_out_log_likelihood": 10**400, "log_partition": float("nan"), "method": ["x"]}
    (folder / "evaluation.json").write_text(json.dumps({**values, "train_log_likelihood": -2.5}))
    assert ask(session_of(folder), "open", "run")["evaluation"] == {"train_log_likelihood": -2.5}
