"""Columns by name from every format, and one clear sentence for what cannot be read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from halfwave import HalfwaveError
from halfwave.datasets import load_columns

TEXT = "time,flow,note\n1871,1120,a\n1872,1160.5,b\n\n1873,963,c\n"


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", TEXT),
        ("a.tsv", TEXT.replace(",", "\t")),
        ("a.txt", TEXT.replace(",", ";")),
        ("b.csv", "\ufeff# a comment\n" + TEXT),
        ("c.csv", TEXT.replace("\n", "\r\n")),
        ("d.csv", '"time","flow","note"\n1871,"1120","x, y"\n1872,1160.5,\n1873,963,z\n'),
        ("e.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
    ],
)
def test_text(tmp_path: Path, name: str, text: str | bytes) -> None:
    path = written(tmp_path, name, text)
    flow, time = load_columns(path, ["flow", "time"])
    np.testing.assert_array_equal(flow, [1120, 1160.5, 963])
    np.testing.assert_array_equal(time, [1871, 1872, 1873])
    assert flow.dtype == np.float64


def test_columns_without_names_are_counted(tmp_path: Path) -> None:
    (second,) = load_columns(written(tmp_path, "a.csv", "1,2\n3,4\n"), ["2"])
    np.testing.assert_array_equal(second, [2, 4])


def test_dates(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "when,y\n2020-01-01,1\n2020-01-02 12:30,2\n2020-02,3\n")
    (when,) = load_columns(path, ["when"])
    np.testing.assert_array_equal(
        when, np.array(["2020-01-01", "2020-01-02T12:30", "2020-02"], "datetime64[us]")
    )


def test_npz_and_parquet(tmp_path: Path) -> None:
    x, y = np.arange(5), np.linspace(0, 1, 5, dtype=np.float32)
    np.savez(tmp_path / "a.npz", x=x, y=y, matrix=np.eye(2))
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="needs the extra `io`")
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04", "2020-01-05"], "datetime64[ns]")
    pandas.DataFrame({"x": x, "y": y, "day": days, "word": list("abcde")}).to_parquet(tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        got = load_columns(tmp_path / name, ["x", "y"])
        np.testing.assert_array_equal(got[0], x)
        np.testing.assert_array_equal(got[1], y)
    assert load_columns(tmp_path / "a.parquet", ["day"])[0].dtype.kind == "M"
    with pytest.raises(HalfwaveError, match="'word' must hold numbers; got 'a' in row 1"):
        load_columns(tmp_path / "a.parquet", ["word"])
    with pytest.raises(HalfwaveError, match=r"'matrix' must be one-dimensional; got shape \(2, 2\)"):
        load_columns(tmp_path / "a.npz", ["matrix"])


def test_missing_values(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "x,y\n1,2\n2,\n3,NaN\n4,5\n")
    with pytest.raises(
        HalfwaveError, match=r"'y' is missing in row 2 \(2 such rows of 4\); .*--drop-missing"
    ):
        load_columns(path, ["x", "y"])
    x, y = load_columns(path, ["x", "y"], drop_missing=True)
    np.testing.assert_array_equal(x, [1, 4])
    np.testing.assert_array_equal(y, [2, 5])


@pytest.mark.parametrize(
    ("name", "text", "columns", "words"),
    [
        ("a.csv", "x,y\n1,2\n", ["x", "z"], "has the columns 'x', 'y'; got 'z'"),
        ("a.csv", "temperature,y\n1,2\n", ["temprature"], "did you mean 'temperature'"),
        ("a.csv", "x,y\n1,two\n", ["y"], "'y' must hold numbers; got 'two' in row 1"),
        ("a.csv", "x,y\n1,2\n3\n", ["y"], "row 2 of a.csv has 1 cell; the header has 2"),
        ("a.csv", "", ["y"], "a.csv is empty"),
        ("a.csv", b"x,y\n\xff,2\n", ["y"], "is not UTF-8 text"),
        ("a.csv", "x,y\n2020-13-45,2\n", ["x"], "a date that does not exist"),
        ("a.npz", b"no archive", ["x"], "is not an .npz file"),
        ("a.parquet", b"no archive", ["x"], "is not a readable .parquet file|needs pyarrow"),
        ("a.xls", b"", ["x"], "must end in .csv, .tsv, .txt, .npz or .parquet; got 'a.xls'"),
    ],
)
def test_what_cannot_be_read(
    tmp_path: Path, name: str, text: str | bytes, columns: list[str], words: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(HalfwaveError, match=words):
        load_columns(path, columns)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(HalfwaveError, match="does not exist"):
        load_columns(tmp_path / "no.csv", ["x"])
    with pytest.raises(HalfwaveError, match="is a folder"):
        load_columns(tmp_path, ["x"])
