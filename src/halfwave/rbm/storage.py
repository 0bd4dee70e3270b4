"""Machines on disk: one safetensors file, written atomically, no pickle anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from halfwave.errors import HalfwaveError
from halfwave.files import write_atomically
from halfwave.rbm.coupled_layers import CoupledLayers

__all__ = ["FORMAT_VERSION", "machine_header", "machine_tensors", "read_tensors", "save", "write_tensors"]

FORMAT_VERSION = 1
"""Version of the files; a reader refuses every other one."""


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header to one safetensors file, atomically."""
    metadata = {"halfwave": json.dumps({"format": FORMAT_VERSION, **header})}
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    write_atomically(path, serialise(plain, metadata))


def read_tensors(path: str | Path, kind: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors (freshly allocated) and header of a file of this kind, or `HalfwaveError`."""
    path = Path(path)
    if not path.is_file():
        raise HalfwaveError(f"there is no file {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # cloned: torch's own allocator aligns memory, so that results do not depend on the file's layout
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
        header = json.loads(metadata["halfwave"])
        if not isinstance(header, dict):
            raise ValueError(f"its header must be a table, got {header!r}")
    except (SafetensorError, KeyError, OSError, ValueError) as error:
        raise HalfwaveError(f"{path} is not a complete Halfwave {kind} file: {error}") from error
    if header.get("format") != FORMAT_VERSION or header.get("kind") != kind:
        raise HalfwaveError(
            f"{path} is a {header.get('kind')} file of format {header.get('format')}; "
            f"this version reads {kind} files of format {FORMAT_VERSION}"
        )
    return tensors, header


def machine_tensors(rbm: CoupledLayers, prefix: str = "") -> dict[str, Tensor]:
    """All parameters of a machine by name, such as ``hidden.gamma_pos``."""
    return {f"{prefix}{key}": value for key, value in rbm.named_parameters()}


def machine_header(rbm: CoupledLayers) -> dict[str, Any]:
    """The unit types of a machine."""
    return {"visible": rbm.visible.name, "hidden": rbm.hidden.name}


def save(rbm: CoupledLayers, path: str | Path) -> None:
    """Write a machine to a safetensors file, atomically.

    >>> import tempfile
    >>> from halfwave.units import Binary, DReLU
    >>> path = tempfile.mkdtemp() + "/machine.safetensors"
    >>> save(CoupledLayers(Binary(3), DReLU(2)), path)
    >>> read_tensors(path, "machine")[1]["hidden"]
    'DReLU'
    """
    write_tensors(path, machine_tensors(rbm), {"kind": "machine", **machine_header(rbm)})
