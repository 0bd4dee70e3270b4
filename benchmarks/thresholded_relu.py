"""The thresholded rectifier: forward against ``F.threshold``, memory kept for backward, a compiled training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from timing import compare
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.nn import ThresholdedReLU
from halfwave.rbm.train.phases import can_compile
from halfwave.units.numerics import memory

__all__ = ["main"]

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
FORMS = ("subtract", "keep", "floor")


def repeated(function: Callable[[Tensor], object], x: Tensor) -> Callable[[], None]:
    """As many calls as make a timing of about a millisecond."""
    calls = max(1, 1_000_000 // len(x))

    def run() -> None:
        for _ in range(calls):
            function(x)

    return run


def forward(size: int) -> None:
    """Forward pass without a gradient."""
    x = torch.randn(size, generator=torch.Generator().manual_seed(0))
    out = torch.empty_like(x)
    cases = {"F.threshold": repeated(lambda x: F.threshold(x, 1.0, 0.0), x)}
    cases |= {f'ThresholdedReLU "{form}"': repeated(ThresholdedReLU(1.0, form), x) for form in FORMS}
    cases["relu(x − T), two allocations"] = repeated(lambda x: F.relu(x - 1.0), x)
    cases["where(x > T, x, 0), a mask"] = repeated(lambda x: torch.where(x > 1.0, x, 0.0), x)
    cases["copy"] = repeated(out.copy_, x)
    with torch.no_grad():
        compare(f"forward, {size:,} float32 elements", cases, rounds=21)


def forward_and_backward(size: int) -> None:
    """Forward and backward pass of the activation alone."""
    x = torch.randn(size, generator=torch.Generator().manual_seed(0)).requires_grad_()
    upstream = torch.ones(size)

    def step(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], object]:
        return lambda x: torch.autograd.grad(function(x), x, upstream)

    cases = {"F.threshold": repeated(step(lambda x: F.threshold(x, 1.0, 0.0)), x)}
    cases |= {f'ThresholdedReLU "{form}"': repeated(step(ThresholdedReLU(1.0, form)), x) for form in FORMS}
    cases["F.relu"] = repeated(step(F.relu), x)
    cases["where(x > T, x, 0), a mask"] = repeated(step(lambda x: torch.where(x > 1.0, x, 0.0)), x)
    compare(f"forward and backward, {size:,} float32 elements", cases, rounds=21)


def kept_bytes(activation: nn.Module) -> float:
    """Bytes per hidden element that autograd keeps in Linear – activation – Linear."""
    network, kept = nn.Sequential(nn.Linear(8, 64), activation, nn.Linear(64, 8)), {}
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and tensor.numel() == 16 * 64:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(torch.randn(16, 8)).sum().backward()
    return sum(size for size, _ in kept.values()) / (16 * 64)


def training_step(activation: nn.Module, compiled: bool) -> Callable[[], None]:
    """One step of a network 512 – 2048 – 512, batch 256."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(512, 2048), activation, nn.Linear(2048, 512))
    x, y = torch.randn(256, 512), torch.randn(256, 512)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    model = torch.compile(network, fullgraph=True, dynamic=False) if compiled else network

    def step() -> None:
        optimizer.zero_grad()
        (model(x) - y).pow(2).mean().backward()
        optimizer.step()

    return step


def main() -> None:
    """Print the tables."""
    memory.keep_freed_memory()
    for size in SIZES:
        forward(size)
    for size in SIZES:
        forward_and_backward(size)
    print("\nkept for backward in Linear – activation – Linear, bytes per hidden element")
    for activation in (nn.ReLU(), nn.Threshold(1.0, 0.0), *(ThresholdedReLU(1.0, form) for form in FORMS)):
        print(f"{activation!s:44s} {kept_bytes(activation):9.1f}")
    activations = {"F.relu": nn.ReLU(), **{f'ThresholdedReLU "{f}"': ThresholdedReLU(0.5, f) for f in FORMS}}
    activations["F.threshold"] = nn.Threshold(0.5, 0.0)
    for compiled in (False, *([True] if can_compile(torch.device("cpu")) else [])):
        cases = {label: training_step(activation, compiled) for label, activation in activations.items()}
        compare(f"{'compiled' if compiled else 'eager'} training step, 512–2048–512, batch 256", cases)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
