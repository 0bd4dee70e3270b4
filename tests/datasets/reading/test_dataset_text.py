"""Tables as text: delimiters, headers, and bad cells reported where an editor would find them."""

from __future__ import annotations

import numpy as np
import pytest

from halfwave import datasets
from halfwave.errors import HalfwaveError

ROWS = np.array([[1.5, -2.0, 3e2], [4.0, 5.25, -6.0], [7.0, 8.0, 9.0]])


def table(delimiter: str, header: str = "") -> str:
    return header + "".join(delimiter.join(str(cell) for cell in row) + "\n" for row in ROWS.tolist())


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.txt", "t", "t.tsv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [False, True])
def test_delimiters_and_headers(write_text, name, delimiter, header):
    names = delimiter.join(["left", '"a, b; c"', "right"]) + "\n" if header else ""
    data = datasets.load(
        write_text(name, table(delimiter, names)), kind="real", standardise=False, held_out=0
    )
    np.testing.assert_array_equal(data.train, ROWS.astype(np.float32))
    assert {",": "commas", ";": "semicolons", "\t": "tabs"}[delimiter] in data.description
    assert ("with a header row" if header else "without a header row") in data.description


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff1,2\n3,4\n",
        "1,2\r\n3,4\r\n",
        "\n1,2\n\n3,4\n\n",
        "1,2\n3,4",
        '"1","2"\n 3 , 4 \n',
        "1.0,2e0\n+3,4\n",
    ],
    ids=[
        "byte order mark",
        "carriage returns",
        "blank lines",
        "no last newline",
        "quotes and spaces",
        "notations",
    ],
)
def test_variants_of_text(write_text, text):
    data = datasets.load(write_text("t.csv", text), kind="real", standardise=False, held_out=0)
    np.testing.assert_array_equal(data.train, [[1, 2], [3, 4]])


def test_one_column(write_text):
    data = datasets.load(write_text("t.csv", "value\n0\n1\n1\n"), held_out=0)
    assert data.train.shape == (3, 1)


def test_header_of_numbers_needs_the_option(write_text):
    path = write_text("t.csv", "0,1\n1,0\n1,1\n0,0\n")
    assert len(datasets.load(path, held_out=0).train) == 4
    data = datasets.load(path, held_out=0, header=True)
    assert len(data.train) == 3
    assert len(datasets.apply(data.transform, path).train) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n3,oops\n", "'oops' at row 2, column 2 is not a number"),
        ("a,b\n1,2\n\n3,4\nx,5\n", "'x' at row 5, column 1 is not a number"),
        (
            "1,two\n3,4\n",
            "'two' at row 1, column 2 is not a number; every cell must hold one (pass header=True",
        ),
        ("a,b\n1,2\n3,\n", "the empty cell at row 3, column 2 is not a number"),
        ("1\t2\n\t\n", "the empty cell at row 2, column 1 is not a number"),
        ("1,2,\n3,4,\n", "the empty cell at row 1, column 3"),
        ("1,2\n3,nan\n5,inf\n", "nan at row 2, column 2 is not finite; 2 cells are not finite"),
        ("1,2\n3,4\n5\n", "row 3 has 1 cells and the first has 2"),
        ("1,2\n3,4,5\n", "row 2 has 3 cells and the first has 2"),
        ("1,5;2\n3;4\n", "'1,5' at row 1, column 1 is not a number"),
        ("1,1_0\n2,3\n", "'1_0' at row 1, column 2 is not a number"),
        ("1,2\n#,3\n", "'#' at row 2, column 1"),
        ("a,b\n", "a header row and no samples"),
        ("\n  \n", "blank lines only"),
    ],
)
def test_bad_text(write_text, text, message):
    path = write_text("t.csv", text)
    with pytest.raises(HalfwaveError) as caught:
        datasets.load(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"`{path}`: ")


def test_bytes_that_are_not_text(write_bytes):
    with pytest.raises(HalfwaveError, match="the byte 0xe9 is not UTF-8 text"):
        datasets.load(write_bytes("t.csv", "caf\xe9,1\n".encode("latin-1")))


def test_a_cell_beyond_the_limit_of_the_parser(write_text):
    with pytest.raises(HalfwaveError, match="the text is not a table"):
        datasets.load(write_text("t.csv", "1,2\n3," + "x" * 200_000 + "\n"))
