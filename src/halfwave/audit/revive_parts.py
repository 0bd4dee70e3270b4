"""The entries of weights that belong to given units of a rectifier, and what an optimiser keeps about them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

__all__ = ["Reader", "forget", "incoming_mask", "spread"]

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


def spread(units: Tensor, channels: int, width: int, channels_last: bool) -> Tensor:
    """The places (units, width / channels) of units in a vector that their channels were flattened into.

    A channel's places lie next to each other, unless the channels come last.

    >>> spread(torch.tensor([1]), 3, 6, False), spread(torch.tensor([1]), 3, 6, True)
    (tensor([[2, 3]]), tensor([[1, 4]]))
    """
    places = width // channels
    number = torch.arange(places, device=units.device)
    return units[:, None] + channels * number if channels_last else units[:, None] * places + number


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A linear layer or convolution that reads a rectifier."""

    operation: str
    weight: nn.Parameter
    bias: nn.Parameter | None
    channels: int
    """Units of the rectifier."""
    groups: int
    channels_last: bool
    """Whether the rectifier's channels lie behind its places, which matters once they are flattened."""

    @property
    def fits(self) -> bool:
        """Whether the sizes say that it reads each unit by weights of its own."""
        shape = self.weight.shape
        if self.operation == "linear":
            return shape[1] % self.channels == 0
        return self.channels == (shape[0] if "transpose" in self.operation else shape[1] * self.groups)

    def places(self, units: Tensor) -> Tensor:
        """Where units lie in its input, along the features or channels (units, places)."""
        if self.operation == "linear":
            return spread(units, self.channels, self.weight.shape[1], self.channels_last)
        return units[:, None]

    def outgoing_mask(self, units: Tensor) -> Tensor:
        """Which entries of its weight read some units; a mask of the weight's shape."""
        mask = torch.zeros_like(self.weight, dtype=torch.bool)
        if self.operation == "linear":
            mask[:, self.places(units).flatten()] = True
        elif "transpose" in self.operation:
            mask[units] = True
        else:
            width = self.weight.shape[1]
            mask.view(self.groups, -1, *mask.shape[1:])[units // width, :, units % width] = True
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
