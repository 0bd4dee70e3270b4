"""The data that one page has open: bundled sets, files that the person gave, pasted tables, drawn points."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.datasets.columns import column_names, lines_of, raw_columns
from halfwave.datasets.reading.table_text import mostly_numbers, numbers_of, table_of_text
from halfwave.errors import HalfwaveError
from halfwave.explorer.fit.sets import SETS, set_named
from halfwave.explorer.session.shelf import Shelf

__all__ = ["MOST_POINTS", "Data", "Tables"]

MOST_POINTS = 1000
"""Points that a page may send one by one."""
_MOST_ROWS = 2_000_000
_KEPT = 4
_LONGEST_NAME = 200
_ARRAYS = (".npz", ".parquet")
_MOST_NAMES = 8

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Data:
    """Two columns of numbers, a key that stands for them, and what is told of them."""

    key: str
    x: Vector
    y: Vector
    names: tuple[str, str]
    columns: tuple[str, ...]
    """Those that hold numbers, from which two may be chosen."""
    missing: int = 0
    """Rows left out because a value was missing."""
    infinite: int = 0
    """Rows left out because a value was infinite."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Names of columns, and how to come by one as numbers or dates."""

    names: list[str]
    column: Callable[[str], npt.NDArray[Any]]
    holds_numbers: Callable[[str], bool]

    def numeric(self) -> list[str]:
        return [name for name in self.names if self.holds_numbers(name)]


class Tables:
    """Finds the data that a page speaks of; what was read is kept for a while."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._texts: OrderedDict[str, tuple[list[str], list[list[str]]]] = OrderedDict()
        self._data: OrderedDict[str, Data] = OrderedDict()

    def read(self, text: str) -> tuple[str, list[str]]:
        """Keep a pasted table; its key and the names of its columns."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        if key not in self._texts:
            _check_for_digits(text)
            header, rows = table_of_text(io.StringIO(text.removeprefix("\ufeff"), newline=""), "the table")
            if not rows:
                raise HalfwaveError("the table has names of columns and no rows")
            if len(rows) > _MOST_ROWS:
                raise HalfwaveError(f"the table may have at most {_MOST_ROWS:,} rows; got {len(rows):,}")
            _keep(self._texts, key, (header, rows))
        return key, self._texts[key][0]

    def data(self, source: Any) -> Data:
        """The data of a source: an object with `set`, `file`, `text` or `points`, and perhaps columns `x`, `y`.

        Raises:
            HalfwaveError: if there is no such source, or its columns are not numbers.
        """
        if not isinstance(source, Mapping):
            raise HalfwaveError(f"`source` must be an object; got a {type(source).__name__}")
        key = hashlib.sha256(json.dumps(source, sort_keys=True).encode()).hexdigest()[:16]
        if key not in self._data:
            _keep(self._data, key, self._found(source, key))
        self._data.move_to_end(key)
        return self._data[key]

    def _found(self, source: Mapping[str, Any], key: str) -> Data:
        if "set" in source:
            name = _name(source, "set")
            x, y = set_named(name)
            return Data(key, x, y, (SETS[name].x, SETS[name].y), (SETS[name].x, SETS[name].y))
        if "points" in source:
            points = _points(source["points"])
            return Data(key, points[:, 0], points[:, 1], ("x", "y"), ("x", "y"))
        return _of_table(source, key, self._table(source))

    def columns(self, source: Any) -> list[str]:
        """The columns of a file or a pasted table that hold numbers.

        Raises:
            HalfwaveError: if there is no such table.
        """
        if not isinstance(source, Mapping):
            raise HalfwaveError(f"`source` must be an object; got a {type(source).__name__}")
        return self._table(source).numeric()

    def _table(self, source: Mapping[str, Any]) -> _Table:
        if "file" not in source:
            return _text_table(*self._pasted(_name(source, "text")))
        path = self._shelf.data_file(_name(source, "file"))
        if path.suffix.lower() not in _ARRAYS:
            return _text_table(*table_of_text(lines_of(path), path.name))

        def column(name: str) -> npt.NDArray[Any]:
            return raw_columns(path, [name])[0]

        return _Table(column_names(path), column, lambda name: _is_readable(column, name))

    def _pasted(self, key: str) -> tuple[list[str], list[list[str]]]:
        if key not in self._texts:
            raise HalfwaveError("the pasted table is no longer here; paste it again")
        self._texts.move_to_end(key)
        return self._texts[key]


