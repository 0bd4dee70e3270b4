"""The entries of weights that belong to given units of a rectifier, and what an optimiser keeps about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from halfwave.audit.bounds.ways import Layout

__all__ = ["Reader", "forget", "incoming_mask"]

_HISTORY = (
    *("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_inf", "momentum_buffer"),
    *("square_avg", "grad_avg", "acc_delta", "sum", "prev"),
)
"""What torch's optimisers keep for each entry of a parameter and begin with at 0."""


def incoming_mask(weight: Tensor, operation: str, units: Tensor) -> Tensor:
    """Which entries of a weight make the pre-activations of some units; a mask of its shape.

    >>> incoming_mask(torch.zeros(3, 2), "linear", torch.tensor([1])).long()
    tensor([[0, 0],
            [1, 1],
            [0, 0]])
    """
    mask = torch.zeros_like(weight, dtype=torch.bool)
    mask[(slice(None), units) if "transpose" in operation else units] = True
    return mask


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A linear layer or convolution that reads a rectifier."""

    operation: str
    weight: nn.Parameter
    bias: nn.Parameter | None
    groups: int
    layout: Layout
    """Where the rectifier's units lie in what it reads."""

    @property
    def fits(self) -> bool:
        """Whether the sizes say that it reads each unit by weights of its own."""
        shape = self.weight.shape
        if self.operation == "linear":
            return shape[1] == self.layout.width
        channels = shape[0] if "transpose" in self.operation else shape[1] * self.groups
        return channels == self.layout.total == self.layout.width

    def places(self, units: Tensor) -> Tensor:
        """Where units lie in its input, along the features or channels (units, places)."""
        return self.layout.places(units)

    def outgoing_mask(self, units: Tensor) -> Tensor:
        """Which entries of its weight read some units; a mask of the weight's shape."""
        mask, places = torch.zeros_like(self.weight, dtype=torch.bool), self.places(units).flatten()
        if self.operation == "linear":
            mask[:, places] = True
        elif "transpose" in self.operation:
            mask[places] = True
        else:
            width = self.weight.shape[1]
            mask.view(self.groups, -1, *mask.shape[1:])[places // width, :, places % width] = True
        return mask


def forget(optimizer: torch.optim.Optimizer | None, changed: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Set what an optimiser remembers of entries that were replaced to 0, as for new ones; steps stay counted.

    Args:
        optimizer: torch's, or None.
        changed: parameters and masks of their shapes.
    """
    for parameter, mask in changed:
        if parameter.grad is not None:  # the gradient of weights that are gone
            parameter.grad.masked_fill_(mask, 0.0)
        state = {} if optimizer is None else optimizer.state.get(parameter, {})
        for name in _HISTORY:
            kept = state.get(name)
            if isinstance(kept, Tensor) and kept.shape == parameter.shape:
                kept.masked_fill_(mask, 0.0)
