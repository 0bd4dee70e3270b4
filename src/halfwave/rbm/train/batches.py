"""Minibatches in a random order that can be saved and continued."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Batches"]


class Batches:
    """Endless minibatches without replacement within an epoch; the incomplete last batch is left out.

    Args:
        data: samples ``(n, sites)``, flattened.
        weights: importance of each sample with mean 1, or None.
        batch_size: samples in a batch, at most n.
        generator: source of the permutations.
    """

    def __init__(
        self, data: Tensor, weights: Tensor | None, batch_size: int, generator: torch.Generator
    ) -> None:
        self.data = data
        self.weights = weights
        self.batch_size = batch_size
        self.generator = generator
        self.order = torch.empty(0, dtype=torch.int64, device=data.device)
        self.position = 0
        self._buffer = data.new_empty((batch_size, *data.shape[1:]))

    def next(self) -> tuple[Tensor, Tensor | None]:
        """The next batch ``(batch, sites)``, in a buffer that is used again, and its weights."""
        if self.position + self.batch_size > len(self.order):
            self.order = torch.randperm(len(self.data), generator=self.generator, device=self.data.device)
            self.position = 0
        chosen = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        torch.index_select(self.data, 0, chosen, out=self._buffer)
        return self._buffer, None if self.weights is None else self.weights[chosen]
