"""``halfwave plot``: functions and pictures, to files and to standard output."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from cli_calls import call, failed

import halfwave as hw

EXPRESSION = "1.2*relu(-1.2*x-1.2) + relu(0.5*x+2)"
STARTS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF", ".json": b'{"x": ['}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> set[str]:
    """Every file below the folder, each whole and of its kind."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in files:
        assert file.read_bytes().startswith(STARTS[file.suffix]), file
    return {str(file.relative_to(folder)) for file in files}


def check_curve(curve: dict[str, list[float]], f: hw.functions.PiecewiseLinear, points: int) -> None:
    assert list(curve) == ["x", "y", "yp"]
    assert [len(column) for column in curve.values()] == [points] * 3
    assert curve["y"] == f(np.array(curve["x"])).tolist()
    assert curve["yp"] == f.derivative()(np.array(curve["x"])).tolist()


def test_a_function_becomes_a_figure_named_after_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, errors = call(capsys, "plot", "relu")
    assert (status, errors) == (0, "")
    assert written(folder) == {"relu.png"}
    assert output.splitlines() == [
        "f(x) = relu(x)",
        "kinks: 0",
        "jumps: none",
        "slopes: 0, 1",
        "figure: relu.png",
    ]


def test_an_expression_becomes_a_figure_of_a_safe_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output, _ = call(capsys, "plot", EXPRESSION)
    assert status == 0
    assert written(folder) == {"function.png"}
    formula = output.splitlines()[0].removeprefix("f(x) = ")
    x = np.linspace(-8, 3, 100)
    np.testing.assert_allclose(hw.functions.parse(formula)(x), hw.functions.parse(EXPRESSION)(x), atol=1e-4)
    assert "kinks: -4, -1\n" in output
    assert "slopes: -1.44, -0.94, 0.5\n" in output


def test_jumps_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = call(capsys, "plot", "thresholded_relu(x, 1, keep) - 2*step(x - 3)")
    assert "jumps: 1 at 1, -2 at 3\n" in output


def test_long_lists_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = call(capsys, "plot", " + ".join(f"relu(x - {k})" for k in range(20)))
    assert "f(x) = piecewise linear with 20 kinks\n" in output
    assert "10, 11, and 8 more\n" in output


