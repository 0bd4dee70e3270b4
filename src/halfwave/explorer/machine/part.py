"""What one page of the room "Machine" has open, and the chains that fill in what is not clamped."""

from __future__ import annotations

from typing import Any

import torch

from halfwave.explorer.machine.opening import OpenRun, open_run
from halfwave.explorer.machine.sampling import Chains, Clamp, tempered
from halfwave.explorer.session.shelf import Shelf
from halfwave.rbm.machine import RBM

__all__ = ["Filling", "MachinePart"]

_MEMORY = 400
"""Steps over which the mean of the filled sites is taken, at most."""


class MachinePart:
    """What one page has open: a run, its chains, and the chains that fill in."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.run: OpenRun | None = None
        self.chains: tuple[Any, Chains] | None = None
        self.filling: tuple[Any, Filling] | None = None
        self._tempered: tuple[Any, RBM] | None = None

    def opened(self, name: str) -> OpenRun:
        """The run with this name, read only once while the page stays with it."""
        if self.run is None or self.run.name != name:
            run = open_run(self.shelf, name)
            self.run, self.chains, self.filling, self._tempered = run, None, None, None
        return self.run

    def machine(self, run: OpenRun, at: float) -> RBM:
        """The machine at a temperature."""
        if self._tempered is None or self._tempered[0] != (run.name, at):
            self._tempered = ((run.name, at), tempered(run.rbm, at))
        return self._tempered[1]


class Filling:
    """Chains with clamped sites, and the mean of ``E[v | h]`` since the clamps or the temperature changed."""

    def __init__(self, chains: Chains) -> None:
        self.chains = chains
        self.mean = chains.mean.mean(0)
        self.averaged = 0
        self.held: Any = None

    def walk(self, rbm: RBM, steps: int, clamp: Clamp, condition: Any) -> None:
        """Steps under this condition; a new condition begins a new mean."""
        if condition != self.held:
            self.held, self.averaged = condition, 0
            self.chains.v = clamp.apply(self.chains.v)
        for _ in range(steps):
            self.chains.walk(rbm, 1, clamp)
            self.averaged = min(self.averaged + 1, _MEMORY)
            self.mean = torch.lerp(self.mean, self.chains.mean.mean(0), 1.0 / self.averaged)
        if not self.averaged:
            self.mean = clamp.apply(self.chains.mean).mean(0)
