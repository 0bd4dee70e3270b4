"""Training to the end, saving on the way: stopped at any moment, a run goes on bit for bit."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from halfwave.rbm.train import PCDTrainer
from halfwave.runs.folder import RunFolder
from halfwave.runs.monitor import Monitor

__all__ = ["drive", "stop_on_interrupt"]

_STRIDE = 5
"""Updates between two looks at the clock and at the signals."""


def drive(
    run: RunFolder,
    trainer: PCDTrainer,
    monitor: Monitor,
    *,
    on_update: Callable[[PCDTrainer, dict[str, float]], None] = lambda trainer, row: None,
    stop: Callable[[], bool] = lambda: False,
    checkpoint_seconds: float = 15.0,
) -> bool:
    """Train to the end, measuring and saving on the way; returns False if ``stop()`` ended it early.

    Args:
        run: where to save.
        trainer: fresh, or restored by ``run.restore``.
        monitor: measures every ``run.config.metrics_every`` updates.
        on_update: called every few updates with the trainer and the latest row of metrics.
        stop: asked every few updates; when true, the state is saved and training ends.
        checkpoint_seconds: longest time between two saved states.
    """
    clock = _Clock(run.metrics)
    row: dict[str, float] = run.metrics[-1] if run.metrics else {}
    saved = time.monotonic()
    if not run.metrics:
        row = _measure(run, trainer, monitor, clock)
        run.checkpoint(trainer)
    every = run.config.metrics_every
    while trainer.update < run.config.updates:
        # never past a row of metrics
        trainer.run(
            until=min(trainer.update + _STRIDE, trainer.update // every * every + every, run.config.updates)
        )
        if trainer.update % every == 0 or trainer.update == run.config.updates:
            row = _measure(run, trainer, monitor, clock)
        on_update(trainer, row)
        if stop() or time.monotonic() - saved > checkpoint_seconds:
            run.checkpoint(trainer)
            saved = time.monotonic()
            if stop():
                return trainer.update >= run.config.updates
    run.checkpoint(trainer)
    return True


class _Clock:
    """Seconds spent training, over all sessions of a run, and the speed since the last look."""

    def __init__(self, metrics: list[dict[str, float]]) -> None:
        self.before = metrics[-1]["seconds"] if metrics else 0.0
        self.start = time.monotonic()
        self.last = (self.before, metrics[-1]["update"] if metrics else 0)

    def read(self, update: int) -> tuple[float, float]:
        seconds = self.before + time.monotonic() - self.start
        elapsed, updates = seconds - self.last[0], update - self.last[1]
        self.last = (seconds, update)
        return seconds, updates / elapsed if elapsed > 0 else 0.0


def _measure(run: RunFolder, trainer: PCDTrainer, monitor: Monitor, clock: _Clock) -> dict[str, float]:
    seconds, speed = clock.read(trainer.update)
    row = {"update": trainer.update, "seconds": seconds, "updates_per_second": speed}
    row |= monitor.measure(trainer.rbm, trainer.update)
    run.metrics.append(row)
    return row


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks for a stop after the current update, which the function given tells; a second one stops at once.

    Only the main thread hears of signals: in any other one the function always says no.

    >>> with stop_on_interrupt() as stopped:
    ...     signal.raise_signal(signal.SIGINT)
    ...     stopped()
    True
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(received)
    finally:
        # a handler that was not set from Python cannot be set again from there
        signal.signal(signal.SIGINT, signal.default_int_handler if before is None else before)
