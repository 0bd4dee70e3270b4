"""Maps of functions of two variables: colours are values, creases are where the gradient changes, dots are data."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib import colormaps

from halfwave import HalfwaveError
from halfwave.fitting import AdditiveFunction, DifferenceOfMaxAffine, HingeSum, MaxAffine
from halfwave.functions import absolute, relu_sum, step
from halfwave.plots.fit.surface import creases, surface
from halfwave.plots.style import png

X_RANGE, Y_RANGE = (-2.0, 3.0), (-1.0, 2.0)
RANDOM = np.random.default_rng(7)
CORNER = MaxAffine([[0, 0], [1, 0], [0, 1]], [0, 0, 0])
CASES = {
    "corner": CORNER,
    "maximum": MaxAffine(RANDOM.normal(size=(7, 2)), RANDOM.normal(size=7)),
    "difference": DifferenceOfMaxAffine(CORNER, MaxAffine(RANDOM.normal(size=(3, 2)), [0.3, -0.2, 0.1])),
    "hinges": HingeSum(RANDOM.normal(size=(5, 2)), RANDOM.normal(size=5), RANDOM.normal(size=5), [1, 2], 0.5),
    "additive": AdditiveFunction([absolute(), relu_sum([1, 1], [0.5, -1], [1, -2])], offset=1.0),
    "plane": HingeSum(np.zeros((0, 2)), [], [], [1.0, 2.0], -1.0),
    "constant": MaxAffine([[0, 0]], [2.0]),
}


def named(axes, label: str):
    (found,) = [collection for collection in axes.collections if collection.get_label() == label]
    return found


def inside_points(count: int) -> np.ndarray:
    random = np.random.default_rng(1)
    return np.column_stack((random.uniform(*X_RANGE, count), random.uniform(*Y_RANGE, count)))


@pytest.mark.parametrize("name", CASES)
def test_gradient_changes_across_every_crease(name):
    f = CASES[name]
    segments = creases(f, X_RANGE, Y_RANGE)
    for start, end in segments:
        normal = np.array([start[1] - end[1], end[0] - start[0]])
        normal /= np.linalg.norm(normal)
        # other creases may pass through one of these places, but not through all
        for share in (0.31, 0.5, 0.73):
            place = start + share * (end - start)
            there, here = f.gradient(place + 1e-7 * normal), f.gradient(place - 1e-7 * normal)
            assert np.abs(there - here).max() > 1e-3
            # f itself is continuous
            assert f(place + 1e-7 * normal) == pytest.approx(f(place - 1e-7 * normal), abs=1e-5)
    assert (segments[..., 0] > X_RANGE[0] - 1e-9).all()
    assert (segments[..., 0] < X_RANGE[1] + 1e-9).all()
    assert (segments[..., 1] > Y_RANGE[0] - 1e-9).all()
    assert (segments[..., 1] < Y_RANGE[1] + 1e-9).all()


def crossings(segments: np.ndarray, start: np.ndarray, end: np.ndarray) -> list[float]:
    """Shares of the way from start to end at which it crosses the segments."""
    found = []
    for first, last in segments:
        matrix = np.column_stack((end - start, first - last))
        if abs(np.linalg.det(matrix)) > 1e-12:
            along, across = np.linalg.solve(matrix, first - start)
            if 0 < along < 1 and 0 <= across <= 1:
                found.append(float(along))
    return sorted(found)


@pytest.mark.parametrize("name", CASES)
def test_no_crease_is_missing(name):
    f = CASES[name]
    segments, points = creases(f, X_RANGE, Y_RANGE), inside_points(80)
    for start, end in zip(points[::2], points[1::2], strict=True):
        kinks = f.along(start, end - start).kinks
        kinks = kinks[(kinks > 0) & (kinks < 1)]
        np.testing.assert_allclose(crossings(segments, start, end), kinks, atol=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_colours_are_values(name):
    f = CASES[name]
    axes = surface(f, X_RANGE, Y_RANGE).axes[0]
    filled = axes.collections[0]
    points = inside_points(40)
    levels, values = filled.levels, f(points)
    assert levels[0] <= values.min()
    assert values.max() <= levels[-1]
    for point, value in zip(points, values, strict=True):
        # where a level passes within a cell of the map, either band may be drawn
        if np.abs(levels - value).min() < 0.1:
            continue
        (band,) = [i for i, path in enumerate(filled.get_paths()) if path.contains_point(point)]
        assert levels[band] <= value <= levels[band + 1]
    np.testing.assert_array_equal(
        np.array(named(axes, "creases").get_segments()).reshape(-1, 2, 2), creases(f, X_RANGE, Y_RANGE)
    )


def test_data_are_drawn_on_the_scale_of_the_map():
    points = inside_points(50)
    values = CORNER(points) + np.linspace(-3, 3, 50)
    figure = surface(CORNER, X_RANGE, Y_RANGE, (points, values), labels=("length", "width", "price"))
    axes, bar = figure.axes
    dots = named(axes, "data")
    np.testing.assert_array_equal(dots.get_offsets(), points)
    np.testing.assert_array_equal(dots.get_array(), values)
    assert dots.get_clim() == axes.collections[0].get_clim() == (values.min(), values.max())
    figure.canvas.draw()
    low, high = dots.get_clim()
    expected = colormaps["cividis"]((values - low) / (high - low))
    np.testing.assert_allclose(dots.get_facecolors(), expected)
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("length", "width", "price")
    assert (axes.get_xlim(), axes.get_ylim()) == (X_RANGE, Y_RANGE)


def test_of_many_data_some_are_drawn():
    points = inside_points(30_000)
    dots = named(surface(CORNER, X_RANGE, Y_RANGE, (points, CORNER(points))).axes[0], "data")
    drawn = np.asarray(dots.get_offsets())
    assert len(drawn) == 2000
    np.testing.assert_array_equal(dots.get_array(), CORNER(drawn))


def test_other_callables_have_no_creases():
    axes = surface(lambda points: np.hypot(*points.T), X_RANGE, Y_RANGE).axes[0]
    assert named(axes, "creases").get_segments() == []
    assert axes.collections[0].levels[-1] == pytest.approx(np.hypot(3.0, 2.0))


def test_terms_that_do_nothing_have_no_crease():
    f = HingeSum([[1, 0], [0, 1], [0, 0]], [0, 0, 1], [1, 0, 1])
    assert creases(f, X_RANGE, Y_RANGE)[:, :, 0].tolist() == [[0.0, 0.0]]
    # x = y bends in both maxima and in neither of the difference
    twice = DifferenceOfMaxAffine(MaxAffine([[1, 0], [0, 1]], [0, 0]), MaxAffine([[1, 0], [0, 1]], [0, 0]))
    assert len(creases(twice, X_RANGE, Y_RANGE)) == 0


def test_jumps_are_creases():
    f = AdditiveFunction([step(0.5), absolute()])
    np.testing.assert_allclose(creases(f, X_RANGE, Y_RANGE)[0, :, 0], 0.5)


@pytest.mark.parametrize("shift", [0.0, 1e6])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_creases_move_with_the_function(shift, scale):
    """``f(x/s − c)`` bends where f does, moved; the pieces that meet at a point still do."""
    moved = MaxAffine(CORNER.slopes / scale, CORNER.intercepts - CORNER.slopes @ [shift, shift])
    ranges = [tuple(scale * (shift + end) for end in ends) for ends in (X_RANGE, Y_RANGE)]
    found = creases(moved, *ranges) / scale - shift
    np.testing.assert_allclose(found, creases(CORNER, X_RANGE, Y_RANGE), atol=1e-8)


def test_the_same_picture_every_time():
    data = (inside_points(9), np.arange(9.0))
    assert png(surface(CORNER, X_RANGE, Y_RANGE, data)) == png(surface(CORNER, X_RANGE, Y_RANGE, data))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((MaxAffine([[1.0]], [0]), X_RANGE, Y_RANGE), "one of 2 variables; got one of 1"),
        ((CORNER, (1, 1), Y_RANGE), "`x_range` must be two finite numbers, the lower one first; got (1, 1)"),
        ((CORNER, X_RANGE, None), "`y_range` must be two finite numbers, the lower one first; got None"),
        ((CORNER, (0, np.inf), Y_RANGE), "`x_range` must be two finite numbers"),
        ((lambda points: points, X_RANGE, Y_RANGE), "must be one-dimensional; got shape"),
        ((lambda points: np.full(len(points), np.nan), X_RANGE, Y_RANGE), "must be finite; got nan"),
        ((CORNER, X_RANGE, Y_RANGE, ([[0, 0, 0]], [1])), "must have 2 columns; got 3"),
        ((CORNER, X_RANGE, Y_RANGE, ([[0, 0]], [1, 2])), "must have 1 entries; got 2"),
    ],
)
def test_bad_input_is_refused(arguments, words):
    with pytest.raises(HalfwaveError, match=re.escape(words)):
        surface(*arguments)
