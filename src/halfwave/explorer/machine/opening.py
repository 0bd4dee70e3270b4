"""Opening a run: its machine, the data it was trained on, and what evaluation found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from halfwave import runs
from halfwave.errors import HalfwaveError
from halfwave.explorer.machine.pictures import SiteScale
from halfwave.explorer.session.shelf import Shelf
from halfwave.rbm.features import HiddenProfiles, order_by_importance, standardised_weights
from halfwave.rbm.machine import RBM
from halfwave.runs.configuration import RunConfig

__all__ = ["BUNDLED", "OpenRun", "names", "open_run"]

BUNDLED = "bundled/digits"
"""Name of the machine that comes with the package; no folder can be called so."""

_MACHINES = Path(__file__).parent / "machines"
_MOST_SAMPLES = 10_000
_MOST_NAMES = 10
"""Names of runs that a sentence holds."""


@dataclass
class OpenRun:
    """A run that a page looks at.

    Args:
        name: of the run.
        config: how it was started.
        rbm: the machine.
        data: samples to measure on, at most 10,000 of the training samples, evenly chosen ``(n, *visible.shape)``.
        counts: number of training and of held-out samples; None where the data cannot be read.
        note: why the data cannot be read, if so; then `data` are the persistent chains.
        evaluation: what ``halfwave evaluate`` wrote, or None.
        profiles: of the hidden units that were looked at.
    """

    name: str
    config: RunConfig
    rbm: RBM
    data: Tensor
    counts: tuple[int, int] | None
    note: str | None
    evaluation: runs.Evaluation | None
    profiles: dict[int, HiddenProfiles] = field(default_factory=dict)

    @cached_property
    def weights(self) -> Tensor:
        """`standardised_weights` on the data, ``(visible.size, hidden.size)``."""
        return standardised_weights(self.rbm, self.data)

    @cached_property
    def importance(self) -> Tensor:
        """Importance of each hidden unit on the data, ``(hidden.size,)``: the norms of `weights`."""
        return self.weights.norm(dim=0)

    @cached_property
    def order(self) -> list[int]:
        """Hidden units, the most important first."""
        return order_by_importance(self.importance).tolist()

    @cached_property
    def activities(self) -> Tensor:
        """``E[h | v]`` of the data, ``(n, hidden.size)``."""
        parts = [self.rbm.mean_h_from_v(part).flatten(1) for part in self.data.split(2048)]
        return torch.cat(parts)

    @cached_property
    def scale(self) -> SiteScale:
        """How configurations become pictures."""
        std = self.data.std(0, correction=0)
        return SiteScale(self.rbm.visible, self.data.mean(0), torch.where(std > 0, std, torch.ones_like(std)))

    @property
    def image_shape(self) -> tuple[int, int] | None:
        """(height, width) where samples are images."""
        shape = self.config.image_shape
        return (shape[0], shape[1]) if shape else None


def names(shelf: Shelf) -> list[str]:
    """Names of the runs that can be opened: those of the shelf, then the bundled one."""
    return [*shelf.runs(), BUNDLED]


@torch.no_grad()
def open_run(shelf: Shelf, name: str) -> OpenRun:
    """Open the run with this name.

    Raises:
        HalfwaveError: if there is none, or its files are broken, incomplete or do not fit each other.

    >>> open_run(Shelf(), BUNDLED).rbm
    RBM(
      weights=(8, 8, 64)
      (visible): Binary(shape=(8, 8), dtype=torch.float32)
      (hidden): DReLU(shape=(64,), dtype=torch.float32)
    )
    """
    path = _path(shelf, name)
    try:
        run = runs.open(path)
        rbm, evaluation = run.machine, run.evaluation
        _check(run.config, rbm)
        data, counts, note = _data(run, rbm)
    except (TypeError, KeyError, ValueError, AttributeError, OSError) as error:
        # HalfwaveError is a ValueError; its sentence tells already what is wrong
        reason = str(error) if isinstance(error, HalfwaveError) else f"{type(error).__name__}: {error}"
        raise HalfwaveError(f"the run `{name}` cannot be opened: {reason.splitlines()[0][:300]}") from error
    return OpenRun(name, run.config, rbm, data, counts, note, evaluation)


def _path(shelf: Shelf, name: str) -> Path:
    known = names(shelf)
    if name not in known:
        more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
        there = ", ".join(f"`{known_name}`" for known_name in known[-_MOST_NAMES:])
        raise HalfwaveError(f"there is no run `{name[:60]}` here; there is {there}{more}")
    return _MACHINES / "digits" if name == BUNDLED else shelf.run(name)


def _check(config: RunConfig, rbm: RBM) -> None:
    if (config.visible, tuple(config.visible_shape)) != (rbm.visible.name, rbm.visible.shape):
        raise HalfwaveError(
            f"config.json says {config.visible} of shape {tuple(config.visible_shape)}, model.safetensors holds "
            f"{rbm.visible.name} of shape {rbm.visible.shape}"
        )
    sites = math.prod(rbm.visible.noise_shape)
    if config.image_shape is not None and math.prod(config.image_shape) != sites:
        raise HalfwaveError(
            f"images of shape {config.image_shape} do not have the {sites} sites of the machine"
        )


def _data(run: runs.Run, rbm: RBM) -> tuple[Tensor, tuple[int, int] | None, str | None]:
    """Samples to measure on; the run's persistent chains where its data cannot be read."""
    try:
        train, held_out = run.dataset.train, run.dataset.held_out
        data = torch.as_tensor(train[:: -(-len(train) // _MOST_SAMPLES)], dtype=rbm.visible.dtype)
        return rbm.visible.check_values(data, "the data"), (len(train), len(held_out)), None
    except HalfwaveError as error:
        note = str(error)
    chains = run.chains
    if chains is None or not len(chains):
        zeros = torch.zeros(256, *rbm.visible.shape, dtype=rbm.visible.dtype)
        generator = torch.Generator().manual_seed(0)
        chains = rbm.sample_v_from_v(rbm.visible.sample_from_inputs(zeros, generator), 200, generator)
    return rbm.visible.check_values(chains.to(rbm.weights), "the chains"), None, note
