"""The fits as scikit-learn estimators.

Hyper-parameters enter; estimators with `fit` and `predict` leave. Read `base` first, which holds what all share,
then `relu_sum`.
"""

from __future__ import annotations

from halfwave.fitting.estimators.additive import AdditiveReLURegressor
from halfwave.fitting.estimators.hinges import HingeRegressor
from halfwave.fitting.estimators.max_affine import MaxAffineRegressor
from halfwave.fitting.estimators.relu_sum import ReLUSumRegressor

__all__ = ["AdditiveReLURegressor", "HingeRegressor", "MaxAffineRegressor", "ReLUSumRegressor"]
