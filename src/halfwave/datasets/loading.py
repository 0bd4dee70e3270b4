"""The verbs of this room: load a source, take an array, or treat another source as one was treated before."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from halfwave.datasets.dataset import VISIBLE_UNITS, Dataset, fingerprint
from halfwave.datasets.reading.in_memory import name_of, raw_values
from halfwave.datasets.reading.raw import RawData, tidied
from halfwave.datasets.reading.readers import read
from halfwave.datasets.treatment.convert import check_standardised, check_values, converted, fitted
from halfwave.datasets.treatment.describe import constant_site_notes, description
from halfwave.datasets.treatment.recognise import check_varied, decoded_one_hot, is_one_hot, recognised_kind
from halfwave.datasets.treatment.request import Request, check_held_out
from halfwave.datasets.treatment.scan import check_finite, summarise
from halfwave.datasets.treatment.split import split
from halfwave.datasets.treatment.treatment import Treatment, decide
from halfwave.errors import HalfwaveError

__all__ = ["apply", "from_array", "load"]

# Draws that binarise come from another stream than the shuffle of the split, whose stream is 0.
_BINARISATION_STREAM = 1


def load(
    source: str | os.PathLike[str],
    *,
    kind: str = "auto",
    threshold: float | None = None,
    binarise: str = "auto",
    held_out: float = 0.15,
    seed: int = 0,
    colours: int | None = None,
    standardise: bool = True,
    header: bool | None = None,
) -> Dataset:
    """Load a bundled data set or a file as arrays for a visible layer.

    Left to itself, it recognises: 0 and 1 → binary; −1 and +1 → spin; whole numbers from 0 to 255 →
    categories when samples are rows and none exceeds 40, else grey levels; fractions in [0, 1] → grey levels;
    all other numbers → real. Grey levels are binarised, real values standardised site by site. Samples are
    (samples, sites) or (samples, height, width); a channel axis of length 1 is dropped.

    Arguments:
        source: the word `digits`, or the path of an .npy, .npz, .csv, .tsv or IDX file, plain or in .gz.
        kind: "auto", or what the values are: "binary", "spin", "grey", "categorical", "real".
        threshold: grey level from which a value becomes 1; by default half of the grey scale (1, 255, 65,535,
            or the largest value where that is at most half of these). Data of any sign may be cut by it.
        binarise: "threshold" (what "auto" does), or "stochastic": each value drawn once, 1 with probability
            value / top of the grey scale.
        held_out: fraction in [0, 1) held out at random, unless the source has its own held-out part.
        seed: seed of the split and of stochastic binarisation, at least 0.
        colours: number of colours of categorical data, 2 to 256; by default the largest category + 1.
        standardise: centre and scale each site of real data by its training mean and standard deviation.
        header: whether the first row of a text file holds names; None detects it.

    Returns:
        the data set: `train` of shape (training samples, *site_shape), or one-hot
        (training samples, sites, colours), and `held_out` likewise, both in the order of the source.

    Raises:
        HalfwaveError: when the source cannot be read, a value does not fit its kind, nothing varies, fewer
            than 2 training samples remain, or an option is out of its range or contradicts another.

    >>> digits = load("digits")
    >>> digits.train.shape, digits.visible_unit
    ((1527, 8, 8), 'Binary')
    >>> digits.description.split(". ")[0]
    '1,797 samples of 8 × 8 grey levels from 0 to 16; binarised: 1 where the value is at least 8'
    """
    request = Request(kind, threshold, binarise, held_out, seed, colours, standardise, header)
    with _naming(source):
        return _recognised(source, _checked(read(source, header)), request)


def from_array(
    values: Any,
    *,
    kind: str = "auto",
    threshold: float | None = None,
    binarise: str = "auto",
    held_out: float = 0.15,
    seed: int = 0,
    colours: int | None = None,
    standardise: bool = True,
) -> Dataset:
    """Turn samples in memory into arrays for a visible layer, as `load` does with those of a file.

    Arguments:
        values: NumPy array, torch tensor, or pandas or polars frame with a sample a row; shape (samples, sites) or
            (samples, height, width), also with one channel of length 1.
        kind, threshold, binarise, held_out, seed, colours, standardise: as for `load`.

    Returns:
        the data set, whose source is "array", "tensor" or "frame".

    Raises:
        HalfwaveError: when the values are none of these, and as `load`.

    >>> from_array(np.eye(4), held_out=0.25)
    Dataset('array', kind='binary', train=(3, 4), held_out=(1, 4))
    """
    request = Request(kind, threshold, binarise, held_out, seed, colours, standardise, None)
    name = name_of(values)
    with _naming(name):
        return _recognised(name, _checked(raw_values(values)), request)


def apply(transform: Mapping[str, Any], source: Any, *, held_out: float | None = None) -> Dataset:
    """Load a source and treat it exactly as another was treated.

    Arguments:
        transform: `Dataset.transform` of the other data set, also after a round trip through JSON.
        source: as for `load` or `from_array`; its samples must have the recorded shape, or the same number of
            sites.
        held_out: fraction to hold out in place of the recorded one.

    Returns:
        the data set; applied to the same source it is identical, fingerprint included.

    Raises:
        HalfwaveError: as `load`, and when the shapes or the values do not fit the record.

    >>> digits = load("digits")
    >>> apply(digits.transform, "digits").fingerprint == digits.fingerprint
    True
    """
    treatment = Treatment.from_json(transform)
    if held_out is not None:
        check_held_out(held_out)
        treatment = replace(treatment, held_out=float(held_out))
    in_memory = not isinstance(source, str | os.PathLike)
    name = name_of(source) if in_memory else source
    with _naming(name):
        raw = _checked(raw_values(source) if in_memory else read(source, treatment.header))
        if treatment.kind == "categorical" and is_one_hot(raw):
            raw = decoded_one_hot(raw)
        return _built(name, _reshaped(raw, treatment.sample_shape), treatment)


@contextmanager
def _naming(source: str | os.PathLike[str]) -> Iterator[None]:
    """Put the source in front of every error about it."""
    if not isinstance(source, str | os.PathLike):
        raise HalfwaveError(f"source must be a word or a path; got {type(source).__name__}")
    try:
        yield
    except HalfwaveError as error:
        raise HalfwaveError(f"`{os.fspath(source)}`: {error}") from None


def _recognised(source: str | os.PathLike[str], raw: RawData, request: Request) -> Dataset:
    """The data set of raw numbers whose treatment the request and the values decide."""
    chosen = request.settled_kind or recognised_kind(summarise(raw.parts), images=raw.train.ndim == 3)
    if chosen == "categorical" and is_one_hot(raw):
        request = replace(request, colours=request.colours or raw.train.shape[-1])
        raw = decoded_one_hot(raw)
    return _built(source, raw, decide(chosen, raw, summarise(raw.parts), request))


def _checked(found: RawData) -> RawData:
    raw = tidied(found)
    check_finite(raw.parts)
    check_varied(summarise(raw.parts))
    return raw


def _reshaped(raw: RawData, sample_shape: tuple[int, ...]) -> RawData:
    """Rows of pixels are accepted for images and the other way round: text files hold rows only."""
    found = raw.train.shape[1:]
    if math.prod(found) != math.prod(sample_shape):
        raise HalfwaveError(f"its samples have shape {found}; the transform was made for {sample_shape}")
    held_out = None if raw.held_out is None else raw.held_out.reshape(-1, *sample_shape)
    return replace(raw, train=raw.train.reshape(-1, *sample_shape), held_out=held_out)


def _built(source: str | os.PathLike[str], raw: RawData, treatment: Treatment) -> Dataset:
    """The data set of raw numbers whose treatment is decided."""
    summary = summarise(raw.parts)
    check_varied(summary)  # again: one-hot samples vary even when they all name the same category
    check_values(treatment, raw.parts, summary)
    divided = split(raw, treatment.held_out, treatment.seed)
    treatment = fitted(treatment, divided.train)
    check_standardised(treatment, raw.parts)
    generator = np.random.default_rng([treatment.seed, _BINARISATION_STREAM])
    train = converted(treatment, divided.train, generator)
    held_out = converted(treatment, divided.held_out, generator)
    shape = treatment.sample_shape
    kind = "binary" if treatment.kind == "grey" else treatment.kind
    return Dataset(
        train=train,
        held_out=held_out,
        kind=kind,
        visible_unit=VISIBLE_UNITS[kind],
        # a Potts layer is (sites, colours): the pixels of a categorical image become a row of sites
        site_shape=(math.prod(shape),) if kind == "categorical" else shape,
        image_shape=(shape[0], shape[1]) if len(shape) == 2 else None,
        labels=divided.labels,
        held_out_labels=divided.held_out_labels,
        description=description(
            treatment,
            summary,
            (len(train), len(held_out)),
            own_split=raw.held_out is not None,
            reading=raw.reading,
        ),
        source=os.fspath(source),
        fingerprint=fingerprint(train, held_out),
        transform=treatment.to_json(),
        notes=constant_site_notes(treatment, train),
    )
