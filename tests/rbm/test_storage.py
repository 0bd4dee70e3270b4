"""Machine files: what is written is read back, and what is broken is refused in one sentence."""

from __future__ import annotations

import errno
import json
import os
import pickle
import stat
from pathlib import Path

import pytest
import torch
from machine_cases import ALL, machine
from safetensors.torch import save_file

import halfwave as hw
from halfwave.errors import HalfwaveError
from halfwave.rbm import loading, storage
from halfwave.rbm.machine import RBM


def header(**changes) -> dict[str, str]:
    values = {"format": 1, "kind": "machine", "visible": "Binary", "hidden": "DReLU"}
    return {"halfwave": json.dumps({**values, **changes})}


def tensors() -> dict[str, torch.Tensor]:
    return dict(machine("Binary", "DReLU").state_dict())


def assert_same(first: RBM, second: RBM) -> None:
    assert type(first.visible) is type(second.visible)
    assert type(first.hidden) is type(second.hidden)
    expected, found = first.state_dict(), second.state_dict()
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        assert torch.equal(value, found[key]), key
        assert value.dtype == found[key].dtype, key


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ALL)
def test_every_unit_comes_back(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Bit for bit, on either side of the machine, and ready to be used."""
    path = tmp_path / "machine.safetensors"
    for rbm in (
        machine(name, "DReLU", ((2, 2), 3), dtype=dtype),
        machine("Spin", name, (3, (2, 2)), dtype=dtype),
    ):
        rbm.save(path)
        loaded = hw.load(path)
        assert_same(rbm, loaded)
        assert not any(value.requires_grad for value in loaded.parameters())
        v = rbm.visible.sample_from_inputs(torch.zeros(2, *rbm.visible.shape, dtype=dtype))
        assert torch.equal(rbm.free_energy(v), loaded.free_energy(v))


def test_saving_makes_folders_and_replaces_files(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "machine.safetensors"
    first, second = machine("Binary", "DReLU", seed=1), machine("Potts", "ReLU", seed=2)
    storage.save(first, path)
    storage.save(second, str(path))
    assert_same(loading.load(str(path)), second)
    assert [p.name for p in path.parent.iterdir()] == ["machine.safetensors"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_views_and_tracked_parameters_are_saved(tmp_path: Path) -> None:
    rbm = machine("Binary", "DReLU")
    rbm.weights.data = rbm.weights.data.T.contiguous().T
    rbm.requires_grad_()
    rbm.save(tmp_path / "machine.safetensors")
    assert torch.equal(hw.load(tmp_path / "machine.safetensors").weights, rbm.weights)


def test_a_run_folder_holds_its_machine(tmp_path: Path) -> None:
    rbm = machine("Binary", "DReLU")
    rbm.save(tmp_path / "model.safetensors")
    assert_same(hw.load(tmp_path), rbm)


# what is refused


def refuse(path: Path, message: str) -> None:
    """Loading fails with a `HalfwaveError` of one line that names the file."""
    with pytest.raises(HalfwaveError, match=message) as caught:
        loading.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_files_and_folders_without_a_machine(tmp_path: Path) -> None:
    refuse(tmp_path / "nothing.safetensors", "there is no file")
    with pytest.raises(HalfwaveError, match=r"there is no file .*model\.safetensors"):
        loading.load(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.99])
def test_truncated_files(share: float, tmp_path: Path) -> None:
    path = tmp_path / "machine.safetensors"
    machine("Binary", "DReLU").save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refuse(path, "is not a complete Halfwave machine file")


def test_files_with_a_tail_or_other_bytes(tmp_path: Path) -> None:
    path = tmp_path / "machine.safetensors"
    machine("Binary", "DReLU").save(path)
    path.write_bytes(path.read_bytes() + b"tail")
    refuse(path, "is not a complete Halfwave machine file")
    path.write_bytes(pickle.dumps({"weights": [1.0]}))
    refuse(path, "is not a complete Halfwave machine file")
    path.write_bytes(os.urandom(1000))
    refuse(path, "is not a complete Halfwave machine file")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "is not a complete Halfwave machine file"),
        ({"other": "library"}, "is not a complete Halfwave machine file"),
        ({"halfwave": "{"}, "is not a complete Halfwave machine file"),
        ({"halfwave": "[1]"}, "is not a complete Halfwave machine file"),
        (header(format=2), r"is a machine file of format 2; this version reads machine files of format 1"),
        (header(format=None), "of format None"),
        (header(kind="run"), "is a run file of format 1"),
        (header(hidden="Sigmoid"), "unknown unit 'Sigmoid'"),
        (header(hidden="Gaussian"), "lacks the tensor"),
        ({"halfwave": json.dumps({"format": 1, "kind": "machine", "visible": "Binary"})}, "hidden"),
    ],
)
def test_foreign_headers(metadata: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "machine.safetensors"
    save_file(tensors(), path, metadata)
    refuse(path, message)


def test_missing_and_broken_tensors(tmp_path: Path) -> None:
    path = tmp_path / "machine.safetensors"
    without = {key: value for key, value in tensors().items() if key != "hidden.gamma_pos"}
    save_file(without, path, header())
    refuse(path, r"lacks the tensor .*hidden\.gamma_pos")
    save_file({**tensors(), "hidden.gamma_pos": torch.tensor([1.0, -0.3, 1.0]).double()}, path, header())
    refuse(path, r"`gamma_pos` of DReLU must be positive; got -0.3")
    save_file({**tensors(), "weights": torch.full((4, 3), torch.nan).double()}, path, header())
    refuse(path, "weights must be finite; got nan")
    save_file({**tensors(), "weights": torch.zeros(3, 4).double()}, path, header())
    refuse(path, r"weights must have shape \(4, 3\); got \(3, 4\)")


# what is kept when writing fails


def full_disk(*arguments) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["os.fsync", "os.fdopen", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_file(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "machine.safetensors"
    old = machine("Binary", "DReLU", seed=1)
    old.save(path)
    content = path.read_bytes()
    monkeypatch.setattr(step, full_disk)
    with pytest.raises(HalfwaveError, match="No space left on device; what was there before is intact"):
        machine("Binary", "DReLU", seed=2).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["machine.safetensors"]
    assert_same(loading.load(path), old)


def test_a_disk_that_fills_up_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the bytes reach the disk before it is full."""
    path = tmp_path / "machine.safetensors"
    machine("Binary", "DReLU", seed=1).save(path)
    content, fdopen = path.read_bytes(), os.fdopen

    def small_disk(descriptor: int, mode: str):
        file = fdopen(descriptor, mode)

        class Half:
            def __enter__(self):
                return self

            def __exit__(self, *error) -> None:
                file.close()

            def write(self, data: bytes) -> None:
                file.write(data[: len(data) // 2])
                full_disk()

        return Half()

    monkeypatch.setattr("os.fdopen", small_disk)
    with pytest.raises(HalfwaveError, match="No space left on device"):
        machine("Binary", "DReLU", seed=2).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["machine.safetensors"]


def test_an_interrupt_leaves_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        machine("Binary", "DReLU").save(tmp_path / "machine.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(HalfwaveError, match=r"cannot write .*file/machine"):
        machine("Binary", "DReLU").save(tmp_path / "file" / "machine.safetensors")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "machine.safetensors").mkdir()
    with pytest.raises(HalfwaveError, match="cannot write"):
        machine("Binary", "DReLU").save(tmp_path / "machine.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["machine.safetensors"]
