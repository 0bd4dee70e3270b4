"""Machines read back from disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.rbm.machine import RBM
from halfwave.rbm.storage import read_tensors
from halfwave.units import Unit, unit_type

__all__ = ["load", "machine_from"]


def machine_from(tensors: Mapping[str, Tensor], header: Mapping[str, Any], prefix: str = "") -> RBM:
    """The machine that `machine_tensors` and `machine_header` describe."""
    layers: dict[str, Unit] = {}
    for side in ("visible", "hidden"):
        unit = unit_type(header[side])
        own = {key: tensors[f"{prefix}{side}.{key}"] for key in unit.parameter_rules}
        layers[side] = unit.from_parameters(own)
    return RBM(layers["visible"], layers["hidden"], tensors[f"{prefix}weights"])


def load(path: str | Path, device: torch.device | str = "cpu") -> RBM:
    """Read a machine from a file written by `save`, or from a run folder.

    Args:
        path: a machine file, or a run folder that holds ``model.safetensors``.
        device: where to put it.

    Raises:
        HalfwaveError: if the file is missing, truncated, foreign or from another version.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.safetensors"
    tensors, header = read_tensors(path, "machine")
    try:
        return machine_from(tensors, header).to(device)
    except KeyError as error:
        raise HalfwaveError(f"{path} lacks the tensor {error}") from error
    except HalfwaveError as error:
        raise HalfwaveError(f"{path} does not hold a machine: {error}") from error
