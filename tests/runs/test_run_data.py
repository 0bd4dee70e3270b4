"""What can be given as data, and that a run finds it again."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
from run_cases import bits, trained, weights

import halfwave as hw
from halfwave import datasets, runs
from halfwave.runs.sources import STORED


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """The run on the array, to which all others are compared."""
    return trained(bits(), tmp_path_factory.mktemp("whole") / "run")


GIVEN = {
    "tensor": lambda values, folder: torch.as_tensor(values),
    "bfloat16": lambda values, folder: torch.as_tensor(values).to(torch.bfloat16),
    "frame": lambda values, folder: pandas.DataFrame(values),
    "list": lambda values, folder: values.tolist(),
    "dataset": lambda values, folder: datasets.from_array(values),
    "path": lambda values, folder: saved(values, folder),
    "text of a path": lambda values, folder: str(saved(values, folder)),
}


def saved(values: np.ndarray, folder: Path) -> Path:
    np.save(folder / "bits.npy", values)
    return folder / "bits.npy"


@pytest.mark.parametrize("form", GIVEN)
def test_every_form_of_the_same_data_gives_the_same_machine(
    form: str, whole: runs.Run, tmp_path: Path
) -> None:
    run = trained(GIVEN[form](bits(), tmp_path), tmp_path / "run")
    assert weights(run.folder) == weights(whole.folder)
    assert (run.folder / STORED).exists() == ("path" not in form)
    opened = runs.open(run.folder)
    assert opened.dataset.fingerprint == whole.dataset.fingerprint
    assert opened.finished


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.random.default_rng(0).normal(size=(30, 4)), "real"),
        (np.random.default_rng(0).integers(0, 3, (30, 4)), "categorical"),
        (np.random.default_rng(0).integers(0, 3, (30, 2, 4)), "categorical"),
        (np.random.default_rng(0).integers(0, 256, (30, 5, 4)).astype(np.uint8), "binary"),
        (np.where(bits() == 1, 1.0, -1.0), "spin"),
        (-0.0 * bits() + bits(), "binary"),
    ],
    ids=["real", "categorical", "categorical images", "grey images", "spin", "minus zero"],
)
def test_data_in_memory_come_back_to_the_last_bit(values: np.ndarray, kind: str, tmp_path: Path) -> None:
    run = trained(
        values, tmp_path / "run", updates=5, kind="categorical" if kind == "categorical" else "auto"
    )
    again = runs.open(tmp_path / "run").dataset
    for field in dataclasses.fields(again):
        one, other = getattr(run.dataset, field.name), getattr(again, field.name)
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other, field.name
    assert again.train.tobytes() == run.dataset.train.tobytes()
    assert again.kind == kind


def test_a_dataset_keeps_its_labels_and_division(tmp_path: Path) -> None:
    digits = datasets.load("digits")
    run = trained(digits, tmp_path / "run", updates=5)
    again = runs.open(run.folder).dataset
    assert np.array_equal(again.labels, digits.labels)
    assert again.held_out.shape == digits.held_out.shape
    assert (run.folder / STORED).stat().st_size < 60_000


def test_the_default_folder_is_named_after_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for data, name in (
        (bits(), "array"),
        (torch.as_tensor(bits()), "tensor"),
        (saved(bits(), tmp_path), "bits"),
    ):
        run = trained(data, None, updates=5, progress=True)  # type: ignore[arg-type]
        assert run.folder == Path("runs") / name
        assert f"results go to runs/{name}" in capsys.readouterr().out


def test_stored_data_move_with_the_folder(whole: runs.Run, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "elsewhere")
    assert runs.open(tmp_path / "elsewhere").dataset.fingerprint == whole.dataset.fingerprint


def test_stored_data_that_are_damaged_gone_or_others_are_noticed(whole: runs.Run, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "run")
    file = tmp_path / "run" / STORED
    good = file.read_bytes()
    file.write_bytes(good[:300])
    with pytest.raises(hw.HalfwaveError, match="does not hold the data of a run"):
        _ = runs.open(tmp_path / "run").dataset
    file.unlink()
    with pytest.raises(hw.HalfwaveError, match="are not there"):
        runs.open(tmp_path / "run").resume(progress=False)
    trained(1 - bits(), tmp_path / "other", updates=5)
    file.write_bytes((tmp_path / "other" / STORED).read_bytes())
    with pytest.raises(hw.HalfwaveError, match="has changed since the run"):
        _ = runs.open(tmp_path / "run").dataset


def test_data_are_stored_again_where_an_interrupt_came_first(whole: runs.Run, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(whole.folder / "config.json", tmp_path / "run")
    run = trained(bits(), tmp_path / "run", resume=True)
    assert weights(run.folder) == weights(whole.folder)
    assert runs.open(run.folder).dataset.fingerprint == whole.dataset.fingerprint


def test_labels_that_are_objects_are_left_out(tmp_path: Path) -> None:
    data = dataclasses.replace(datasets.from_array(bits()), labels=np.array([{}] * 34, dtype=object))
    run = trained(data, tmp_path / "run", updates=5)
    assert runs.open(run.folder).dataset.labels is None


def test_a_run_on_other_data_is_not_continued(whole: runs.Run, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in whole.folder.iterdir()}
    for other in (1 - bits(), "digits", datasets.from_array(bits(), seed=3)):
        with pytest.raises(hw.HalfwaveError, match="is on `data.npz`, not on"):
            trained(other, whole.folder, resume=True)
    assert before == {file: file.read_bytes() for file in whole.folder.iterdir()}


MISTAKES = {
    "nothing": ({}, {}, "data must be a word, a path, an array, a tensor or a frame of numbers; got dict"),
    "words": (np.array([["a", "b"]]), {}, "dtype <U1; only booleans"),
    "one axis": (np.arange(5), {}, "1-D"),
    "constant": (np.ones((5, 2)), {}, "hold nothing to learn"),
    "holes": (np.array([[0, 1], [np.nan, 0]]), {}, "nan at sample 1"),
    "ragged": ([[1, 0], [1]], {}, "cannot be read as an array of numbers"),
    "few": (bits(4), {"batch_size": 9}, "`batch_size` must be at most the number of samples"),
    "small": (bits(), {"hidden_size": 0}, "`hidden_size` must be at least 1; got 0"),
    "device": (bits(), {"device": "tpu"}, "`device` must be auto, cpu or cuda; got 'tpu'"),
    "annealing": (bits(), {"evaluate": True, "ais_chains": 1}, "`ais_chains` must be at least 2; got 1"),
    "treated": (
        datasets.from_array(bits()),
        {"threshold": 0.5},
        "`threshold` is for data that are not treated",
    ),
    "shapes": (
        dataclasses.replace(datasets.from_array(bits()), held_out=np.zeros((2, 3), np.float32)),
        {},
        r"held-out samples must have the shape \(5,\)",
    ),
    "values": (
        dataclasses.replace(datasets.from_array(bits()), train=np.full((40, 5), 0.5, np.float32)),
        {},
        "must be 0 or 1; got 0.5",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_sentence_and_leave_no_folder(name: str, tmp_path: Path) -> None:
    data, options, words = MISTAKES[name]
    with pytest.raises(hw.HalfwaveError, match=words) as caught:
        trained(data, tmp_path / "run", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_configuration_is_plain_json(whole: runs.Run) -> None:
    values = json.loads((whole.folder / "config.json").read_text())
    assert values["source"] == STORED
    assert values["fingerprint"] == whole.dataset.fingerprint
