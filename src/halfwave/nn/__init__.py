"""Rectifiers as torch modules and operations: exact semantics, learnable parameters, ONNX export.

Tensors enter; tensors leave, with exact derivatives. Read `thresholded` first, the operation in all its forms, then
`modules`.

>>> import torch
>>> import halfwave as hw
>>> hw.nn.ThresholdedReLU(1.0)(torch.tensor([0.5, 3.0]))
tensor([0., 2.])
"""

from __future__ import annotations

from halfwave.nn import functional
from halfwave.nn.convention import CONVENTIONS, Convention
from halfwave.nn.module import Activation
from halfwave.nn.modules import (
    ClippedReLU,
    HardTanh,
    HardThreshold,
    LeakyReLU,
    RectifiedLinear,
    SoftThreshold,
    ThresholdedReLU,
)
from halfwave.nn.piecewise import PiecewiseLinearActivation
from halfwave.nn.relu_sum_module import ReLUSum
from halfwave.nn.sparse.gated_mlp import SparseGatedMLP
from halfwave.nn.sparse.input_linear import SparseInputLinear
from halfwave.nn.two_sided import TwoSidedReLU
from halfwave.nn.unit_mean import UnitMean

__all__ = [
    "CONVENTIONS",
    "Activation",
    "ClippedReLU",
    "Convention",
    "HardTanh",
    "HardThreshold",
    "LeakyReLU",
    "PiecewiseLinearActivation",
    "ReLUSum",
    "RectifiedLinear",
    "SoftThreshold",
    "SparseGatedMLP",
    "SparseInputLinear",
    "ThresholdedReLU",
    "TwoSidedReLU",
    "UnitMean",
    "functional",
]
