"""The command: what it does, and that bad input ends in one sentence and exit status 2."""

from __future__ import annotations

import gzip
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_calls import call, failed

import halfwave as hw
from halfwave.cli import main

SMALL = ["--updates", "120", "--hidden-size", "6", "--batch-size", "32", "--metrics-every", "60"]
QUICK = ["--ais-chains", "20", "--ais-temperatures", "60"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "run"
    with pytest.raises(SystemExit) as stop:
        main(["train", "digits", "--run", str(folder), *SMALL, *QUICK])
    assert stop.value.code in (0, None)
    return folder


def test_train_leaves_everything(trained: Path) -> None:
    names = {entry.name for entry in trained.iterdir()}
    expected = {"config.json", "state.safetensors", "model.safetensors", "metrics.csv", "evaluation.json"}
    assert expected | {"report.html", "figures"} <= names
    assert hw.load(trained).hidden.shape == (6,)
    report = (trained / "report.html").read_text(encoding="utf-8")
    assert "log-likelihood" in report
    assert 'src="http' not in report


def test_evaluate(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--chains", "20", "--temperatures", "60", "--json"]
    status, output, _ = call(capsys, "evaluate", trained, "digits", *options)
    assert status == 0
    values = json.loads(output)
    assert values["held_out_log_likelihood"] < 0
    assert values["log_partition_lower"] < values["log_partition_upper"] + 1.0
    assert values["samples_held_out"] == 270


def test_sample(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fantasy.npz"
    for start in ("chains", "data", "random"):
        status, output, _ = call(
            capsys, "sample", trained, "--count", "7", "--steps", "5", "--start", start, "--output", file
        )
        assert status == 0
        values = np.load(file)["samples"]
        assert values.shape == (7, 8, 8)
        assert set(np.unique(values)) <= {0.0, 1.0}
        assert str(file) in output
        assert file.with_suffix(".png").stat().st_size > 1000


def test_show(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = call(capsys, "show", trained)
    assert status == 0
    assert "120 of 120 updates" in output
    assert "log Z" in output


def test_resume_of_a_finished_run_reports_again(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (trained / "model.safetensors").read_bytes()
    status, _, errors = call(capsys, "train", "--resume", "--run", trained, *QUICK)
    assert status == 0, errors
    assert (trained / "model.safetensors").read_bytes() == before


def grey_images(count: int = 40) -> np.ndarray:
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, 5, 4), dtype=np.uint8)


def write_idx(path: Path, values: np.ndarray) -> None:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()))


@pytest.mark.parametrize("form", ["npz", "npy", "csv", "idx.gz"])
def test_every_format_trains(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / f"data.{form}"
    images = grey_images()
    if form == "npz":
        np.savez(file, x_train=images[:30], y_train=np.zeros(30), x_test=images[30:], y_test=np.zeros(10))
    elif form == "npy":
        np.save(file, images)
    elif form == "csv":
        np.savetxt(file, images.reshape(40, -1), fmt="%d", delimiter=",")
    else:
        write_idx(file, images)
    status, output, errors = call(
        capsys, "train", file, "--run", tmp_path / "run", "--no-evaluate", *SMALL, "--batch-size", "16"
    )
    assert status == 0, errors
    assert "grey levels" in output
    assert "Binary" in output


HIDDEN = ("Binary", "gaussian", "ReLU", "xrelu")


@pytest.mark.parametrize("evaluated", [(), pytest.param(HIDDEN, marks=pytest.mark.thorough)], ids=len)
def test_other_units_and_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], evaluated: tuple[str, ...]
) -> None:
    generator = np.random.default_rng(0)
    file = tmp_path / "real.csv"
    np.savetxt(file, generator.normal(size=(60, 5)), delimiter=",")
    for hidden in HIDDEN:
        run = tmp_path / hidden
        status, output, errors = call(
            capsys,
            "train",
            file,
            "--run",
            run,
            "--hidden",
            hidden,
            *SMALL,
            *(QUICK if hidden in evaluated else ["--no-evaluate"]),
            "--learning-rate",
            "0.002",
        )
        assert status == 0, errors
        assert "Gaussian 5 with 6" in output
    file = tmp_path / "colours.npy"
    np.save(file, generator.integers(0, 4, (80, 6)))
    status, output, errors = call(capsys, "train", file, "--run", tmp_path / "potts", *SMALL, *QUICK)
    assert status == 0, errors
    assert "Potts 6 × 4" in output


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "data.csv"
    path.write_text(text)
    return path


