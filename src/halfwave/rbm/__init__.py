"""Restricted Boltzmann machines: the machine, its training and its likelihoods.

Units and samples enter; trained machines, their samples and their likelihoods leave. Read `machine` first, with
`coupled_layers` for its formulas.
"""

from __future__ import annotations

from halfwave.rbm import likelihood as likelihood
from halfwave.rbm import pseudolikelihood as pseudolikelihood
from halfwave.rbm import train as train
from halfwave.rbm.initialize import initialize as initialize
from halfwave.rbm.loading import load as load
from halfwave.rbm.machine import RBM as RBM
from halfwave.rbm.storage import save as save

__all__ = ["RBM", "initialize", "likelihood", "load", "pseudolikelihood", "save", "train"]
