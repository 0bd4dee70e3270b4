"""Bad input is one sentence with the offending value and the rule, never another error type."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from halfwave import datasets
from halfwave.errors import HalfwaveError

GOOD = np.resize([0.0, 1.0, 1.0], (4, 5))


def message_of(source: object, **options: object) -> str:
    with pytest.raises(HalfwaveError) as caught:
        datasets.load(source, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def spoilt(value: float, *indices: tuple[int, int]) -> np.ndarray:
    values = GOOD.copy()
    for index in indices:
        values[index] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (spoilt(np.nan, (2, 3)), "nan at sample 2, site 3 is the only value that is not finite"),
        (spoilt(np.inf, (1, 4), (2, 0)), "inf at sample 1, site 4 is the first of 2 not finite"),
        (spoilt(-np.inf, (1, 4)), "-inf at sample 1, site 4"),
        (spoilt(1e39, (0, 0)), "1e+39 at sample 0, site 0 is beyond ±3.403e+38"),
        (np.full((4, 5), 3), "every value is 3; data that never vary"),
        (np.full((4, 5), 0.5), "every value is 0.5"),
        (GOOD[:1], "the file holds 1 sample; at least 2"),
        (GOOD[:0], "shape (0, 5), and so no samples"),
        (GOOD[:, :0], "shape (4, 0), and so no sites"),
        (np.array(3.0), "shape (), which is 0-D; accepted shapes are (samples, sites)"),
        (np.arange(5), "shape (5,), which is 1-D; accepted shapes are (samples, sites)"),
        (np.zeros((4, 3, 8, 8)), "shape (4, 3, 8, 8), which is 4-D; accepted shapes"),
        (np.zeros((2, 1, 1, 2, 2)), "which is 5-D"),
        (np.array([["a", "b"], ["c", "d"]]), "the values have dtype <U1; only booleans, integers and floats"),
        (GOOD + 1j, "the values have dtype complex128"),
        (np.zeros(4, "datetime64[D]"), "the values have dtype datetime64[D]"),
        (np.zeros(4, [("a", "f4")]), "the values have dtype [('a', '<f4')]"),
        (np.array([[1, None], [2, 3]], dtype=object), "holds Python objects (dtype object)"),
    ],
)
def test_bad_arrays(write_array, values, message):
    assert message in message_of(write_array(values))


def test_the_message_begins_with_the_source(write_array):
    path = write_array(GOOD[:1])
    assert message_of(path).startswith(f"`{path}`: ")


def test_missing_file():
    message = message_of("digit")
    assert message == "`digit`: no such file, nor a bundled data set (those are: digits)"


def test_directory(tmp_path):
    assert "this is a directory" in message_of(tmp_path)


def test_device_file():
    assert "this is not a regular file" in message_of("/dev/null")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_impossible_names(name):
    assert message_of(name)


def test_source_of_another_type():
    assert message_of(GOOD) == "source must be a word or a path; got ndarray"


def test_no_permission(write_array, monkeypatch):
    path = write_array(GOOD)

    # the tests may run as root, whom no file mode keeps out
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "its permissions forbid it" in message_of(path)


@pytest.mark.parametrize(
    "name", ["empty.npy", "empty.csv", "empty.idx", "empty.npz", "empty", "empty.csv.gz"]
)
def test_empty_file(write_bytes, name):
    assert "the file is empty (0 bytes)" in message_of(write_bytes(name, b""))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "the bytes 89 50 4e 47 (a PNG image)"),
        ("photo.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "the bytes 89 50 4e 47 (a PNG image)"),
        ("data.pkl", pickle.dumps(GOOD), "(a Python pickle)"),
        ("data.npy", pickle.dumps(GOOD, protocol=2), "(a Python pickle)"),
        ("data.pdf", b"%PDF-1.7\n", "(a PDF document)"),
        ("data.h5", b"\x89HDF\r\n\x1a\n", "(an HDF5 file)"),
        ("data.npy", b"1,2\n3,4\n", "the bytes 31 2c 32 0a, which no format read here does"),
        ("x-idx3-ubyte", b"1,2\n3,4\n", "the bytes 31 2c 32 0a"),
        ("data.bin", b"1,2\0\n3,4\n", "the bytes 31 2c 32 00"),
        ("data.bin.gz", b"\x7fELF\0\0\0", "the bytes 7f 45 4c 46"),
    ],
)
def test_foreign_files(write_bytes, name, content, message):
    assert message in message_of(write_bytes(name, content))


@pytest.mark.parametrize("suffix", ["npy", "npz", "idx", "csv.gz"])
def test_truncated_anywhere(suffix, write_array, write_arrays, write_idx, write_text, write_bytes):
    values = np.resize([0, 1, 1, 0, 1], (30, 7))
    whole = {
        "npy": lambda: write_array(values),
        "npz": lambda: write_arrays(x=values),
        "idx": lambda: write_idx("data.idx", values.astype("u1")),
        "csv.gz": lambda: write_text("data.csv.gz", "\n".join(",".join(map(str, row)) for row in values)),
    }[suffix]()
    content = whole.read_bytes()
    for length in sorted({*range(1, 40), *range(40, len(content), 37), len(content) - 1}):
        # another name, so that the writer does not compress what is compressed already
        assert message_of(write_bytes("cut." + suffix.removesuffix(".gz"), content[:length]))


def test_truncated_messages(write_array, write_idx, write_bytes):
    values = np.resize([0, 1, 1], (30, 7)).astype("u1")
    npy = write_array(values).read_bytes()
    assert "the .npy file is truncated or damaged" in message_of(write_bytes("cut.npy", npy[:-9]))
    idx = write_idx("data.idx", values).read_bytes()
    assert "holds 201 bytes of values, and its header of shape (30, 7) asks for 210" in message_of(
        write_bytes("cut.idx", idx[:-9])
    )
    assert "asks for 210" in message_of(write_bytes("long.idx", idx + b"\0"))
    assert "ends after 9 bytes, and its header of 2 axes takes 12" in message_of(
        write_bytes("cut.idx", idx[:9])
    )


def test_idx_header_beyond_any_memory(write_bytes):
    assert "truncated or damaged" in message_of(write_bytes("x.idx", b"\0\0\x08\x03" + b"\xff" * 12))


def test_npy_header_beyond_any_memory(write_array, write_bytes):
    content = write_array(GOOD).read_bytes().replace(b"(4, 5), }          ", b"(400000000000, 5), }")
    assert "truncated or damaged" in message_of(write_bytes("big.npy", content))


def test_npy_header_that_is_no_literal(write_array, write_bytes):
    content = write_array(GOOD).read_bytes().replace(b"{'descr'", b"  descr'")
    assert "truncated or damaged" in message_of(write_bytes("bad.npy", content))


def test_one_hot_samples_of_one_category(write_array):
    one_hot = np.eye(3)[np.full((4, 5), 2)]
    assert "every value is 2" in message_of(write_array(one_hot), kind="categorical")


def test_damaged_gzip(write_text, write_bytes):
    content = bytearray(write_text("data.csv.gz", "1,2\n3,4\n" * 50).read_bytes())
    content[-5] ^= 0xFF
    assert "the .gz file is truncated or damaged" in message_of(write_bytes("bad.csv", bytes(content)))


def test_npz_without_clear_samples(write_arrays):
    message = message_of(write_arrays(alpha=GOOD, beta=GOOD))
    assert "the archive holds `alpha`, `beta`" in message
    assert "the archive holds `u`, `v`" in message_of(write_arrays(u=np.arange(3), v=np.arange(3)))


def test_npz_without_arrays(write_arrays):
    assert "holds no arrays" in message_of(write_arrays())


def test_npz_of_objects(write_arrays):
    assert "the array `x` holds Python objects" in message_of(write_arrays(x=np.array([None, 1])))


def test_zip_that_is_not_npz(write_bytes):
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "<xml/>")
    assert "the values have dtype |S6" in message_of(write_bytes("letter.docx", stream.getvalue()))


def test_npz_with_parts_that_disagree(write_arrays):
    path = write_arrays(x_train=np.zeros((4, 8, 8)), x_test=np.zeros((4, 7, 8)))
    assert "training samples have shape (8, 8) and held-out samples (7, 8)" in message_of(path)


def test_npz_with_labels_that_disagree(write_arrays):
    path = write_arrays(x_train=GOOD, y_train=np.arange(3), x_test=GOOD)
    assert "`y_train` holds 3 labels for 4 samples" in message_of(path)


def test_npz_with_one_training_sample(write_arrays):
    assert "the training part holds 1 sample" in message_of(write_arrays(train=GOOD[:1], test=GOOD))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"kind": "binry"},
            "kind 'binry' is unknown (did you mean 'binary'?); the known ones are auto, binary, spin",
        ),
        ({"kind": None}, "kind None is unknown"),
        (
            {"binarise": "dither"},
            "binarise 'dither' is unknown; the known ones are auto, threshold, stochastic",
        ),
        ({"held_out": 1}, "held_out must be a fraction of at least 0 and below 1; got 1"),
        ({"held_out": -0.1}, "got -0.1"),
        ({"held_out": float("nan")}, "got nan"),
        ({"held_out": "half"}, "got 'half'"),
        ({"held_out": 0.9999}, "holding out 0.9999 of 1,797 samples leaves 0 samples; at least 2"),
        ({"seed": -1}, "seed must be a whole number of at least 0; got -1"),
        ({"seed": 0.5}, "got 0.5"),
        ({"threshold": float("inf")}, "threshold must be a finite number; got inf"),
        ({"threshold": 17}, "threshold 17 is outside the data's range: it must be above 0 and at most 16"),
        ({"threshold": 0}, "threshold 0 is outside the data's range"),
        ({"threshold": 8, "kind": "real"}, "threshold=8 applies to kind 'grey' only; got kind 'real'"),
        ({"threshold": 8, "binarise": "stochastic"}, "has no threshold; got 8"),
        ({"threshold": 8, "colours": 3}, "threshold=8 and colours=3 exclude each other"),
        ({"binarise": "stochastic", "kind": "binary"}, "binarise='stochastic' applies to kind 'grey' only"),
        ({"colours": 3, "kind": "grey"}, "colours=3 applies to kind 'categorical' only"),
        ({"colours": 1}, "colours must be a whole number from 2 to 256; got 1"),
        ({"colours": 2.5}, "got 2.5"),
    ],
)
def test_bad_options(options, message):
    assert message in message_of("digits", **options)
