"""The gated block of a transformer, of which only the rows of open gates are read."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from halfwave.errors import HalfwaveError
from halfwave.nn.sparse.crossover import crossover_at
from halfwave.nn.sparse.input_linear import SparseInputLinear, check_fit, check_tensor, is_plain_call
from halfwave.nn.sparse.rows import nonzero_positions, row_products, sum_of_rows

__all__ = ["SparseGatedMLP"]

_SHARE_OF_CROSSOVER = 0.5
"""The rows of ``up`` cost twice as much as those of ``down``, so the block is dense from a lower density on."""


class SparseGatedMLP(nn.Module):
    """The gated block ``y = W_down (g ∘ (W_up x + b_up)) + b_down`` with ``g = activation(W_gate x + b_gate)``.

    Where the gate ``g`` is zero neither the row of ``W_up`` nor that of ``W_down`` is read; ``W_gate`` is read as a
    whole, so at most a factor of 3 can be won. The result differs from that of the three layers only by rounding, and
    where a product that is multiplied by a closed gate is not finite.

    When a gradient is recorded, and in all cases in which `SparseInputLinear` is dense, the three layers are
    computed as usual.

    Args:
        gate: linear layer (features → hidden).
        up: linear layer of the same shape.
        down: linear layer (hidden → outputs). It is copied into a `SparseInputLinear` unless it is one; the other two
            are used as they are.
        activation: module that gives many zeros, such as a `ThresholdedReLU`.

    Raises:
        HalfwaveError: if a layer is no nn.Linear, the activation no module, or shapes or dtypes do not fit.

    >>> layers = nn.Linear(64, 256), nn.Linear(64, 256), nn.Linear(256, 64)
    >>> block = SparseGatedMLP(*layers, nn.ReLU())
    >>> block(torch.zeros(2, 64)).shape
    torch.Size([2, 64])

    Source: Mirzadeh et al., "ReLU strikes back", arXiv:2310.04564 (2023), on which rows an open gate needs.
    """

    def __init__(self, gate: nn.Linear, up: nn.Linear, down: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        for name, layer in (("gate", gate), ("up", up), ("down", down)):
            if not isinstance(layer, nn.Linear):
                raise HalfwaveError(
                    f"`{name}` of SparseGatedMLP must be a torch.nn.Linear; got {type(layer).__name__}"
                )
        if not isinstance(activation, nn.Module):
            raise HalfwaveError(
                f"`activation` of SparseGatedMLP must be a torch.nn.Module; got {type(activation).__name__}"
            )
        _check_fit(gate, up, down)
        self.gate, self.up = gate, up
        self.down = down if isinstance(down, SparseInputLinear) else SparseInputLinear.from_linear(down)
        self.activation = activation

    def calibrate(self, batches: tuple[int, ...] = (1, 2, 8, 64)) -> Self:
        """Measure on this machine from which density on the block is dense, see `SparseInputLinear.calibrate`."""
        self.down.calibrate(batches)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """The block's output: (*batch, features) → (*batch, outputs).

        Raises:
            HalfwaveError: if the input is no tensor, or does not end in the features of the layers, in their dtype.
        """
        check_tensor("SparseGatedMLP", x)
        if is_plain_call(x, self.gate.weight):
            check_fit("SparseGatedMLP", x, self.gate.weight)
        open_gates = self.activation(self.gate(x))
        positions = self._positions(x, open_gates)
        if positions is None:
            return self.down(open_gates * self.up(x))
        flat = open_gates.reshape(-1, self.up.out_features)
        hidden = row_products(x.reshape(-1, self.up.in_features), self.up.weight, positions)
        if self.up.bias is not None:
            hidden += self.up.bias.index_select(0, positions.remainder(len(self.up.weight)))
        hidden *= flat.reshape(-1).index_select(0, positions)
        sums = sum_of_rows(flat, self.down.weight, positions, hidden)
        if self.down.bias is not None:
            sums += self.down.bias
        return sums.view(*x.shape[:-1], self.down.out_features)

    def _positions(self, x: Tensor, open_gates: Tensor) -> Tensor | None:
        """Where gates are open, or None where the three layers are to be computed as usual."""
        plain = is_plain_call(x, self.up.weight) and is_plain_call(open_gates, self.down.weight)
        if not plain or not open_gates.numel() or self._records(x, open_gates):
            return None
        samples = open_gates.numel() // open_gates.shape[-1]
        share = _SHARE_OF_CROSSOVER * crossover_at(self.down.crossovers, samples)
        if share == 0 or not self.up.weight.is_contiguous() or not self.down.weight.t().is_contiguous():
            return None
        positions = nonzero_positions(open_gates)
        return positions if len(positions) <= share * open_gates.numel() else None

    def _records(self, x: Tensor, open_gates: Tensor) -> bool:
        if not torch.is_grad_enabled():
            return False
        tensors = (x, open_gates, self.up.weight, self.up.bias, self.down.weight, self.down.bias)
        return any(tensor is not None and tensor.requires_grad for tensor in tensors)


def _check_fit(gate: nn.Linear, up: nn.Linear, down: nn.Linear) -> None:
    if gate.weight.shape != up.weight.shape or down.in_features != up.out_features:
        raise HalfwaveError(
            "layers of SparseGatedMLP must be (features → hidden) twice and (hidden → outputs); got "
            + ", ".join(f"{layer.in_features} → {layer.out_features}" for layer in (gate, up, down))
        )
    if not gate.weight.dtype == up.weight.dtype == down.weight.dtype:
        raise HalfwaveError(
            f"layers of SparseGatedMLP must have one dtype; got {gate.weight.dtype}, {up.weight.dtype} "
            f"and {down.weight.dtype}"
        )
