"""Chains that walk along an annealing path and collect weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.units.base import Unit
from halfwave.units.drelu_family.drelu import DReLU
from halfwave.units.drelu_family.two_sided import Sides, TwoSided

__all__ = ["Phases", "Progress", "anneal", "annealing_steps", "check_weights", "compile_phases"]

Progress = Callable[[int, int], object]
"""Called with the number of steps done and the total."""


def hidden_phase(
    before: Unit, after: Unit, inputs: Tensor, noise: Tensor, a: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """Hidden samples at β = b, and ``Σ Γ_b(b Wᵀv) − Γ_a(a Wᵀv)`` of each chain in double precision.

    ``inputs`` are ``Wᵀv`` ``(chains, *shape)``; ``before`` and ``after`` are the hidden layer at a and at b.
    """
    if isinstance(after, DReLU):
        # the tails of the normal distribution are what takes the time, and they serve both
        sides = after.sides(b * inputs)
        h, cgfs = after._sample(sides, noise), _cgfs_from_sides(after, sides)
    else:
        h, cgfs = after.sample_from_noise(b * inputs, noise), after.cgfs(b * inputs)
    # unit by unit: the sums are large and nearly equal
    gain = cgfs - before.cgfs(a * inputs)
    return h, gain.reshape(len(gain), -1).sum(1, dtype=torch.float64)


def visible_phase(visible: Unit, inputs: Tensor, noise: Tensor) -> Tensor:
    """Visible samples, ``(chains, *shape)``."""
    return visible.sample_from_noise(inputs, noise)


class Phases(NamedTuple):
    """The element-wise halves of a step, as plain or compiled functions."""

    hidden: Callable[..., Any] = hidden_phase
    visible: Callable[..., Any] = visible_phase


def compile_phases() -> Phases:
    """The phases through ``torch.compile``, one graph each, for fixed shapes."""
    options: dict[str, Any] = {"fullgraph": True, "dynamic": False}
    return Phases(*(torch.compile(phase, **options) for phase in Phases()))


def annealing_steps(
    path: AnnealingPath,
    v: Tensor,
    betas: Sequence[float],
    generator: torch.Generator | None = None,
    phases: Phases | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Walk chains along β, upwards or downwards; yields their states and the increments of their log weights.

    A step from ``a`` to ``b`` adds ``F_a(v) − F_b(v)`` to the log weights, in double precision, and then moves
    ``v`` by one Gibbs step ``v → h → v`` at ``b`` (but not after the last step, where nothing would see it).

    Args:
        path: the path.
        v: states drawn from the machine at ``betas[0]``, ``(chains, *visible.shape)``.
        betas: monotonic.
        generator: for the Gibbs steps.
        phases: compiled functions; plain ones if None.

    Returns:
        An iterator over ``len(betas) − 1`` pairs ``((chains, *visible.shape), (chains,))``.
    """
    phases = phases or Phases()
    visible, before, after = path.visible.layer(), path.hidden.layer(), path.hidden.layer()
    chains, scale = len(v), path.matrix.new_tensor(betas)
    for step, (a, b) in enumerate(pairwise(betas), 1):
        path.hidden.move(before, a)
        path.hidden.move(after, b)
        inputs = (v.reshape(chains, -1) @ path.matrix).reshape(chains, *after.shape)
        noise = after.draw_noise((chains,), generator)
        h, increments = phases.hidden(before, after, inputs, noise, scale[step - 1], scale[step])
        slope = path.visible.slope.energies(v).reshape(chains, -1).sum(1, dtype=torch.float64)
        increments = increments.add(slope, alpha=a - b)
        if step < len(betas) - 1:
            path.visible.move(visible, b)
            back = (h.reshape(chains, -1) @ path.matrix.T).mul_(b).reshape(v.shape)
            v = phases.visible(visible, back, visible.draw_noise((chains,), generator))
        yield v, increments


@torch.no_grad()
def anneal(
    path: AnnealingPath,
    v: Tensor,
    betas: Sequence[float],
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
    phases: Phases | None = None,
) -> tuple[Tensor, Tensor]:
    """Walk chains from ``betas[0]`` to ``betas[-1]``, block by block; see `annealing_steps`.

    Returns:
        The states at the end ``(chains, *visible.shape)``, to be weighted by the exponential of the log weights
        ``(chains,)``, in double precision.

    Raises:
        HalfwaveError: if a weight is not finite, which happens where the energy has no normalisation.
    """
    # fused work has few temporaries, and another shape would have to be compiled anew
    blocks = v.split(path.block(len(v)) if phases is None else len(v))
    total, done = len(blocks) * (len(betas) - 1), 0
    ends, weights = [], []
    for state in blocks:
        log_weights = torch.zeros(len(state), dtype=torch.float64, device=v.device)
        for step in annealing_steps(path, state, betas, generator, phases):
            state = step[0]
            log_weights += step[1]
            done += 1
            if progress is not None:
                progress(done, total)
        ends.append(state)
        weights.append(log_weights)
    return torch.cat(ends), check_weights(torch.cat(weights))


def check_weights(log_weights: Tensor) -> Tensor:
    """The log weights if they are finite, else `HalfwaveError`."""
    bad = ~log_weights.isfinite()
    if bool(bad.any()):
        raise HalfwaveError(
            f"the annealing weights must be finite; got {log_weights[bad][0].item()}: "
            "the machine's energy may have no normalisation"
        )
    return log_weights


def _cgfs_from_sides(layer: TwoSided, sides: Sides) -> Tensor:
    """``log(e^Γ⁺ + e^Γ⁻)``, each side held as a moderate scale times the exponential of an exponent."""
    pos, neg = sides.tail_pos, sides.tail_neg
    largest = torch.maximum(pos.exponent, neg.exponent)
    mass_pos = torch.exp(pos.exponent - largest).mul_(pos.scale).mul_(layer.gamma_pos.rsqrt())
    mass_neg = torch.exp(neg.exponent - largest).mul_(neg.scale).mul_(layer.gamma_neg.rsqrt())
    return mass_pos.add_(mass_neg).log_().add_(largest)
