"""Log-pseudolikelihood: how well each visible site is predicted by all the others."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from halfwave.constraints import first_index
from halfwave.errors import HalfwaveError
from halfwave.rbm.coupled_layers import CoupledLayers
from halfwave.units.binary import Binary, log1p_exp
from halfwave.units.gaussian import Gaussian
from halfwave.units.potts import Potts
from halfwave.units.spin import Spin

__all__ = ["log_pseudolikelihood"]

_BLOCK_ELEMENTS = 2**17
"""Hidden inputs held at a time: the memory stays bounded and the temporaries in the cache."""


@torch.no_grad()
def log_pseudolikelihood(
    rbm: CoupledLayers, v: Tensor, sites: int | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Mean over sites of ``log p(v_i | all other sites)``, in nats.

    For a discrete site with values ``c``: ``log p(v_i = c | v_−i) = −F(c, v_−i) − log Σ_c' exp(−F(c', v_−i))``,
    where changing a site only shifts the hidden inputs by a row of ``W``. For Gaussian visible with Gaussian
    hidden units the visible precision is ``A = Γ_v − W Γ_h⁻¹ Wᵀ`` and ``v_i`` given the others is normal with
    precision ``A_ii``.

    Args:
        rbm: a machine with Binary, Spin or Potts visible units, or with two Gaussian layers.
        v: visible values ``(*batch, *visible.shape)``.
        sites: how many random sites to average for each sample, without repetition: an unbiased estimate. All
            sites if None.
        generator: for the choice of sites.

    Returns:
        ``(*batch,)``.

    Raises:
        HalfwaveError: if the units are not supported, the values do not fit them, or ``sites`` is not between 1
            and the number of sites.

    >>> from halfwave.units import DReLU
    >>> log_pseudolikelihood(CoupledLayers(Binary((2, 2)), DReLU(3)), torch.ones(2, 2))  # log ½
    tensor(-0.6931)

    Source: Besag, The Statistician 24 (1975) 179; Marlin, Swersky, Chen, de Freitas, AISTATS 2010, eq. 9.
    """
    _check_units(rbm)
    v = rbm.visible.check_values(v, "v")
    batch = rbm.visible.batch_shape(v)
    flat = v.reshape(-1, *rbm.visible.shape)
    if isinstance(rbm.visible, Gaussian):
        every = _gaussian_log_conditionals(rbm, rbm.visible, flat)
        chosen = _choose_sites(rbm, len(flat), sites, generator)
        return every.gather(1, chosen).mean(1).reshape(batch)
    chosen = _choose_sites(rbm, len(flat), sites, generator)
    return _log_conditionals(rbm, flat, chosen).mean(1).reshape(batch)


def _check_units(rbm: CoupledLayers) -> None:
    visible, hidden = rbm.visible, rbm.hidden
    if isinstance(visible, Gaussian) and isinstance(hidden, Gaussian):
        return
    if not isinstance(visible, Binary | Spin | Potts):
        raise HalfwaveError(
            "the pseudolikelihood needs Binary, Spin or Potts visible units, or Gaussian visible with Gaussian "
            f"hidden units; got {visible.name} visible with {hidden.name} hidden units"
        )


def _choose_sites(
    rbm: CoupledLayers, samples: int, sites: int | None, generator: torch.Generator | None
) -> Tensor:
    """Indices of the sites to average for each sample, ``(samples, sites)``."""
    count, device = math.prod(rbm.visible.noise_shape), rbm.visible.device
    if sites is None:
        return torch.arange(count, device=device).expand(samples, count)
    if not 1 <= sites <= count:
        raise HalfwaveError(f"sites must be from 1 to {count}, the number of sites of the layer; got {sites}")
    return torch.rand(samples, count, generator=generator, device=device).topk(sites).indices


