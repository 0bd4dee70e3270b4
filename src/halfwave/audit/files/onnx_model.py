"""The audit of ONNX files: the runtime runs the network, and every rectifier is judged on its own input."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from halfwave.audit.auditing import Statistics, checked_statistics
from halfwave.audit.axes.layout import fallback_dimension
from halfwave.audit.batches import iterate
from halfwave.audit.counting.site import Site, SiteKey
from halfwave.audit.files.inputs import ModelInput
from halfwave.audit.files.onnx_nodes import Graph, RectifierNode
from halfwave.audit.reporting.layer import layer_report
from halfwave.audit.reporting.report import Report
from halfwave.errors import HalfwaveError
from halfwave.words import counted

__all__ = ["OnnxNetwork", "audit_onnx", "load_onnx"]

_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    **{f"tensor({name})": name for name in ("uint8", "int8", "int16", "int32", "int64")},
}


class OnnxNetwork:
    """An ONNX model that hands out what its rectifiers are given; `load_onnx` makes it."""

    def __init__(self, session: Any, rectifiers: tuple[RectifierNode, ...], notes: tuple[str, ...]) -> None:
        self._session = session
        self.rectifiers = rectifiers
        """The rectifiers of the main graph, in the order in which they run."""
        self.notes = notes
        """What cannot be looked at, one sentence each."""

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """What the model takes."""
        return tuple(_input(entry) for entry in self._session.get_inputs())

    def values(self, batch: Any) -> dict[str, np.ndarray]:
        """What the rectifiers are given for a batch, and what those make of it whose result is not known from that.

        Args:
            batch: a mapping from the names of the model's inputs, a tuple of them, or the only one.

        Raises:
            HalfwaveError: if the model does not run on it.
        """
        feed = _feed(batch, [entry.name for entry in self._session.get_inputs()])
        wanted = [name for name in _fetched(self.rectifiers) if name not in feed]
        try:
            found = self._session.run(wanted, feed)
        except Exception as error:  # the runtime has many errors, all with one sentence that matters
            reason = " ".join(str(error).split(" : ")[-1].split("Please fix")[0].split()).rstrip(".")
            raise HalfwaveError(f"the model does not run on these data: {reason}") from error
        # where nothing is wanted, the runtime gives the model's own outputs
        return {**feed, **dict(zip(wanted, found, strict=False))}


def load_onnx(path: str | Path) -> OnnxNetwork:
    """The network in an ONNX file, ready for `audit_onnx`.

    Functions inside the file are written out first. Rectifiers are the operators Relu, LeakyRelu, PRelu,
    ThresholdedRelu, Clip from 0 or between −T and T, Max with zeros, Shrink, and as soft ones Elu, Celu, Selu, Gelu,
    HardSwish, Mish, Softplus and ``x · Sigmoid(x)``; also ``Where(x ≤ T, 0, x)``. Not seen are others that an exporter
    took apart, such as GELU before version 20, and those in the subgraphs of If and Loop, of which `OnnxNetwork.notes`
    tells.

    Args:
        path: of the .onnx file; weights in files beside it are found there.

    Raises:
        HalfwaveError: if the extra ``onnx`` is missing, or the file cannot be read.
    """
    path = Path(path)
    onnx, runtime = _packages()
    if not path.is_file():
        raise HalfwaveError(f"cannot read {path}: no such file")
    try:
        model = onnx.load(path, load_external_data=False)
        if model.functions:
            from onnx import inliner

            model = inliner.inline_local_functions(model)
        graph = Graph(model, path.parent)
        rectifiers = graph.rectifiers()
        known = {entry.name for entry in (*model.graph.output, *model.graph.input)}
        fetched = [name for name in _fetched(rectifiers) if name not in known]
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in fetched)
        session = _session(runtime, model.SerializeToString(), path)
    except (HalfwaveError, MemoryError):
        raise
    except Exception as error:  # protobuf, onnx and the runtime each have their own
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise HalfwaveError(
            f"{path} is no ONNX model that can be run ({type(error).__name__}: {reason})"
        ) from error
    return OnnxNetwork(session, rectifiers, tuple(graph.notes))


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise HalfwaveError(
            f'ONNX files need the extra "onnx": pip install "halfwave[onnx]" ({error})'
        ) from error
    return onnx, onnxruntime


def _session(runtime: Any, content: bytes, path: Path) -> Any:
    options = runtime.SessionOptions()
    # fused kernels would round otherwise than the nodes that are written in the file
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve().parent)
    )
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _fetched(rectifiers: tuple[RectifierNode, ...]) -> list[str]:
    """Inputs of all rectifiers, and results of those that are not just ``max(0, x)``."""
    made = [node.made for node in rectifiers if not node.rectifier.is_relu]
    return list(dict.fromkeys([*(node.given for node in rectifiers), *made]))


def _input(entry: Any) -> ModelInput:
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in entry.shape)
    if entry.type not in _TYPES:
        raise HalfwaveError(f"inputs of a model must be arrays of numbers; {entry.name!r} is {entry.type}")
    return ModelInput(entry.name, shape, _TYPES[entry.type])


def _feed(batch: Any, names: list[str]) -> dict[str, np.ndarray]:
    if isinstance(batch, Mapping):
        missing = [name for name in names if name not in batch]
        if missing:
            raise HalfwaveError(
                f"a batch must hold the model's inputs {', '.join(map(repr, names))}; got {', '.join(map(repr, batch))}"
            )
        chosen = [batch[name] for name in names]
    else:
        chosen = list(batch)[: len(names)] if isinstance(batch, (tuple, list)) else [batch]
        if len(chosen) != len(names):
            raise HalfwaveError(
                f"a batch must hold the model's inputs {', '.join(names)}; got {counted(len(chosen), 'array')}"
            )
    return {name: _array(value) for name, value in zip(names, chosen, strict=True)}


def _array(value: Any) -> np.ndarray:
    """An array that may be written to, as torch asks of those it shares."""
    if isinstance(value, Tensor) and value.is_meta:
        raise HalfwaveError("batches must hold numbers; got a tensor on the meta device, which has none")
    try:
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:  # lists of unequal lengths
        raise HalfwaveError(f"batches must hold arrays of numbers; got a {type(value).__name__}") from error
    return np.require(array, requirements="W")


def audit_onnx(
    model: OnnxNetwork | str | Path, batches: Iterable[Any], *, statistics: Statistics = "full"
) -> Report:
    """What the rectifiers of an ONNX model do on data, as `halfwave.audit.audit` says it for a torch model.

    Layers are called after the nodes. Gradients, the layers before and after, and proofs are not looked at: the
    report's notes say so. Channels lie along dimension 1 after convolutions and their normalisations, along the
    last after products with a matrix; else as for `halfwave.audit.audit`.

    Args:
        model: what `load_onnx` returned, or the path of a file.
        batches: an iterable of batches: a mapping from the names of the model's inputs to tensors or arrays, a tuple
            that begins with them in their order, or the only one.
        statistics: as for `halfwave.audit.audit`.

    Returns:
        The report.

    Raises:
        HalfwaveError: if the extra ``onnx`` is missing, the model has no rectifier, or it does not run on a batch.

    With the extra, for a model that takes ``x``::

        report = hw.audit.audit_onnx("model.onnx", [{"x": torch.randn(100, 3, 32, 32)}])
    """
    network = model if isinstance(model, OnnxNetwork) else load_onnx(model)
    full = checked_statistics(statistics) == "full"
    if not network.rectifiers:
        raise HalfwaveError("the model must have a rectifier in its main graph; got none")
    sites: dict[str, Site] = {}
    notes = dict.fromkeys((_NOT_PROVEN, *network.notes))
    count = 0
    for batch in iterate(batches):
        try:
            values = network.values(batch)
        except HalfwaveError as error:
            raise HalfwaveError(f"{error} (batch {count})") from error
        for node in network.rectifiers:
            _record(sites, notes, node, values, full, count)
        count += 1
    if not sites:
        raise HalfwaveError("`batches` must hold at least one sample; got none")
    layers = tuple(
        layer_report(name, SiteKey(name, site.rectifier.operation, 0, True), site, None)
        for name, site in sites.items()
    )
    return Report(layers, count, "any input", tuple(notes))


_NOT_PROVEN = (
    "proofs and neighbouring layers are not looked for in ONNX files; an exported program (.pt2) has them"
)


def _record(
    sites: dict[str, Site],
    notes: dict[str, None],
    node: RectifierNode,
    values: dict[str, np.ndarray],
    full: bool,
    batch: int,
) -> None:
    """Take what one node was given and made in one batch."""
    x = torch.from_numpy(values[node.given])
    if x.numel() == 0 or x.ndim == 0 or not x.is_floating_point():
        return
    if len(x) != next((len(value) for value in values.values() if value.ndim), None):  # the inputs come first
        notes[
            f"samples of {node.name} were counted along dimension 0, which is not as long as the batch: samples are "
            "not followed through ONNX files"
        ] = None
    dimension = fallback_dimension(x.ndim) if node.channels is None else node.channels % x.ndim
    site = sites.get(node.name)
    if site is None:
        site = sites[node.name] = Site(node.rectifier, dimension, x.shape[dimension], full)
    if (dimension, x.shape[dimension]) != (site.dimension, site.channels):
        notes[
            f"{node.name} had {site.channels} channels and then {x.shape[dimension]}: only the first were recorded"
        ] = None
        return
    site.take_input(x, node.rectifier, batch)
    # of max(0, x) only the shape of the result is read, which is that of the input
    site.take_output(x if node.rectifier.is_relu else torch.from_numpy(values[node.made]))
