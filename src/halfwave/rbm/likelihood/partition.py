"""Likelihoods and partition functions: exact where possible, else bounded by annealing in both directions."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.likelihood.annealing import Progress
from halfwave.rbm.likelihood.enumeration import log_partition_exact
from halfwave.rbm.likelihood.path import AnnealingPath
from halfwave.rbm.likelihood.reference import independent_reference
from halfwave.rbm.likelihood.result import AnnealingResult, Sandwich, bennett
from halfwave.rbm.likelihood.run import Annealing
from halfwave.rbm.machine import RBM

__all__ = ["ais", "log_likelihood", "log_partition_sandwich", "reverse_ais"]


def log_likelihood(rbm: RBM, v: Tensor, log_partition: float | None = None) -> Tensor:
    """``log p(v) = −F(v) − log Z``, in nats.

    Args:
        rbm: the machine.
        v: visible values ``(*batch, *visible.shape)``.
        log_partition: ``log Z``; computed exactly if None.

    Returns:
        ``(*batch,)``.

    Raises:
        HalfwaveError: if the values do not fit the layer, or ``log Z`` is absent and cannot be computed exactly.

    >>> from halfwave.units import Binary, DReLU
    >>> log_likelihood(RBM(Binary(2), DReLU(3)), torch.tensor([0.0, 1.0]))  # −log 4
    tensor(-1.3863)

    Source: Salakhutdinov and Murray, ICML 2008, eq. 4.
    """
    v = rbm.visible.check_values(v, "v")
    if log_partition is None:
        log_partition = log_partition_exact(rbm)
    return -rbm.free_energy(v) - log_partition


def ais(
    rbm: RBM,
    *,
    chains: int = 1000,
    betas: int | Tensor = 1000,
    reference: RBM | None = None,
    mean_v: Tensor | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
    compile: bool = False,
) -> AnnealingResult:
    """``log Z`` by annealed importance sampling from a machine without couplings, a lower bound in expectation.

    ``log Z ≈ log Z_0 + log mean exp Σ_k [F_{k−1}(v_{k−1}) − F_k(v_{k−1})]``, where ``F_k`` is the free energy of
    ``E_β = (1 − β) E_0 + β E_1`` at ``β_k`` and ``v_k`` follows from ``v_{k−1}`` by a Gibbs step at ``β_k``. The
    mean of the weights is unbiased for ``Z``, hence its log is biased low.

    Args:
        rbm: the machine; units of the dReLU family are interpolated in (θ±, γ±), which their energy is linear in.
        chains: number of independent chains, at least 2.
        betas: number of temperatures, placed by `choose_betas` in a short pilot run, or the temperatures, from 0
            to 1.
        reference: the machine at β = 0, with zero weights; `independent_reference` if None.
        mean_v: mean of the visible units for the default reference, ``visible.shape``.
        generator: for all random numbers.
        progress: called with the steps done and their total.
        compile: fuse the element-wise work with ``torch.compile`` (needs a C++ compiler or a GPU); pays in runs of
            minutes.

    Returns:
        The estimate with its weights.

    Raises:
        HalfwaveError: if an argument breaks its rule, or the energy has no normalisation.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(4), DReLU(2), torch.full((4, 2), 0.5))
    >>> result = ais(machine, chains=100, betas=50, generator=torch.Generator().manual_seed(0))
    >>> abs(result.log_partition - log_partition_exact(machine)) < 0.2
    True

    Source: Neal, Statistics and Computing 11 (2001) 125; Salakhutdinov and Murray, ICML 2008, eqs. 16 to 19.
    """
    if reference is None:
        reference = independent_reference(rbm, mean_v=mean_v, generator=generator)
    return Annealing(AnnealingPath(reference, rbm), betas, generator, compile).forward(chains, progress)[0]


def reverse_ais(
    rbm: RBM,
    v: Tensor,
    *,
    betas: int | Tensor = 1000,
    reference: RBM | None = None,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
    compile: bool = False,
) -> AnnealingResult:
    """``log Z`` by annealing samples of the machine back to the reference, an upper bound in expectation.

    The same weights as `ais`, collected downwards: ``log Z ≈ log Z_0 − log mean exp Σ_k [F_k(v_k) − F_{k−1}(v_k)]``.
    It is a bound only if ``v`` are exact samples; samples that miss a part of the distribution can make it
    too low.

    Args:
        rbm: the machine.
        v: samples of the machine ``(chains, *visible.shape)``, at least 2.
        betas, reference, generator, progress, compile: as in `ais`; the default reference has the mean of ``v``.

    Returns:
        The estimate with its weights.

    Raises:
        HalfwaveError: if an argument breaks its rule, or the energy has no normalisation.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(4), DReLU(2))
    >>> reverse_ais(machine, torch.eye(4), betas=3).bound
    'upper'

    Source: Burda, Grosse, Salakhutdinov, AISTATS 2015, section 3.
    """
    v = _samples(rbm, v)
    if reference is None:
        reference = independent_reference(rbm, v, generator=generator)
    return Annealing(AnnealingPath(reference, rbm), betas, generator, compile).reverse(v, progress)


def log_partition_sandwich(
    rbm: RBM,
    *,
    samples: Tensor | None = None,
    chains: int = 1000,
    betas: int | Tensor = 1000,
    reference: RBM | None = None,
    equilibration_steps: int = 100,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
    compile: bool = False,
) -> Sandwich:
    """``log Z`` between `ais` and `reverse_ais`, with the estimate that combines both.

    The reverse run starts from ``samples``, or from the ends of the forward run, resampled by their weights; both
    are moved by ``equilibration_steps`` Gibbs steps first. The upper value is a bound only as far as these starts
    are samples of the machine: a mode that neither the forward run nor the samples reach is missing from both
    values, and a small width does not reveal it.

    Args:
        rbm: the machine.
        samples: samples of the machine, such as the chains that trained it, ``(chains, *visible.shape)``.
        chains: number of forward chains, at least 2; and of reverse chains if there are no samples.
        betas, reference, generator, progress, compile: as in `ais`; both
            directions share the reference and temperatures.
        equilibration_steps: Gibbs steps before the reverse run, at least 0.

    Returns:
        Both bounds, their errors and the combined estimate.

    Raises:
        HalfwaveError: if an argument breaks its rule, or the energy has no normalisation.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(4), DReLU(2), torch.full((4, 2), 0.5))
    >>> generator = torch.Generator().manual_seed(0)
    >>> sandwich = log_partition_sandwich(machine, chains=200, betas=50, generator=generator)
    >>> abs(sandwich.estimate - log_partition_exact(machine)) < 0.1
    True

    Source: Burda, Grosse, Salakhutdinov, AISTATS 2015; Bennett, J. Comput. Phys. 22 (1976) 245, eq. 12.
    """
    starts = None if samples is None else _samples(rbm, samples)
    if reference is None:
        reference = independent_reference(rbm, starts, generator=generator)
    annealing = Annealing(AnnealingPath(reference, rbm), betas, generator, compile)
    forward, ends = annealing.forward(chains, _part(progress, 0))
    if starts is None:
        starts = ends[_resample(forward.log_weights, chains, generator)]
    starts = rbm.sample_v_from_v(starts, equilibration_steps, generator)
    reverse = annealing.reverse(starts, _part(progress, 1))
    estimate, error = bennett(forward.log_weights, reverse.log_weights)
    return Sandwich(
        lower=forward.log_partition,
        lower_error=forward.standard_error,
        upper=reverse.log_partition,
        upper_error=reverse.standard_error,
        estimate=estimate,
        estimate_error=error,
        forward=forward,
        reverse=reverse,
    )


def _samples(rbm: RBM, v: Tensor) -> Tensor:
    v = rbm.visible.check_values(v, "v")
    batch = rbm.visible.batch_shape(v)
    if len(batch) != 1 or batch[0] < 2:
        raise HalfwaveError(
            f"annealing needs samples v of shape (chains ≥ 2, *visible.shape); got {tuple(v.shape)}"
        )
    return v


def _resample(log_weights: Tensor, count: int, generator: torch.Generator | None) -> Tensor:
    """Indices drawn in proportion to the weights, by systematic resampling."""
    cumulated = log_weights.softmax(0).cumsum(0)
    shift = torch.rand(1, generator=generator, dtype=torch.float64, device=log_weights.device)
    points = (torch.arange(count, dtype=torch.float64, device=log_weights.device) + shift) / count
    return torch.searchsorted(cumulated, points * cumulated[-1]).clamp_(max=len(log_weights) - 1)


def _part(progress: Progress | None, part: int) -> Progress | None:
    """The progress of one of two runs of the same length, as progress of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(part * total + done, 2 * total)
