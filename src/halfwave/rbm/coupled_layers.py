"""Two layers of units coupled by weights: energies, free energies and conditionals."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from halfwave.constraints import require
from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit

__all__ = ["CoupledLayers"]


class CoupledLayers(nn.Module):
    """Two layers with energy ``E(v, h) = U_v(v) + U_h(h) − Σ v W h``: all of a machine that has a formula.

    `RBM` adds what draws, measures and writes; pseudolikelihood and storage need no more than this.

    Args:
        visible, hidden: the layers, of the same dtype and device.
        weights: ``W``, shape ``(*visible.shape, *hidden.shape)`` or flattened to two dimensions; zero if absent.

    Raises:
        HalfwaveError: if the weights have another shape or are not finite, or the layers differ in dtype.

    >>> from halfwave.units import Binary, DReLU
    >>> CoupledLayers(Binary(4), DReLU(2)).inputs_h_from_v(torch.ones(3, 4)).shape
    torch.Size([3, 2])
    """

    weights: Tensor

    def __init__(self, visible: Unit, hidden: Unit, weights: Tensor | None = None) -> None:
        super().__init__()
        if visible.dtype != hidden.dtype or visible.device != hidden.device:
            raise HalfwaveError(
                "visible and hidden layer must share dtype and device; got "
                f"{visible.dtype} on {visible.device} and {hidden.dtype} on {hidden.device}"
            )
        self.visible = visible
        self.hidden = hidden
        full = (*visible.shape, *hidden.shape)
        if weights is None:
            weights = torch.zeros(full, dtype=visible.dtype, device=visible.device)
        if tuple(weights.shape) not in (full, (visible.size, hidden.size)):
            raise HalfwaveError(f"weights must have shape {full}; got {tuple(weights.shape)}")
        values = weights.detach().to(visible.dtype).reshape(full).contiguous().clone()
        require(values, "finite", "weights")
        self.register_parameter("weights", nn.Parameter(values, requires_grad=False))

    @property
    def weight_matrix(self) -> Tensor:
        """The weights as a matrix ``(visible.size, hidden.size)``; a view."""
        return self.weights.view(self.visible.size, self.hidden.size)

    # energies

    def interaction_energy(self, v: Tensor, h: Tensor) -> Tensor:
        """``−Σ v W h``, ``(*batch,)``."""
        h = self.hidden.check_inputs(h, "values `h`")
        return -self.hidden.sum_over_layer(self.inputs_h_from_v(v) * h)

    def energy(self, v: Tensor, h: Tensor) -> Tensor:
        """``E(v, h)`` of configurations ``v`` ``(*batch, *visible.shape)`` and ``h``, ``(*batch,)``."""
        # the interaction first: it checks the shapes, which the potentials would broadcast
        return self.interaction_energy(v, h) + self.visible.energy(v) + self.hidden.energy(h)

    def free_energy(self, v: Tensor) -> Tensor:
        """``F(v) = U_v(v) − Σ Γ_h(Wᵀv)``, so that ``log p(v) = −F(v) − log Z``; ``(*batch,)``."""
        cgf = self.hidden.cgf(self.inputs_h_from_v(v))
        return self.visible.energy(v) - cgf

    def free_energy_h(self, h: Tensor) -> Tensor:
        """``F(h) = U_h(h) − Σ Γ_v(W h)``, the same with the layers exchanged; ``(*batch,)``."""
        cgf = self.visible.cgf(self.inputs_v_from_h(h))
        return self.hidden.energy(h) - cgf

    # conditionals

    def inputs_h_from_v(self, v: Tensor) -> Tensor:
        """``Wᵀv``, the inputs of the hidden units, ``(*batch, *hidden.shape)``."""
        return _project(self.visible, self.hidden, v, self.weight_matrix, "v")

    def inputs_v_from_h(self, h: Tensor) -> Tensor:
        """``W h``, the inputs of the visible units, ``(*batch, *visible.shape)``."""
        return _project(self.hidden, self.visible, h, self.weight_matrix.T, "h")

    def mean_h_from_v(self, v: Tensor) -> Tensor:
        """``E[h | v]``, ``(*batch, *hidden.shape)``."""
        return self.hidden.mean_from_inputs(self.inputs_h_from_v(v))

    def mean_v_from_h(self, h: Tensor) -> Tensor:
        """``E[v | h]``, ``(*batch, *visible.shape)``."""
        return self.visible.mean_from_inputs(self.inputs_v_from_h(h))

    def var_h_from_v(self, v: Tensor) -> Tensor:
        """Variance of each hidden unit given ``v``, ``(*batch, *hidden.shape)``."""
        return self.hidden.var_from_inputs(self.inputs_h_from_v(v))

    def var_v_from_h(self, h: Tensor) -> Tensor:
        """Variance of each visible unit given ``h``, ``(*batch, *visible.shape)``."""
        return self.visible.var_from_inputs(self.inputs_v_from_h(h))

    def mode_h_from_v(self, v: Tensor) -> Tensor:
        """Most probable hidden configuration given ``v``, ``(*batch, *hidden.shape)``."""
        return self.hidden.mode_from_inputs(self.inputs_h_from_v(v))

    def mode_v_from_h(self, h: Tensor) -> Tensor:
        """Most probable visible configuration given ``h``, ``(*batch, *visible.shape)``."""
        return self.visible.mode_from_inputs(self.inputs_v_from_h(h))

    def sample_h_from_v(self, v: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw from ``p(h | v)`` for each ``v``, ``(*batch, *hidden.shape)``."""
        return self.hidden.sample_from_inputs(self.inputs_h_from_v(v), generator)

    def sample_v_from_h(self, h: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw from ``p(v | h)`` for each ``h``, ``(*batch, *visible.shape)``."""
        return self.visible.sample_from_inputs(self.inputs_v_from_h(h), generator)

    def extra_repr(self) -> str:
        return f"weights={tuple(self.weights.shape)}"


def _project(source: Unit, target: Unit, values: Tensor, matrix: Tensor, name: str) -> Tensor:
    """Inputs of the target layer, with the batch dimensions of ``values``."""
    values = source.check_inputs(values, f"values `{name}`")
    batch = source.batch_shape(values)
    flat = values.reshape(*batch, source.size)
    return (flat @ matrix).reshape(*batch, *target.shape)
