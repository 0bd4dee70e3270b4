"""The process that fits for one page: it reads jobs from its standard input and answers on its standard output.

It is a process so that a fit can be ended at once, and a plain one, not one of `multiprocessing`, so that a script
that opens the explorer need not guard its own main part. It ends when its input ends: with its page, or its server.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread, Timer
from typing import IO, Any

from halfwave.errors import HalfwaveError

__all__ = ["receive", "send", "work"]

_LENGTH = struct.Struct("<Q")
_KEPT = 4
_CALM = 1.5  # seconds after the first answer


def send(stream: IO[bytes], message: Any) -> None:
    """Write a message whole."""
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """The next message.

    Raises:
        EOFError: if the other side has gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)


def work() -> None:
    """Answer jobs until the input ends.

    A job is (number, lane, verb, key, options); data come before their first job as (None, key, x, y). Lanes run
    beside each other, so that a fit does not wait for the intervals of the one before.
    """
    # an interrupt at the terminal reaches this process as well, and is for the server
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed must not stand between answers
    # in this thread: two that import NumPy at once find half of it
    from halfwave.explorer.fit.numbers import warm_up

    lanes: dict[str, _Lane] = {}
    data: OrderedDict[str, Any] = OrderedDict()
    lock = Lock()
    warm = Timer(_CALM, warm_up)
    warm.daemon = True

    def reply(message: Any) -> None:
        with lock:
            send(answers, message)
            if warm.ident is None:
                warm.start()  # after what is wanted first

    try:
        while True:
            job = receive(jobs)
            if job[0] is None:
                data[job[1]] = job[2:]
                while len(data) > _KEPT:
                    data.popitem(last=False)
            else:
                number, lane, verb, key, options = job
                if lane not in lanes:
                    lanes[lane] = _Lane(reply)
                lanes[lane].jobs.put((number, verb, data[key], options))
    except EOFError:
        os._exit(0)  # lanes may be in the middle of something that nobody waits for


class _Lane(Thread):
    """Runs jobs one after the other."""

    def __init__(self, reply: Callable[[Any], None]) -> None:
        super().__init__(daemon=True)
        self.jobs: SimpleQueue[Any] = SimpleQueue()
        self._reply = reply
        self.start()

    def run(self) -> None:
        from halfwave.explorer.fit.numbers import VERBS

        while True:
            number, verb, (x, y), options = self.jobs.get()
            try:
                self._reply((number, "done", VERBS[verb](x, y, options)))
            except HalfwaveError as error:
                self._reply((number, "refused", str(error)))
            except Exception as error:
                # the server logs it, and its page is told that the library failed
                self._reply((number, "failed", f"{type(error).__name__}: {error}"))
