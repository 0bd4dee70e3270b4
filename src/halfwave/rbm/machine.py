"""The restricted Boltzmann machine: energies, conditionals and Gibbs sampling for any pair of units."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.coupled_layers import CoupledLayers
from halfwave.rbm.pseudolikelihood import log_pseudolikelihood
from halfwave.rbm.storage import save

__all__ = ["RBM"]


class RBM(CoupledLayers):
    """A restricted Boltzmann machine with energy ``E(v, h) = U_v(v) + U_h(h) − Σ v W h`` and ``p ∝ exp(−E)``.

    Any visible unit goes with any hidden unit. Arrays are batch-first; the batch dimensions (0, 1, 2, …) of
    what is returned are those of what is given.

    Args:
        visible: the visible layer, of shape ``visible.shape``.
        hidden: the hidden layer, same dtype and device.
        weights: ``W``, shape ``(*visible.shape, *hidden.shape)`` or flattened to two dimensions; zero if absent.

    Raises:
        HalfwaveError: if the weights have another shape or are not finite, or the layers differ in dtype.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary((8, 8)), DReLU(20))
    >>> machine.free_energy(torch.zeros(5, 8, 8)).shape
    torch.Size([5])

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eqs. 1 to 5.
    """

    # Gibbs chains

    def sample_v_from_v(self, v: Tensor, steps: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """The visible end of ``steps`` Gibbs steps ``v → h → v``; 0 steps return ``v``.

        >>> from halfwave.units import Binary, DReLU
        >>> RBM(Binary(4), DReLU(2)).sample_v_from_v(torch.zeros(3, 4), steps=10).shape
        torch.Size([3, 4])
        """
        _check_steps(steps)
        v = self.visible.check_inputs(v, "v")
        for _ in range(steps):
            v = self.sample_v_from_h(self.sample_h_from_v(v, generator), generator)
        return v

    def sample_h_from_h(self, h: Tensor, steps: int = 1, generator: torch.Generator | None = None) -> Tensor:
        """The hidden end of ``steps`` Gibbs steps ``h → v → h``; 0 steps return ``h``."""
        _check_steps(steps)
        h = self.hidden.check_inputs(h, "h")
        for _ in range(steps):
            h = self.sample_h_from_v(self.sample_v_from_h(h, generator), generator)
        return h

    def reconstruction_error(
        self, v: Tensor, steps: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """Mean over the visible units of ``|v − v'|`` after ``steps`` Gibbs steps, ``(*batch,)``."""
        v = self.visible.check_inputs(v, "v")
        difference = (v - self.sample_v_from_v(v, steps, generator)).abs()
        return self.visible.sum_over_layer(difference) / math.prod(self.visible.noise_shape)

    def log_pseudolikelihood(self, v: Tensor) -> Tensor:
        """Mean over sites of ``log p(v_i | all other sites)`` in nats, ``(*batch,)``.

        See `halfwave.rbm.pseudolikelihood.log_pseudolikelihood`, which can also take random sites.
        """
        return log_pseudolikelihood(self, v)

    def save(self, path: str | Path) -> None:
        """Write the machine to ``path`` (safetensors, atomically); ``halfwave.load(path)`` reads it back."""
        save(self, path)


def _check_steps(steps: int) -> None:
    if steps < 0:
        raise HalfwaveError(f"the number of Gibbs steps must be at least 0; got {steps}")
