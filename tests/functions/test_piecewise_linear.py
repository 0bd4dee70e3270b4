"""The class itself: construction, identity, immutability, printing, copying, files."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
from function_cases import CATALOGUE, functions, modest, probes
from hypothesis import given

from halfwave import functions as hf
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 0.0], [0, 0, 1], [0, 0, 0]), "`kinks` must strictly increase; got 0.0 after 1.0 at index 1"),
        (([1.0, 1.0], [0, 0, 1], [0, 0, 0]), "`kinks` must strictly increase; got 1.0 after 1.0"),
        (([np.nan], [0, 0], [0, 0]), "`kinks` must be finite; got nan at index 0"),
        (([0.0], [0, np.inf], [0, 0]), "`slopes` must be finite; got inf at index 1"),
        (([0.0], [0, 1], [-np.inf, 0]), "`intercepts` must be finite; got -inf at index 0"),
        (([0.0], [0, 1, 2], [0, 0]), "`slopes` must have 2 entries; got 3"),
        (([0.0], [0, 1], [0]), "`intercepts` must have 2 entries; got 1"),
        ((0.0, [0, 1], [0, 0]), r"`kinks` must be one-dimensional; got shape \(\)"),
        (([1e200], [1e200, 1], [0, 0]), "the jumps of a piecewise-linear function must be finite; got"),
        ((["a"], [0, 1], [0, 0]), "`kinks` must be real numbers; got an array of dtype <U1"),
        (([[1], [1, 2]], [0, 1], [0, 0]), "`kinks` must be numbers; got"),
    ],
)
def test_bad_construction(arguments, message):
    with pytest.raises(HalfwaveError, match=message):
        PiecewiseLinear(*arguments)


def test_jumps_are_found_and_rounding_is_not_one():
    f = PiecewiseLinear([1 / 3, 2.0], [0.0, 0.3, 1.0], [0.0, -0.1, 5.0])
    assert f.jumps[0] == 0.0
    assert f.jumps[1] == pytest.approx(6.5, rel=1e-15)
    assert not f.is_continuous
    assert PiecewiseLinear([1e9], [0, 1], [0, -1e9]).is_continuous
    assert not PiecewiseLinear([0.0], [0, 0], [0, 1e-300]).is_continuous


def test_the_callers_arrays_are_copied():
    kinks, slopes, intercepts = np.zeros(1), np.array([0.0, 1.0]), np.zeros(2)
    f = PiecewiseLinear(kinks, slopes, intercepts)
    kinks[0], slopes[1], intercepts[1] = 5.0, 5.0, 5.0
    assert f == hf.relu()
    assert f(2.0) == 2.0


@pytest.mark.parametrize("name", ["kinks", "slopes", "intercepts", "jumps"])
def test_nothing_can_be_changed(name):
    f = hf.relu()
    with pytest.raises(AttributeError):
        setattr(f, name, np.ones(1))
    with pytest.raises(ValueError, match="read-only"):
        getattr(f, name)[0] = 1.0
    with pytest.raises(AttributeError):
        f.other = 1


@modest
@given(functions(), functions())
def test_equality_and_hash(f, g):
    same = PiecewiseLinear(f.kinks, f.slopes, f.intercepts)
    assert same == f
    assert hash(same) == hash(f)
    parts = ("kinks", "slopes", "intercepts", "jumps")
    assert (f == g) == all(np.array_equal(getattr(f, part), getattr(g, part)) for part in parts)
    assert f + hf.step(0.25, 1e-6) != f
    assert f != "f"


@pytest.mark.parametrize("name", CATALOGUE)
def test_repr_rebuilds_the_function(name):
    f = CATALOGUE[name][0]
    assert eval(repr(f)) == f


def test_long_functions_print_short():
    f = hf.from_points(range(100), np.arange(100) % 2)
    assert repr(f) == "<PiecewiseLinear with 98 kinks from 1.0 to 98.0>"


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_copies_are_the_same_and_read_only(copier):
    f = 0.1 * hf.thresholded_relu(1e9 + 0.3) + hf.step(2.0)
    assert f.pieces.intercepts.low.any()
    again = copier(f)
    assert again == f
    x = probes(f)
    np.testing.assert_array_equal(again(x), f(x))
    assert not again.slopes.flags.writeable
    F = f.antiderivative(at=1.0)
    np.testing.assert_array_equal(copier(F)(x), F(x))


def test_save_curve(tmp_path):
    path = tmp_path / "new" / "folders" / "relu.json"
    x = np.linspace(-1, 1, 5)
    assert hf.relu().save_curve(path, x) == path
    assert json.loads(path.read_text()) == hf.relu().curve(x)
    hf.absolute().save_curve(str(path), x)
    assert json.loads(path.read_text())["y"] == np.abs(x).tolist()
    assert [p.name for p in path.parent.iterdir()] == ["relu.json"]


def test_a_failed_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "curve.json"
    hf.relu().save_curve(path, [1.0])
    before = path.read_text()
    for bad in (np.nan, np.inf):
        with pytest.raises(HalfwaveError, match=f"must be finite, as JSON is; got {bad}"):
            hf.relu().save_curve(path, [0.0, bad])
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "curve.json"
    hf.relu().save_curve(path, [1.0])
    before = path.read_text()

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(HalfwaveError, match="no space; what was there before is intact"):
        hf.relu().save_curve(path, [2.0])
    assert path.read_text() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_curve_refuses_what_is_no_number():
    with pytest.raises(HalfwaveError, match="`x` must be real numbers"):
        hf.relu().curve(["a"])
