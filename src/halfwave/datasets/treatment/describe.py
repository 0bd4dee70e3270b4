"""Sentences about a data set: what was recognised, what was done, what deserves a look."""

from __future__ import annotations

import math

import numpy as np

from halfwave.datasets.treatment.scan import Summary
from halfwave.datasets.treatment.treatment import Treatment
from halfwave.datasets.treatment.wording import number, rounded, sample_words, shape_words, site_words

__all__ = ["constant_site_notes", "description"]


def description(
    treatment: Treatment, summary: Summary, samples: tuple[int, int], *, own_split: bool, reading: str
) -> str:
    """The sentences of `Dataset.description`.

    Arguments:
        treatment: the decisions.
        summary: range of the raw values.
        samples: number of training and of held-out samples.
        own_split: whether the source came with its own held-out part.
        reading: the sentence about the format.
    """
    size = f"{sample_words(sum(samples))} of {shape_words(treatment.sample_shape)}"
    return " ".join(
        [f"{size} {_values(treatment, summary)}.", _split_sentence(treatment, samples, own_split), reading]
    )


def _values(treatment: Treatment, summary: Summary) -> str:
    span = f"from {rounded(summary.lowest)} to {rounded(summary.highest)}"
    if treatment.kind == "binary":
        return "binary values (0 and 1)"
    if treatment.kind == "spin":
        return "spins (−1 and +1)"
    if treatment.kind == "grey":
        return f"grey levels {span}; binarised: {_binarisation(treatment, summary)}"
    if treatment.kind == "categorical":
        return f"categories {span}; one-hot in {treatment.colours} colours"
    return f"real values {span}; {_standardisation(treatment)}"


def _binarisation(treatment: Treatment, summary: Summary) -> str:
    if treatment.threshold is None:
        chance = f"value / {number(treatment.top or 1)}"
        return f"each drawn once, 1 with probability {chance} (seed {treatment.seed})"
    # for whole levels, "at least 128" says the same as the threshold 127.5 and is easier to check by eye
    level = math.ceil(treatment.threshold) if summary.integral else treatment.threshold
    return f"1 where the value is at least {number(level)}"


def _standardisation(treatment: Treatment) -> str:
    if treatment.mean is None:
        return "kept as they are"
    return "each site standardised to mean 0 and standard deviation 1 by its training values"


def _split_sentence(treatment: Treatment, samples: tuple[int, int], own_split: bool) -> str:
    train, held_out = samples
    if own_split:
        return f"{train:,} for training, {held_out:,} held out by the source itself."
    if held_out == 0:
        return "None held out."
    return f"{train:,} for training, {held_out:,} held out at random (seed {treatment.seed})."


def constant_site_notes(treatment: Treatment, train: np.ndarray) -> tuple[str, ...]:
    """A sentence when some sites never vary in the training array (samples, *site_shape[, colours])."""
    constant = train.min(axis=0) == train.max(axis=0)
    if treatment.kind == "categorical":
        constant = constant.all(axis=-1).reshape(treatment.sample_shape)
    count = int(constant.sum())
    if count == 0:
        return ()
    first = site_words(np.argwhere(constant)[0].tolist())
    words = f"{count:,} of {constant.size:,} sites never vary over the training samples, the first at {first}"
    return (words + ("; they were only centred." if treatment.mean is not None else "."),)
