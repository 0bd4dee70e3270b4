"""An annealing run in either direction along one path."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.annealing import Progress, anneal, compile_phases
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.rbm.likelihood.result import AnnealingResult, summarise
from halfwave.rbm.likelihood.schedule import check_betas, place_betas
from halfwave.rbm.train.phases import can_compile

__all__ = ["Annealing"]

_PILOT_CHAINS = 100


class Annealing:
    """A path, its temperatures and the means to walk along it.

    Args:
        path: from the reference to the machine.
        betas: the temperatures, or how many of them to place after a pilot run.
        generator: for all random numbers.
        compile: fuse the element-wise work with ``torch.compile``.

    Raises:
        HalfwaveError: if the temperatures break their rule or there is no compiler.
    """

    def __init__(
        self, path: AnnealingPath, betas: int | Tensor, generator: torch.Generator | None, compile: bool
    ) -> None:
        if compile and not can_compile(path.matrix.device):
            raise HalfwaveError("`compile` needs a C++ compiler (g++, c++ or clang++); none was found")
        if not isinstance(betas, Tensor):
            betas = place_betas(path, betas, _PILOT_CHAINS, generator)
        self.path = path
        self.betas = check_betas(betas)
        self.generator = generator
        self.phases = compile_phases() if compile else None

    def forward(self, chains: int, progress: Progress | None) -> tuple[AnnealingResult, Tensor]:
        """The forward result and the states at its end."""
        if chains < 2:
            raise HalfwaveError(f"annealing needs at least 2 chains; got {chains}")
        v = self.path.sample_start(chains, self.generator)
        ends, weights = anneal(self.path, v, self.betas, self.generator, progress, self.phases)
        return summarise("forward", self.path.log_partition_start() + weights, self.betas), ends

    def reverse(self, v: Tensor, progress: Progress | None) -> AnnealingResult:
        """The reverse result from samples of the machine."""
        weights = anneal(self.path, v, self.betas[::-1], self.generator, progress, self.phases)[1]
        return summarise("reverse", self.path.log_partition_start() - weights, self.betas)
