"""Tables written as text: cells between commas, semicolons, tabs or blanks, as numbers or dates."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError

__all__ = ["mostly_numbers", "numbers_of", "table_of_text"]

_MISSING = ("", "na", "nan", "n/a", "null", "none", ".")
_ENOUGH = 400
"""Cells by which a column is judged."""

_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?$")
_OTHER_DATE = re.compile(r"(\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./]\d{1,2}[./]\d{1,2})\b")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*$")
_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+\s*$")


def table_of_text(lines: Iterable[str], where: str) -> tuple[list[str], list[list[str]]]:
    """Names of the columns (numbers from 1 where there is no header row), and rows of as many cells.

    Raises:
        HalfwaveError: if there is nothing, or a row has more or fewer cells than the first.

    >>> table_of_text(["x;y", "1;2,5"], "a table")
    (['x', 'y'], [['1', '2.5']])
    >>> table_of_text(["1.0 2.0", "3.0  4.0"], "a table")
    (['1', '2'], [['1.0', '2.0'], ['3.0', '4.0']])
    """
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        raise HalfwaveError(f"{where} is empty; a header row and rows of numbers are needed")
    rows = _rows(lines, where)
    header = [cell.strip() for cell in rows[0]]
    if _is_row_of_values(header):
        header, body = [str(i + 1) for i in range(len(header))], rows
    else:
        body = rows[1:]
    for number, row in enumerate(body, 1):
        if len(row) != len(header):
            cells = f"{len(row)} cell{'' if len(row) == 1 else 's'}"
            raise HalfwaveError(f"row {number} of {where} has {cells}; the header has {len(header)}")
    return header, body


def mostly_numbers(cells: Iterable[str]) -> bool:
    """Whether more than half of the first cells that hold anything are numbers or dates.

    >>> mostly_numbers(["", "1.5", "n/a", "two", "3"])
    True
    """
    filled = list(islice((cell for cell in map(str.strip, cells) if not _is_missing(cell)), _ENOUGH))
    return 2 * sum(map(_is_value, filled)) > len(filled)


def numbers_of(cells: Sequence[str], name: str) -> npt.NDArray[Any]:
    """A column of text as numbers or dates; cells that say so are missing.

    Raises:
        HalfwaveError: if a cell is neither; it names the cell and its row.

    >>> numbers_of(["1", "NA", "2.5"], "flow")
    array([1. , nan, 2.5])
    """
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        stripped = [cell.strip() for cell in cells]
    filled = [cell for cell in stripped if not _is_missing(cell)]
    if filled and all(map(_DATE.match, filled)):
        return _dates(stripped, name)
    values = np.empty(len(stripped))
    for row, cell in enumerate(stripped):
        try:
            values[row] = np.nan if _is_missing(cell) else float(cell)
        except ValueError:
            raise HalfwaveError(_no_number(cell, row + 1, name)) from None
    return values


def _rows(lines: list[str], where: str) -> list[list[str]]:
    separator = _separator(lines)
    if separator == " ":
        return [line.split() for line in lines]
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise HalfwaveError(f"{where} is not a table ({error})") from None
    return rows if separator == "," else _with_points(rows, separator)


def _separator(lines: list[str]) -> str:
    first, second = lines[0], lines[min(1, len(lines) - 1)]
    found = next((mark for mark in "\t;," if mark in first), None)
    # a single column may have a name of several words
    blanks = len(first.split()) > 1 and len(first.split()) == len(second.split())
    return found or (" " if blanks else ",")


def _with_points(rows: list[list[str]], separator: str) -> list[list[str]]:
    """Decimal commas as points, in a table in which commas can be nothing else."""
    commas = [cell for row in rows for cell in row if _DECIMAL_COMMA.match(cell)]
    points = any("." in cell and _is_value(cell) and not _DATE.match(cell) for row in rows for cell in row)
    # between tabs, 1,234 and 5,678 may be thousands; with semicolons the comma is the decimal mark
    if not commas or points or (separator == "\t" and all(map(_THOUSANDS.match, commas))):
        return rows
    return [[cell.replace(",", ".") if _DECIMAL_COMMA.match(cell) else cell for cell in row] for row in rows]


def _is_missing(cell: str) -> bool:
    return cell.lower() in _MISSING


def _is_value(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return bool(_DATE.match(cell.strip()))
    return True


def _is_row_of_values(cells: list[str]) -> bool:
    """Whether these are values and no names; a cell that is empty may be the name of an index."""
    named = [cell for cell in cells if not (_is_value(cell) or (cell and _is_missing(cell)))]
    return not named and not all(map(_is_missing, cells))


def _dates(cells: list[str], name: str) -> npt.NDArray[Any]:
    try:
        return np.array(["NaT" if _is_missing(c) else c.replace(" ", "T") for c in cells], "datetime64[us]")
    except ValueError as error:
        raise HalfwaveError(f"column {name!r} holds a date that does not exist ({error})") from None


def _no_number(cell: str, row: int, name: str) -> str:
    shown = repr(cell if len(cell) <= 40 else f"{cell[:40]}…")
    if _OTHER_DATE.match(cell):
        return f"column {name!r} must hold dates as ISO dates such as 2020-02-01; got {shown} in row {row}"
    return f"column {name!r} must hold numbers; got {shown} in row {row}"
