"""The rectifier family as functions of tensors, and the curve of any activation.

``relu`` itself is ``torch.nn.functional.relu``.

>>> import torch
>>> thresholded_relu(torch.tensor([0.5, 3.0]), 1.0)
tensor([0., 2.])
"""

from __future__ import annotations

from halfwave.nn.curve import curve
from halfwave.nn.elementwise import (
    absolute,
    clipped_relu,
    hard_tanh,
    hard_threshold,
    leaky_relu,
    rectified_linear,
    relu_sum,
    soft_threshold,
    two_sided_relu,
)
from halfwave.nn.thresholded import thresholded_relu

__all__ = [
    "absolute",
    "clipped_relu",
    "curve",
    "hard_tanh",
    "hard_threshold",
    "leaky_relu",
    "rectified_linear",
    "relu_sum",
    "soft_threshold",
    "thresholded_relu",
    "two_sided_relu",
]
