"""The two ways to a run: train one, or open one that is there."""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from halfwave.errors import OptionError
from halfwave.runs.building import build, using_threads
from halfwave.runs.configuration import configure
from halfwave.runs.evaluation import check_annealing
from halfwave.runs.folder import RunFolder
from halfwave.runs.progress import say
from halfwave.runs.run import Run
from halfwave.runs.sources import check_same, default_folder, recorded_source, store, taken_in

__all__ = ["open", "train"]

_NO_OPTIONS = ("data", "folder", "resume", "insist", "progress")
_CHANGEABLE = ("compile", "device")
"""Options that do not bind a run that is continued: they are about the computer."""


def open(folder: str | os.PathLike[str]) -> Run:
    """Open a run that is on disk.

    Args:
        folder: of the run.

    Raises:
        HalfwaveError: if there is no run in it, or it was written by another version.

    >>> open("runs/nothing")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: runs/nothing is not a run folder: it has no config.json
    """
    return Run(RunFolder.open(Path(folder)))


def train(
    data: Any = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    hidden: str = "DReLU",
    hidden_size: int | None = None,
    visible: str | None = None,
    updates: int = 12_000,
    batch_size: int = 256,
    chains: int | None = None,
    steps: int = 1,
    optimizer: str = "Adam",
    learning_rate: float = 0.01,
    schedule: str = "linear",
    l1_weights: float = 0.0,
    l2_weights: float = 0.001,
    l2l1_weights: float = 0.0,
    l2_fields: float = 0.0,
    kind: str = "auto",
    threshold: float | None = None,
    stochastic: bool = False,
    colours: int | None = None,
    held_out: float = 0.15,
    seed: int = 0,
    dtype: str = "float32",
    device: str = "auto",
    compile: str = "auto",
    threads: int | None = None,
    metrics_every: int = 200,
    evaluate: bool = True,
    ais_chains: int = 500,
    ais_temperatures: int | None = None,
    resume: bool = False,
    insist: Collection[str] | None = None,
    progress: bool = True,
) -> Run:
    """Train a restricted Boltzmann machine on data into a folder: machine, metrics, evaluation and report.

    The machine is trained by persistent contrastive divergence. Ctrl-C saves and stops, and the run that is returned
    is not ``finished``; killed at any moment, it goes on from its last state to the same result, bit for bit.

    Args:
        data: the word "digits", the path of an .npz, .npy, .csv, .tsv or IDX file (.gz too), a NumPy array, a torch
            tensor, a pandas or polars frame (samples along the first axis), or a `halfwave.datasets.Dataset`. A file
            is read again when the run goes on; the others are kept in the folder. Not needed with ``resume``.
        folder: a new or empty one; by default ``runs/NAME`` after the file, or ``runs/array``, ``runs/tensor`` or
            ``runs/frame``. A folder that holds anything is refused and left alone.
        hidden: unit: Binary, Spin, Gaussian, ReLU, DReLU, PReLU, XReLU, NSReLU.
        hidden_size: number of hidden units; by default one a site, at most 400.
        visible: unit; by default the one that fits the values.
        updates: number of parameter updates.
        batch_size: samples in a minibatch.
        chains: persistent chains; by default as many as the batch size.
        steps: Gibbs steps of each chain in an update.
        optimizer: name of a ``torch.optim`` class.
        learning_rate: at the start.
        schedule: of the learning rate over the run: constant, cosine, linear, geometric.
        l1_weights, l2_weights, l2l1_weights, l2_fields: strengths λ of the penalties ``λ Σ|w|``, ``λ/2 Σw²``,
            ``λ/2N Σ(Σ|w|)²`` and ``λ/2 Σg²`` on the visible fields.
        kind, threshold, colours, held_out: how data are treated, as for `halfwave.datasets.load`; not for a `Dataset`.
        stochastic: binarise grey levels at random instead of at a threshold.
        seed: of everything random in the run.
        dtype: "float32" or "float64".
        device: "cpu", "cuda", or "auto": the GPU if there is one.
        compile: "auto", "on" or "off": fuse the element-wise work (needs a C++ compiler).
        threads: CPU threads; by default one for small layers, else as many as torch uses.
        metrics_every: updates between two rows of metrics.
        evaluate: in the end, evaluate the likelihood and write ``report.html``.
        ais_chains, ais_temperatures: annealed chains of the evaluation, and its temperatures; by default 500, and
            2000 or 10 a visible value if that is more.
        resume: continue the run in the folder; start it if there is none.
        insist: the options that a run which is continued must have been started with, or the call is refused; by
            default those that are not at their defaults.
        progress: say on standard output what was recognised, where results go and how good they are, and show bars;
            False says nothing.

    Returns:
        The run.

    Raises:
        HalfwaveError: if the folder holds a run already and ``resume`` is not asked for, or anything else; if data or
            options are out of their range, or not those of the run that is continued; if training diverges.

    Source: Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient" (2008).

    >>> import numpy as np, tempfile
    >>> data, folder = np.random.default_rng(0).integers(0, 2, (40, 4)), tempfile.mkdtemp()
    >>> run = train(data, folder, updates=20, batch_size=8, hidden_size=2, evaluate=False, progress=False)
    >>> run.updates_done
    20
    >>> train(data, folder, progress=False)
    Traceback (most recent call last):
    ...
    halfwave.errors.OptionError: ... already holds a run; continue it with `resume=True` or give another folder with ...
    >>> open(folder).finished
    True
    """
    options = {name: value for name, value in locals().items() if name not in _NO_OPTIONS}
    if evaluate:
        check_annealing(ais_chains=ais_chains, ais_temperatures=ais_temperatures)
    path = _path(data, folder)
    if resume and (data is None or (path / "config.json").exists()):
        run = _continued(data, path, options, _chosen(options) if insist is None else insist)
    else:
        run = _started(data, path, options, progress)
    return run.resume(
        evaluate=evaluate, ais_chains=ais_chains, ais_temperatures=ais_temperatures, progress=progress
    )


