"""The data of a run: taken in when it starts, and found again later.

A file or a bundled set is named in the configuration and read again from there. Data that were given in memory are
kept in the run folder, treated, so that another process goes on with the very same numbers.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from halfwave import datasets
from halfwave.datasets import Dataset
from halfwave.datasets.dataset import fingerprint
from halfwave.datasets.reading.in_memory import name_of
from halfwave.errors import HalfwaveError, OptionError
from halfwave.files import write_atomically
from halfwave.runs.configuration import RunConfig
from halfwave.runs.folder import RunFolder

__all__ = [
    "STORED",
    "check_same",
    "default_folder",
    "own_data",
    "recorded_source",
    "store",
    "taken_in",
    "treated",
]

STORED = "data.npz"
"""The file in a run folder, and the source in its configuration, of data that were given in memory."""

_TREATMENT = ("kind", "threshold", "stochastic", "colours", "held_out")
_TOLD = ("kind", "visible_unit", "site_shape", "image_shape", "description", "source", "transform", "notes")


def taken_in(data: Any, options: Mapping[str, Any], chosen: Collection[str]) -> Dataset:
    """The data set of what a user gives: a word, a path, an array, a tensor, a frame or a `Dataset`.

    Args:
        data: the data.
        options: those of `halfwave.runs.train`, by name.
        chosen: which of them are not at their defaults.

    Raises:
        HalfwaveError: if the data cannot be read or treated, or are a `Dataset` that is to be treated again.
    """
    if isinstance(data, Dataset):
        for name in _TREATMENT:
            if name in chosen:
                raise OptionError(
                    f"`{name}` is for data that are not treated yet, which a Dataset is; got {options[name]!r}",
                    name,
                )
        return _checked(data)
    make = datasets.load if _is_named(data) else datasets.from_array
    return make(
        data,
        kind=options["kind"],
        threshold=options["threshold"],
        binarise="stochastic" if options["stochastic"] else "auto",
        held_out=options["held_out"],
        seed=options["seed"],
        colours=options["colours"],
    )


def recorded_source(data: Any) -> str:
    """What the configuration says of where data are: a file by its absolute path, so that a run can be continued
    from anywhere; a bundled set by its word; and data in memory by the file in the run folder.

    >>> recorded_source("digits"), recorded_source(np.eye(3))
    ('digits', 'data.npz')
    """
    if not _is_named(data):
        return STORED
    return data if data == "digits" else str(Path(data).absolute())


def default_folder(data: Any) -> Path:
    """The folder of a run for which none was given: named after the file, or after what was given.

    >>> default_folder("numbers/flow.csv.gz").as_posix(), default_folder(np.eye(3)).as_posix()
    ('runs/flow', 'runs/array')
    """
    if isinstance(data, Dataset):
        data = data.source
    name = Path(data).name.split(".")[0] if _is_named(data) else name_of(data)
    return Path("runs") / name


def treated(config: RunConfig, data: Any) -> Dataset:
    """Other data, treated as those of the run were; a `Dataset` is taken as it is."""
    return _checked(data) if isinstance(data, Dataset) else datasets.apply(config.transform, data)


def own_data(folder: RunFolder) -> Dataset:
    """The data that a run is trained on.

    Raises:
        HalfwaveError: if they are not there any more, or are not those with which the run was started.
    """
    config, source = folder.config, folder.config.source
    file = folder.path / source if source == STORED else Path(source)
    if source != "digits" and not file.is_file():
        raise HalfwaveError(f"the data of this run in {folder.path}, `{file}`, are not there")
    dataset = _read(file) if source == STORED else datasets.apply(config.transform, source)
    if dataset.fingerprint != config.fingerprint:
        raise HalfwaveError(
            f"`{source}` has changed since the run in {folder.path} was started: "
            f"its fingerprint was {config.fingerprint[:12]} and is {dataset.fingerprint[:12]}"
        )
    return dataset


def check_same(folder: RunFolder, data: Any) -> None:
    """Raise `HalfwaveError` where data are not those of the run; keep them where an interrupt came before that."""
    config = folder.config
    if _is_named(data):
        if recorded_source(data) != config.source:
            raise HalfwaveError(f"the run in {folder.path} is on `{config.source}`, not on `{data}`")
        return
    dataset = treated(config, data)
    if config.source != STORED or dataset.fingerprint != config.fingerprint:
        raise HalfwaveError(f"the run in {folder.path} is on `{config.source}`, not on the data given")
    if not (folder.path / STORED).is_file():
        store(folder, dataset)


def store(folder: RunFolder, dataset: Dataset) -> None:
    """Keep the data set in the run folder, where it was given in memory."""
    if folder.config.source != STORED:
        return
    told = {name: getattr(dataset, name) for name in _TOLD}
    arrays = {"train": _small(dataset.train), "held_out": _small(dataset.held_out), "told": json.dumps(told)}
    for name in ("labels", "held_out_labels"):
        labels = getattr(dataset, name)
        # labels that are Python objects could be read by unpickling only
        if labels is not None and labels.dtype.kind != "O":
            arrays[name] = labels
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomically(folder.path / STORED, content.getvalue())


def _checked(dataset: Dataset) -> Dataset:
    """A data set that may have been made by hand, with the fingerprint of its arrays as they are."""
    train, held_out = dataset.train, dataset.held_out
    if held_out.shape[1:] != train.shape[1:]:
        raise HalfwaveError(
            f"held-out samples must have the shape {train.shape[1:]} of the training samples; got {held_out.shape[1:]}"
        )
    return replace(dataset, fingerprint=fingerprint(train, held_out))


def _read(file: Path) -> Dataset:
    try:
        # NumPy leaves a damaged file open that it has opened itself
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        told = json.loads(str(arrays.pop("told")))
        train, held_out = (_as_float(arrays.pop(name)) for name in ("train", "held_out"))
        for name in ("site_shape", "image_shape", "notes"):
            told[name] = None if told[name] is None else tuple(told[name])
        return Dataset(
            **{"labels": None, "held_out_labels": None, **arrays, **told},
            train=train,
            held_out=held_out,
            fingerprint=fingerprint(train, held_out),
        )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise HalfwaveError(f"{file} does not hold the data of a run: {reason}") from error


def _small(values: np.ndarray) -> np.ndarray:
    """Bytes in place of floats, where they give back the same floats bit for bit (which −0 would not)."""
    if values.dtype != np.float32 or not np.isin(values, (-1, 0, 1)).all():
        return values
    small = values.astype(np.int8)
    same = small.astype(np.float32).tobytes() == np.ascontiguousarray(values).tobytes()
    return small if same else values


def _as_float(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype == np.int8 else values


def _is_named(data: Any) -> bool:
    return isinstance(data, str | os.PathLike)
