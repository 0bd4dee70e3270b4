"""Every format gives back the numbers that were written, whatever the file is called."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from halfwave import datasets
from halfwave.errors import HalfwaveError

LEVELS = np.random.default_rng(1).integers(0, 256, (6, 4, 3)).astype(np.uint8)


def kept(path: Path, **options: object) -> np.ndarray:
    """The values of a file as they are, in its own order."""
    return datasets.load(path, kind="real", standardise=False, held_out=0, **options).train  # type: ignore[arg-type]


def test_public_names():
    assert datasets.__all__ == ["Dataset", "apply", "from_array", "load", "load_columns"]


def test_no_torch():
    code = "import sys, halfwave.datasets as d; d.load('digits'); sys.exit('torch' in sys.modules)"  # exit 1 if there
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_digits():
    pixels, labels = load_digits(return_X_y=True)
    digits = datasets.load("digits", held_out=0)
    np.testing.assert_array_equal(digits.train, pixels.reshape(-1, 8, 8) >= 8)
    np.testing.assert_array_equal(digits.labels, labels)
    assert digits.train.dtype == np.float32
    assert (digits.kind, digits.visible_unit) == ("binary", "Binary")
    assert digits.site_shape == digits.image_shape == (8, 8)
    assert digits.description == (
        "1,797 samples of 8 × 8 grey levels from 0 to 16; binarised: 1 where the value is at least 8. "
        "None held out. Bundled with scikit-learn."
    )


def test_digits_word_is_not_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HalfwaveError, match="no such file"):
        datasets.load(Path("digits"))


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">i4", "u8", "f2", ">f4", "f8", "g"])
def test_npy_dtypes(write_array, dtype):
    values = (LEVELS // 100).astype(dtype)
    np.testing.assert_array_equal(kept(write_array(values)), values.astype(np.float32))


def test_fortran_order(write_array):
    np.testing.assert_array_equal(kept(write_array(np.asfortranarray(LEVELS))), LEVELS)


@pytest.mark.parametrize("name", ["data.npy", "data.npy.gz", "data", "data.csv", "data.idx"])
def test_content_decides_before_the_name(write_array, write_bytes, name):
    content = write_array(LEVELS, "original.npy").read_bytes()
    np.testing.assert_array_equal(kept(write_bytes(name, content)), LEVELS)


def test_gzip_without_the_suffix(write_array, write_bytes):
    content = gzip.compress(write_array(LEVELS).read_bytes())
    np.testing.assert_array_equal(kept(write_bytes("data.bin", content)), LEVELS)


@pytest.mark.parametrize("name", ["data.npz", "data.npz.gz"])
def test_npz_of_one_array(write_arrays, write_bytes, name):
    content = write_arrays("original.npz", anything=LEVELS).read_bytes()
    np.testing.assert_array_equal(kept(write_bytes(name, content)), LEVELS)


def test_npz_skips_vectors(write_arrays):
    np.testing.assert_array_equal(kept(write_arrays(samples=LEVELS, mean=np.zeros(4), n=6)), LEVELS)


def test_npz_keras_layout(write_arrays):
    path = write_arrays(x_train=LEVELS[:4], y_train=[3, 1, 4, 1], x_test=LEVELS[4:], y_test=[5, 9])
    data = datasets.load(path, kind="real", standardise=False, held_out=0.5)
    np.testing.assert_array_equal(data.train, LEVELS[:4])
    np.testing.assert_array_equal(data.held_out, LEVELS[4:])
    np.testing.assert_array_equal(data.labels, [3, 1, 4, 1])
    np.testing.assert_array_equal(data.held_out_labels, [5, 9])
    assert "4 for training, 2 held out by the source itself" in data.description


def test_npz_labels_of_two_axes_are_left_out(write_arrays):
    data = datasets.load(write_arrays(x_train=LEVELS, y_train=np.eye(6)))
    assert data.labels is None
    assert len(data.held_out) == 1


def test_npz_train_and_test(write_arrays):
    data = datasets.load(
        write_arrays(train=LEVELS[:5], test=LEVELS[5:], other=np.eye(2)), binarise="stochastic"
    )
    assert (len(data.train), len(data.held_out)) == (5, 1)


def test_npz_with_an_empty_held_out_part(write_arrays):
    data = datasets.load(write_arrays(train=LEVELS, test=LEVELS[:0]))
    assert data.held_out.shape == (0, 4, 3)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize(
    "name", ["images-idx3-ubyte", "images.idx", "images-idx3-ubyte.gz", "images.idx.gz", "x.csv"]
)
def test_idx(write_idx, dtype, name):
    values = (LEVELS.astype("i4") - 120).astype(dtype)
    np.testing.assert_array_equal(kept(write_idx(name, values)), values.astype(np.float32))


def test_idx_of_rows(write_idx):
    np.testing.assert_array_equal(kept(write_idx("rows.idx", LEVELS.reshape(6, 12))), LEVELS.reshape(6, 12))


@pytest.mark.parametrize("shape", [(6, 4, 3, 1), (6, 1, 4, 3)])
def test_channel_of_length_one_is_dropped(write_array, shape):
    data = datasets.load(write_array(LEVELS.reshape(shape)))
    assert data.image_shape == (4, 3)


def test_string_and_path_sources_agree(write_array):
    path = write_array(LEVELS)
    assert datasets.load(str(path)).fingerprint == datasets.load(path).fingerprint
    assert datasets.load(path).source == str(path)


def test_repr_is_short():
    assert (
        repr(datasets.load("digits"))
        == "Dataset('digits', kind='binary', train=(1527, 8, 8), held_out=(270, 8, 8))"
    )
