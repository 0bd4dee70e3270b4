"""Samples of a continuous layer counted in histograms, next to the exact densities they must follow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit
from halfwave.units.drelu_family.drelu import DReLU

__all__ = ["LayerHistograms", "density_limits", "drelu_grid_layer", "drelu_histograms", "layer_histograms"]

_BLOCK_ELEMENTS = 2**20
"""Samples drawn at a time, over the whole layer: bounds the memory whatever the number of samples."""


@dataclass(frozen=True, eq=False, repr=False)
class LayerHistograms:
    """Histograms of samples of a layer and its exact densities.

    Args:
        unit: the layer.
        inputs: ``I`` of each unit, ``(*shape)``.
        samples: number of samples of each unit.
        edges: of the bins, ``(*shape, bins + 1)``.
        heights: share of the samples in each bin divided by its width, ``(*shape, bins)``.
        points: where the density is given, ``(*shape, points)``; zero is one of them where it is in range.
        densities: ``exp(I x − U(x) − Γ(I))`` there, ``(*shape, points)``.

    >>> drelu_histograms(1000, generator=torch.Generator().manual_seed(0)).heights.shape
    (2, 2, 2, 2, 60)
    """

    unit: Unit
    inputs: np.ndarray
    samples: int
    edges: np.ndarray
    heights: np.ndarray
    points: np.ndarray
    densities: np.ndarray


def drelu_grid_layer(dtype: torch.dtype = torch.float32) -> DReLU:
    """A dReLU layer of shape (2, 2, 2, 2) with every combination of ``θ± ∈ {−3, 3}`` and ``γ± ∈ {0.5, 1}``.

    The axes are θ⁺, θ⁻, γ⁺, γ⁻.

    >>> layer = drelu_grid_layer()
    >>> layer.theta_neg[0, 1, 0, 0], layer.gamma_pos[0, 0, 1, 0]
    (tensor(3.), tensor(1.))
    """
    thresholds, curvatures = torch.tensor([-3.0, 3.0], dtype=dtype), torch.tensor([0.5, 1.0], dtype=dtype)
    axes = torch.meshgrid(thresholds, thresholds, curvatures, curvatures, indexing="ij")
    return DReLU(**dict(zip(("theta_pos", "theta_neg", "gamma_pos", "gamma_neg"), axes, strict=True)))


def drelu_histograms(
    samples: int = 1_000_000, *, inputs: float = 0.0, generator: torch.Generator | None = None
) -> LayerHistograms:
    """Histograms of `drelu_grid_layer`; units with the same thresholds share their bins.

    Args:
        samples: number of samples of each of the 16 units, at least 1.
        inputs: the input ``I`` of all units.
        generator: source of random numbers.

    Raises:
        HalfwaveError: if the number of samples is not positive or the input not finite.

    >>> histograms = drelu_histograms(1000)
    >>> bool((histograms.edges[0, 0, 0, 0] == histograms.edges[0, 0, 1, 1]).all())
    True
    """
    layer = drelu_grid_layer()
    limits = density_limits(layer, inputs)
    low, high = limits[..., 0].amin((2, 3), keepdim=True), limits[..., 1].amax((2, 3), keepdim=True)
    shared = torch.stack([low, high], -1).expand_as(limits)
    return layer_histograms(layer, samples, inputs=inputs, bins=60, limits=shared, generator=generator)


@torch.no_grad()
def layer_histograms(
    unit: Unit,
    samples: int = 1_000_000,
    *,
    inputs: float | Tensor = 0.0,
    bins: int = 100,
    limits: Tensor | None = None,
    points: int = 401,
    generator: torch.Generator | None = None,
) -> LayerHistograms:
    """Draw samples of every unit of a layer and count them, next to the exact densities.

    The samples are drawn in slices of bounded memory. Samples outside the limits count in the total, so that the
    heights stay comparable with the density.

    Args:
        unit: a continuous layer of any shape.
        samples: number of samples of each unit, at least 1.
        inputs: ``I``, a number or ``(*shape)``, finite.
        bins: number of bins of equal width, at least 1.
        limits: lowest and highest edge of each unit, ``(*shape, 2)``; `density_limits` if absent.
        points: number of points of the density curve, at least 2.
        generator: source of random numbers.

    Raises:
        HalfwaveError: if the layer is discrete, a count is too small or the inputs do not fit.

    >>> from halfwave.units import Gaussian
    >>> histograms = layer_histograms(Gaussian(1), 10_000, bins=50)
    >>> round(float((histograms.heights * np.diff(histograms.edges)).sum()), 2)
    1.0
    """
    _check_counts({"samples": (samples, 1), "bins": (bins, 1), "points": (points, 2)})
    fixed = _inputs(unit, inputs)
    limits = density_limits(unit, fixed) if limits is None else limits.to(fixed)
    low, width = limits[..., 0], (limits[..., 1] - limits[..., 0]) / bins
    counts = _count(unit, fixed, samples, low, width, bins, generator)
    steps = torch.arange(bins + 1, device=low.device)
    grid = _grid(limits, points)
    densities = unit.log_probs(grid.movedim(-1, 0), fixed).exp().movedim(0, -1)
    return LayerHistograms(
        unit=unit,
        inputs=fixed.cpu().numpy(),
        samples=samples,
        edges=(low.unsqueeze(-1) + width.unsqueeze(-1) * steps).cpu().numpy(),
        heights=(counts / (samples * width.unsqueeze(-1))).cpu().numpy(),
        points=grid.cpu().numpy(),
        densities=densities.cpu().numpy(),
    )


@torch.no_grad()
def density_limits(unit: Unit, inputs: float | Tensor = 0.0, share: float = 1e-4) -> Tensor:
    """Where the density of each unit exceeds a share of its highest value, as limits ``(*shape, 2)``.

    Args:
        unit: a continuous layer of any shape.
        inputs: ``I``, a number or ``(*shape)``, finite.
        share: of the highest density, between 0 and 1.

    Raises:
        HalfwaveError: if the layer is discrete or the inputs do not fit.

    >>> from halfwave.units import Gaussian
    >>> density_limits(Gaussian(()), share=0.01).round(decimals=1)  # √(2 log 100) on both sides
    tensor([-3.,  3.])
    """
    fixed = _inputs(unit, inputs)
    mean, std = unit.mean_from_inputs(fixed), unit.std_from_inputs(fixed)
    reach = torch.linspace(-12.0, 12.0, 4001, dtype=unit.dtype, device=unit.device)
    x = mean + std * reach.view(-1, *[1] * len(unit.shape))
    log_density = unit.log_probs(x, fixed)
    inside = log_density > log_density.amax(0) + math.log(share)
    low = torch.where(inside, x, math.inf).amin(0)
    high = torch.where(inside, x, -math.inf).amax(0)
    return torch.stack([low, high], -1)


def _inputs(unit: Unit, inputs: float | Tensor) -> Tensor:
    """Inputs of one sample of the layer, ``(*shape)``."""
    if unit.discrete:
        raise HalfwaveError(f"a density needs a continuous layer; got {unit.name}")
    fixed = torch.as_tensor(inputs, dtype=unit.dtype, device=unit.device)
    if fixed.ndim and tuple(fixed.shape) != unit.shape:
        raise HalfwaveError(f"inputs must be a number or have shape {unit.shape}; got {tuple(fixed.shape)}")
    if not bool(fixed.isfinite().all()):
        raise HalfwaveError(f"inputs must be finite; got {inputs}")
    return fixed.expand(unit.shape)


def _grid(limits: Tensor, points: int) -> Tensor:
    """Evenly spaced points ``(*shape, points)``; the one nearest to zero, where a density may have a kink, is zero."""
    low, high = limits[..., :1], limits[..., 1:]
    share = torch.linspace(0.0, 1.0, points, dtype=limits.dtype, device=limits.device)
    grid = low + (high - low) * share
    spacing = (high - low) / (points - 1)
    return torch.where(grid.abs() <= 0.5 * spacing, 0.0, grid)


def _count(
    unit: Unit,
    inputs: Tensor,
    samples: int,
    low: Tensor,
    width: Tensor,
    bins: int,
    generator: torch.Generator | None,
) -> Tensor:
    """Number of samples in each bin, ``(*shape, bins)``."""
    block = max(1, _BLOCK_ELEMENTS // unit.size)
    # one slot more on either side, for the samples outside
    counts = torch.zeros(unit.size * (bins + 2), dtype=torch.int64, device=unit.device)
    first = torch.arange(unit.size, device=unit.device).view(unit.shape) * (bins + 2)
    for start in range(0, samples, block):
        drawn = min(block, samples - start)
        x = unit.sample_from_inputs(inputs.expand(drawn, *unit.shape), generator)
        slot = ((x - low) / width).floor_().clamp_(-1, bins).long() + 1
        counts += torch.bincount((slot + first).flatten(), minlength=counts.numel())
    return counts.view(*unit.shape, bins + 2)[..., 1:-1]


def _check_counts(counts: dict[str, tuple[int, int]]) -> None:
    for name, (value, least) in counts.items():
        if value < least:
            raise HalfwaveError(f"`{name}` must be at least {least}; got {value}")
