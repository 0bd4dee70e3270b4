"""(e) What an audit costs: forward passes and training steps of small networks, with a watch and without."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from timing import compare
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave import audit

__all__ = ["main"]


def convolutional(pooled: bool) -> nn.Module:
    """Three convolutions of 32, 64 and 64 channels on 28 × 28 images, with or without pooling between them."""
    pool = nn.MaxPool2d(2) if pooled else nn.Identity()
    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), pool),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), pool),
        *(
            nn.Conv2d(64, 64, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        ),
    )


def perceptron(width: int) -> nn.Module:
    """Three hidden layers."""
    sizes = (784, width, width, width)
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def watched(model: nn.Module, run: Callable[[], Any], **options: Any) -> Callable[[], Any]:
    """The same run inside a watch that stays open, as in a training loop."""

    def once() -> Any:
        context.__enter__()  # hooks are set and removed each time, which is part of the cost
        try:
            return run()
        finally:
            context._recorder.__exit__(None, None, None)

    context = audit.watch(model, **options)
    return once


def step(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    """One step of training."""
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    optimizer.step()


def main() -> None:
    """Print the tables."""
    generator = torch.Generator().manual_seed(0)
    images, labels = (
        torch.randn(128, 1, 28, 28, generator=generator),
        torch.randint(10, (128,), generator=generator),
    )
    cases = {
        "convolutions on 28 × 28, batch 128": (convolutional(pooled=False), images),
        "convolutions with pooling, batch 128": (convolutional(pooled=True), images),
        "perceptron 784–1024–1024–1024, batch 128": (perceptron(1024), images.flatten(1)),
        "perceptron 784–128–128–128, batch 128": (perceptron(128), images.flatten(1)),
    }
    for title, (model, x) in cases.items():
        forward = torch.no_grad()(partial(model.eval(), x))
        rounds = {
            "plain forward pass": forward,
            "watched": watched(model, forward),
            'watched, statistics="full"': watched(model, forward, statistics="full"),
            "watched, every=10": watched(model, forward, every=10),
        }
        compare(title, rounds, rounds=21)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        training = partial(step, model.train(), optimizer, x, labels)
        rounds = {
            "plain training step": training,
            "watched": watched(model, training),
            "watched, gradients=False": watched(model, training, gradients=False),
            "watched, every=10": watched(model, training, every=10),
        }
        compare(f"{title}: training", rounds, rounds=21)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
