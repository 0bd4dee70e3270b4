"""Which samples are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from halfwave.datasets.reading.raw import RawData
from halfwave.datasets.treatment.wording import number, sample_words
from halfwave.errors import HalfwaveError

__all__ = ["Divided", "split", "split_rows"]

_FEWEST_TRAINING_SAMPLES = 2


@dataclass(frozen=True, eq=False)
class Divided:
    """Raw samples and labels, divided into a training and a held-out part."""

    train: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray | None
    held_out_labels: np.ndarray | None


def split(raw: RawData, held_out: float, seed: int) -> Divided:
    """The source's own held-out part, or a random fraction; each part keeps the order of the source.

    >>> split(RawData(np.arange(8).reshape(4, 2), ""), 0.25, seed=0).held_out.shape
    (1, 2)
    """
    # published results refer to the published division, so the source's own one wins
    if raw.held_out is not None:
        _check_training_samples(len(raw.train), "the training part holds")
        return Divided(raw.train, raw.held_out, raw.labels, raw.held_out_labels)
    train_rows, held_out_rows = split_rows(len(raw.train), held_out, seed)
    return Divided(
        raw.train[train_rows],
        raw.train[held_out_rows],
        None if raw.labels is None else raw.labels[train_rows],
        None if raw.labels is None else raw.labels[held_out_rows],
    )


def split_rows(samples: int, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of the training and the held-out part, both ascending.

    Arguments:
        samples: number of samples.
        held_out: fraction to hold out, in [0, 1); rounded to whole samples.
        seed: seed of the shuffle.

    Returns:
        two integer arrays, shapes (training samples,) and (held-out samples,).

    Raises:
        HalfwaveError: when fewer than 2 training samples remain.

    >>> train_rows, held_out_rows = split_rows(8, 0.25, seed=0)
    >>> sorted([*train_rows.tolist(), *held_out_rows.tolist()])
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    count = round(held_out * samples)
    words = (
        "the file holds"
        if count == 0
        else f"holding out {number(held_out)} of {sample_words(samples)} leaves"
    )
    _check_training_samples(samples - count, words)
    order = np.random.default_rng([seed, 0]).permutation(samples)
    # sorted, so that the shuffle decides only which samples are held out
    return np.sort(order[count:]), np.sort(order[:count])


def _check_training_samples(count: int, words: str) -> None:
    if count < _FEWEST_TRAINING_SAMPLES:
        raise HalfwaveError(f"{words} {sample_words(count)}; at least 2 are needed for training")
