"""What a long call says while it goes on: sentences on standard output, a bar on standard error.

The bar is rich's, which draws in terminals and, with ipywidgets, in notebooks; a notebook without ipywidgets gets
one line of text that is written over.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["Show", "progress_bar", "say"]

Show = Callable[[int, str], None]
"""Told how much is done, and a text to stand beside the bar."""

_WIDTH = 79


def say(sentence: str, shown: bool = True) -> None:
    """Print a sentence on standard output, if anything is to be shown.

    >>> say("results go to runs/digits")
    results go to runs/digits
    >>> say("nobody reads this", shown=False)
    """
    if shown:
        Console(highlight=False, soft_wrap=True, markup=False, emoji=False).print(sentence)


@contextmanager
def progress_bar(label: str, total: int, start: int = 0, shown: bool = True) -> Iterator[Show]:
    """A progress bar on standard error; the caller reports how much is done, with a text.

    Args:
        label: in front of the bar.
        total: what ``done`` will be in the end.
        start: what is done already.
        shown: False shows nothing at all.

    >>> with progress_bar("counting", 3, shown=False) as show:
    ...     show(3, "three")
    """
    console = Console(stderr=True, highlight=False)
    if not shown:
        yield lambda done, text: None
    elif console.is_jupyter and importlib.util.find_spec("ipywidgets") is None:
        yield lambda done, text: _write_over(label, done, total, text)
        print(file=sys.stderr)
    else:
        with _bar(console) as bar:
            task = bar.add_task(label, total=total, completed=start, text="", clock="left")

            def show(done: int, text: str) -> None:
                bar.update(task, completed=done, text=text, clock="left" if done < total else "taken")

            yield show


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=10),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[clock]}"),
        console=console,
        refresh_per_second=4,
    )


def _write_over(label: str, done: int, total: int, text: str) -> None:
    line = f"{label} {done / max(total, 1):.0%} {text}"
    print(f"\r{line:{_WIDTH}.{_WIDTH}}", end="", file=sys.stderr, flush=True)
