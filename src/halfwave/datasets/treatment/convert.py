"""From raw numbers to the float32 arrays of a layer, once the treatment is decided."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from halfwave.datasets.treatment.scan import Parts, Summary, require, row_blocks
from halfwave.datasets.treatment.treatment import Treatment
from halfwave.datasets.treatment.wording import number
from halfwave.errors import HalfwaveError

__all__ = ["check_standardised", "check_values", "converted", "fitted"]

# A grey scale this many times longer than the recorded one is a different scale (0..1 against 0..255), while
# the brightest pixel of two samples of the same source differs by less.
_SCALE_SLACK = 2


def check_values(treatment: Treatment, parts: Parts, summary: Summary) -> None:
    """Raise with the first value that the treatment has no place for."""
    colours = treatment.colours or 0
    if treatment.kind == "binary":
        require(parts, lambda block: (block != 0) & (block != 1), "is not 0 or 1")
    elif treatment.kind == "spin":
        require(parts, lambda block: (block != -1) & (block != 1), "is not −1 or +1")
    elif treatment.kind == "categorical":
        rule = f"is not a whole number from 0 to {colours - 1}, for {colours} colours"
        require(parts, lambda block: (block < 0) | (block >= colours) | (block % 1 != 0), rule)
    elif treatment.kind == "grey":
        _check_grey(treatment, parts, summary)


def _check_grey(treatment: Treatment, parts: Parts, summary: Summary) -> None:
    top, threshold = treatment.top, treatment.threshold
    if top is not None:
        slack = _SCALE_SLACK if treatment.binarise == "threshold" else 1
        rule = f"is on another grey scale than the one from 0 to {number(top)} that was decided"
        require(parts, lambda block: (block > slack * top) | (block < 0), rule)
    if threshold is not None and not summary.lowest < threshold <= summary.highest:
        raise HalfwaveError(
            f"threshold {number(threshold)} is outside the data's range: it must be above"
            f" {number(summary.lowest)} and at most {number(summary.highest)}"
        )


def fitted(treatment: Treatment, train: np.ndarray) -> Treatment:
    """The treatment with mean and scale of each site of real training data, unless it has them already."""
    if not treatment.standardise or treatment.mean is not None:
        return treatment
    mean = train.mean(axis=0, dtype=np.float64)
    squares = np.zeros_like(mean)
    for rows in row_blocks(train):
        squares += ((train[rows] - mean) ** 2).sum(axis=0)
    scale = np.sqrt(squares / len(train))
    # Rounding leaves a constant site a tiny spread, so its range tells that it is constant: it is only centred.
    scale[(train.min(axis=0) == train.max(axis=0)) | (scale == 0)] = 1
    return replace(treatment, mean=tuple(mean.ravel().tolist()), scale=tuple(scale.ravel().tolist()))


def check_standardised(treatment: Treatment, parts: Parts) -> None:
    """Raise with the first raw value that a fitted treatment would send beyond 32-bit floats."""
    if treatment.mean is not None:
        largest = float(np.finfo(np.float32).max)
        rule = "goes beyond 32-bit floats when its site is standardised by its training values"
        require(parts, lambda block: np.abs(_standardised(treatment, block)) > largest, rule)


def converted(treatment: Treatment, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The float32 array of one part.

    Arguments:
        treatment: the decisions, fitted where it standardises.
        values: raw numbers, shape (samples, *sample_shape).
        generator: source of the draws of stochastic binarisation.

    Returns:
        float32, shape (samples, *sample_shape), or (samples, sites, colours) when categorical.

    >>> grey = Treatment("grey", (3,), 0.0, 0, binarise="threshold", threshold=8.0, top=16.0)
    >>> converted(grey, np.array([[0, 8, 16]]), np.random.default_rng(0))
    array([[0., 1., 1.]], dtype=float32)
    """
    if treatment.kind == "categorical":
        return _one_hot(values, treatment.colours or 0)
    result = np.empty(values.shape, np.float32)
    for rows in row_blocks(values):
        result[rows] = _converted_block(treatment, values[rows], generator)
    return result


def _converted_block(treatment: Treatment, block: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    if treatment.threshold is not None:
        return block >= treatment.threshold
    if treatment.binarise == "stochastic":
        # draws lie in [0, 1): the top level always gives 1 and level 0 never does
        return generator.random(block.shape, np.float32) < block / treatment.top
    if treatment.mean is not None:
        return _standardised(treatment, block)
    return block


def _standardised(treatment: Treatment, block: np.ndarray) -> np.ndarray:
    mean = np.reshape(treatment.mean or (), treatment.sample_shape)
    scale = np.reshape(treatment.scale or (), treatment.sample_shape)
    return (block - mean) / scale


def _one_hot(values: np.ndarray, colours: int) -> np.ndarray:
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    result = np.zeros((*flat.shape, colours), np.float32)
    for rows in row_blocks(flat):
        np.put_along_axis(result[rows], flat[rows].astype(np.intp)[..., None], 1, axis=-1)
    return result
