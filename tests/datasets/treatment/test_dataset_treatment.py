"""Splits, standardisation, stochastic binarisation, and the same treatment given to another file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from halfwave import datasets
from halfwave.errors import HalfwaveError

RNG = np.random.default_rng(11)
REAL = RNG.normal(3.0, 2.0, (40, 5))


def test_split_is_seeded_and_complete(write_array):
    values = np.arange(80.0).reshape(40, 2) - 7
    path = write_array(values)
    data = datasets.load(path, standardise=False)
    assert (len(data.train), len(data.held_out)) == (34, 6)
    together = np.concatenate([data.train, data.held_out])
    np.testing.assert_array_equal(np.sort(together, axis=0), values)
    # each part keeps the order of the file
    assert (np.diff(data.train[:, 0]) > 0).all()
    assert (np.diff(data.held_out[:, 0]) > 0).all()
    assert datasets.load(path, standardise=False).fingerprint == data.fingerprint
    # 40 choose 6 splits: two seeds agree by chance once in 3.8 million
    assert datasets.load(path, standardise=False, seed=1).fingerprint != data.fingerprint


def test_labels_follow_their_samples():
    whole = datasets.load("digits", held_out=0)
    data = datasets.load("digits", held_out=0.3)
    assert whole.labels is not None
    assert data.labels is not None
    assert data.held_out_labels is not None
    known = {(sample.tobytes(), int(label)) for sample, label in zip(whole.train, whole.labels, strict=True)}
    for samples, labels in ((data.train, data.labels), (data.held_out, data.held_out_labels)):
        assert all((s.tobytes(), int(n)) in known for s, n in zip(samples, labels, strict=True))


def test_held_out_zero(write_array, bits):
    data = datasets.load(write_array(bits), held_out=0)
    np.testing.assert_array_equal(data.train, bits)
    assert data.held_out.shape == (0, 6)
    assert "None held out" in data.description


def test_fingerprint_sees_values_shape_and_division(write_array, write_arrays, bits):
    other = bits.copy()
    other[3, 2] = 1 - other[3, 2]
    prints = [
        datasets.load(write_array(bits), held_out=0).fingerprint,
        datasets.load(write_array(other), held_out=0).fingerprint,
        datasets.load(write_array(bits.reshape(20, 2, 3)), held_out=0).fingerprint,
        datasets.load(write_arrays(train=bits[:10], test=bits[10:])).fingerprint,
    ]
    assert len(set(prints)) == 4
    assert all(len(text) == 64 and set(text) <= set("0123456789abcdef") for text in prints)


def test_fingerprint_ignores_the_format(write_array, write_text, bits):
    rows = "".join(",".join(map(str, row)) + "\n" for row in bits.tolist())
    from_text = datasets.load(write_text("t.csv", rows))
    assert from_text.fingerprint == datasets.load(write_array(bits)).fingerprint


def test_standardised_by_training_statistics(write_array):
    data = datasets.load(write_array(REAL))
    np.testing.assert_allclose(data.train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.train.std(axis=0), 1, rtol=1e-6)
    kept = datasets.load(write_array(REAL), standardise=False)
    mean, scale = np.array(data.transform["mean"]), np.array(data.transform["scale"])
    np.testing.assert_allclose(data.held_out, (kept.held_out - mean) / scale, rtol=1e-4, atol=1e-5)
    assert "standardised" in data.description
    assert "kept as they are" in kept.description


@pytest.mark.parametrize("constant", [0.1, 1e15, -3e-12, 0.0])
def test_constant_sites_are_only_centred(write_array, constant):
    values = REAL.copy()
    values[:, 2] = constant
    data = datasets.load(write_array(values))
    assert data.transform["scale"][2] == 1
    np.testing.assert_allclose(data.train[:, 2], 0, atol=1e-15 + abs(constant) * 1e-15)
    assert data.notes == (
        "1 of 5 sites never vary over the training samples, the first at site 2; they were only centred.",
    )


def test_a_spread_that_underflows_counts_as_none(write_array):
    values = REAL.copy()
    values[:, 2] = np.resize([0, 1e-200], 40)
    assert datasets.load(write_array(values)).transform["scale"][2] == 1


def test_standardised_beyond_float32(write_arrays):
    train, test = REAL.copy(), REAL[:3].copy()
    train[:, 1] *= 1e-30
    test[2, 1] = 1e30
    with pytest.raises(HalfwaveError, match=r"1e\+30 at held-out sample 2, site 1 goes beyond 32-bit"):
        datasets.load(write_arrays(train=train, test=test))


def test_stochastic_draws(write_array):
    values = np.tile(np.array([0, 51, 204, 255], np.uint8), (5000, 1))
    path = write_array(values)
    data = datasets.load(path, binarise="stochastic", held_out=0)
    assert set(np.unique(data.train)) == {0, 1}
    assert not data.train[:, 0].any()
    assert data.train[:, 3].all()
    # five standard deviations of a mean of 5000 draws: two columns, false alarm 1.2e-6
    np.testing.assert_allclose(data.train[:, 1:3].mean(axis=0), [0.2, 0.8], atol=5 * np.sqrt(0.16 / 5000))
    assert datasets.load(path, binarise="stochastic", held_out=0).fingerprint == data.fingerprint
    assert datasets.load(path, binarise="stochastic", held_out=0, seed=1).fingerprint != data.fingerprint
    assert "1 with probability value / 255 (seed 0)" in data.description


@pytest.mark.parametrize(
    ("values", "options"),
    [
        (np.resize([0, 1, 1, 0, 1], (12, 3)), {}),
        (np.resize([-1, 1, 1, -1, 1], (12, 3)), {}),
        (np.resize([0, 5, 2, 4, 1], (12, 3)), {"colours": 9}),
        (np.resize([0, 2, 1, 1], (12, 2, 3)), {"kind": "categorical"}),
        (np.resize([0, 255, 99, 120, 1], (12, 2, 3)), {}),
        (np.resize([0, 255, 99, 120, 1], (12, 2, 3)), {"threshold": 99, "seed": 4}),
        (np.resize([0, 255, 99, 120, 1], (12, 2, 3)), {"binarise": "stochastic", "held_out": 0.5}),
        (REAL, {}),
        (REAL, {"standardise": False}),
        (REAL, {"threshold": 3.1}),
    ],
)
def test_apply_repeats_load(write_array, values, options):
    data = datasets.load(write_array(values), **options)
    again = datasets.apply(json.loads(json.dumps(data.transform)), data.source)
    assert again.fingerprint == data.fingerprint
    assert again.transform == data.transform
    assert again.description == data.description
    assert (again.site_shape, again.image_shape, again.notes) == (
        data.site_shape,
        data.image_shape,
        data.notes,
    )


def test_apply_uses_the_recorded_statistics(write_array):
    first = datasets.load(write_array(REAL))
    other = REAL * 3 + 1
    second = datasets.apply(first.transform, write_array(other, "other.npy"), held_out=0)
    expected = (other - np.array(first.transform["mean"])) / np.array(first.transform["scale"])
    np.testing.assert_allclose(second.train, expected, rtol=1e-6)


def test_apply_uses_the_recorded_threshold_and_colours(write_array):
    grey = datasets.load(write_array(np.resize([0, 255, 99], (6, 2, 2))))
    other = write_array(np.resize([0, 130, 120], (6, 2, 2)), "other.npy")
    np.testing.assert_array_equal(
        datasets.apply(grey.transform, other, held_out=0).train, np.load(other) >= 127.5
    )
    categories = datasets.load(write_array(np.resize([0, 6, 3], (5, 4))))
    small = write_array(np.resize([0, 1, 1], (5, 4)), "other.npy")
    assert datasets.apply(categories.transform, small).colours == 7


def test_apply_to_rows_of_pixels(write_array):
    images = np.resize([0, 255, 99, 7, 200], (6, 2, 3))
    data = datasets.load(write_array(images), held_out=0)
    rows = write_array(images.reshape(6, 6), "rows.npy")
    assert datasets.apply(data.transform, rows).fingerprint == data.fingerprint


def test_apply_rejects_other_shapes_scales_and_values(write_array, bits):
    transform = datasets.load(write_array(np.resize([0, 255, 99], (6, 2, 2)))).transform
    with pytest.raises(
        HalfwaveError, match=r"samples have shape \(6,\); the transform was made for \(2, 2\)"
    ):
        datasets.apply(transform, write_array(bits, "other.npy"))
    with pytest.raises(HalfwaveError, match=r"threshold 127\.5 is outside the data's range"):
        datasets.apply(transform, write_array(np.resize([0, 0.5, 1], (6, 2, 2)), "other.npy"))
    fractions = datasets.load(write_array(np.resize([0, 0.5, 1], (6, 2, 2)))).transform
    with pytest.raises(
        HalfwaveError, match=r"255 at sample 0, site .* another grey scale than the one from 0 to 1"
    ):
        datasets.apply(fractions, write_array(np.resize([0, 255, 99], (6, 2, 2)), "other.npy"))
    categories = datasets.load(write_array(np.resize([0, 3, 2], (6, 4)))).transform
    with pytest.raises(HalfwaveError, match="4 at sample 0, site 1 is not a whole number from 0 to 3"):
        datasets.apply(categories, write_array(np.resize([0, 4, 2], (6, 4)), "other.npy"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "colour"}, "kind 'colour' of the transform is unknown"),
        ({"extra": 1}, "'extra' breaks this"),
        ({"sample_shape": "8"}, "sample_shape of the transform must list positive integers; got '8'"),
        ({"sample_shape": []}, "must list positive integers"),
        ({"mean": [1.0]}, "mean of the transform has 1 entries; its samples have 64 sites"),
        ({"seed": -1}, "got -1"),
        ({"held_out": 2}, "got 2"),
        ({"kind": "categorical"}, "needs colours; got null"),
        ({"binarise": None}, "needs binarise; got null"),
    ],
)
def test_damaged_transform(change, message):
    transform = datasets.load("digits").transform | change
    with pytest.raises(HalfwaveError) as caught:
        datasets.apply(transform, "digits")
    assert message in str(caught.value)


def test_transform_with_a_missing_key_or_of_another_type():
    transform = datasets.load("digits").transform
    del transform["seed"]
    with pytest.raises(HalfwaveError, match="'seed' breaks this"):
        datasets.apply(transform, "digits")
    with pytest.raises(HalfwaveError, match="got list"):
        datasets.apply([], "digits")  # type: ignore[arg-type]
