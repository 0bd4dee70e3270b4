"""The kind told by the values and the shape, and what each kind becomes."""

from __future__ import annotations

import numpy as np
import pytest

from halfwave import datasets
from halfwave.errors import HalfwaveError

IMAGE = (4, 2, 3)
ROW = (4, 6)


def levels(shape: tuple[int, ...], *values: float) -> np.ndarray:
    """An array of this shape that runs through the values over and over."""
    return np.resize(np.array(values), shape)


@pytest.mark.parametrize(
    ("values", "kind", "visible_unit", "recorded"),
    [
        (levels(ROW, False, True, True), "binary", "Binary", "binary"),
        (levels(ROW, 0, 1, 1), "binary", "Binary", "binary"),
        (levels(IMAGE, 0.0, 1.0, 1.0), "binary", "Binary", "binary"),
        (levels(ROW, -1, 1, 1), "spin", "Spin", "spin"),
        (levels(IMAGE, -1.0, 1.0, 1.0), "spin", "Spin", "spin"),
        (levels(ROW, -1, 0, 1), "real", "Gaussian", "real"),
        (levels(ROW, 0, 20, 3, 5), "categorical", "Potts", "categorical"),
        (levels(ROW, 0.0, 2.0, 1.0), "categorical", "Potts", "categorical"),
        (levels(ROW, 3, 40, 7), "categorical", "Potts", "categorical"),
        (levels(ROW, 0, 41, 7), "binary", "Binary", "grey"),
        (levels(IMAGE, 0, 20, 3), "binary", "Binary", "grey"),
        (levels(IMAGE, 0, 255, 128), "binary", "Binary", "grey"),
        (levels(ROW, 0.0, 0.5, 0.75), "binary", "Binary", "grey"),
        (levels(IMAGE, 0.0, 0.5, 1.0), "binary", "Binary", "grey"),
        (levels(ROW, 0, 256, 3), "real", "Gaussian", "real"),
        (levels(ROW, -1, 20, 3), "real", "Gaussian", "real"),
        (levels(ROW, -0.5, 0.5, 0.25), "real", "Gaussian", "real"),
        (levels(ROW, 0.0, 1.5, 1.0), "real", "Gaussian", "real"),
    ],
)
def test_recognition(write_array, values, kind, visible_unit, recorded):
    data = datasets.load(write_array(values), held_out=0)
    assert (data.kind, data.visible_unit, data.transform["kind"]) == (kind, visible_unit, recorded)
    assert data.site_shape == values.shape[1:]
    assert data.image_shape == (values.shape[1:] if values.ndim == 3 else None)
    assert data.train.dtype == data.held_out.dtype == np.float32
    assert data.train.shape[: values.ndim] == values.shape


def test_both_parts_are_recognised_together(write_arrays):
    data = datasets.load(write_arrays(train=levels(ROW, 0, 1, 1), test=levels(ROW, 0, 1, 2)))
    assert (data.kind, data.colours) == ("categorical", 3)


@pytest.mark.parametrize(
    ("values", "top", "threshold", "words"),
    [
        (levels(IMAGE, 0, 255, 127, 128).astype("u1"), 255, 127.5, "at least 128"),
        (levels(IMAGE, 0, 200, 100), 255, 127.5, "at least 128"),
        (levels(IMAGE, 0, 16, 8, 7), 16, 8, "at least 8"),
        (levels(IMAGE, 0, 100, 50, 49), 100, 50, "at least 50"),
        (levels(IMAGE, 0, 3, 2, 1), 3, 1.5, "at least 2"),
        (levels(IMAGE, 0.0, 0.5, 0.9), 1, 0.5, "at least 0.5"),
        (levels(IMAGE, 0.0, 0.25, 0.5), 0.5, 0.25, "at least 0.25"),
    ],
)
def test_default_threshold(write_array, values, top, threshold, words):
    data = datasets.load(write_array(values), held_out=0)
    assert (data.transform["top"], data.transform["threshold"]) == (top, threshold)
    np.testing.assert_array_equal(data.train, values >= threshold)
    assert words in data.description


def test_grey_levels_of_sixteen_bits(write_array):
    values = levels(IMAGE, 0, 65535, 1000).astype("u2")
    assert datasets.load(write_array(values), kind="grey").transform["threshold"] == 32767.5


def test_half_floats_on_a_long_scale(write_array):
    values = levels(IMAGE, 0, 60000, 1000).astype("f2")
    assert datasets.load(write_array(values), kind="grey", held_out=0).train.sum() == (values > 32767).sum()


def test_threshold_implies_grey_levels(write_array):
    values = levels(ROW, -2.5, 0.5, 3.0)
    data = datasets.load(write_array(values), threshold=0.5, held_out=0)
    np.testing.assert_array_equal(data.train, values >= 0.5)
    assert data.description.startswith(
        "4 samples of 6 grey levels from -2.5 to 3; binarised: 1 where the value is at"
    )


def test_categories_are_one_hot(write_array):
    values = levels(ROW, 0, 2, 3, 3, 1)
    data = datasets.load(write_array(values), held_out=0)
    np.testing.assert_array_equal(data.train, np.eye(4)[values])
    assert data.colours == 4
    assert "one-hot in 4 colours" in data.description


