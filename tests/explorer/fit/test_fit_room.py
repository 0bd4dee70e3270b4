"""Answers of the room Fit equal those of the library; its process ends when it should, and only then."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
import warnings
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import numpy as np
import pytest
from explorer_cases import address_of, running, start, sum_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import halfwave.functions as hf
from halfwave.explorer.fit.answers import ANSWERS, RECORDED, _Bench
from halfwave.explorer.fit.options import CRITERIA, LOSSES
from halfwave.explorer.fit.process import MOST_PROCESSES, FitProcess
from halfwave.explorer.fit.sets import SETS, set_named
from halfwave.explorer.fit.tables import Tables
from halfwave.explorer.server.protocol import LARGEST_MESSAGE, answer
from halfwave.explorer.session.session import Session
from halfwave.explorer.session.shelf import Shelf
from halfwave.fitting import AutocorrelationWarning, fit_by_gradient, fit_relu_sum
from halfwave.fitting.criteria import Criterion
from halfwave.fitting.request import Loss

SLOW = {"source": {"set": "many"}, "kinks": 4, "loss": "quantile"}
LARGEST_RECORD = 400_000


@pytest.fixture(scope="module")
def session():
    shared = Session()
    yield shared
    shared.close()


def ask(session: Session, kind: str, payload: Any) -> dict[str, Any]:
    return json.loads(answer(session, json.dumps({"id": 3, "kind": kind, "payload": payload})))


def get(session: Session, kind: str, payload: Any) -> dict[str, Any]:
    reply = ask(session, kind, payload)
    assert "error" not in reply, reply
    return reply["payload"]


def gone(identity: int) -> bool:
    """Whether a process has ended, within ten seconds."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{identity}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


ASKED = {
    "given": ({"kinks": 3}, {"kinks": 3}),
    "none": ({"kinks": 0}, {"kinks": 0}),
    "auto": ({"kinks": "auto", "criterion": "bic3"}, {"criterion": "bic3"}),
    "fixed": ({"kinks": 2, "fixed": [1899.5]}, {"kinks": 2, "fixed_kinks": [1899.5]}),
    "huber": ({"kinks": 2, "loss": "huber"}, {"kinks": 2, "loss": "huber"}),
    "quantile": (
        {"kinks": 1, "loss": "quantile", "quantile": 0.9},
        {"kinks": 1, "loss": "quantile", "quantile": 0.9},
    ),
    "corrected": ({"kinks": "auto", "correct": True}, {"correlation": "correct"}),
}


@pytest.mark.parametrize("name", ASKED)
def test_fit_is_that_of_the_library(session: Session, name: str) -> None:
    payload, options = ASKED[name]
    x, y = set_named("nile")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutocorrelationWarning)
        want = fit_relu_sum(x, y, **options)
    got = get(session, "fit.fit", {"source": {"set": "nile"}, **payload})
    # rounds of a robust fit stop at about 1e-8; compiled kernels round a little differently
    near = 1e-9 if want.loss == "squares" else 1e-6
    assert got["sse"] == pytest.approx(want.sse, rel=near)
    assert got["kinks"] == pytest.approx(want.kinks.tolist(), rel=near)
    assert got["slopes"] == pytest.approx(want.slopes.tolist(), rel=1e-4)
    assert got["loss"] == pytest.approx(want.loss_value, rel=near)
    f = sum_of(got["function"]["terms"], slope=got["function"]["slope"], offset=got["function"]["offset"])
    np.testing.assert_allclose(f(x), want.function(x), rtol=10 * near)
    np.testing.assert_allclose(got["corners"][1], want.predict(np.array(got["corners"][0])), rtol=10 * near)
    if name != "quantile":
        weights = np.ones_like(y) if want.weights is None else want.weights
        total = (weights * (y - np.average(y, weights=weights)) ** 2).sum()
        assert got["r2"] == pytest.approx(1 - want.sse / total, rel=1e-5)
        assert got["noise"] == pytest.approx(
            np.sqrt(want.sse / (len(x) - 2 - 2 * len(want.kinks) + (name == "fixed")))
        )


