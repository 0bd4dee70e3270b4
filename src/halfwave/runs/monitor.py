"""The numbers that a training run reports while it goes on."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.rbm.pseudolikelihood import log_pseudolikelihood

__all__ = ["MONITOR_COLUMNS", "Monitor"]

MONITOR_COLUMNS = (
    "pseudolikelihood_train",
    "pseudolikelihood_held_out",
    "free_energy_gap",
    "reconstruction_error",
)
_MOST_SAMPLES = 1000
_SITES = 4


class Monitor:
    """Watches a machine on up to 1,000 samples of the training and of the held-out data.

    Args:
        train: training samples ``(n, *visible.shape)``.
        held_out: held-out samples, may be empty.
        seed: the numbers drawn depend on it and on the update only, so that a continued run repeats them.
    """

    def __init__(self, train: Tensor, held_out: Tensor, seed: int = 0) -> None:
        self.train = train[:: max(1, len(train) // _MOST_SAMPLES)][:_MOST_SAMPLES]
        self.held_out = held_out[:: max(1, len(held_out) // _MOST_SAMPLES)][:_MOST_SAMPLES]
        self.seed = seed

    @torch.no_grad()
    def measure(self, rbm: RBM, update: int) -> dict[str, float]:
        """Pseudolikelihoods (nats a site), free-energy gap (nats a sample) and reconstruction error now.

        The free-energy gap is the mean of ``F`` on held-out minus on training samples: it grows when the machine
        begins to memorise. Quantities that this machine or data set does not have are NaN.
        """
        generator = torch.Generator(self.train.device).manual_seed(self.seed * 1_000_003 + update)
        values = {
            "pseudolikelihood_train": self._pseudolikelihood(rbm, self.train, generator),
            "pseudolikelihood_held_out": self._pseudolikelihood(rbm, self.held_out, generator),
            "free_energy_gap": float("nan"),
            "reconstruction_error": float(rbm.reconstruction_error(self.train, 1, generator).mean()),
        }
        if len(self.held_out):
            gap = rbm.free_energy(self.held_out).mean() - rbm.free_energy(self.train).mean()
            values["free_energy_gap"] = float(gap)
        return values

    def _pseudolikelihood(self, rbm: RBM, v: Tensor, generator: torch.Generator) -> float:
        if not len(v):
            return float("nan")
        sites = min(_SITES, len(rbm.visible.noise_shape) and _count(rbm.visible.noise_shape))
        try:
            return float(log_pseudolikelihood(rbm, v, sites=sites, generator=generator).mean())
        except HalfwaveError:  # this pair of units has none
            return float("nan")


def _count(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
