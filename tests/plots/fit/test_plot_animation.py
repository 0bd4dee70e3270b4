"""The film of a fit by gradient: its frames show the functions and losses of the path."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from halfwave import HalfwaveError
from halfwave.fitting import fit_by_gradient, fit_relu_sum
from halfwave.plots.fit.animation import _Film, gradient_animation
from halfwave.plots.style import style

X = np.linspace(0.0, 4.0, 60)
Y = np.abs(X - 1.5) + 0.1 * np.cos(9 * X)
PATH = fit_by_gradient(X, Y, 3, "adam", steps=60)
BEST = fit_relu_sum(X, Y, kinks=3)


@pytest.mark.parametrize("best", [None, BEST])
def test_frames_repeat_and_rest_on_the_last_one(best):
    film = Image.open(io.BytesIO(gradient_animation(PATH, X, Y, best, frames=6)))
    times = []
    for frame in range(film.n_frames):
        film.seek(frame)
        times.append(film.info["duration"])
        # paper is white in every frame, so nothing flickers
        assert film.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert times == [90] * 5 + [2500]
    assert film.info["loop"] == 0


def test_a_frame_shows_its_step():
    with style():
        film = _Film(PATH, X, Y, BEST)
        for step in (0, 7, 60):
            film.frame(step)
            x, y = film.function.get_data()
            np.testing.assert_allclose(y, PATH.function_at(step)(x))
            steps, losses = film.loss.get_data()
            assert (steps[0], steps[-1]) == (1, step + 1)
            np.testing.assert_array_equal(losses, PATH.losses[: step + 1])
            assert film.axes.get_title("left").startswith(f"step {step}: ")


def test_the_same_film_every_time():
    first, second = (gradient_animation(PATH, X, Y, BEST, frames=3) for _ in range(2))
    assert first == second


def test_bad_input_is_refused():
    with pytest.raises(HalfwaveError, match="`frames` of gradient_animation must be at least 2; got 1"):
        gradient_animation(PATH, X, Y, frames=1)
