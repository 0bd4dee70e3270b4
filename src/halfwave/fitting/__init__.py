"""Sums of rectified linear terms fitted to data: one variable exactly, several by explicit functions.

Data enter; a fit leaves, whose function is exact, with errors and intervals. Read `relu_sum` first, which calls
everything else in order, then `search/search`.

>>> import numpy as np
>>> x = np.linspace(0, 10, 200)
>>> fit = fit_relu_sum(x, np.abs(x - 3) + 0.01 * np.sin(40 * x), kinks=1)
>>> fit.kinks.round(2)
array([3.])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from halfwave.fitting.approximation import Approximation, approximate
from halfwave.fitting.criteria import AutocorrelationWarning
from halfwave.fitting.fit_result import Certificate, FitRow, ReLUSumFit
from halfwave.fitting.relu_sum import fit_relu_sum
from halfwave.fitting.uncertainty.intervals import Intervals

if TYPE_CHECKING:
    from halfwave.fitting.estimators import AdditiveReLURegressor as AdditiveReLURegressor
    from halfwave.fitting.estimators import HingeRegressor as HingeRegressor
    from halfwave.fitting.estimators import MaxAffineRegressor as MaxAffineRegressor
    from halfwave.fitting.estimators import ReLUSumRegressor as ReLUSumRegressor
    from halfwave.fitting.gradient import GradientPath as GradientPath
    from halfwave.fitting.gradient import fit_by_gradient as fit_by_gradient
    from halfwave.fitting.several_variables.additive import fit_additive as fit_additive
    from halfwave.fitting.several_variables.additive_function import AdditiveFunction as AdditiveFunction
    from halfwave.fitting.several_variables.hinge_sum import HingeSum as HingeSum
    from halfwave.fitting.several_variables.hinges import fit_hinge_sum as fit_hinge_sum
    from halfwave.fitting.several_variables.max_affine import fit_max_affine as fit_max_affine
    from halfwave.fitting.several_variables.max_affine_function import (
        DifferenceOfMaxAffine as DifferenceOfMaxAffine,
    )
    from halfwave.fitting.several_variables.max_affine_function import MaxAffine as MaxAffine

# torch and scikit-learn are imported when one of these is first asked for
_LATER = {
    "AdditiveFunction": "several_variables.additive_function",
    "AdditiveReLURegressor": "estimators",
    "DifferenceOfMaxAffine": "several_variables.max_affine_function",
    "GradientPath": "gradient",
    "HingeRegressor": "estimators",
    "HingeSum": "several_variables.hinge_sum",
    "MaxAffine": "several_variables.max_affine_function",
    "MaxAffineRegressor": "estimators",
    "ReLUSumRegressor": "estimators",
    "fit_additive": "several_variables.additive",
    "fit_by_gradient": "gradient",
    "fit_hinge_sum": "several_variables.hinges",
    "fit_max_affine": "several_variables.max_affine",
}

__all__ = [
    "AdditiveFunction",
    "AdditiveReLURegressor",
    "Approximation",
    "AutocorrelationWarning",
    "Certificate",
    "DifferenceOfMaxAffine",
    "FitRow",
    "GradientPath",
    "HingeRegressor",
    "HingeSum",
    "Intervals",
    "MaxAffine",
    "MaxAffineRegressor",
    "ReLUSumFit",
    "ReLUSumRegressor",
    "approximate",
    "fit_additive",
    "fit_by_gradient",
    "fit_hinge_sum",
    "fit_max_affine",
    "fit_relu_sum",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"halfwave.fitting.{_LATER[name]}"), name)
    raise AttributeError(f"module 'halfwave.fitting' has no attribute {name!r}")
