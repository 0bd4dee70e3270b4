"""Fits by gradient: the path is what it says, and it learns."""

from __future__ import annotations

import numpy as np
import pytest

from halfwave import HalfwaveError
from halfwave.fitting.gradient import fit_by_gradient

X = np.linspace(0.0, 10.0, 120)
Y = np.sin(X) + 3.0


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("shift", [0.0, 1e6])
def test_every_loss_is_that_of_its_function(optimizer: str, shift: float) -> None:
    path = fit_by_gradient(X + shift, 50 * Y, 5, optimizer, steps=40)  # pyright: ignore
    for step in (0, 1, 7, -1):
        error = path.function_at(step)(X + shift) - 50 * Y
        assert path.losses[step] == pytest.approx((error**2).mean(), rel=1e-6)
    assert path.sse == pytest.approx(((path.function(X + shift) - 50 * Y) ** 2).sum(), rel=1e-6)
    assert len(path) == len(path.losses) == len(path.parameters["slopes"])
    assert path.parameters["slopes"].shape[1] == 5


def test_it_learns_and_is_reproducible() -> None:
    adam = fit_by_gradient(X, Y, 8, "adam", steps=500)
    assert adam.losses[-1] < 0.5 * Y.var()  # slow, as it is
    lbfgs = fit_by_gradient(X, Y, 8, "lbfgs", steps=200)
    assert lbfgs.losses[-1] < 0.02 * Y.var()
    assert np.all(np.diff(lbfgs.losses) <= 0)
    again = fit_by_gradient(X, Y, 8, "lbfgs", steps=100)
    np.testing.assert_array_equal(lbfgs.losses[: len(again)], again.losses)
    assert fit_by_gradient(X, Y, 8, "lbfgs", steps=5, seed=1).losses[0] != lbfgs.losses[0]


def test_constant_data_and_two_points() -> None:
    assert fit_by_gradient([0.0, 1.0], [2.0, 2.0], 1, "lbfgs", steps=50).losses[-1] < 1e-12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1.0, 2.0], [1.0], 2), "must have 2 entries; got 1"),
        (([1.0, np.nan], [1.0, 2.0], 2), "must be finite; got nan"),
        (([1.0, 1.0], [1.0, 2.0], 2), "needs two different x; got 1"),
        (([1.0, 2.0], [1.0, 2.0], 0), "`terms` of fit_by_gradient must be a positive integer; got 0"),
        (([1.0, 2.0], [1.0, 2.0], 1, "sgd"), 'must be "adam" or "lbfgs"; got \'sgd\''),
    ],
)
def test_bad_input(arguments: tuple, words: str) -> None:
    with pytest.raises(HalfwaveError, match=words):
        fit_by_gradient(*arguments)
    with pytest.raises(HalfwaveError, match="a step of this path is from 0 to 3; got 4"):
        fit_by_gradient([0.0, 1.0], [0.0, 1.0], 1, steps=3).function_at(4)