@pytest.mark.parametrize("expression", ["relu", EXPRESSION, "step(x) - 0.1"])
def test_json_alone_goes_to_standard_output(
    expression: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output, errors = call(capsys, "plot", expression, "--json")
    assert (status, errors, written(folder)) == (0, "", set())
    check_curve(json.loads(output), hw.functions.parse(expression), 601)


@pytest.mark.parametrize(
    "options",
    [
        ["--json", "out.json"],
        ["out.json", "--json"],
        ["out.json"],
        ["--output", "out.json"],
        ["--json", "--output", "out.json"],
    ],
    ids=" ".join,
)
def test_json_with_a_file_goes_there(
    options: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output, _ = call(capsys, "plot", "relu", *options, "--points", "5", "--range", "-2", "2")
    assert (status, written(folder)) == (0, {"out.json"})
    assert output.endswith("slopes: 0, 1\nnumbers: out.json\n")
    curve = json.loads(Path("out.json").read_text())
    assert curve == {"x": [-2.0, -1.0, 0.0, 1.0, 2.0], "y": [0, 0, 0, 1, 2], "yp": [0, 0, 0, 1, 1]}


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["--png", "a.png", "--svg", "b.svg", "--json", "c.json"], {"a.png", "b.svg", "c.json"}),
        (["a.png", "b.svg", "c.json"], {"a.png", "b.svg", "c.json"}),
        (["--svg", "--png", "b.svg"], {"relu.png", "b.svg"}),
        (["--svg"], {"relu.svg"}),
        (["--png", "--svg"], {"relu.png", "relu.svg"}),
        (["--png", "new/folder/a.png", "--output", "b.pdf"], {"new/folder/a.png", "b.pdf"}),
        (["a.png", "b.png", "a.png"], {"a.png", "b.png"}),
    ],
)
def test_flags_and_files_go_together(
    options: list[str], files: set[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, output, errors = call(capsys, "plot", "relu", *options)
    assert (status, errors, written(folder)) == (0, "", files)
    for file in files:
        assert output.count(file) == 1


def test_messages_stay_out_of_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, errors = call(capsys, "plot", "relu", "--json", "--svg", "--points", "2")
    assert (status, written(folder)) == (0, {"relu.svg"})
    check_curve(json.loads(output), hw.functions.relu(), 2)
    assert errors == "figure: relu.svg\n"


def test_files_are_replaced_whole_and_nothing_else_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "a.json"):
        Path(name).write_text("old")
    assert call(capsys, "plot", "relu", "a.png", "a.json")[0] == 0
    assert written(folder) == {"a.png", "a.json"}


@pytest.mark.parametrize("name", ["family", "thresholded_relu", "drelu"])
def test_pictures(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = call(capsys, "plot", name, "--samples", "500", "--svg", "--png", "pictures/a.png")
    assert (status, written(folder)) == (0, {f"{name}.svg", "pictures/a.png"})
    assert output.splitlines() == ["figure: pictures/a.png", f"figure: {name}.svg"]


def test_the_three_forms_take_a_range(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "plot", "thresholded_relu", "--range", "-1", "2")[0] == 0
    assert Path("thresholded_relu.png").is_file()


def test_minus_in_front_needs_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = call(capsys, "plot", "--json", "--points", "2", "--", "-relu(x)")
    assert status == 0
    assert json.loads(output)["y"] == [0.0, -3.0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["drellu"], ["`drellu` is no known name"]),
        (["relu", "--range", "3", "2"], ["--range must be two finite numbers", "got 3.0 and 2.0"]),
        (["relu", "--range", "1", "1"], ["got 1.0 and 1.0"]),
        (["relu", "--range", "nan", "2"], ["got nan and 2.0"]),
        (["relu", "--range", "0", "inf"], ["got 0.0 and inf"]),
        (["relu", "--range", "-1e308", "1e308"], ["got -1e+308 and 1e+308"]),
        (["relu", "--range", "-1e200", "1e200"], ["values up to 1e+200"]),
        (["relu", "--points", "1"], ["--points must be from 2 to 100000; got 1"]),
        (["relu", "--points", "100001"], ["--points must be from 2 to 100000; got 100001"]),
        (["drelu", "--samples", "0"], ["--samples must be at least 1; got 0"]),
        (["relu", "picture.gif"], ["must end in .png, .svg, .pdf or .json; got picture.gif"]),
        (["relu", "--output", "picture"], ["must end in", "got picture"]),
        (["family", "--json"], ["JSON is for one function, which family is not"]),
        (["thresholded_relu", "a.json"], ["thresholded_relu(x, 1)"]),
        (["drelu", "--range", "0", "1"], ["--range is for functions of x; drelu has its own, got 0.0 1.0"]),
        (["relu", "taken/a.png"], ["taken"]),
        (["relu", "taken/a.json"], ["taken"]),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else None,
)
def test_bad_input(
    arguments: list[str], words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "taken").write_text("a file, not a folder")
    failed(call(capsys, "plot", *arguments), *words)
    assert [entry.name for entry in folder.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("relu(x +* 2)", 8),
        ("relu(x", 4),
        ("relu(y)", 5),
        ("x*x", 1),
        ("leaky_relu", 0),
        ("1 + __import__('os')", 15),
    ],
)
def test_a_bad_expression_is_repeated_with_a_caret(
    expression: str, place: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = call(capsys, "plot", expression, "--json")
    failed(answer)
    sentence, repeated, caret = answer[2].splitlines()
    assert sentence.startswith("error: ")
    assert repeated == f"  {expression}"
    assert caret.index("^") == place + 2
    assert written(folder) == set()


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    for options in (["--range", "1"], ["--points", "x"], ["--nothing"], ["--range", "a", "b"]):
        status, _, errors = call(capsys, "plot", "relu", *options)
        assert status == 2
        assert "Traceback" not in errors


def test_one_point_at_each_end(capsys: pytest.CaptureFixture[str]) -> None:
    _, output, _ = call(capsys, "plot", "abs(x - 1)", "--json", "--points", "100000", "--range", "0", "2")
    x = json.loads(output)["x"]
    assert (x[0], x[-1], len(x)) == (0.0, 2.0, 100_000)
    assert all(math.isfinite(value) for value in x)
