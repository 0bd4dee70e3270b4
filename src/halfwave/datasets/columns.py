"""Named columns of a table: from text, NumPy archives and Parquet files, as numbers or dates."""

from __future__ import annotations

import csv
import difflib
import gzip
import os
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError

__all__ = ["column_names", "load_columns", "numbers_of", "table_of_text"]

Column = npt.NDArray[Any]
_MISSING = ("", "na", "nan", "n/a", "null", "none", ".")
_DATE = re.compile(r"\d{4}-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?$")


def load_columns(
    path: str | os.PathLike[str], names: Sequence[str], drop_missing: bool = False
) -> tuple[Column, ...]:
    """Columns of a table by name, of equal length: float64, or datetime64 where they hold ISO dates.

    Args:
        path: a .csv, .tsv or .txt file (separated by commas, semicolons or tabs, with a header row), plain or in
            .gz; an .npz file of one-dimensional arrays; a .parquet file (needs the extra `io`).
        names: names of columns; for text without names, their numbers, from 1.
        drop_missing: leave out rows in which one of the columns is missing instead of refusing them.

    Raises:
        HalfwaveError: if the file or a column is not there, a value is not a number, or a value is missing.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = file.write_text("year,flow\\n1871,1120\\n1872,1160\\n")
    >>> load_columns(file, ["year", "flow"])
    (array([1871., 1872.]), array([1120., 1160.]))
    """
    file = Path(path)
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        raise HalfwaveError(f"the data file {str(file)!r} {what}")
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes[-1:] == [".npz"]:
        columns = _from_npz(file, names)
    elif suffixes[-1:] == [".parquet"]:
        columns = _from_parquet(file, names)
    elif {".csv", ".tsv", ".txt"} & set(suffixes[-2:]):
        columns = _from_text(file, names)
    else:
        raise HalfwaveError(f"a data file must end in .csv, .tsv, .txt, .npz or .parquet; got {file.name!r}")
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        described = ", ".join(f"{name!r} {len(column)}" for name, column in zip(names, columns, strict=True))
        raise HalfwaveError(f"the columns must have the same length; got {described}")
    return _without_missing(columns, names, drop_missing)


def column_names(path: str | os.PathLike[str]) -> list[str]:
    """Names of all columns that `load_columns` finds in a file.

    Raises:
        HalfwaveError: if the file is not a table.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = file.write_text("year,flow\\n1871,1120\\n")
    >>> column_names(file)
    ['year', 'flow']
    """
    file = Path(path)
    suffix = file.suffix.lower()
    try:
        if suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                return list(archive.files)
        if suffix == ".parquet":
            import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]

            return list(parquet.ParquetFile(file).schema_arrow.names)
    except Exception as error:
        raise HalfwaveError(f"{file.name} is not a readable {suffix} file ({error})") from None
    return table_of_text(_lines_of(file), file.name)[0]


def _without_missing(
    columns: Sequence[Column], names: Sequence[str], drop_missing: bool
) -> tuple[Column, ...]:
    missing = [np.isnat(c) if c.dtype.kind == "M" else np.isnan(c) for c in columns]
    lost = np.logical_or.reduce(missing)
    if not lost.any():
        return tuple(columns)
    if not drop_missing:
        row = int(np.flatnonzero(lost)[0])
        name = next(name for name, bad in zip(names, missing, strict=True) if bad[row])
        raise HalfwaveError(
            f"column {name!r} is missing in row {row + 1} ({int(lost.sum())} such rows of {len(lost)}); "
            "leave them out with --drop-missing"
        )
    return tuple(column[~lost] for column in columns)


def _find(name: str, known: Sequence[str], where: str) -> int:
    if name in known:
        return list(known).index(name)
    if name.isdigit() and 1 <= int(name) <= len(known):
        return int(name) - 1
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise HalfwaveError(f"{where} has the columns {', '.join(map(repr, known))}; got {name!r}{hint}")


