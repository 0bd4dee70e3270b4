"""Bundled and user data, turned into arrays that are ready for a visible layer.

A path, a word or arrays enter; a `Dataset` leaves, with what was done to the values. Read `loading` first, then
`treatment/recognise`. NumPy and scikit-learn only: this room does not import torch.
"""

from __future__ import annotations

from halfwave.datasets.columns import load_columns
from halfwave.datasets.dataset import Dataset
from halfwave.datasets.loading import apply, from_array, load

__all__ = ["Dataset", "apply", "from_array", "load", "load_columns"]
