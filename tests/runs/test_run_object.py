"""A run as an object: continued, extended, evaluated, sampled, reported and described."""

from __future__ import annotations

import json
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_cases import QUICK, SMALL, bits, process, trained, weights

import halfwave as hw
from halfwave import datasets, runs
from halfwave.runs.driving import stop_on_interrupt
from halfwave.runs.folder import METRIC_COLUMNS

LONG = {**SMALL, "updates": 1000, "metrics_every": 200, "evaluate": False}
CODE = f"""
import sys, numpy, halfwave
data = numpy.load(sys.argv[1])
run = halfwave.runs.train(data, sys.argv[2], **{ {**LONG, "progress": True}!r})
print("finished" if run.finished else "not finished", run.updates_done)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """A run that nothing disturbed, with everything that belongs to one."""
    return trained(bits(), tmp_path_factory.mktemp("whole") / "run", evaluate=True, **QUICK)


@pytest.fixture
def run(whole: runs.Run, tmp_path: Path) -> runs.Run:
    """A copy that may be changed."""
    return runs.open(shutil.copytree(whole.folder, tmp_path / "run"))


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(bits(), tmp_path_factory.mktemp("long") / "run", **LONG).folder


# continuing


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_stopped_from_outside_it_goes_on_bit_for_bit(
    number: signal.Signals, long: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "bits.npy", bits())
    other = process(CODE, tmp_path / "bits.npy", tmp_path / "run")
    limit = time.monotonic() + 60
    while not (tmp_path / "run" / "state.safetensors").exists() and time.monotonic() < limit:
        time.sleep(0.005)
    time.sleep(0.05)
    other.send_signal(number)
    output, errors = other.communicate(timeout=60)
    (tmp_path / "bits.npy").unlink()
    if number == signal.SIGINT:
        assert other.returncode == 0, errors
        assert "Traceback" not in errors
        assert "stopped and saved at update" in output
        assert "not finished" in output
    run = runs.open(tmp_path / "run")
    assert not run.finished
    assert run.resume(evaluate=False, progress=False).finished
    assert weights(run.folder) == weights(long)
    assert run.metrics["update"] == [0, 200, 400, 600, 800, 1000]


def test_an_interrupt_saves_and_the_same_call_goes_on(
    long: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    seen = []

    def interrupting(row: Any) -> str:
        seen.append(row)
        if len(seen) == 7:
            signal.raise_signal(signal.SIGINT)
        return ""

    monkeypatch.setattr("halfwave.runs.run.measured", interrupting)
    run = trained(bits(), tmp_path / "run", **LONG)
    assert (run.updates_done, run.finished) == (35, False)
    assert signal.getsignal(signal.SIGINT) is handler
    assert repr(run).endswith("35 of 1,000 updates)")
    assert trained(bits(), tmp_path / "run", resume=True, **LONG).finished
    assert weights(run.folder) == weights(long)


def test_a_second_interrupt_stops_at_once() -> None:
    with stop_on_interrupt() as stopped:
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_another_thread_trains_too(whole: runs.Run, tmp_path: Path) -> None:
    done: list[runs.Run] = []
    handler = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: done.append(trained(bits(), tmp_path / "run")))
    thread.start()
    thread.join(60)
    assert done[0].finished
    assert weights(done[0].folder) == weights(whole.folder)
    assert signal.getsignal(signal.SIGINT) is handler


def test_threads_are_set_back(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    trained(bits(), tmp_path / "run", updates=5, threads=before + 1)
    assert torch.get_num_threads() == before


def test_an_extended_run_is_the_longer_run(tmp_path: Path) -> None:
    longer = trained(bits(), tmp_path / "longer", schedule="constant", updates=80)
    run = trained(bits(), tmp_path / "run", schedule="constant")
    run.evaluate(progress=False)
    extended = runs.open(run.folder).extend(20, evaluate=False, progress=False)
    assert (extended.finished, extended.updates_done) == (True, 80)
    assert weights(run.folder) == weights(longer.folder)
    assert extended.metrics["update"] == longer.metrics["update"]
    assert extended.evaluation is None


def test_only_a_constant_schedule_can_be_extended(run: runs.Run) -> None:
    with pytest.raises(hw.HalfwaveError, match="is linear over 60 updates"):
        run.extend(20)
    with pytest.raises(hw.HalfwaveError, match="`updates` must be at least 1; got 0"):
        run.extend(0)
    assert runs.open(run.folder).config.updates == 60


# folders in the way, options that contradict


def test_an_existing_run_is_refused_and_left_alone(run: runs.Run) -> None:
    before = {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}
    with pytest.raises(hw.HalfwaveError, match="already holds a run; continue it with `resume=True`"):
        trained(bits(), run.folder)
    with pytest.raises(hw.HalfwaveError, match="was started with `updates` 60 and continues with it; got 7"):
        trained(bits(), run.folder, updates=7, resume=True)
    assert before == {file: file.read_bytes() for file in run.folder.rglob("*") if file.is_file()}


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_text("years of work")
    with pytest.raises(hw.HalfwaveError, match="exists and is not empty"):
        trained(bits(), tmp_path)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [
        ("data.npz", "years of work")
    ]


def test_resume_without_data_or_run() -> None:
    with pytest.raises(hw.HalfwaveError, match="`train` needs `data`"):
        runs.train(resume=True)
    with pytest.raises(hw.HalfwaveError, match="is not a run folder"):
        runs.train(folder="nowhere", resume=True)


# what a run tells


def test_everything_is_written(whole: runs.Run) -> None:
    names = {entry.name for entry in whole.folder.iterdir()}
    assert names == {
        "config.json", "data.npz", "state.safetensors", "model.safetensors", "metrics.csv", "evaluation.json",
        "report.html", "figures",
    }  # fmt: skip
    assert list(whole.metrics) == list(METRIC_COLUMNS)
    opened = runs.open(whole.folder)
    for key, value in whole.machine.named_parameters():
        assert torch.equal(value, dict(opened.machine.named_parameters())[key])


def test_evaluation_is_a_dictionary_that_prints_sentences(run: runs.Run) -> None:
    before = run.evaluation
    assert before is not None
    values = run.evaluate(chains=5, temperatures=20, progress=False)
    assert values["held_out_log_likelihood"] == pytest.approx(before["held_out_log_likelihood"])
    assert json.loads((run.folder / "evaluation.json").read_text()) == dict(values)
    assert str(values).startswith("40 samples of 5 binary values")
    assert "log-likelihood, held-out (6 samples)" in str(values)
    assert "log Z by enumeration" in values._repr_html_()


def test_other_data_are_treated_alike_and_leave_the_evaluation(run: runs.Run) -> None:
    before = (run.folder / "evaluation.json").read_bytes()
    values = run.evaluate(1 - bits(60), progress=False)
    assert (values["samples_train"], values["samples_held_out"]) == (51, 9)
    assert values != run.evaluation
    same = run.evaluate(datasets.from_array(1 - bits(60)), progress=False)
    assert same["train_log_likelihood"] == values["train_log_likelihood"]
    assert (run.folder / "evaluation.json").read_bytes() == before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda run: run.evaluate(bits(40, 4)), "its samples have shape"),
        (lambda run: run.evaluate(3 * bits()), "is not 0 or 1"),
        (lambda run: run.evaluate(datasets.from_array(bits(40, 4))), "must end in the layer's shape"),
        (lambda run: run.evaluate(object()), "got object"),
        (lambda run: run.evaluate(chains=1), "`chains` must be at least 2; got 1"),
        (lambda run: run.evaluate(bits(), report=True), "leave `data` away"),
        (lambda run: run.sample(0), "`count` must be at least 1; got 0"),
        (lambda run: run.sample(start="moon"), "`start` must be chains, data or random; got 'moon'"),
        (lambda run: run.save_samples("samples.txt"), "`output` must end in .npy or .npz; got samples.txt"),
    ],
)
def test_mistakes_are_one_sentence(run: runs.Run, call: Any, words: str) -> None:
    with pytest.raises(hw.HalfwaveError, match=words) as caught:
        call(run)
    assert "\n" not in str(caught.value)


def test_samples(run: runs.Run) -> None:
    for start in ("chains", "data", "random"):
        drawn = run.sample(7, steps=3, start=start, progress=False)
        assert drawn.shape == (7, 5)
        assert set(np.unique(drawn)) <= {0.0, 1.0}
        assert np.array_equal(drawn, run.sample(7, steps=3, start=start, progress=False))
    means = run.sample(7, steps=3, means=True, progress=False)
    assert ((means > 0) & (means < 1)).all()


def test_saved_samples(run: runs.Run, tmp_path: Path) -> None:
    saved = run.save_samples(count=4, steps=3, progress=False)
    assert saved.file == run.folder / "samples.npy"
    assert np.array_equal(np.load(saved.file), run.sample(4, steps=3, progress=False))
    assert saved.picture is not None
    assert saved.picture.read_bytes()[1:4] == b"PNG"
    plain = run.save_samples(tmp_path / "new" / "s.npz", count=4, steps=3, figure=False, progress=False)
    assert plain.picture is None
    assert np.array_equal(np.load(plain.file)["samples"], saved.values)


def test_a_report_without_an_evaluation(run: runs.Run) -> None:
    (run.folder / "evaluation.json").unlink()
    assert run.evaluation is None
    assert "not evaluated yet" in run.summary()
    path = run.report()
    assert path == run.folder / "report.html"
    assert path.stat().st_size > 1000


def test_summary(whole: runs.Run) -> None:
    text = whole.summary()
    assert "60 of 60 updates" in text
    assert "Binary 5 × DReLU 3, Adam at 0.01 (linear), batch 8" in text
    assert f"  {whole.folder / 'report.html'}" in text
    assert repr(whole) == f"Run({str(whole.folder)!r}: Binary 5 with 3 DReLU hidden units, 60 of 60 updates)"
    assert whole._repr_html_() == f"<pre>{text}</pre>".replace("'", "&#x27;")


def test_a_run_without_a_state_says_so(run: runs.Run) -> None:
    for name in ("state.safetensors", "model.safetensors", "metrics.csv"):
        (run.folder / name).unlink()
    assert "not saved yet" in run.summary()
    assert (run.updates_done, run.finished, run.chains) == (0, False, None)
    with pytest.raises(hw.HalfwaveError, match="has no model.safetensors yet"):
        _ = run.machine
    with pytest.raises(hw.HalfwaveError, match=r"has no metrics\.csv yet"):
        _ = run.metrics


# what is said on the way


@pytest.fixture
def no_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are drawn by other tests."""
    monkeypatch.setattr("halfwave.plots.run_report", lambda *given, path, **more: path)


@pytest.mark.usefixtures("no_pages")
def test_without_progress_nothing_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = trained(bits(), tmp_path / "run", evaluate=True, **QUICK)
    run.evaluate(progress=False)
    run.save_samples(count=2, steps=2, progress=False)
    run.resume(progress=False, **QUICK)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_pages")
def test_with_progress_a_person_can_follow(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = trained(bits(), tmp_path / "run", evaluate=True, progress=True, **QUICK)
    output, errors = capsys.readouterr()
    for words in (
        "40 samples of 5 binary values",
        f"results go to {run.folder}",
        "trained 60 updates",
        "report: ",
    ):
        assert words in output
    for words in ("training", "evaluating"):
        assert words in errors


def test_a_notebook_without_widgets_gets_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from halfwave.runs import progress

    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: None)
    with progress.progress_bar("training", 4) as show:
        show(1, "log-pl -0.2")
    assert capsys.readouterr().err.rstrip() == "\rtraining 25% log-pl -0.2"