BAD_FILES = {
    "nan": ("1,0\n0,nan\n1,1\n", "nan"),
    "infinite": ("1,0\n0,inf\n1,1\n", "inf"),
    "one row": ("1,0,1\n", "1"),
    "empty": ("", "empty"),
    "text": ("1,0\n0,cat\n1,1\n", "cat"),
    "ragged": ("1,0\n0,1,1\n1,1\n", "3"),
    "constant": ("1,1\n1,1\n1,1\n", "1"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, word = BAD_FILES[name]
    run = tmp_path / "run"
    failed(call(capsys, "train", csv(tmp_path, text), "--run", run), word, "data.csv")
    assert not run.exists()


def test_unreadable_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed(call(capsys, "train", tmp_path / "none.npz"), "none.npz")
    truncated = tmp_path / "data.npz"
    np.savez(truncated, x_train=grey_images(), x_test=grey_images())
    truncated.write_bytes(truncated.read_bytes()[:500])
    failed(call(capsys, "train", truncated), "data.npz")
    foreign = tmp_path / "picture.npy"
    foreign.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    failed(call(capsys, "train", foreign), "picture.npy")
    columns = tmp_path / "columns.npy"
    np.save(columns, np.zeros((10, 0)))
    failed(call(capsys, "train", columns), "columns.npy")


GOOD = "1,0,1\n0,1,1\n1,1,0\n0,0,1\n1,0,0\n0,1,0\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--hidden", "dRELLU"], ["unknown unit 'dRELLU'", "DReLU"]),
        (["--visible", "Potts"], ["Potts"]),
        (["--visible", "Spin"], ["must be -1 or 1", "got"]),
        (["--batch-size", "100"], ["`batch_size` must be at most the number of samples", "100"]),
        (["--batch-size", "0"], ["`batch_size` must be at least 1; got 0"]),
        (["--hidden-size", "0"], ["--hidden-size must be at least 1; got 0"]),
        (["--updates", "0"], ["`updates` must be at least 1; got 0"]),
        (["--learning-rate", "-1"], ["`learning_rate` must be positive; got -1.0"]),
        (["--l1-weights", "-2"], ["`l1_weights` must be at least 0 and finite; got -2.0"]),
        (["--schedule", "step"], ["unknown schedule 'step'", "cosine"]),
        (["--optimizer", "Addam"], ["unknown optimizer 'Addam'"]),
        (["--kind", "colourful"], ["colourful"]),
        (["--held-out", "1.5"], ["1.5"]),
        (["--compile", "maybe"], ["--compile must be auto, on or off; got 'maybe'"]),
        (["--device", "tpu"], ["--device must be auto, cpu or cuda; got 'tpu'"]),
        (["--dtype", "float16"], ["dtype must be float32 or float64; got 'float16'"]),
        (["--metrics-every", "0"], ["--metrics-every must be at least 1; got 0"]),
        (["--threads", "0"], ["--threads must be at least 1; got 0"]),
    ],
)
def test_bad_options(
    options: list[str], words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    data = csv(tmp_path, GOOD)
    failed(call(capsys, "train", data, "--run", run, "--batch-size", "2", *options), *words)
    assert not run.exists()


def test_runs_that_are_not_there_or_in_the_way(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["evaluate"], ["sample"], ["show"]):
        failed(call(capsys, *command, tmp_path / "none"), "none is not a run folder")
    failed(call(capsys, "train", "--resume", "--run", tmp_path / "none"), "none is not a run folder")
    failed(call(capsys, "train", "--resume"), "`train` needs DATA", "--resume with --run FOLDER")
    failed(call(capsys, "train"), "`train` needs DATA")
    before = {file: file.stat().st_mtime_ns for file in trained.iterdir()}
    failed(call(capsys, "train", "--run", tmp_path / "new"), "`train` needs DATA")
    failed(call(capsys, "train", "--resume", "--run", trained, "--updates", "7"), "--updates 120", "got 7")
    failed(call(capsys, "train", csv(tmp_path, GOOD), "--resume", "--run", trained), "is on `digits`")
    failed(call(capsys, "train", "digits", "--run", trained), "already holds a run", "--resume")
    assert before == {file: file.stat().st_mtime_ns for file in trained.iterdir()}
    failed(call(capsys, "evaluate", trained, csv(tmp_path, GOOD)), "data.csv")
    failed(call(capsys, "sample", trained, "--count", "0"), "--count must be at least 1; got 0")
    failed(
        call(capsys, "sample", trained, "--start", "moon"),
        "--start must be chains, data or random; got 'moon'",
    )


def test_resume_starts_what_was_killed_before_it_began(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    (run).mkdir()
    (run / ".config.json.abc.partial").write_bytes(b"{")
    status, _, errors = call(capsys, "train", "digits", "--run", run, "--resume", "--no-evaluate", *SMALL)
    assert status == 0, errors
    assert hw.load(run).hidden.shape == (6,)


def test_usage_errors_exit_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["trian", "digits"],
        ["train", "digits", "--no-such-option"],
        ["train", "digits", "--seed", "x"],
    ):
        status, _, errors = call(capsys, *arguments)
        assert status == 2
        assert "Traceback" not in errors


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "--version")[:2] == (0, f"halfwave {hw.__version__}\n")


def test_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "halfwave", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"halfwave {hw.__version__}\n")
    wrong = subprocess.run([sys.executable, "-m", "halfwave", "nonsense"], capture_output=True, text=True)
    assert wrong.returncode == 2