def test_details_are_those_of_the_library(session: Session) -> None:
    x, y = set_named("nile")
    want = fit_relu_sum(x, y, 2)
    table = fit_relu_sum(x, y).table
    got = get(session, "fit.details", {"source": {"set": "nile"}, "kinks": 2, "patience": 60_000})
    assert np.array(got["intervals"]["kinks"]) == pytest.approx(want.intervals().kinks, rel=1e-9)
    assert np.array(got["intervals"]["slopes"]) == pytest.approx(want.intervals().slopes, rel=1e-6)
    assert [row["bic"] for row in got["table"]] == pytest.approx([row.criteria["bic"] for row in table])
    assert got["chosen"] == 2
    assert hf.parse(got["formula"])(1950.0) == pytest.approx(want.function(1950.0), rel=1e-3)


def test_details_let_fits_through(session: Session) -> None:
    slow = {"source": {"set": "many"}, "kinks": 8}
    first = get(session, "fit.details", slow)
    assert first == {"pending": True}
    assert get(session, "fit.fit", {"source": {"set": "nile"}, "kinks": 1})["kinks"]
    while get(session, "fit.details", slow) == {"pending": True}:
        time.sleep(0.05)


def test_gradient_is_that_of_the_library(session: Session) -> None:
    x, y = set_named("nile")
    want = fit_by_gradient(x, y, 2, steps=50, seed=4)
    got = get(session, "fit.gradient", {"source": {"set": "nile"}, "terms": 2, "steps": 50, "seed": 4})
    step, loss, *parts = got["frames"][-1]
    assert (step, got["frames"][0][0], got["points"]) == (50, 0, 100)
    assert loss == pytest.approx(want.losses[-1])
    assert parts[0] == pytest.approx(want.parameters["slopes"][-1].tolist())
    assert got["losses"][1][0] == pytest.approx(want.losses[0])
    assert got["optimum"]["loss"] == pytest.approx(fit_relu_sum(x, y, 2).sse / 100)


def test_settings_are_those_of_the_library() -> None:
    assert get_args(Criterion) == CRITERIA
    assert get_args(Loss) == LOSSES


@pytest.mark.parametrize("name", SETS)
def test_bundled_sets(session: Session, name: str) -> None:
    x, y = set_named(name)
    got = get(session, "fit.data", {"source": {"set": name}})
    assert got["count"] == len(x) == len(y)
    assert len(got["x"]) == len(got["y"]) == min(len(x), len(got["x"])) <= 4000
    assert got["x"] == sorted(got["x"])
    assert got["ends"] == [x.min(), x.max(), y.min(), y.max()]
    assert max(got["y"]) == pytest.approx(y.max(), abs=1e-4 * np.ptp(y))
    if len(x) <= 1000:
        assert sorted(got["y"]) == sorted(y)


def test_sets_are_those_of_their_sources() -> None:
    from statsmodels.datasets import engel, nile, sunspots

    for name, module, columns in (
        ("nile", nile, ("year", "volume")),
        ("engel", engel, ("income", "foodexp")),
        ("sunspots", sunspots, ("YEAR", "SUNACTIVITY")),
    ):
        table = module.load_pandas().data
        for got, column in zip(set_named(name), columns, strict=True):
            np.testing.assert_allclose(got, table[column].to_numpy(), rtol=1e-9)


