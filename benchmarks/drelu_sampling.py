"""(a) dReLU sampling, 256 × 400 units: ours against the natural version in ``log_ndtr`` and ``ndtri``."""

from __future__ import annotations

import math

import torch
from timing import compare
from torch import Tensor

from halfwave.rbm.train.phases import can_compile
from halfwave.units import DReLU

__all__ = ["main", "natural_sample"]


def natural_sample(unit: DReLU, inputs: Tensor, generator: torch.Generator) -> Tensor:
    """What one writes first: log-probabilities of the sides by ``log_ndtr``, inversion by ``ndtri``."""
    std_pos, std_neg = unit.gamma_pos.rsqrt(), unit.gamma_neg.rsqrt()
    a_pos, a_neg = (unit.theta_pos - inputs) * std_pos, (inputs - unit.theta_neg) * std_neg
    log_pos = torch.special.log_ndtr(-a_pos) + 0.5 * a_pos**2 + std_pos.log()
    log_neg = torch.special.log_ndtr(-a_neg) + 0.5 * a_neg**2 + std_neg.log()
    positive = torch.rand(inputs.shape, generator=generator) < torch.sigmoid(log_pos - log_neg)
    a = torch.where(positive, a_pos, a_neg)
    survival = torch.special.ndtr(-a) * torch.rand(inputs.shape, generator=generator)
    excess = (-torch.special.ndtri(survival) - a).clamp(min=0.0)
    return torch.where(positive, std_pos * excess, -std_neg * excess)


def main() -> None:
    """Print the table."""
    generator = torch.Generator().manual_seed(0)
    unit = DReLU(400)
    for parameter in (unit.theta_pos, unit.theta_neg):
        parameter.data.normal_(generator=generator)
    inputs = 2.0 * torch.randn(256, 400, generator=generator)
    cases = {
        "natural eager (log_ndtr, ndtr, ndtri)": lambda: natural_sample(unit, inputs, generator),
        "halfwave eager": lambda: unit.sample_from_inputs(inputs, generator),
    }
    if can_compile(inputs.device):
        compiled = torch.compile(unit.sample_from_noise, fullgraph=True, dynamic=False)
        cases["halfwave compiled"] = lambda: compiled(inputs, unit.draw_noise((256,), generator))
    cases["torch.randn of the same size"] = lambda: torch.randn(256, 400, generator=generator)
    with torch.no_grad():
        ratios = compare("dReLU sampling, 256 × 400 units", cases)
    for label in ("halfwave eager", "halfwave compiled"):
        if label in ratios:
            print(f"  {label}: {1 / ratios[label]:.1f} times faster than the natural version")
    assert math.isfinite(sum(ratios.values()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
