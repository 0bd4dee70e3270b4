"""Samples of a trained machine, and their files."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import OptionError
from halfwave.files import write_atomically
from halfwave.rbm.machine import RBM
from halfwave.runs.progress import progress_bar

__all__ = ["STARTS", "SavedSamples", "check_file", "check_request", "sampled", "write_samples"]

STARTS = ("chains", "data", "random")


@dataclass(frozen=True, eq=False)
class SavedSamples:
    """Samples of a machine that were written to files.

    >>> SavedSamples(np.zeros((2, 3)), Path("samples.npy"), None).values.shape
    (2, 3)
    """

    values: np.ndarray
    """The samples ``(count, *visible.shape)``."""
    file: Path
    """Where they are."""
    picture: Path | None
    """Where they are drawn, if they were."""


def check_request(count: int, steps: int, start: str) -> None:
    """Raise `HalfwaveError` for a request that cannot be met.

    >>> check_request(10, 100, "moon")
    Traceback (most recent call last):
    ...
    halfwave.errors.OptionError: `start` must be chains, data or random; got 'moon'
    """
    for name, value in (("count", count), ("steps", steps)):
        if value < 1:
            raise OptionError(f"`{name}` must be at least 1; got {value}", name)
    if start not in STARTS:
        raise OptionError(f"`start` must be chains, data or random; got {start!r}", "start")


def check_file(path: Path) -> None:
    """Raise `HalfwaveError` unless samples can be written under this name.

    >>> check_file(Path("samples.npy"))
    """
    if path.suffix not in (".npy", ".npz"):
        raise OptionError(f"`output` must end in .npy or .npz; got {path}", "output")


@torch.no_grad()
def sampled(
    machine: RBM, source: Tensor | None, *, count: int, steps: int, means: bool, seed: int, shown: bool
) -> Tensor:
    """Visible configurations ``(count, *visible.shape)`` after Gibbs steps.

    Args:
        machine: any.
        source: configurations ``(n, *visible.shape)`` of which chains start at randomly chosen ones; without them
            they start at units that do not know of each other.
        count: number of chains.
        steps: Gibbs steps of each.
        means: give ``E[v | h]`` of the last step.
        seed: of everything random.
        shown: whether to show a bar.
    """
    generator = torch.Generator(machine.weights.device).manual_seed(seed)
    v = _start(machine, source, count, generator)
    with progress_bar("sampling", steps, shown=shown) as show:
        for done in range(1, steps):
            v = machine.sample_v_from_v(v, 1, generator)
            show(done, "")
        h = machine.sample_h_from_v(v, generator)
        v = machine.mean_v_from_h(h) if means else machine.sample_v_from_h(h, generator)
        show(steps, "")
    return v


def _start(machine: RBM, source: Tensor | None, count: int, generator: torch.Generator) -> Tensor:
    if source is None:
        zero = torch.zeros((count, *machine.visible.shape), dtype=machine.weights.dtype)
        return machine.visible.sample_from_inputs(zero.to(machine.weights.device), generator)
    own = torch.Generator().manual_seed(generator.initial_seed())
    chosen = torch.randint(len(source), (count,), generator=own)
    return source[chosen.to(source.device)].to(machine.weights)


def write_samples(values: np.ndarray, path: Path) -> None:
    """Write samples to an .npy file, or under the name ``samples`` to an .npz file, whole or not at all."""
    content = io.BytesIO()
    if path.suffix == ".npz":
        np.savez_compressed(content, samples=values)
    else:
        np.save(content, values, allow_pickle=False)
    write_atomically(path, content.getvalue())
