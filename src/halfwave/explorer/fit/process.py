"""The fitting process of a page as the server sees it: started when it is first needed, ended at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.fit.tables import Data
from halfwave.explorer.fit.worker import receive, send

__all__ = ["MOST_PROCESSES", "FitProcess"]

MOST_PROCESSES = 4
"""Processes at a time; the one that has rested longest ends for a new one."""

_KNOWN = 4
_PROGRAM = "from halfwave.explorer.fit.worker import work; work()"


class _Running:
    """The processes that run; a server must not start one for each of fifty forgotten pages."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._running: OrderedDict[int, FitProcess] = OrderedDict()

    def make_room(self, wants: FitProcess) -> None:
        with self._lock:
            self._running.pop(id(wants), None)
            while len(self._running) >= MOST_PROCESSES:
                resting = next((one for one in self._running.values() if not one.is_busy), None)
                if resting is None:
                    raise HalfwaveError(f"{MOST_PROCESSES} other pages are fitting; wait for one or close it")
                del self._running[id(resting)]
                resting.end("another page needed the process")
            self._running[id(wants)] = wants

    def forget(self, one: FitProcess) -> None:
        with self._lock:
            self._running.pop(id(one), None)


_running = _Running()


class FitProcess:
    """Jobs for a process of its own."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: dict[int, Future[Any]] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._count = 0
        self._closed = False

    @property
    def is_busy(self) -> bool:
        """Whether an answer is still owed."""
        return bool(self._waiting)

    @property
    def identity(self) -> int | None:
        """The number of the process, if one runs."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process, so that the first fit need not wait for it."""
        _running.make_room(self)
        with self._lock:
            if self._process is None and not self._closed:
                self._process = _started()
                self._known.clear()
                Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def begin(self, lane: str, verb: str, data: Data, options: Mapping[str, Any]) -> Future[Any]:
        """Send a job; its answer is the result of what is returned."""
        self.start()
        with self._lock:
            if self._process is None:
                raise HalfwaveError("the page has gone")
            self._count += 1
            answer: Future[Any] = Future()
            self._waiting[self._count] = answer
            stream = self._process.stdin
            assert stream is not None
            with contextlib.suppress(OSError):  # it has ended; `_listen` says so to all who wait
                if data.key not in self._known:
                    send(stream, (None, data.key, data.x, data.y))
                    self._know(data.key)
                send(stream, (self._count, lane, verb, data.key, dict(options)))
            return answer

    def end(self, reason: str) -> None:
        """End the process at once, whatever it does; the next job starts a new one."""
        with self._lock:
            process, self._process = self._process, None
            waiting, self._waiting = self._waiting, {}
        if process is not None:
            process.kill()
            process.wait()
        _fail(waiting, reason)

    def close(self) -> None:
        """End for good."""
        with self._lock:
            self._closed = True
        self.end("the page has gone")
        _running.forget(self)

    def _know(self, key: str) -> None:
        # the process keeps as many, in the same order
        self._known[key] = None
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        stream = process.stdout
        assert stream is not None
        with stream:
            try:
                while True:
                    number, how, value = receive(stream)
                    with self._lock:
                        answer = self._waiting.pop(number, None) if process is self._process else None
                    if answer is not None:
                        _settle(answer, how, value)
            except EOFError:
                pass
        with self._lock:
            lost, self._waiting = (self._waiting, {}) if process is self._process else ({}, self._waiting)
            if process is self._process:
                self._process = None
        process.wait()
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        _fail(lost, "the fitting process ended; it may have run out of memory")


def _started() -> subprocess.Popen[bytes]:
    # the package that runs here, without the folder in which it happens to run
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )


def _settle(answer: Future[Any], how: str, value: Any) -> None:
    if how == "done":
        answer.set_result(value)
    elif how == "refused":
        answer.set_exception(HalfwaveError(value))
    else:
        answer.set_exception(RuntimeError(value))


def _fail(waiting: Mapping[int, Future[Any]], reason: str) -> None:
    for answer in waiting.values():
        answer.set_exception(HalfwaveError(reason))
