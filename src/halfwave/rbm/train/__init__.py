"""Training of restricted Boltzmann machines.

A machine and samples enter; the machine is trained in place. Read `pcd` first, then `phases`, the two sides of a
gradient, and `leaves`, through which an optimiser sees the parameters.
"""

from __future__ import annotations

from halfwave.rbm.train.pcd import PCDTrainer as PCDTrainer
from halfwave.rbm.train.pcd import pcd as pcd
from halfwave.rbm.train.regularization import Regularization as Regularization
from halfwave.rbm.train.schedule import SCHEDULES as SCHEDULES

__all__ = ["SCHEDULES", "PCDTrainer", "Regularization", "pcd"]
