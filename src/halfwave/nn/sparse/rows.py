"""Products that read only part of a matrix: sums of its rows, and scalar products with some of them.

Both run on the kernels behind ``torch.nn.functional.embedding_bag``, which walk through the chosen rows where they
lie. Gathering the rows into a matrix first writes and reads them once more, into memory that is fresh each time.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["dense_product", "nonzero_positions", "row_products", "sum_of_rows"]

_WIDENED_ROWS = 256
"""Rows of a float16 weight that are widened at a time: 4 MiB of float32 at 4096 columns, less than a cache."""


def nonzero_positions(x: Tensor) -> Tensor:
    """Places of the non-zero elements of ``x`` (batch, features) in its flattened form, in order; NaN counts as one.

    >>> nonzero_positions(torch.tensor([[0.0, 2.0], [3.0, -0.0]]))
    tensor([1, 2])
    """
    return x.reshape(-1).nonzero().squeeze(1)


def sum_of_rows(x: Tensor, weight: Tensor, positions: Tensor, values: Tensor | None = None) -> Tensor:
    """``x weightᵀ``, reading only the columns of ``weight`` that meet a non-zero element of ``x``.

    Args:
        x: inputs (batch, in), batch at least 1.
        weight: (out, in), the transpose of a contiguous matrix, of the dtype of ``x``.
        positions: `nonzero_positions` of ``x``.
        values: what stands there instead of the elements of ``x`` (n,).

    Returns:
        A tensor (batch, out). Each element is a sum in the order of the inputs, in float32 for half precision.

    >>> weight = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).t()
    >>> x = torch.tensor([[0.0, 10.0, 1.0]])
    >>> sum_of_rows(x, weight, nonzero_positions(x))
    tensor([[35., 46.]])
    """
    batch, features = x.shape
    pieces = _pieces(batch, weight.shape[0])
    if values is None:
        values = x.reshape(-1).index_select(0, positions)
    starts = _starts(positions, batch, features)
    rows = positions if batch == 1 else positions.remainder(features)
    if pieces == 1:
        return F.embedding_bag(rows, weight.t(), starts, mode="sum", per_sample_weights=values)
    # Every bag is summed by one thread: with fewer samples than threads each row is cut into pieces.
    piece = torch.arange(pieces, device=x.device)[:, None]
    cut = weight.t().view(features * pieces, -1)
    sums = F.embedding_bag(
        (rows * pieces + piece).flatten(),
        cut,
        (starts + len(rows) * piece).flatten(),
        mode="sum",
        per_sample_weights=values.repeat(pieces),
    )
    return sums.view(pieces, batch, -1).transpose(0, 1).reshape(batch, -1)


def _starts(positions: Tensor, batch: int, length: int) -> Tensor:
    """Where the positions of each sample begin among all of them (batch,)."""
    if batch == 1:
        return positions.new_zeros(1)
    return torch.searchsorted(positions, torch.arange(0, batch * length, length, device=positions.device))


def _pieces(batch: int, columns: int) -> int:
    """How many pieces a row is cut into: at most one a thread, all of one size."""
    wanted = torch.get_num_threads() // batch
    return next((count for count in range(wanted, 1, -1) if columns % count == 0), 1)


def row_products(x: Tensor, rows: Tensor, positions: Tensor) -> Tensor:
    """The elements of ``x rowsᵀ`` at some positions, reading only the rows that they need.

    Args:
        x: inputs (batch, in), batch at least 1.
        rows: matrix (out, in), contiguous, of the dtype of ``x``.
        positions: places of the wanted elements in the flattened product (batch, out), in order (n,).

    Returns:
        A tensor (n,).

    >>> row_products(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0], [3.0, 4.0]]), torch.tensor([1]))
    tensor([11.])
    """
    batch, out = len(x), len(rows)
    starts = _starts(positions, batch, out)
    sample = positions.div(out, rounding_mode="floor")
    # The gradient of a weighted sum of rows in its weights is the scalar product of x with each of these rows.
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        x.contiguous(), rows, positions.remainder(out), starts, sample, 0
    )


def dense_product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x weightᵀ + bias`` for ``weight`` (out, in) that is the transpose of a contiguous matrix.

    In float16 on a CPU it is computed in float32, 256 inputs at a time: there torch's own product takes 40 times
    longer in this layout than in the other (measured: 330 ms for 11008 → 4096 and one sample).
    """
    if x.dtype != torch.float16 or x.device.type != "cpu":
        return F.linear(x, weight, bias)
    wide = x.to(torch.float32)
    sums = wide.new_zeros(len(x), weight.shape[0]) if bias is None else bias.float().repeat(len(x), 1)
    for first in range(0, weight.shape[1], _WIDENED_ROWS):
        chosen = slice(first, first + _WIDENED_ROWS)
        sums.addmm_(wide[:, chosen], weight.t()[chosen].to(torch.float32))
    return sums.to(x.dtype)