def _path(data: Any, folder: str | os.PathLike[str] | None) -> Path:
    if folder is not None:
        return Path(folder)
    if data is None:
        raise OptionError(
            "`train` needs `data`, the word digits or a file; or `resume=True` with `folder=FOLDER`",
            "data",
            "resume=True",
            "folder=FOLDER",
        )
    return default_folder(data)


def _chosen(options: Mapping[str, Any]) -> list[str]:
    """Options that are not at their defaults."""
    defaults = inspect.signature(train).parameters
    return [name for name, value in options.items() if value != defaults[name].default]


def _started(data: Any, path: Path, options: Mapping[str, Any], progress: bool) -> Run:
    """A new run, at its first update."""
    if data is None:
        raise OptionError(
            f"`train` needs `data`, the word digits or a file, to start a run in {path}", "data"
        )
    if (path / "config.json").exists():
        raise OptionError(
            f"{path} already holds a run; continue it with `resume=True` or give another folder with `folder`",
            "resume=True",
            "folder",
        )
    dataset = taken_in(data, options, _chosen(options))
    for sentence in (dataset.description, *dataset.notes):
        say(sentence, progress)
    config = configure(dataset, recorded_source(data), options)
    with using_threads(config.threads):
        trainer = build(config, dataset)
    # what data, machine or trainer refuse, they have refused by now: no folder is made in vain
    files = RunFolder.create(path, config)
    store(files, dataset)
    return Run(files, dataset, trainer)


def _continued(data: Any, path: Path, options: Mapping[str, Any], insist: Collection[str]) -> Run:
    """The run in a folder; options that contradict how it was started are refused."""
    files = RunFolder.open(path)
    config = files.config
    own = {**vars(config), **config.regularization, "hidden_size": config.hidden_shape[0]}
    for name in insist:
        if name not in own or name in _CHANGEABLE:
            continue
        if str(own[name]).lower() != str(options[name]).lower():
            raise OptionError(
                f"the run in {path} was started with `{name}` {own[name]} and continues with it; got {options[name]}",
                name,
            )
    if data is not None:
        check_same(files, data)
    return Run(files)
