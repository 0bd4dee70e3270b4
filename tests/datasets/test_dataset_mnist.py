"""The full MNIST file, where it is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from halfwave import datasets

MNIST = Path(__file__).parents[2].parent / "shared/data/mnist/mnist.npz"


@pytest.mark.skipif(not MNIST.is_file(), reason=f"{MNIST} is not there")
def test_mnist():
    data = datasets.load(MNIST)
    with np.load(MNIST) as archive:
        np.testing.assert_array_equal(data.train[:500], archive["x_train"][:500] > 127)
        np.testing.assert_array_equal(data.held_out[:500], archive["x_test"][:500] > 127)
        np.testing.assert_array_equal(data.labels, archive["y_train"])
        np.testing.assert_array_equal(data.held_out_labels, archive["y_test"])
    assert (data.train.shape, data.held_out.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert data.image_shape == (28, 28)
    assert data.description.startswith(
        "70,000 samples of 28 × 28 grey levels from 0 to 255; binarised: 1 where the value is at least 128."
    )
