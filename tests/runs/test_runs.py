"""Run folders: refusals that lose nothing, and continuation after a kill."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import halfwave as hw
from halfwave.rbm.train import PCDTrainer
from halfwave.runs.configuration import RunConfig
from halfwave.runs.driving import drive
from halfwave.runs.folder import METRIC_COLUMNS, RunFolder
from halfwave.runs.monitor import Monitor

TRAIN = [sys.executable, "-c", "from halfwave.cli import main; main()", "train"]
OPTIONS = [
    "--updates",
    "600",
    "--hidden-size",
    "8",
    "--batch-size",
    "32",
    "--metrics-every",
    "100",
    "--no-evaluate",
]


def config(**changes) -> RunConfig:
    values = {
        "source": "digits", "fingerprint": "0", "transform": {}, "image_shape": [8, 8], "visible": "Binary",
        "visible_shape": [8, 8], "hidden": "DReLU", "hidden_shape": [4], "updates": 10, "batch_size": 5, "chains": 5,
        "steps": 1, "optimizer": "Adam", "learning_rate": 0.01, "schedule": "constant",
    }  # fmt: skip
    return RunConfig(**{**values, **changes})


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TRAIN, *more, "--run", str(folder)], capture_output=True, text=True, check=False)


def test_create_and_open(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "a" / "run", config())
    assert RunFolder.open(tmp_path / "a" / "run").config == config()


def test_an_existing_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(hw.HalfwaveError, match="exists and is not empty"):
        RunFolder.create(tmp_path, config())
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(hw.HalfwaveError, match="is a file, not a folder"):
        RunFolder.create(tmp_path / "thesis.tex", config())


def test_other_versions_and_damage_are_refused(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", config())
    file = folder.path / "config.json"
    values = json.loads(file.read_text())
    for change, message in (
        (
            {"format": 99, "version": "9.0"},
            "written in format 99 by Halfwave 9.0; this version reads format 1",
        ),
        ({"colour": "red"}, "differs in \\['colour'\\]"),
    ):
        file.write_text(json.dumps({**values, **change}))
        with pytest.raises(hw.HalfwaveError, match=message):
            RunFolder.open(folder.path)
    file.write_text("{")
    with pytest.raises(hw.HalfwaveError, match="is not the configuration of a run"):
        RunFolder.open(folder.path)
    with pytest.raises(hw.HalfwaveError, match=r"has no config\.json"):
        RunFolder.open(tmp_path / "elsewhere")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = run(folder, "digits", *OPTIONS)
    assert done.returncode == 0, done.stderr
    return folder


def same_result(one: Path, other: Path) -> bool:
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@pytest.mark.thorough  # test_run_object kills one run in `make test`
@pytest.mark.parametrize("delays", [(0.0, 0.4, 1.0), (0.2, 0.7)])
def test_killed_at_any_moment_it_continues_to_the_same_weights(
    whole: Path, tmp_path: Path, delays: tuple[float, ...]
) -> None:
    folder = tmp_path / "run"
    more = ["digits", *OPTIONS]
    for delay in delays:
        process = subprocess.Popen([*TRAIN, *more, "--run", str(folder)], stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 60
        # count the delay from the moment the run exists, so that it is killed while it trains and saves
        while not (folder / "config.json").exists() and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        more = ["--resume"]
    done = run(folder, "--resume", "--no-evaluate")
    assert done.returncode == 0, done.stderr
    assert same_result(whole, folder)
    assert not list(folder.glob(".*.partial"))
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert rows[0].split(",") == list(METRIC_COLUMNS)
    assert [int(row.split(",")[0]) for row in rows[1:]] == list(range(0, 601, 100))


@pytest.mark.slow
@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.thorough), signal.SIGTERM])
def test_interrupted_it_saves_and_exits_cleanly(whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*TRAIN, "digits", *OPTIONS, "--run", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 60
    while not (folder / "state.safetensors").exists() and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "halfwave train --resume" in output
    assert run(folder, "--resume", "--no-evaluate").returncode == 0
    assert same_result(whole, folder)


def test_disk_full_while_saving_keeps_the_last_state(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from halfwave import files

    target = tmp_path / "state.safetensors"
    target.write_bytes(b"the last good state")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(hw.HalfwaveError, match="No space left on device; what was there before is intact"):
        files.write_atomically(target, b"new" * 1000)
    assert target.read_bytes() == b"the last good state"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]


def test_rows_come_at_every_multiple_and_go_on_after_a_pause(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", config(updates=30, metrics_every=7))
    data = torch.ones(10, 4)
    rbm = hw.RBM(hw.units.Binary(4), hw.units.DReLU(2))
    trainer, monitor = PCDTrainer(rbm, data, updates=30, batch_size=5), Monitor(data, data[:0])
    assert not drive(folder, trainer, monitor, stop=lambda: trainer.update >= 14)
    assert [row["update"] for row in folder.metrics] == [0, 7, 14]
    folder.metrics[-1]["seconds"] = 1e6
    seen: list[float] = []
    assert drive(folder, trainer, monitor, on_update=lambda trainer, row: seen.append(row["update"]))
    assert [row["update"] for row in folder.metrics] == [0, 7, 14, 21, 28, 30]
    assert seen == [14, 21, 21, 28, 30]
    assert all(row["seconds"] > 1e6 for row in folder.metrics[3:])
    first = folder.metrics[3]
    assert first["updates_per_second"] * (first["seconds"] - 1e6) == pytest.approx(7, rel=1e-4)


def test_changed_data_are_noticed(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for file in whole.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    values = json.loads((folder / "config.json").read_text())
    values["fingerprint"] = "f" * 64
    (folder / "config.json").write_text(json.dumps(values))
    done = run(folder, "--resume")
    assert done.returncode == 2
    assert "has changed since the run" in done.stderr


def test_damaged_state_is_reported(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for file in whole.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    state = folder / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-100])
    done = run(folder, "--resume")
    assert done.returncode == 2
    assert "state.safetensors is not a complete Halfwave state file" in done.stderr
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr
