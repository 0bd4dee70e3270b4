"""The annealing path between two machines, and chains that walk along it and collect weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.units.base import Unit
from halfwave.units.conversions import Convertible
from halfwave.units.drelu import DReLU, Sides
from halfwave.units.family import DReLUFamily

__all__ = ["AnnealingPath", "LayerPath", "Progress", "anneal", "annealing_steps", "check_weights", "native"]

Progress = Callable[[int, int], object]
"""Called with the number of steps done and the total."""

_BLOCK_ELEMENTS = 2**16
"""Elements of the larger layer that one block of chains fills: its temporaries then stay in the cache."""


def native(unit: Unit) -> Unit:
    """A copy of the unit in parameters that its energy is linear in.

    The energy is not linear in η and ξ, so that pReLU, xReLU and nsReLU units become dReLU units.

    >>> from halfwave.units import XReLU
    >>> native(XReLU(3)).name
    'DReLU'
    """
    return unit.to_drelu() if isinstance(unit, DReLUFamily) else copy.deepcopy(unit)


class LayerPath:
    """A layer whose potential goes from ``U_0`` to ``U_1`` in a straight line: ``U_β = (1 − β) U_0 + β U_1``.

    Args:
        start: the layer at β = 0.
        end: the layer at β = 1, same shape, dtype and type; types of the dReLU family (and Gaussian) mix.
        side: "visible" or "hidden", for the error message.

    Raises:
        HalfwaveError: if the two layers do not match.

    >>> from halfwave.units import Binary
    >>> path = LayerPath(Binary(1), Binary(field=torch.tensor([2.0])), "visible")
    >>> path.move(path.layer(), 0.25).field.item()
    0.5
    """

    def __init__(self, start: Unit, end: Unit, side: str) -> None:
        first, last = native(start), native(end)
        if type(first) is not type(last) and isinstance(first, Convertible) and isinstance(last, Convertible):
            first, last = first.to_drelu(), last.to_drelu()
        if type(first) is not type(last) or first.shape != last.shape or first.dtype != last.dtype:
            raise HalfwaveError(
                f"the {side} layer of the reference must be like the machine's, {end.name} of shape {end.shape} "
                f"and {end.dtype}; got {start.name} of shape {start.shape} and {start.dtype}"
            )
        self.start, self.end = first, last
        self.slope = copy.deepcopy(last)
        """A layer with the potential ``U_1 − U_0``; it need not be a normalisable unit."""
        for key, value in self.slope.named_parameters():
            value.data.sub_(first.get_parameter(key))

    def layer(self) -> Unit:
        """A layer of its own that `move` can set to any β."""
        return copy.deepcopy(self.end)

    def move(self, layer: Unit, beta: float) -> Unit:
        """Set the parameters of ``layer`` to those at β, in place; returns it."""
        for key, value in layer.named_parameters():
            torch.lerp(self.start.get_parameter(key), self.end.get_parameter(key), beta, out=value.data)
        return layer


class AnnealingPath:
    """Machines with energies ``E_β = (1 − β) E_0 + β E_1`` between a reference without couplings and a machine.

    Args:
        reference: the machine at β = 0; its weights are zero.
        machine: the machine at β = 1.

    Raises:
        HalfwaveError: if the layers do not match or the reference has weights.

    >>> from halfwave.units import Binary, DReLU
    >>> path = AnnealingPath(RBM(Binary(4), DReLU(2)), RBM(Binary(4), DReLU(2), torch.ones(4, 2)))
    >>> path.machine(0.5).weights[0]
    tensor([0.5000, 0.5000])

    Source: Salakhutdinov and Murray, ICML 2008, section 4.1.
    """

    def __init__(self, reference: RBM, machine: RBM) -> None:
        if bool((reference.weights != 0).any()):
            largest = reference.weights.abs().max().item()
            raise HalfwaveError(
                f"the reference machine must have zero weights; got one of size {largest:.6g}"
            )
        self.visible = LayerPath(reference.visible, machine.visible, "visible")
        self.hidden = LayerPath(reference.hidden, machine.hidden, "hidden")
        self.matrix = machine.weight_matrix

    def machine(self, beta: float) -> RBM:
        """The machine with energy ``E_β``."""
        visible = self.visible.move(self.visible.layer(), beta)
        return RBM(visible, self.hidden.move(self.hidden.layer(), beta), beta * self.matrix)

    def log_partition_start(self) -> float:
        """``log Z_0 = Γ_v(0) + Γ_h(0)`` of the reference, in double precision."""
        total = 0.0
        for layer in (self.visible.start, self.hidden.start):
            double = copy.deepcopy(layer).double()
            total += double.cgf(torch.zeros(double.shape, dtype=double.dtype, device=double.device)).item()
        return total

    def sample_start(self, chains: int, generator: torch.Generator | None) -> Tensor:
        """Independent visible samples of the reference, ``(chains, *visible.shape)``."""
        layer = self.visible.start
        zeros = torch.zeros(chains, *layer.shape, dtype=layer.dtype, device=layer.device)
        return layer.sample_from_inputs(zeros, generator)

    def block(self, chains: int) -> int:
        """How many chains to advance together."""
        if self.matrix.device.type != "cpu":
            return chains
        return max(1, _BLOCK_ELEMENTS // max(self.matrix.shape))


def annealing_steps(
    path: AnnealingPath, v: Tensor, betas: Sequence[float], generator: torch.Generator | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Walk chains along β, upwards or downwards; yields their states and the increments of their log weights.

    A step from ``a`` to ``b`` adds ``F_a(v) − F_b(v)`` to the log weights, in double precision, and then moves
    ``v`` by one Gibbs step ``v → h → v`` at ``b`` (but not after the last step, where nothing would see it).

    Args:
        path: the path.
        v: states drawn from the machine at ``betas[0]``, ``(chains, *visible.shape)``.
        betas: monotonic.
        generator: for the Gibbs steps.

    Returns:
        An iterator over ``len(betas) − 1`` pairs ``((chains, *visible.shape), (chains,))``.
    """
    visible, before, after = path.visible.layer(), path.hidden.layer(), path.hidden.layer()
    path.hidden.move(before, betas[0])
    for step, (a, b) in enumerate(pairwise(betas), 2):
        path.hidden.move(after, b)
        inputs = (v.reshape(len(v), -1) @ path.matrix).reshape(len(v), *after.shape)
        h, cgfs = _sample_with_cgfs(after, b * inputs, generator)
        gain = cgfs.sub_(before.cgfs(a * inputs)).reshape(len(v), -1).sum(1, dtype=torch.float64)
        slope = path.visible.slope.energies(v).reshape(len(v), -1).sum(1, dtype=torch.float64)
        if step < len(betas):
            back = (h.reshape(len(v), -1) @ path.matrix.T).mul_(b).reshape(v.shape)
            v = path.visible.move(visible, b).sample_from_inputs(back, generator)
        before, after = after, before
        yield v, gain.add_(slope, alpha=a - b)


@torch.no_grad()
def anneal(
    path: AnnealingPath,
    v: Tensor,
    betas: Sequence[float],
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor]:
    """Walk chains from ``betas[0]`` to ``betas[-1]``; see `annealing_steps`.

    Returns:
        The states at the end ``(chains, *visible.shape)``, to be weighted by the exponential of the log weights
        ``(chains,)``, in double precision.

    Raises:
        HalfwaveError: if a weight is not finite, which happens where the energy has no normalisation.
    """
    blocks = v.split(path.block(len(v)))
    total, done = len(blocks) * (len(betas) - 1), 0
    ends, weights = [], []
    for state in blocks:
        log_weights = torch.zeros(len(state), dtype=torch.float64, device=v.device)
        for step in annealing_steps(path, state, betas, generator):
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


def _sample_with_cgfs(
    layer: Unit, inputs: Tensor, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Samples of a layer and its Γ, from the same inputs."""
    noise = layer.draw_noise(layer.batch_shape(inputs), generator)
    if not isinstance(layer, DReLU):
        return layer.sample_from_noise(inputs, noise), layer.cgfs(inputs)
    # the tails of the normal distribution are what takes the time, and they serve both
    sides = layer.sides(inputs)
    return layer._sample(sides, noise), _cgfs_from_sides(layer, sides)


def _cgfs_from_sides(layer: DReLU, sides: Sides) -> Tensor:
    """``log(e^Γ⁺ + e^Γ⁻)``, each side held as a moderate scale times the exponential of an exponent."""
    pos, neg = sides.tail_pos, sides.tail_neg
    largest = torch.maximum(pos.exponent, neg.exponent)
    mass_pos = torch.exp(pos.exponent - largest).mul_(pos.scale).mul_(layer.gamma_pos.rsqrt())
    mass_neg = torch.exp(neg.exponent - largest).mul_(neg.scale).mul_(layer.gamma_neg.rsqrt())
    return mass_pos.add_(mass_neg).log_().add_(largest)