TABLES = {
    "commas": ("a,b\n1,2\n2,4.5\n3,1\n", ["a", "b"], ["a", "b"], [1, 2, 3], [2, 4.5, 1], 0),
    "no header": ("1\t2\n2\t4\n", ["1", "2"], ["1", "2"], [1, 2], [2, 4], 0),
    "one column": ("v\n5\n7\n", ["v"], ["row", "v"], [1, 2], [5, 7], 0),
    "a name and numbers": (
        "who;age;pay\nann;30;1\nbob;40;2\n", ["who", "age", "pay"], ["age", "pay"], [30, 40], [1, 2], 0,
    ),
    "gaps": ("x,y\n1,2\nNA,3\n3,\n4,5\n", ["x", "y"], ["x", "y"], [1, 4], [2, 5], 2),
    "dates": (
        "day,y\n2000-01-01,1\n2001-01-01,2\n", ["day", "y"], ["day", "y"], [2000, 2000 + 366 / 365.2425], [1, 2], 0,
    ),
    "nothing in the first row": ("x,y\nNA,\n1,2\n4,5\n", ["x", "y"], ["x", "y"], [1, 4], [2, 5], 1),
    "no header and nothing at first": ("NA,1\n1,2\n4,5\n", ["1", "2"], ["1", "2"], [1, 4], [2, 5], 1),
    "decimal commas": ("x;y\n0,5;1,2\n1;-2e-3\n,5;3\n", ["x", "y"], ["x", "y"], [0.5, 0.5, 1], [1.2, 3, -2e-3], 0),
    "decimal commas between tabs": ("x\ty\n0,5\t1,2\n1\t2,25\n", ["x", "y"], ["x", "y"], [0.5, 1], [1.2, 2.25], 0),
    "blanks": ("# of savetxt\n1.0e+00 2.0e+00\n 2.0e+00   4.0e+00\n", ["1", "2"], ["1", "2"], [1, 2], [2, 4], 0),
    "byte order mark": ("\ufeffx,y\r\n1,2\r\n2,3\r\n", ["x", "y"], ["x", "y"], [1, 2], [2, 3], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_pasted_tables(session: Session, name: str) -> None:
    text, columns, names, x, y, dropped = TABLES[name]
    read = get(session, "fit.read", {"text": text})
    assert read["columns"] == columns
    got = get(session, "fit.data", {"source": {"text": read["key"]}})
    assert (got["names"], got["missing"]) == (names, dropped)
    assert got["x"] == pytest.approx(x)
    assert got["y"] == pytest.approx(y)


@pytest.mark.parametrize("name", TABLES)
def test_files_are_read_as_pasted_tables(name: str, tmp_path: Path) -> None:
    text, _, names, x, y, missing = TABLES[name]
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    own = Session(Shelf(tmp_path))
    got = get(own, "fit.data", {"source": {"file": "t.csv"}})
    assert (got["names"], got["missing"]) == (names, missing)
    assert got["x"] == pytest.approx(x)
    assert got["y"] == pytest.approx(y)


def test_why_a_table_cannot_be_fitted(tmp_path: Path) -> None:
    tables = {
        "units.csv": ("x,y\nm,m3/s\n1,2\n2,3\n", "column 'x' must hold numbers; got 'm' in row 1"),
        "days.csv": ("day,y\n01.02.2020,1\n02.02.2020,2\n", "ISO dates such as 2020-02-01; got '01.02.2020'"),
        "words.csv": ("a,b\nx1,2\ny,z\nw,3\n", "column 'a' must hold numbers; got 'x1' in row 1"),
        "inf.csv": ("a,b\ninf,2\n1,-inf\n", "no row has a finite number in both 'a' and 'b'"),
        "thousands.tsv": ("a\tb\n1,234\t2\n5,678\t3\n", "column 'a' must hold numbers; got '1,234' in row 1"),
        "mixed.csv": ("a;b\n1.5;2\n0,5;3\n2;4\n", "column 'a' must hold numbers; got '0,5' in row 2"),
    }
    for name, (text, _) in tables.items():
        (tmp_path / name).write_text(text)
    own = Session(Shelf(tmp_path))
    for name, (_, words) in tables.items():
        assert words in ask(own, "fit.data", {"source": {"file": name}})["error"]


def test_only_columns_of_numbers_are_offered(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,a,b,note\nann,1,2,\nbob,2,inf,x\ncid,NA,4,\ndan,4,5,\neva,5,x,\n")
    np.savez(
        tmp_path / "t.npz", u=np.arange(5.0), v=np.arange(5.0) ** 2, words=np.array(["a"] * 5), m=np.eye(5)
    )
    own = Session(Shelf(tmp_path))
    assert get(own, "fit.columns", {"source": {"file": "t.csv"}})["columns"] == ["a", "b"]
    assert get(own, "fit.data", {"source": {"file": "t.npz"}})["columns"] == ["u", "v"]
    text = {"file": "t.csv", "x": "who", "y": "a"}
    assert (
        "column 'who' must hold numbers; got 'ann' in row 1"
        in ask(own, "fit.data", {"source": text})["error"]
    )
    assert (
        "'b' must hold numbers; got 'x' in row 5"
        in ask(own, "fit.data", {"source": {"file": "t.csv"}})["error"]
    )
    (tmp_path / "t.csv").write_text("a,b\n1,2\n2,inf\nNA,4\n4,5\n")
    got = get(own, "fit.data", {"source": {"file": "t.csv"}})
    assert (got["missing"], got["infinite"], got["x"]) == (1, 1, [1, 4])


def test_chosen_columns_and_files(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,9\n2,4,8\n3,1,7\n4,5,5\n")
    np.savez(tmp_path / "t.npz", u=np.arange(5.0), v=np.arange(5.0) ** 2)
    own = Session(Shelf(tmp_path))
    try:
        assert get(own, "fit.open", {})["files"] == ["t.csv", "t.npz"]
        got = get(own, "fit.data", {"source": {"file": "t.csv", "x": "c", "y": "a"}})
        assert (got["x"], got["y"]) == ([5, 7, 8, 9], [4, 3, 2, 1])
        assert get(own, "fit.data", {"source": {"file": "t.npz"}})["y"] == [0, 1, 4, 9, 16]
        for name in ("../t.csv", "/etc/passwd", "other.csv"):
            assert "there is no table" in ask(own, "fit.data", {"source": {"file": name}})["error"]
    finally:
        own.close()


def test_a_large_table_is_read_whole(session: Session) -> None:
    rng = np.random.default_rng(3)
    x = np.round(rng.uniform(0, 10, 100_000), 5)
    y = np.round(np.abs(x - 4) + rng.normal(size=100_000), 5)
    text = "x,y\n" + "\n".join(f"{a},{b}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    assert len(text) > LARGEST_MESSAGE
    key = get(session, "fit.read", {"text": text})["key"]
    got = get(session, "fit.fit", {"source": {"text": key}, "kinks": 1})
    assert got["sse"] == pytest.approx(fit_relu_sum(x, y, 1).sse, rel=1e-9)


BAD = [
    ("fit.data", {}, "`source` must be an object"),
    ("fit.data", {"source": {}}, "`text` of a source must be a name"),
    ("fit.data", {"source": {"set": "moon"}}, "`set` must be one of nile"),
    ("fit.data", {"source": {"set": 3}}, "`set` of a source must be a name; got 3"),
    ("fit.data", {"source": {"text": "0" * 16}}, "paste it again"),
    ("fit.data", {"source": {"points": []}}, "1 to 1000 [x, y]; got 0 of them"),
    ("fit.data", {"source": {"points": [[1, 2, 3]]}}, "a point must be [x, y]; got [1, 2, 3] at index 0"),
    ("fit.data", {"source": {"points": [[1, True]]}}, "a point must be [x, y]"),
    ("fit.data", {"source": {"points": [[1, 10**400]]}}, "a point must be finite"),
    ("fit.read", {}, "`text` must be a text"),
    ("fit.read", {"text": " \n"}, "the table is empty"),
    ("fit.read", {"text": "a,b1\n"}, "no rows"),
    ("fit.read", {"text": "hello world"}, "this is no table of numbers: it begins 'hello world'"),
    ("fit.columns", {"source": 1}, "`source` must be an object"),
    ("fit.columns", {"source": {"file": "t.csv"}}, "there is no table"),
    ("fit.cancel", {"turn": "all"}, "`turn` must be a number; got 'all'"),
    ("fit.read", {"text": "a,b\n1,2\n3\n"}, "row 2 of the table has 1 cell; the header has 2"),
    ("fit.fit", {"source": {"set": "nile"}, "kinks": 13}, "`kinks` must be a whole number from 0 to 12; got 13"),
    ("fit.fit", {"source": {"set": "nile"}, "kinks": 1.5}, "got 1.5"),
    ("fit.fit", {"source": {"set": "nile"}, "kinks": "all"}, "`kinks` must be a number; got 'all'"),
    ("fit.fit", {"source": {"set": "nile"}, "loss": "l1"}, "`loss` must be one of squares"),
    ("fit.fit", {"source": {"set": "nile"}, "loss": "quantile", "quantile": 2}, "must be inside (0, 1); got 2.0"),
    ("fit.fit", {"source": {"set": "nile"}, "criterion": []}, "`criterion` must be one of bic"),
    ("fit.fit", {"source": {"set": "nile"}, "correct": 1}, "`correct` must be true or false; got 1"),
    ("fit.fit", {"source": {"set": "nile"}, "fixed": [1]}, "`fixed_kinks` must lie inside the data"),
    ("fit.fit", {"source": {"set": "nile"}, "fixed": 1}, "`fixed` must be a list"),
    ("fit.fit", {"source": {"points": [[1, 2], [2, 3]]}, "kinks": 2}, "`x` must hold at least"),
    ("fit.gradient", {"source": {"set": "nile"}, "terms": 0}, "`terms` must be a whole number from 1 to 12"),
    ("fit.gradient", {"source": {"set": "nile"}, "terms": 2, "steps": 1e9}, "`steps` must be a whole number"),
    ("fit.gradient", {"source": {"set": "nile"}, "terms": 2, "optimizer": "sgd"}, "adam, lbfgs; got 'sgd'"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "payload", "words"), BAD)
def test_bad_payloads(session: Session, kind: str, payload: Any, words: str) -> None:
    error = ask(session, kind, payload)["error"]
    assert words in error
    assert "\n" not in error
    assert len(error) < 300


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12) | st.sampled_from(["auto", "nile", "huber", "bic"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["set", "points", "text", "file", "x", "y"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
names = st.sampled_from(
    ["source", "kinks", "criterion", "loss", "quantile", "correct", "fixed", "text", "patience"]
)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=150)
@given(st.sampled_from(["fit.data", "fit.read", "fit.fit"]), st.dictionaries(names, values, max_size=5))
def test_any_payload_gets_one_answer(session: Session, kind: str, payload: dict[str, Any]) -> None:
    reply = ask(session, kind, payload)
    assert ("error" in reply) != ("payload" in reply)
    assert "the library failed" not in reply.get("error", ""), reply


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60))
def test_any_text_is_a_table_or_an_error(text: str) -> None:
    own = Session()
    reply = ask(own, "fit.read", {"text": text})
    if "payload" in reply:
        reply = ask(own, "fit.data", {"source": {"text": reply["payload"]["key"]}})
    assert "the library failed" not in reply.get("error", ""), reply


def test_cancel_ends_the_fit_at_once_and_the_next_one_works() -> None:
    own = Session()
    try:
        get(own, "fit.fit", {"source": {"set": "nile"}, "kinks": 1})
        process = own.part(_Bench).process
        before = process.identity
        assert before is not None
        replies: list[Any] = []
        slow = Thread(target=lambda: replies.append(ask(own, "fit.fit", SLOW)))
        slow.start()
        time.sleep(0.3)
        assert process.is_busy
        begun = time.monotonic()
        get(own, "fit.cancel", {})
        slow.join(10)
        assert time.monotonic() - begun < 5
        assert replies[0]["error"] == "cancelled"
        assert gone(before)
        assert get(own, "fit.fit", {"source": {"set": "nile"}, "kinks": 1})["kinks"]
        assert process.identity != before
        last = process.identity
        assert last is not None
    finally:
        own.close()
    assert gone(last)


def test_cancel_ends_what_waits_and_no_later_question() -> None:
    own = Session()
    nile = {"source": {"set": "nile"}, "kinks": 1}
    try:
        get(own, "fit.cancel", {"turn": 4})
        for kind in ("fit.data", "fit.fit", "fit.gradient"):
            assert ask(own, kind, {**nile, "terms": 1, "turn": 4})["error"] == "cancelled"
        assert ask(own, "fit.read", {"text": "1,2", "turn": 3})["error"] == "cancelled"
        assert get(own, "fit.fit", {**nile, "turn": 5})["kinks"]
        get(own, "fit.cancel", {})
        assert get(own, "fit.fit", nile)["kinks"]
    finally:
        own.close()


def test_a_process_that_is_killed_is_replaced(session: Session) -> None:
    process = session.part(_Bench).process
    get(session, "fit.fit", {"source": {"set": "nile"}, "kinks": 1})
    replies: list[Any] = []
    slow = Thread(target=lambda: replies.append(ask(session, "fit.fit", SLOW)))
    slow.start()
    time.sleep(0.3)
    identity = process.identity
    assert identity is not None
    os.kill(identity, signal.SIGKILL)
    slow.join(10)
    assert "the fitting process ended" in replies[0]["error"]
    assert get(session, "fit.fit", {"source": {"set": "nile"}, "kinks": 1})["kinks"]


def test_few_processes_at_a_time() -> None:
    data = Tables(Shelf()).data({"set": "nile"})
    processes = [FitProcess() for _ in range(MOST_PROCESSES + 1)]
    try:
        for process in processes[:-1]:
            process.start()
        first = processes[0].identity
        assert first is not None
        processes[-1].start()
        assert gone(first)
        assert processes[0].identity is None
        assert processes[0].begin("fit", "fit", data, {"kinks": 1}).result(60)["kinks"]
    finally:
        for process in processes:
            process.close()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_its_server(end: signal.Signals) -> None:
    client = pytest.importorskip("websockets.sync.client", reason="the server needs the extra `web`")
    server = start("--no-browser", "--port", "0")
    try:
        address = address_of(server).replace("http", "ws") + "ws"
        with client.connect(address) as page:
            page.send(
                json.dumps({"id": 1, "kind": "fit.fit", "payload": {"source": {"set": "nile"}, "kinks": 1}})
            )
            assert "payload" in json.loads(page.recv(timeout=60))
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            everybody = [int(child) for child in children] or descendants(server.pid)
            assert everybody
            page.send(json.dumps({"id": 2, "kind": "fit.fit", "payload": SLOW}))
            time.sleep(0.3)
            server.send_signal(end)
            errors = server.communicate(timeout=20)[1]
    finally:
        server.kill()  # where something failed before it was told to end
    assert all(gone(child) for child in everybody)
    assert errors == ""


def test_a_process_ends_with_its_page() -> None:
    client = pytest.importorskip("websockets.sync.client", reason="the server needs the extra `web`")
    with running() as address:
        with client.connect(address.replace("http", "ws") + "ws") as page:
            page.send(json.dumps({"id": 1, "kind": "fit.open", "payload": {}}))
            page.recv(timeout=60)
            ours = [child for child in descendants(os.getpid()) if b"fit.worker" in command(child)]
            assert ours
        assert all(gone(child) for child in ours)


def command(identity: int) -> bytes:
    try:
        return Path(f"/proc/{identity}/cmdline").read_bytes()
    except OSError:
        return b""


def descendants(identity: int) -> list[int]:
    """Children and their children; a thread may have started them."""
    found: list[int] = []
    for tasks in Path(f"/proc/{identity}/task").glob("*/children"):
        for child in map(int, tasks.read_text().split()):
            found += [child, *descendants(child)]
    return found


def test_recorded_questions_are_few_and_answered() -> None:
    own = Session()
    try:
        size = sum(len(json.dumps(ANSWERS[kind](own, payload))) for kind, payload in RECORDED)
    finally:
        own.close()
    assert size < LARGEST_RECORD


def test_onnx_model_computes_the_function() -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    x = np.linspace(-4, 4, 81)
    for terms, slope, offset in (([(1.0, -1.2, -1.2), (-0.5, 0.5, 1.0)], 0.5, -1.0), ([], 2.0, 1.0)):
        payload = {"terms": terms, "slope": slope, "offset": offset, "leak": 0.25}
        got = get(Session(), "functions.onnx", payload)
        model = runtime.InferenceSession(base64.b64decode(got["base64"]), providers=["CPUExecutionProvider"])
        (y,) = model.run(None, {"x": x[:, None]})
        want = sum_of(terms, leak=0.25, slope=slope, offset=offset)(x)
        np.testing.assert_allclose(y[:, 0], want, rtol=1e-12, atol=1e-12)
    assert "`terms` must be a list" in ask(Session(), "functions.onnx", {})["error"]
