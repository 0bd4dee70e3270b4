"""What the room "Fit" asks of the library: data, fits, their intervals, and the path of a gradient."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from threading import Lock
from typing import Any

import numpy as np

from halfwave.errors import HalfwaveError
from halfwave.explorer.fit.options import MOST_KINKS, fit_options, path_options
from halfwave.explorer.fit.process import FitProcess
from halfwave.explorer.fit.sets import described_sets
from halfwave.explorer.fit.tables import Data, Tables
from halfwave.explorer.session.payloads import number
from halfwave.explorer.session.session import Answer, Session
from halfwave.explorer.session.shelf import Shelf

__all__ = ["ANSWERS", "RECORDED"]

_SHOWN = 4000
_EXACT = 1000
_LONGEST_PATIENCE = 60.0
_SURE = 5
"""Kinks up to which an exported page knows intervals."""
_PATIENCE = 60_000
"""Milliseconds for which the page waits for an answer that goes into an exported page."""

Payload = dict[str, Any]


class _Bench:
    """What one page has open in this room."""

    def __init__(self, shelf: Shelf) -> None:
        self.tables = Tables(shelf)
        self.process = FitProcess()
        self.details: tuple[str, Future[Any]] | None = None
        self._lock = Lock()
        self._cancelled = -math.inf

    def check(self, payload: Mapping[str, Any]) -> None:
        """Refuse a question whose turn was cancelled while it waited or read its data."""
        if number(payload, "turn", math.inf) <= self._cancelled:
            raise HalfwaveError("cancelled")

    def begin(self, payload: Mapping[str, Any], lane: str, verb: str, options: Payload) -> Future[Any]:
        """Send a job to the process, unless it was cancelled meanwhile."""
        self.check(payload)
        data = self.tables.data(payload.get("source"))
        with self._lock:
            self.check(payload)
            return self.process.begin(lane, verb, data, options)

    def cancel(self, turn: float) -> None:
        """End what runs, and what waits and was asked up to this turn; make ready for the next."""
        with self._lock:
            self._cancelled = max(self._cancelled, turn)
            self.details = None
            self.process.end("cancelled")
        self.process.start()

    def close(self) -> None:
        self.process.close()


def _open(session: Session, payload: Mapping[str, Any]) -> Payload:
    """What there is to choose from; the process starts meanwhile."""
    session.part(_Bench).process.start()
    return {"sets": described_sets(), "files": session.shelf.data_files(), "most": MOST_KINKS}


def _read(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The key of a table that was pasted or dropped, and its columns."""
    text = payload.get("text")
    if not isinstance(text, str):
        raise HalfwaveError(f"`text` must be a text; got a {type(text).__name__}")
    bench = session.part(_Bench)
    bench.check(payload)
    key, columns = bench.tables.read(text)
    return {"key": key, "columns": columns}


def _data(session: Session, payload: Mapping[str, Any]) -> Payload:
    """What is known of the data of a source, and at most 4000 of its points to draw."""
    bench = session.part(_Bench)
    bench.check(payload)
    data = bench.tables.data(payload.get("source"))
    shown = _shown(data)
    x, y = data.x[shown], data.y[shown]
    if len(data.x) > _EXACT:
        x, y = _rounded(x), _rounded(y)
    return {
        "names": data.names,
        "columns": data.columns,
        "count": len(data.x),
        "missing": data.missing,
        "infinite": data.infinite,
        "x": x.tolist(),
        "y": y.tolist(),
        "ends": [float(data.x.min()), float(data.x.max()), float(data.y.min()), float(data.y.max())],
    }


def _columns(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The columns of a table from which to choose, where those that were chosen are no numbers."""
    return {"columns": session.part(_Bench).tables.columns(payload.get("source"))}


def _fit(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The fit, as `fit_numbers.fitted` tells it."""
    return session.part(_Bench).begin(payload, "fit", "fit", fit_options(payload)).result()


def _details(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Intervals and criteria, or {"pending": true}: asked again and again, so that a fit can come in between."""
    bench = session.part(_Bench)
    patience = min(max(number(payload, "patience", 0.0) / 1000, 0.0), _LONGEST_PATIENCE)
    options = fit_options(payload)
    question = json.dumps([payload.get("source"), options])
    if bench.details is None or bench.details[0] != question:
        if bench.details is not None and not bench.details[1].done():
            return {"pending": True}  # one at a time; the one before is soon done
        bench.details = question, bench.begin(payload, "details", "details", options)
    try:
        return bench.details[1].result(patience)
    except NotYet:
        return {"pending": True}
    except HalfwaveError:
        bench.details = None
        raise


def _gradient(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The path of a gradient, as `fit_numbers.gradient` tells it."""
    return session.part(_Bench).begin(payload, "fit", "gradient", path_options(payload)).result()


def _cancel(session: Session, payload: Mapping[str, Any]) -> Payload:
    """End at once what is being fitted, and all questions up to `turn` that still wait."""
    session.part(_Bench).cancel(number(payload, "turn", -1.0))
    return {}


def _shown(data: Data) -> Any:
    """Indices of the points to draw, in the order of x: all, or a fixed choice that keeps the extremes of y."""
    if len(data.x) <= _SHOWN:
        return np.argsort(data.x, kind="stable")
    chosen = np.random.default_rng(0).choice(len(data.x), _SHOWN - 20, replace=False)
    far = np.argsort(data.y)[[*range(10), *range(-10, 0)]]
    some = np.unique(np.concatenate((chosen, far)))
    return some[np.argsort(data.x[some], kind="stable")]


def _rounded(values: Any) -> Any:
    """Values to a ten-thousandth of their range: finer than a screen shows, and short to write."""
    spread = float(np.ptp(values)) or 1.0
    return np.round(values, int(np.clip(5 - np.floor(np.log10(spread)), -300, 300)))


ANSWERS: dict[str, Answer] = {
    "fit.open": _open,
    "fit.read": _read,
    "fit.data": _data,
    "fit.columns": _columns,
    "fit.fit": _fit,
    "fit.details": _details,
    "fit.gradient": _gradient,
    "fit.cancel": _cancel,
}


def _recorded() -> list[tuple[str, Payload]]:
    """What the page asks with its first settings, for two sets and up to eight kinks."""
    questions: list[tuple[str, Payload]] = [("fit.open", {})]
    for name in ("nile", "engel"):
        source = {"set": name}
        questions.append(("fit.data", {"source": source}))
        for kinks in ("auto", *range(9)):
            plain = {"source": source, "kinks": kinks, **_FIRST}
            questions.append(("fit.fit", plain))
            # intervals of many kinks take a second each, which whoever exports a page would wait for
            if name == "nile" and (kinks == "auto" or kinks <= _SURE):
                questions.append(("fit.details", {**plain, "patience": _PATIENCE}))
    return questions


_FIRST: Payload = {"criterion": "bic", "loss": "squares", "quantile": 0.5, "correct": False, "fixed": []}
RECORDED = _recorded()
