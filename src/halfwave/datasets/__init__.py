"""Bundled and user data, turned into arrays that are ready for a visible layer.

NumPy and scikit-learn only: this room does not import torch.
"""

from __future__ import annotations

from halfwave.datasets.columns import load_columns
from halfwave.datasets.dataset import Dataset
from halfwave.datasets.loading import apply, from_array, load

__all__ = ["Dataset", "apply", "from_array", "load", "load_columns"]