def _from_npz(file: Path, names: Sequence[str]) -> list[Column]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            known = list(archive.files)
            found = [archive[known[_find(name, known, file.name)]] for name in names]
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        if isinstance(error, HalfwaveError):
            raise
        raise HalfwaveError(f"{file.name} is not an .npz file of plain arrays ({error})") from None
    for name, column in zip(names, found, strict=True):
        if column.ndim != 1:
            raise HalfwaveError(f"array {name!r} must be one-dimensional; got shape {column.shape}")
    return [_typed(column, name) for name, column in zip(names, found, strict=True)]


def _from_parquet(file: Path, names: Sequence[str]) -> list[Column]:
    try:
        import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise HalfwaveError('reading .parquet needs pyarrow: pip install "halfwave[io]"') from None
    try:
        table = parquet.ParquetFile(file)
        known = list(table.schema_arrow.names)
        wanted = [known[_find(name, known, file.name)] for name in names]
        read = table.read(columns=wanted)
    except HalfwaveError:
        raise
    except Exception as error:
        raise HalfwaveError(f"{file.name} is not a readable .parquet file ({error})") from None
    return [
        _typed(read.column(column).to_numpy(zero_copy_only=False), name)
        for column, name in zip(wanted, names, strict=True)
    ]


def _typed(column: Column, name: str) -> Column:
    """Numbers as float64, dates as they are; anything else is refused."""
    if column.dtype.kind == "M":
        return column
    if column.dtype.kind in "fiub":
        return column.astype(np.float64)
    if column.dtype.kind in "OUS":
        return numbers_of([("" if cell is None else str(cell)) for cell in column.tolist()], name)
    raise HalfwaveError(f"column {name!r} must hold numbers or dates; got {column.dtype}")


def _from_text(file: Path, names: Sequence[str]) -> list[Column]:
    header, body = table_of_text(_lines_of(file), file.name)
    places = [_find(name, header, file.name) for name in names]
    return [numbers_of([row[i] for row in body], name) for i, name in zip(places, names, strict=True)]


def _lines_of(file: Path) -> list[str]:
    try:
        opener = gzip.open if file.suffix.lower() == ".gz" else open
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            return list(stream)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise HalfwaveError(f"{file.name} is not UTF-8 text ({error})") from None


def table_of_text(lines: Iterable[str], where: str) -> tuple[list[str], list[list[str]]]:
    """Names of the columns (numbers from 1 where there is no header row), and rows of as many cells.

    >>> table_of_text(["x;y", "1;2,5"], "a table")
    (['x', 'y'], [['1', '2,5']])
    """
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        raise HalfwaveError(f"{where} is empty; a header row and rows of numbers are needed")
    delimiter = next((mark for mark in "\t;," if mark in lines[0]), ",")
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        raise HalfwaveError(f"{where} is not a table ({error})") from None
    header = [cell.strip() for cell in rows[0]]
    if all(_is_value(cell) for cell in header):
        header, body = [str(i + 1) for i in range(len(header))], rows
    else:
        body = rows[1:]
    for number, row in enumerate(body, 1):
        if len(row) != len(header):
            raise HalfwaveError(f"row {number} of {where} has {len(row)} cells; the header has {len(header)}")
    return header, body


def _is_value(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return bool(_DATE.match(cell.strip()))
    return True


def numbers_of(cells: list[str], name: str) -> Column:
    """A column of text as numbers or dates; cells that say so are missing."""
    stripped = [cell.strip() for cell in cells]
    filled = [cell for cell in stripped if cell.lower() not in _MISSING]
    if filled and all(_DATE.match(cell) for cell in filled):
        try:
            return np.array(
                ["NaT" if c.lower() in _MISSING else c.replace(" ", "T") for c in stripped], "datetime64[us]"
            )
        except ValueError as error:
            raise HalfwaveError(f"column {name!r} holds a date that does not exist ({error})") from None
    values = np.empty(len(stripped))
    for row, cell in enumerate(stripped):
        if cell.lower() in _MISSING:
            values[row] = np.nan
            continue
        try:
            values[row] = float(cell)
        except ValueError:
            raise HalfwaveError(f"column {name!r} must hold numbers; got {cell!r} in row {row + 1}") from None
    return values
