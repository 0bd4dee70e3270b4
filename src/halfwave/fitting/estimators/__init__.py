"""The fits as scikit-learn estimators."""

from __future__ import annotations

from halfwave.fitting.estimators.additive import AdditiveReLURegressor
from halfwave.fitting.estimators.hinges import HingeRegressor
from halfwave.fitting.estimators.max_affine import MaxAffineRegressor
from halfwave.fitting.estimators.relu_sum import ReLUSumRegressor

__all__ = ["AdditiveReLURegressor", "HingeRegressor", "MaxAffineRegressor", "ReLUSumRegressor"]
