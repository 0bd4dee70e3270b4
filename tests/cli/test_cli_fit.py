"""``halfwave fit``: what it prints and writes, and what it says to mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import call, failed

from halfwave.fitting import fit_relu_sum


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 120))
    y = np.abs(x - 4) + 0.2 * rng.normal(size=120)
    path = tmp_path / "data.csv"
    path.write_text(
        "x,y,w,day\n"
        + "".join(
            f"{a},{b},{1 + i % 2},2020-01-{1 + i % 28:02d}\n"
            for i, (a, b) in enumerate(zip(x, y, strict=True))
        )
    )
    return path


def test_prints_the_formula_and_writes_figure_and_numbers(table: Path, tmp_path: Path, capsys) -> None:
    base = tmp_path / "new" / "result"
    status, output, errors = call(capsys, "fit", table, "--x", "x", "--y", "y", "--output", base)
    assert status == 0, errors
    assert "f(x) = " in output
    assert "95% interval (profile)" in output
    assert base.with_name("result.png").read_bytes()[1:4] == b"PNG"
    numbers = json.loads(base.with_name("result.json").read_text())
    columns = np.genfromtxt(table, delimiter=",", skip_header=1, usecols=(0, 1))
    fit = fit_relu_sum(columns[:, 0], columns[:, 1])
    assert numbers["sse"] == pytest.approx(fit.sse)
    assert [k["kink"] for k in numbers["kinks"]] == pytest.approx(fit.kinks.tolist())
    assert numbers["kinks"][0]["interval"] == pytest.approx(fit.intervals().kinks[0].tolist())
    assert numbers["points"] == 120
    assert len(numbers["table"]) == 13
    assert f"{fit.kinks[0]:.6g}" in output


def test_options(table: Path, tmp_path: Path, capsys) -> None:
    base = tmp_path / "r"
    arguments = ("fit", table, "--x", "x", "--y", "y", "--output", base)
    status, output, errors = call(
        capsys,
        *arguments,
        "--kinks",
        "2",
        "--weights",
        "w",
        "--intervals",
        "delta",
        "--level",
        "0.8",
        "--json",
    )
    assert status == 0, errors
    numbers = json.loads(output)
    assert len(numbers["kinks"]) == 2
    assert numbers["intervals"] == {"method": "delta", "level": 0.8}
    _, output, _ = call(capsys, *arguments, "--kinks", "1", "--intervals", "none", "--json")
    assert "interval" not in json.loads(output)["kinks"][0]


def test_decimal_commas(tmp_path: Path, capsys) -> None:
    path = tmp_path / "d.csv"
    rows = [f"{x / 2};{abs(x / 2 - 4.5)}".replace(".", ",") for x in range(20)]
    path.write_text("x;y\n" + "\n".join(rows) + "\n")
    arguments = ("--x", "x", "--y", "y", "--kinks", "1", "--output", tmp_path / "r", "--intervals", "none")
    status, output, errors = call(capsys, "fit", path, *arguments, "--json")
    assert status == 0, errors
    assert json.loads(output)["kinks"][0]["kink"] == pytest.approx(4.5)


def test_dates(tmp_path: Path, capsys) -> None:
    path = tmp_path / "d.csv"
    days = np.arange("2020-01-01", "2020-04-01", dtype="datetime64[D]")
    y = np.abs(np.arange(len(days)) - 40.0)
    path.write_text("day,y\n" + "".join(f"{d},{v}\n" for d, v in zip(days, y, strict=True)))
    status, output, errors = call(
        capsys, "fit", path, "--x", "day", "--y", "y", "--kinks", "1", "--output", tmp_path / "r"
    )
    assert status == 0, errors
    assert "2020-02-10T00:00:00.000" in output


def test_correlated_residuals_are_noted(tmp_path: Path, capsys) -> None:
    path = tmp_path / "wave.csv"
    x = np.linspace(0, 40, 400)
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, np.sin(3 * x) + x, strict=True)))
    arguments = ("fit", path, "--x", "x", "--y", "y", "--max-kinks", "3", "--output", tmp_path / "r")
    status, _, errors = call(capsys, *arguments)
    assert status == 0, errors
    assert errors.startswith("note: ")
    assert "correlat" in errors
    assert "Warning" not in errors
    assert call(capsys, *arguments, "--correlation", "ignore")[2] == ""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--x", "x", "--y", "z"], ["has the columns", "got 'z'"]),
        (["--x", "x", "--y", "day"], ["`y` must be real numbers"]),
        (["--x", "x", "--y", "y", "--kinks", "many"], ["--kinks must be a whole number or auto; got 'many'"]),
        (["--x", "x", "--y", "y", "--kinks", "500"], ["500"]),
        (["--x", "x", "--y", "y", "--criterion", "aic"], ["aic"]),
        (["--x", "x", "--y", "y", "--level", "2"], ["must be inside (0, 1); got 2"]),
        (["--x", "x", "--y", "y", "--intervals", "exact"], ["profile", "exact"]),
    ],
)
def test_mistakes_are_one_sentence(
    table: Path, more: list[str], words: list[str], tmp_path: Path, capsys
) -> None:
    failed(call(capsys, "fit", table, *more, "--output", tmp_path / "r"), *words)
    assert not list(tmp_path.glob("r.*"))


def test_a_file_that_is_not_there(tmp_path: Path, capsys) -> None:
    failed(call(capsys, "fit", tmp_path / "no.csv", "--x", "a", "--y", "b"), "does not exist")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--through", "0,4", "--through", "12,8"), {"kinks": 1}),
        (("--loss", "quantile", "--kinks", "1", "--intervals", "none"), {"kinks": 1, "method": None}),
        pytest.param(
            ("--loss", "quantile", "--quantile", "0.8", "--kinks", "1"),
            {"kinks": 1, "method": "bootstrap"},
            marks=pytest.mark.thorough,
        ),
        (("--discontinuous", "--kinks", "1"), {"kinks": 1}),
        (("--fixed-kinks", "4,6.5", "--kinks", "2"), {"kinks": 2}),
        (("--convex", "convex", "--kinks", "2", "--flat", "none"), {"kinks": 2}),
        (("--monotone", "increasing", "--kinks", "1"), {"kinks": 1}),
        (("--log-axes", "x", "--kinks", "1"), {"kinks": 1}),
    ],
)
def test_every_kind_of_fit(
    table: Path, tmp_path: Path, capsys, options: tuple[str, ...], expected: dict[str, object]
) -> None:
    base = tmp_path / "r"
    status, output, errors = call(
        capsys, "fit", table, "--x", "x", "--y", "y", "--output", base, "--correlation", "ignore", *options
    )
    assert status == 0, errors
    numbers = json.loads(base.with_name("r.json").read_text())
    assert len(numbers["kinks"]) == expected["kinks"]
    assert len(numbers["slopes"]) == len(numbers["kinks"]) + 1
    assert (numbers["intervals"] or {"method": None})["method"] == expected.get("method", "profile")
    assert base.with_name("r.png").exists()
    assert str(base.with_name("r.png")) in output.replace("\n", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--through", "3"), "--through must be a point X,Y; got '3'"),
        (("--through", "a,b"), "--through must be numbers as x is; got 'a'"),
        (("--fixed-kinks", "3,x"), "--fixed-kinks must be numbers as x is; got 'x'"),
        (("--loss", "quantile", "--quantile", "1.5"), "`quantile` must be inside (0, 1); got 1.5"),
        (("--log-axes", "y", "--y", "w", "--x", "x", "--convex", "up"), "`convex` must be None, True, False"),
    ],
)
def test_wrong_options_are_named(table: Path, capsys, options: tuple[str, ...], message: str) -> None:
    failed(call(capsys, "fit", table, "--x", "x", "--y", "y", *options), message)