def test_colours_override_and_imply_categories(write_array):
    data = datasets.load(write_array(levels(ROW, 0, 1, 1)), colours=5, held_out=0)
    assert data.train.shape == (4, 6, 5)
    assert (data.kind, data.colours, data.site_shape) == ("categorical", 5, (6,))


def test_categorical_images_become_rows_of_sites(write_array):
    values = levels(IMAGE, 0, 2, 1, 1, 0)
    data = datasets.load(write_array(values), kind="categorical", held_out=0)
    np.testing.assert_array_equal(data.train, np.eye(3)[values.reshape(4, 6)])
    assert (data.site_shape, data.image_shape) == ((6,), (2, 3))


def test_one_hot_input_keeps_its_colours(write_array):
    one_hot = np.eye(5)[levels(ROW, 0, 2, 1, 1, 0)]
    data = datasets.load(write_array(one_hot), kind="categorical", held_out=0)
    np.testing.assert_array_equal(data.train, one_hot)
    assert (data.colours, data.site_shape, data.image_shape) == (5, (6,), None)
    assert datasets.apply(data.transform, data.source).fingerprint == data.fingerprint


def test_colours_is_none_elsewhere():
    assert datasets.load("digits").colours is None


@pytest.mark.parametrize(
    ("values", "options", "kind"),
    [
        (levels(ROW, 0, 1, 1), {"kind": "real"}, "real"),
        (levels(ROW, 0, 20, 3), {"kind": "grey"}, "binary"),
        (levels(ROW, 0, 20, 3), {"kind": "real"}, "real"),
        (levels(ROW, 0, 1, 1), {"kind": "categorical"}, "categorical"),
        (levels(ROW, 0.0, 0.5), {"kind": "real"}, "real"),
        (levels(ROW, False, True, True), {"kind": "real"}, "real"),
        (levels(ROW, False, True, True), {"kind": "grey"}, "binary"),
        (levels(ROW, 0, 1, 1), {"binarise": "threshold"}, "binary"),
    ],
)
def test_override(write_array, values, options, kind):
    assert datasets.load(write_array(values), **options).kind == kind


def offender(value: float, index: tuple[int, ...], shape: tuple[int, ...] = (5, 9)) -> np.ndarray:
    values = levels(shape, 0.0, 1.0, 1.0, 0.0)
    values[index] = value
    return values


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (offender(0.5, (3, 7)), "binary", "0.5 at sample 3, site 7 is not 0 or 1"),
        (offender(2, (3, 1, 2), (5, 3, 4)), "binary", "2 at sample 3, site (1, 2) is not 0 or 1"),
        (offender(0.5, (0, 1)), "spin", "0 at sample 0, site 0 is not −1 or +1"),
        (offender(0.5, (3, 7)), "categorical", "0.5 at sample 3, site 7 is not a whole number from 0 to 255"),
        (offender(-1, (3, 7)), "categorical", "-1 at sample 3, site 7 is not a whole number from 0 to 255"),
        (offender(300, (3, 7)), "categorical", "300 at sample 3, site 7 is not a whole number from 0 to 255"),
        (offender(-0.25, (3, 7)), "grey", "-0.25 at sample 3, site 7 is below 0"),
    ],
)
def test_impossible_override(write_array, values, kind, message):
    with pytest.raises(HalfwaveError) as caught:
        datasets.load(write_array(values), kind=kind)
    assert message in str(caught.value)


def test_position_in_a_held_out_part(write_arrays):
    path = write_arrays(train=offender(1, (0, 0)), test=offender(7, (2, 8)))
    with pytest.raises(HalfwaveError, match="7 at held-out sample 2, site 8 is not 0 or 1"):
        datasets.load(path, kind="binary")


def test_position_far_down_a_large_array(write_array):
    values = np.zeros((3_000_000, 3), bool)
    values[0] = True
    large = values.astype("u1")
    large[2_999_998, 2] = 9
    with pytest.raises(HalfwaveError, match="9 at sample 2999998, site 2 is not 0 or 1"):
        datasets.load(write_array(large), kind="binary")


def test_too_few_colours(write_array):
    with pytest.raises(
        HalfwaveError, match="4 at sample 0, site 1 is not a whole number from 0 to 3, for 4 colours"
    ):
        datasets.load(write_array(levels(ROW, 0, 4, 1)), colours=4)


def test_constant_sites_are_noted(write_array):
    values = levels((6, 2, 3), 0, 1, 1, 0, 1, 0, 1)
    values[:, 1, 2] = 1
    values[:, 0, 1] = 0
    data = datasets.load(write_array(values), held_out=0)
    assert data.notes == ("2 of 6 sites never vary over the training samples, the first at site (0, 1).",)
    assert datasets.load(write_array(levels(ROW, 0, 1, 1, 0, 0)), held_out=0).notes == ()


def test_constant_categories_are_noted(write_array):
    values = levels((6, 3), 0, 1, 2, 0, 1, 0, 1)
    values[:, 2] = 1
    notes = datasets.load(write_array(values), held_out=0).notes
    assert notes == ("1 of 3 sites never vary over the training samples, the first at site 2.",)
