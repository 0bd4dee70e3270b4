"""Tables of numbers as text: separated by commas, semicolons or tabs, with or without a header row."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import numpy as np

from halfwave.datasets.reading.raw import RawData
from halfwave.errors import HalfwaveError

__all__ = ["read_csv"]

# In the order they are looked for: a comma may also be the decimal mark of a file split at semicolons.
_DELIMITERS = {"\t": "tabs", ";": "semicolons", ",": "commas"}


@dataclass(frozen=True)
class _Layout:
    delimiter: str
    has_header: bool

    @property
    def sentence(self) -> str:
        header = "with a header row" if self.has_header else "without a header row"
        return f"Read as text separated by {_DELIMITERS[self.delimiter]}, {header}."


def read_csv(stream: BinaryIO, header: bool | None = None) -> RawData:
    """The table in a UTF-8 stream; `header` None detects whether its first row holds names.

    >>> read_csv(io.BytesIO(b"left;right\\n1;2.5\\n3;4\\n")).train
    array([[1. , 2.5],
           [3. , 4. ]])
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig")
    try:
        layout = _detect_layout(text, header)
        return RawData(_parse(text, layout), layout.sentence)
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise HalfwaveError(
            f"the byte 0x{byte:02x} is not UTF-8 text, and no known format begins like this"
        ) from None
    except csv.Error as error:
        raise HalfwaveError(f"the text is not a table ({error})") from None
    finally:
        text.detach()  # the stream belongs to the caller, who closes it


def _detect_layout(text: io.TextIOWrapper, header: bool | None) -> _Layout:
    first_line = next(_filled_lines(text), None)
    if first_line is None:
        raise HalfwaveError("the file holds blank lines only; rows of numbers are needed")
    outside_quotes = re.sub(r'"[^"]*"', "", first_line)
    delimiter = next((mark for mark in _DELIMITERS if mark in outside_quotes), ",")
    cells = next(csv.reader([first_line], delimiter=delimiter))
    return _Layout(delimiter, _is_header(cells) if header is None else header)


def _is_header(cells: list[str]) -> bool:
    """A row of names holds no number: one odd cell among numbers is a mistake to report, not a header.

    >>> _is_header(["left", "right"]), _is_header(["1", "oops"]), _is_header(["", ""])
    (True, False, False)
    """
    return any(cell.strip() for cell in cells) and not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell  # Python reads 1_000 as a number, NumPy does not


def _filled_lines(text: Iterable[str]) -> Iterator[str]:
    # a row of tabs is not blank: it is a row of empty cells, to be reported
    return (line for line in text if line.strip(" \r\n"))


def _parse(text: io.TextIOWrapper, layout: _Layout) -> np.ndarray:
    lines = _from_start(text, layout)
    first_line = next(lines, None)
    if first_line is None:  # NumPy would only warn
        raise HalfwaveError("the file holds a header row and no samples; at least 2 are needed")
    try:
        # three to four times faster than the csv module, which is kept for finding the bad cell
        values = np.loadtxt(
            itertools.chain([first_line], lines),
            delimiter=layout.delimiter,
            comments=None,
            quotechar='"',
            ndmin=2,
        )
    except UnicodeDecodeError:  # a ValueError too, but not one about a cell
        raise
    except ValueError as error:
        _report_bad_cell(text, layout, str(error))
    not_finite = values.size - np.count_nonzero(np.isfinite(values))
    if not_finite:
        _report_bad_cell(text, layout, f"{not_finite:,} cells are not finite")
    return _compact(values)


def _compact(values: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to 255 as bytes: text is parsed to eight times their size."""
    if values.min() < 0 or values.max() > 255:
        return values
    as_bytes = values.astype(np.uint8)
    return as_bytes if (as_bytes == values).all() else values


def _from_start(text: io.TextIOWrapper, layout: _Layout) -> Iterator[str]:
    text.seek(0)
    return itertools.islice(_filled_lines(text), int(layout.has_header), None)


def _report_bad_cell(text: io.TextIOWrapper, layout: _Layout, reason: str) -> NoReturn:
    """Raise with the first cell that broke the fast parser, found again by the slow one."""
    width = None
    for row, cells in _numbered_rows(text, layout):
        width = width or len(cells)
        for column, cell in enumerate(cells, start=1):
            if not _is_number(cell):
                _raise_not_a_number(cell, row, column)
            if not math.isfinite(float(cell)):
                raise HalfwaveError(f"{cell.strip()} at row {row}, column {column} is not finite; {reason}")
        if len(cells) != width:
            raise HalfwaveError(f"row {row} has {len(cells)} cells and the first has {width}; all must agree")
    raise HalfwaveError(f"the text is not a table of numbers ({reason})")


def _numbered_rows(text: io.TextIOWrapper, layout: _Layout) -> Iterator[tuple[int, list[str]]]:
    """Rows of cells with the line they stand on, counted from 1 as an editor does."""
    text.seek(0)
    reader = csv.reader(text, delimiter=layout.delimiter)
    filled = ((reader.line_num, cells) for cells in reader if len(cells) > 1 or any(map(str.strip, cells)))
    return itertools.islice(filled, int(layout.has_header), None)


def _raise_not_a_number(cell: str, row: int, column: int) -> NoReturn:
    found = f"{cell.strip()!r} at" if cell.strip() else "the empty cell at"
    hint = " (pass header=True if this row holds names)" if row == 1 else ""
    raise HalfwaveError(f"{found} row {row}, column {column} is not a number; every cell must hold one{hint}")
