"""Likelihoods and partition functions.

A machine and samples enter; log Z, bounds on it and log-likelihoods leave. Read `partition` first, then
`annealing`, the kernel of both directions.
"""

from __future__ import annotations

from halfwave.rbm.likelihood.enumeration import enumerate_states as enumerate_states
from halfwave.rbm.likelihood.enumeration import log_partition_exact as log_partition_exact
from halfwave.rbm.likelihood.enumeration import number_of_states as number_of_states
from halfwave.rbm.likelihood.partition import ais as ais
from halfwave.rbm.likelihood.partition import log_likelihood as log_likelihood
from halfwave.rbm.likelihood.partition import log_partition_sandwich as log_partition_sandwich
from halfwave.rbm.likelihood.partition import reverse_ais as reverse_ais
from halfwave.rbm.likelihood.reference import independent_reference as independent_reference
from halfwave.rbm.likelihood.result import AnnealingResult as AnnealingResult
from halfwave.rbm.likelihood.result import Sandwich as Sandwich
from halfwave.rbm.likelihood.schedule import choose_betas as choose_betas

__all__ = [
    "AnnealingResult",
    "Sandwich",
    "ais",
    "choose_betas",
    "enumerate_states",
    "independent_reference",
    "log_likelihood",
    "log_partition_exact",
    "log_partition_sandwich",
    "number_of_states",
    "reverse_ais",
]
