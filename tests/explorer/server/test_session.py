"""A page opens only what the person gave, waits only for its own room, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from halfwave.errors import HalfwaveError
from halfwave.explorer.server import answers
from halfwave.explorer.session.session import Session
from halfwave.explorer.session.shelf import Shelf

pytest.importorskip("starlette", reason="the server needs the extra `web`")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with tables and runs, and things that must not be reached from it."""
    given = tmp_path / "given"
    (given / "runs_of_mine").mkdir(parents=True)
    (given / "digits").mkdir()
    (given / "digits" / "model.safetensors").touch()
    for name in ("flow.csv", "flow.tsv", "old.csv.gz", "table.parquet", "notes.md", "model.pt"):
        (given / name).touch()
    (tmp_path / "secret.csv").touch()
    (tmp_path / "secret_run").mkdir()
    (tmp_path / "secret_run" / "model.safetensors").touch()
    (given / "link.csv").symlink_to(tmp_path / "secret.csv")
    (given / "linked_run").symlink_to(tmp_path / "secret_run")
    return given


def test_shelf_lists_what_can_be_opened(folder: Path) -> None:
    shelf = Shelf(folder)
    assert shelf.data_files() == ["flow.csv", "flow.tsv", "old.csv.gz", "table.parquet"]
    assert shelf.runs() == ["digits"]
    assert shelf.data_file("flow.csv") == folder / "flow.csv"
    assert Shelf(folder / "digits").runs() == ["digits"]
    assert Shelf(folder / "flow.tsv").data_files() == ["flow.tsv"]


@pytest.mark.parametrize(
    "name",
    ["../secret.csv", "link.csv", "notes.md", "/etc/passwd", "flow.csv/../../secret.csv", "", "x" * 5000],
)
def test_names_lead_nowhere_else(folder: Path, name: str) -> None:
    shelf = Shelf(folder)
    with pytest.raises(HalfwaveError, match="there is no table") as caught:
        shelf.data_file(name)
    assert len(str(caught.value)) < 250
    with pytest.raises(HalfwaveError, match="there is no run"):
        shelf.run("linked_run")


def test_a_name_turned_into_a_link_afterwards_is_refused(folder: Path) -> None:
    shelf = Shelf(folder)
    (folder / "flow.csv").unlink()
    (folder / "flow.csv").symlink_to(folder.parent / "secret.csv")
    with pytest.raises(HalfwaveError, match=r"`flow.csv` leads out of the folder"):
        shelf.data_file("flow.csv")


def test_nothing_to_open(folder: Path) -> None:
    with pytest.raises(HalfwaveError, match="there is no file or folder"):
        Shelf(folder / "nowhere")
    for path in (folder / "notes.md", folder / "runs_of_mine"):
        with pytest.raises(HalfwaveError, match="the explorer opens a table"):
            Shelf(path)


class Part:
    """Counts how often it is closed."""

    closed = 0

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def close(self) -> None:
        type(self).closed += 1


def test_parts_are_one_for_each_page_and_closed_with_it() -> None:
    class Own(Part):
        closed = 0

    one, other = Session(), Session()
    assert one.part(Own) is one.part(Own)
    assert one.part(Own) is not other.part(Own)
    one.close()
    assert Own.closed == 1
    late = Session()
    late.close()
    late.part(Own)
    assert Own.closed == 2, "a part that is made after its page has gone is closed at once"


class Socket:
    """A websocket without a wire: what is put in is received, what is sent is kept."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        return await self.inbox.get()

    async def send_text(self, text: str) -> None:
        self.sent.append(json.loads(text))

    def ask(self, identity: int, kind: str) -> None:
        text = json.dumps({"id": identity, "kind": kind, "payload": {}})
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    async def until(self, count: int) -> list[int]:
        with anyio.fail_after(10):
            while len(self.sent) < count:
                await anyio.sleep(0.005)
        return [reply["id"] for reply in self.sent]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run in a thread: the loop of the tests' own is taken where a browser has been opened."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(anyio.run, scenario).result()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Makes rooms whose slow questions wait for this event, which "a.cancel" sets."""
    event = threading.Event()

    def slow(session: Session, payload: Mapping[str, Any]) -> dict[str, Any]:
        session.part(Part)
        return {"opened": event.wait(10)}

    def cancel(session: Session, payload: Mapping[str, Any]) -> dict[str, Any]:
        event.set()
        return {}

    rooms = {
        "a": {"a.slow": slow, "a.quick": lambda s, p: {}, "a.cancel": cancel},
        "b": {"b.quick": lambda s, p: {}},
    }
    monkeypatch.setattr(answers, "ROOMS", {room: (room,) for room in rooms})
    monkeypatch.setattr(answers, "_modules", lambda room: [SimpleNamespace(ANSWERS=rooms[room])])
    return event


def test_rooms_do_not_wait_for_each_other(gate: threading.Event) -> None:
    from halfwave.explorer.server.conversation import converse

    async def scenario() -> None:
        socket = Socket()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(converse, socket, Shelf())
            for identity, kind in enumerate(["a.slow", "a.quick", "a.quick", "b.quick"]):
                socket.ask(identity, kind)
            assert await socket.until(1) == [3]
            await anyio.sleep(0.05)
            assert len(socket.sent) == 1, "the questions of a room wait for their turn"
            socket.ask(4, "a.cancel")
            got = await socket.until(5)
            assert [identity for identity in got if identity < 3] == [0, 1, 2]
            socket.inbox.put_nowait({"type": "websocket.disconnect"})

    run(scenario)


def test_a_page_that_asks_too_much_is_told(gate: threading.Event) -> None:
    from halfwave.explorer.server.conversation import converse

    async def scenario() -> None:
        socket = Socket()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(converse, socket, Shelf())
            for identity in range(70):
                socket.ask(identity, "a.slow")
            await socket.until(6)
            assert all("64 questions are waiting already" in reply["error"] for reply in socket.sent)
            gate.set()
            assert sorted(await socket.until(70)) == list(range(70))
            socket.inbox.put_nowait({"type": "websocket.disconnect"})

    run(scenario)


def test_a_page_that_goes_is_not_waited_for(gate: threading.Event) -> None:
    from halfwave.explorer.server.conversation import converse

    async def scenario() -> None:
        socket = Socket()
        closed = Part.closed
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(converse, socket, Shelf())
                socket.ask(0, "a.slow")
                await anyio.sleep(0.1)
                socket.inbox.put_nowait({"type": "websocket.disconnect"})
        assert Part.closed == closed + 1
        assert socket.sent == []

    run(scenario)
    gate.set()
