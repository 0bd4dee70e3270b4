"""What the rectifiers inside a network are doing: dead units, units that are always on, sparsity.

A model and batches enter; a `Report` leaves, and models that were mended or made sparse. Read `auditing` first, which
calls everything else in order, then `listening/recorder`.

>>> import torch
>>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
>>> report = audit(model, [torch.randn(100, 4)])
>>> [layer.name for layer in report.layers]
['1']
"""

from __future__ import annotations

from halfwave.audit.auditing import audit
from halfwave.audit.bounds.wiring import Neighbour
from halfwave.audit.counting.histograms import ChannelHistograms, Histogram
from halfwave.audit.counting.site import NonFinite
from halfwave.audit.files.exported import ExportedNetwork, load_exported
from halfwave.audit.files.inputs import Batches, ModelInput, read_arrays
from halfwave.audit.files.onnx_model import OnnxNetwork, audit_onnx, load_onnx
from halfwave.audit.rectifiers.rectifier import Rectifier
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reporting.report import Report
from halfwave.audit.reporting.verdicts import Verdict
from halfwave.audit.reviving.reviving import Revival, RevivedLayer, revive
from halfwave.audit.sparsity.calibrated import CalibratedThresholds, CurvePoint
from halfwave.audit.sparsity.sparsifying import LayerSpeed, SparseModel, sparsify
from halfwave.audit.sparsity.thresholds import calibrate_thresholds
from halfwave.audit.watching import LiveReport, watch

__all__ = [
    "Batches",
    "CalibratedThresholds",
    "ChannelHistograms",
    "CurvePoint",
    "ExportedNetwork",
    "Histogram",
    "LayerReport",
    "LayerSpeed",
    "LiveReport",
    "ModelInput",
    "Neighbour",
    "NonFinite",
    "OnnxNetwork",
    "Rectifier",
    "Report",
    "Revival",
    "RevivedLayer",
    "SparseModel",
    "Verdict",
    "audit",
    "audit_onnx",
    "calibrate_thresholds",
    "load_exported",
    "load_onnx",
    "read_arrays",
    "revive",
    "sparsify",
    "watch",
]
