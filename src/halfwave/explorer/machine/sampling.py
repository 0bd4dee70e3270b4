"""Chains that sample a machine while a page looks on: tempered, with clamped sites or with one hidden unit held."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.path import native
from halfwave.rbm.machine import RBM
from halfwave.units.base import Unit

__all__ = ["Chains", "Clamp", "Held", "tempered"]


def tempered(rbm: RBM, temperature: float) -> RBM:
    """The machine with energy ``E(v, h) / T``: every field, threshold, curvature and weight divided by T.

    The energy is linear in the parameters of every unit once the other parametrisations of the dReLU unit are
    written as dReLU, so that this is exact.

    >>> from halfwave.units import Binary, XReLU
    >>> cold = tempered(RBM(Binary(2), XReLU(1), torch.ones(2, 1)), 0.5)
    >>> cold.hidden.gamma_pos, cold.weights[0]
    (Parameter containing:
    tensor([2.]), tensor([2.]))
    """
    return RBM(
        _scaled(rbm.visible, temperature),
        _scaled(rbm.hidden, temperature),
        rbm.weights.detach() / temperature,
    )


def _scaled(unit: Unit, temperature: float) -> Unit:
    layer = native(unit)
    return type(layer).from_parameters(
        {key: value.detach() / temperature for key, value in layer.named_parameters()}
    )


@dataclass(frozen=True)
class Clamp:
    """Visible elements that stay as they are: where ``mask`` ``(*visible.shape)`` is true, at ``values``."""

    mask: Tensor
    values: Tensor

    def apply(self, v: Tensor) -> Tensor:
        """The configurations with these elements set."""
        return torch.where(self.mask, self.values, v)


@dataclass(frozen=True)
class Held:
    """A hidden unit, by its place in the flattened layer, that stays at one value."""

    unit: int
    value: float


@dataclass
class Chains:
    """Gibbs chains of a machine with their generator; a pure function of the seed and of what was done with them.

    Args:
        v: visible configurations ``(n, *visible.shape)``.
        generator: of the chains.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(3), DReLU(2))
    >>> chains = Chains.from_noise(machine, 4, seed=1)
    >>> chains.walk(machine, 10)
    >>> chains.steps, chains.v.shape, chains.h.shape
    (10, torch.Size([4, 3]), torch.Size([4, 2]))
    """

    v: Tensor
    generator: torch.Generator
    steps: int = 0
    h: Tensor = field(init=False)
    mean: Tensor = field(init=False)
    """``E[v | h]`` of the last step, before v was drawn."""

    def __post_init__(self) -> None:
        self.mean = self.v

    @classmethod
    def from_noise(cls, rbm: RBM, count: int, seed: int) -> Chains:
        """Chains that start from independent visible units at zero input."""
        generator = torch.Generator(rbm.weights.device).manual_seed(seed)
        zeros = torch.zeros(count, *rbm.visible.shape, dtype=rbm.visible.dtype, device=rbm.visible.device)
        return cls._begin(rbm, rbm.visible.sample_from_inputs(zeros, generator), generator)

    @classmethod
    def from_samples(cls, rbm: RBM, v: Tensor, seed: int) -> Chains:
        """Chains that start from these configurations."""
        return cls._begin(rbm, v.clone(), torch.Generator(rbm.weights.device).manual_seed(seed))

    @classmethod
    def _begin(cls, rbm: RBM, v: Tensor, generator: torch.Generator) -> Chains:
        chains = cls(v, generator)
        chains.h = rbm.mean_h_from_v(v)
        return chains

    @torch.no_grad()
    def walk(self, rbm: RBM, steps: int, clamp: Clamp | None = None, held: Held | None = None) -> None:
        """Gibbs steps ``v → h → v`` of this machine.

        Raises:
            HalfwaveError: if a value is no longer finite, which happens where the energy has no normalisation.
        """
        for step in range(steps):
            self.h = rbm.sample_h_from_v(self.v, self.generator)
            if held is not None:
                self.h.view(len(self.h), -1)[:, held.unit] = held.value
            inputs = rbm.inputs_v_from_h(self.h)
            self.v = rbm.visible.sample_from_inputs(inputs, self.generator)
            if step == steps - 1:
                self.mean = rbm.visible.mean_from_inputs(inputs)
            if clamp is not None:
                self.v, self.mean = clamp.apply(self.v), clamp.apply(self.mean)
        self.steps += steps
        if not bool(self.v.isfinite().all()):
            raise HalfwaveError("the chains ran away: at this temperature the energy has no normalisation")
