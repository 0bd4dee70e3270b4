"""Named columns of a table: from text, NumPy archives and Parquet files, as numbers or dates."""

from __future__ import annotations

import difflib
import gzip
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from halfwave.datasets.reading.table_text import numbers_of, table_of_text
from halfwave.errors import HalfwaveError

__all__ = ["column_names", "lines_of", "load_columns", "raw_columns"]

Column = npt.NDArray[Any]


def load_columns(
    path: str | os.PathLike[str], names: Sequence[str], drop_missing: bool = False
) -> tuple[Column, ...]:
    """Columns of a table by name, of equal length: float64, or datetime64 where they hold ISO dates.

    Args:
        path: a .csv, .tsv or .txt file (separated by commas, semicolons, tabs or blanks, with a header row), plain
            or in .gz; an .npz file of one-dimensional arrays; a .parquet file (needs the extra `io`).
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
    return _without_missing(raw_columns(path, names), names, drop_missing)


def raw_columns(path: str | os.PathLike[str], names: Sequence[str]) -> list[Column]:
    """Columns as `load_columns` finds them, with NaN and NaT where a value is missing.

    Raises:
        HalfwaveError: as there, but not for missing values.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = file.write_text("year,flow\\n1871,NA\\n1872,1160\\n")
    >>> raw_columns(file, ["flow"])
    [array([  nan, 1160.])]
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
    return columns


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
    return table_of_text(lines_of(file), file.name)[0]


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
    header, body = table_of_text(lines_of(file), file.name)
    places = [_find(name, header, file.name) for name in names]
    return [numbers_of([row[i] for row in body], name) for i, name in zip(places, names, strict=True)]


def lines_of(file: Path) -> list[str]:
    """Lines of a text, plain or in .gz.

    Raises:
        HalfwaveError: if it is not UTF-8.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = file.write_text("x,y\\n1,2\\n")
    >>> lines_of(file)
    ['x,y\\n', '1,2\\n']
    """
    try:
        opener = gzip.open if file.suffix.lower() == ".gz" else open
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            return list(stream)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise HalfwaveError(f"{file.name} is not UTF-8 text ({error})") from None
