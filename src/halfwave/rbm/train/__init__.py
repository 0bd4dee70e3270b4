"""Training of restricted Boltzmann machines."""

from __future__ import annotations

from halfwave.rbm.train.pcd import PCDTrainer as PCDTrainer
from halfwave.rbm.train.pcd import pcd as pcd
from halfwave.rbm.train.regularization import Regularization as Regularization
from halfwave.rbm.train.schedule import SCHEDULES as SCHEDULES

__all__ = ["SCHEDULES", "PCDTrainer", "Regularization", "pcd"]
