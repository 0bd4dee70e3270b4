"""The annealing path: machines between one without couplings and a given one."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.units.base import Unit
from halfwave.units.drelu_family.conversions import Convertible
from halfwave.units.drelu_family.family import DReLUFamily

__all__ = ["AnnealingPath", "LayerPath", "native"]

_BLOCK_ELEMENTS = 2**17
"""Elements of the larger layer that one block of chains fills: its temporaries then stay in the cache."""


def native(unit: Unit) -> Unit:
    """A copy of the unit in parameters that its energy is linear in.

    The energy is not linear in η and ξ, so that pReLU, xReLU and nsReLU units become dReLU units.

    >>> from halfwave.units import XReLU
    >>> native(XReLU(3)).name
    'DReLU'
    """
    return unit.to_drelu() if isinstance(unit, DReLUFamily) else copy.deepcopy(unit)


class LayerPath:
    """A layer whose potential goes from ``U_0`` to ``U_1`` in a straight line: ``U_β = (1 − β) U_0 + β U_1``.

    Args:
        start: the layer at β = 0.
        end: the layer at β = 1, same shape, dtype and type; types of the dReLU family (and Gaussian) mix.
        side: "visible" or "hidden", for the error message.

    Raises:
        HalfwaveError: if the two layers do not match.

    >>> from halfwave.units import Binary
    >>> path = LayerPath(Binary(1), Binary(field=torch.tensor([2.0])), "visible")
    >>> path.move(path.layer(), 0.25).field.item()
    0.5
    """

    def __init__(self, start: Unit, end: Unit, side: str) -> None:
        first, last = native(start), native(end)
        if type(first) is not type(last) and isinstance(first, Convertible) and isinstance(last, Convertible):
            first, last = first.to_drelu(), last.to_drelu()
        if type(first) is not type(last) or first.shape != last.shape or first.dtype != last.dtype:
            raise HalfwaveError(
                f"the {side} layer of the reference must be like the machine's, {end.name} of shape {end.shape} "
                f"and {end.dtype}; got {start.name} of shape {start.shape} and {start.dtype}"
            )
        self.start, self.end = first, last
        self.slope = copy.deepcopy(last)
        """A layer with the potential ``U_1 − U_0``; it need not be a normalisable unit."""
        for key, value in self.slope.named_parameters():
            value.data.sub_(first.get_parameter(key))

    def layer(self) -> Unit:
        """A layer of its own that `move` can set to any β."""
        return copy.deepcopy(self.end)

    def move(self, layer: Unit, beta: float) -> Unit:
        """Set the parameters of ``layer`` to those at β, in place; returns it."""
        for key, value in layer.named_parameters():
            torch.lerp(self.start.get_parameter(key), self.end.get_parameter(key), beta, out=value.data)
        return layer


class AnnealingPath:
    """Machines with energies ``E_β = (1 − β) E_0 + β E_1`` between a reference without couplings and a machine.

    Args:
        reference: the machine at β = 0; its weights are zero.
        machine: the machine at β = 1.

    Raises:
        HalfwaveError: if the layers do not match or the reference has weights.

    >>> from halfwave.units import Binary, DReLU
    >>> path = AnnealingPath(RBM(Binary(4), DReLU(2)), RBM(Binary(4), DReLU(2), torch.ones(4, 2)))
    >>> path.machine(0.5).weights[0]
    tensor([0.5000, 0.5000])

    Source: Salakhutdinov and Murray, ICML 2008, section 4.1.
    """

    def __init__(self, reference: RBM, machine: RBM) -> None:
        if bool((reference.weights != 0).any()):
            largest = reference.weights.abs().max().item()
            raise HalfwaveError(
                f"the reference machine must have zero weights; got one of size {largest:.6g}"
            )
        self.visible = LayerPath(reference.visible, machine.visible, "visible")
        self.hidden = LayerPath(reference.hidden, machine.hidden, "hidden")
        self.matrix = machine.weight_matrix

    def machine(self, beta: float) -> RBM:
        """The machine with energy ``E_β``."""
        visible = self.visible.move(self.visible.layer(), beta)
        return RBM(visible, self.hidden.move(self.hidden.layer(), beta), beta * self.matrix)

    def log_partition_start(self) -> float:
        """``log Z_0 = Γ_v(0) + Γ_h(0)`` of the reference, in double precision."""
        total = 0.0
        for layer in (self.visible.start, self.hidden.start):
            double = copy.deepcopy(layer).double()
            total += double.cgf(torch.zeros(double.shape, dtype=double.dtype, device=double.device)).item()
        return total

    def sample_start(self, chains: int, generator: torch.Generator | None) -> Tensor:
        """Independent visible samples of the reference, ``(chains, *visible.shape)``."""
        layer = self.visible.start
        zeros = torch.zeros(chains, *layer.shape, dtype=layer.dtype, device=layer.device)
        return layer.sample_from_inputs(zeros, generator)

    def block(self, chains: int) -> int:
        """How many chains to advance together."""
        if self.matrix.device.type != "cpu":
            return chains
        return max(1, _BLOCK_ELEMENTS // max(self.matrix.shape))
