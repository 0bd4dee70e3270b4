"""Layers and inputs for the tests of sparse products."""

from __future__ import annotations

import torch
from torch import Tensor, nn

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sparse_inputs(*shape: int, zeros: float = 0.9, dtype: torch.dtype = torch.float32) -> Tensor:
    drawn = torch.randn(*shape, generator=generator(1), dtype=torch.float64)
    return (drawn * (torch.rand(*shape, generator=generator(2)) >= zeros)).to(dtype)


def layer(inputs: int, outputs: int, bias: bool = True, dtype: torch.dtype = torch.float32) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias)
    for parameter in linear.parameters():
        nn.init.normal_(parameter, generator=generator(parameter.ndim))
    return linear.to(dtype)
