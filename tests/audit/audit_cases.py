"""Networks whose rectifiers can be counted by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def identity_layer(features: int, bias: float = 0.0) -> nn.Linear:
    """A linear layer that adds a constant."""
    layer = nn.Linear(features, features)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(features))
        layer.bias.fill_(bias)
    return layer


def random_network(generator: torch.Generator) -> nn.Sequential:
    """Convolutions, normalisation and a linear layer with random parameters, ready for evaluation."""
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3)),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
        norm = model[1]
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.5, 2.0, generator=generator)
    return model.eval()


def images(samples: int, generator: torch.Generator) -> Tensor:
    """Random images (samples, 1, 8, 8)."""
    return torch.randn(samples, 1, 8, 8, generator=generator)


def seeded(model: nn.Module) -> nn.Module:
    """The same weights in every run."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.4, generator=generator)
    return model