def _log_conditionals(rbm: CoupledLayers, v: Tensor, chosen: Tensor) -> Tensor:
    """``log p(v_i | v_−i)`` of the chosen sites ``(samples, sites)`` of each sample, block by block."""
    colours = rbm.visible.colours if isinstance(rbm.visible, Potts) else 1
    samples = torch.arange(len(v), device=v.device).repeat_interleave(chosen.shape[1])
    columns = chosen.flatten()
    inputs = rbm.inputs_h_from_v(v).reshape(len(v), rbm.hidden.size)
    cgfs = _cgfs(rbm, inputs)
    out = torch.empty(columns.shape, dtype=v.dtype, device=v.device)
    block = max(1, _BLOCK_ELEMENTS // (colours * rbm.hidden.size))
    conditional = _potts_block if isinstance(rbm.visible, Potts) else _two_state_block
    flat = v.reshape(len(v), rbm.visible.size // colours, colours)
    for start in range(0, columns.numel(), block):
        part = slice(start, start + block)
        row, column = samples[part], columns[part]
        out[part] = conditional(rbm, flat[row, column], inputs[row], cgfs[row], column)
    return out.reshape(chosen.shape)


def _two_state_block(
    rbm: CoupledLayers, values: Tensor, inputs: Tensor, cgfs: Tensor, column: Tensor
) -> Tensor:
    """Log conditionals of pairs of sample and site.

    ``values`` of the sites ``(pairs, 1)``; ``inputs`` and ``cgfs`` of the hidden layer ``(pairs, hidden)``;
    ``column``, the index of the sites ``(pairs,)``.
    """
    flip = 1.0 - 2.0 * values if isinstance(rbm.visible, Binary) else -2.0 * values
    flipped = torch.addcmul(inputs, flip, rbm.weight_matrix[column])
    # differences unit by unit: the sums are large and nearly equal
    change = _cgfs(rbm, flipped).sub_(cgfs).sum(-1)
    return -log1p_exp(change + flip.squeeze(-1) * rbm.visible.get_parameter("field").flatten()[column])


def _potts_block(rbm: CoupledLayers, values: Tensor, inputs: Tensor, cgfs: Tensor, column: Tensor) -> Tensor:
    """The same for one-hot ``values`` ``(pairs, q)``."""
    colours = values.shape[-1]
    rows = rbm.weight_matrix.reshape(-1, colours, rbm.hidden.size)[column]
    current = (values.unsqueeze(-1) * rows).sum(1)
    candidates = (inputs - current).unsqueeze(1) + rows
    change = _cgfs(rbm, candidates).sub_(cgfs.unsqueeze(1)).sum(-1)
    scores = change + rbm.visible.get_parameter("field").reshape(-1, colours)[column]
    return (torch.log_softmax(scores, -1) * values).sum(-1)


def _cgfs(rbm: CoupledLayers, inputs: Tensor) -> Tensor:
    """Γ of every hidden unit, ``(*batch, units)``, from flattened inputs ``(*batch, hidden.size)``."""
    batch = inputs.shape[:-1]
    values = rbm.hidden.cgfs(inputs.reshape(*batch, *rbm.hidden.shape))
    return values.reshape(*batch, math.prod(rbm.hidden.noise_shape))


def _gaussian_log_conditionals(rbm: CoupledLayers, visible: Gaussian, v: Tensor) -> Tensor:
    """``log p(v_i | v_−i)`` of every site, ``(samples, sites)``, for two Gaussian layers."""
    matrix = rbm.weight_matrix
    hidden_mean = rbm.mean_h_from_v(v).reshape(len(v), rbm.hidden.size)
    hidden_variance = rbm.hidden.get_parameter("gamma").reciprocal().flatten()
    curvature = visible.gamma.flatten() - (matrix.square() @ hidden_variance)
    if bool((curvature <= 0).any()):
        index = first_index(curvature <= 0)
        raise HalfwaveError(
            "a visible unit given all others must have a positive curvature γ − Σ W²/γ_h; got "
            f"{curvature[index].item():.6g} at site {index[0]}"
        )
    # the slope of the free energy at v, which is A_ii (v_i − conditional mean)
    slope = (visible.gamma * v + visible.theta).reshape(len(v), visible.size) - hidden_mean @ matrix.T
    return 0.5 * (curvature / (2.0 * math.pi)).log() - 0.5 * slope.square() / curvature