def _text_table(header: list[str], rows: list[list[str]]) -> _Table:
    def cells(name: str) -> list[str]:
        place = header.index(name)
        return [row[place] for row in rows]

    def holds_numbers(name: str) -> bool:
        place = header.index(name)
        return mostly_numbers(row[place] for row in rows)

    return _Table(header, lambda name: numbers_of(cells(name), name), holds_numbers)


def _of_table(source: Mapping[str, Any], key: str, table: _Table) -> Data:
    """Two columns, those asked for or the first that hold numbers, without rows that lack a value."""
    numeric = table.numeric()
    if len(table.names) == 1 and "x" not in source:
        y = _as_numbers(table.column(table.names[0]))
        x, names = np.arange(1.0, len(y) + 1), ("row", table.names[0])
    else:
        names = _chosen(source, table, numeric)
        x, y = (_as_numbers(table.column(name)) for name in names)
    if len(x) != len(y):
        raise HalfwaveError(f"the columns must have the same length; got {len(x)} and {len(y)}")
    full = np.isfinite(x) & np.isfinite(y)
    if not full.any():
        raise HalfwaveError(f"no row has a finite number in both {names[0]!r} and {names[1]!r}")
    missing = int((np.isnan(x) | np.isnan(y)).sum())
    return Data(key, x[full], y[full], names, tuple(numeric), missing, len(x) - missing - int(full.sum()))


def _chosen(source: Mapping[str, Any], table: _Table, numeric: list[str]) -> tuple[str, str]:
    """Names of the columns of x and y."""
    asked = [_name(source, axis) if source.get(axis) is not None else None for axis in "xy"]
    for name in asked:
        if name is not None and name not in table.names:
            raise HalfwaveError(f"the columns are {_listed(table.names)}; got {name!r}")
    free = [name for name in numeric if name not in asked]
    if len(free) < asked.count(None):
        raise HalfwaveError(f"two columns of numbers are needed: {_why_no_numbers(table, numeric)}")
    x, y = (name if name is not None else free.pop(0) for name in asked)
    return x, y


def _why_no_numbers(table: _Table, numeric: list[str]) -> str:
    if len(table.names) > 1:
        for name in table.names:
            if name not in numeric:
                try:
                    table.column(name)
                except HalfwaveError as error:
                    return str(error)
    return f"the table has {_listed(table.names)}, of which {_listed(numeric) or 'none'} may be one"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(repr(name[:40]) for name in names[:_MOST_NAMES]) + more


def _check_for_digits(text: str) -> None:
    """What is pasted by mistake is mostly words."""
    begins = " ".join(text[:200].split())[:40]
    if begins and not re.search(r"\d", text):
        raise HalfwaveError(
            f"this is no table of numbers: it begins {begins!r}; rows such as 1,2.5 are needed"
        )


def _keep(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    while len(kept) > _KEPT:
        kept.popitem(last=False)


def _name(source: Mapping[str, Any], field: str) -> str:
    value = source.get(field)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise HalfwaveError(f"`{field}` of a source must be a name; got {repr(value)[:40]}")
    return value


def _points(value: Any) -> Vector:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_POINTS:
        size = f"{len(value)} of them" if isinstance(value, list) else f"a {type(value).__name__}"
        raise HalfwaveError(f"`points` must be a list of 1 to {MOST_POINTS} [x, y]; got {size}")
    for index, point in enumerate(value):
        numbers = isinstance(point, list) and len(point) == 2
        if not numbers or any(isinstance(v, bool) or not isinstance(v, int | float) for v in point):
            raise HalfwaveError(f"a point must be [x, y]; got {repr(point)[:40]} at index {index}")
        if not all(abs(v) <= 1e300 for v in point):
            raise HalfwaveError(f"a point must be finite; got {repr(point)[:40]} at index {index}")
    return np.array(value, dtype=np.float64)


def _is_readable(column: Callable[[str], npt.NDArray[Any]], name: str) -> bool:
    try:
        return bool(np.isfinite(_as_numbers(column(name))).any())
    except HalfwaveError:
        return False


def _as_numbers(column: npt.NDArray[Any]) -> Vector:
    """Numbers as they are; dates as years, such as 1958.24, which a person can read off an axis."""
    if column.dtype.kind != "M":
        return column
    days = (column - np.datetime64("2000-01-01", "us")) / np.timedelta64(1, "D")
    return 2000.0 + days / 365.2425
