"""ONNX files: every rectifier judged on its own input, with the counts that torch gives."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave import HalfwaveError
from halfwave.audit import LayerReport, ModelInput, audit, audit_onnx, load_onnx
from halfwave.nn import ThresholdedReLU

onnx = pytest.importorskip("onnx", reason="needs the extra `onnx`")
pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")

node = onnx.helper.make_node
COUNTED = (
    "firing_rate",
    "rate_below",
    "rate_above",
    "sample_rate",
    "dead",
    "always_on",
    "zero_share",
    "nan_count",
)


def saved(
    path: Path,
    nodes: list[Any],
    shape: tuple[int | str, ...] = ("n", 6),
    constants: dict[str, Any] | None = None,
    opset: int = 17,
    functions: tuple[Any, ...] = (),
    domains: tuple[str, ...] = (),
) -> Path:
    """A model that takes ``x`` and gives the last node's result."""
    inputs = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)]
    result = onnx.helper.make_empty_tensor_value_info(nodes[-1].output[0])
    tensors = [
        onnx.numpy_helper.from_array(np.asarray(value, np.float32), name)
        for name, value in (constants or {}).items()
    ]
    graph = onnx.helper.make_graph(nodes, "network", inputs, [result], tensors)
    versions = [onnx.helper.make_opsetid("", opset), *(onnx.helper.make_opsetid(name, 1) for name in domains)]
    model = onnx.helper.make_model(graph, opset_imports=versions, functions=functions, ir_version=10)
    onnx.save(model, path)
    return path


def values(samples: int = 40, features: int = 6) -> Tensor:
    """Multiples of 1/4, with which networks of such weights compute exactly."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(-16, 17, (samples, features), generator=generator) / 4


def check_same(layer: LayerReport, expected: LayerReport) -> None:
    assert (layer.samples, layer.elements, layer.channels) == (
        expected.samples,
        expected.elements,
        expected.channels,
    )
    assert (layer.kind, layer.thresholded) == (expected.kind, expected.thresholded)
    for name in COUNTED:
        np.testing.assert_array_equal(getattr(layer, name), getattr(expected, name), err_msg=name)
    for name in ("mean_before", "std_before", "min_after", "max_after", "mean_after"):
        np.testing.assert_allclose(getattr(layer, name), getattr(expected, name), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.histogram_before.counts, expected.histogram_before.counts)


class Function(nn.Module):
    """One function as a model."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


# mistakes


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(HalfwaveError, match="no such file"):
        load_onnx(tmp_path / "none.onnx")
    (tmp_path / "noise.onnx").write_bytes(b"noise" * 50)
    with pytest.raises(HalfwaveError, match="is no ONNX model that can be run"):
        load_onnx(tmp_path / "noise.onnx")
    path = saved(
        tmp_path / "unknown.onnx", [node("Wonder", ["x"], ["y"], domain="nowhere")], domains=("nowhere",)
    )
    with pytest.raises(HalfwaveError, match="is no ONNX model that can be run"):
        load_onnx(path)


def test_no_rectifier_no_batch_no_sample(tmp_path: Path) -> None:
    plain = saved(tmp_path / "plain.onnx", [node("Tanh", ["x"], ["y"])])
    with pytest.raises(HalfwaveError, match="must have a rectifier in its main graph"):
        audit_onnx(plain, [values()])
    relu = saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"])])
    for batches in ([], [torch.zeros(0, 6)]):
        with pytest.raises(HalfwaveError, match="at least one sample"):
            audit_onnx(relu, batches)


def test_batches_that_do_not_fit(tmp_path: Path) -> None:
    network = load_onnx(saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"])]))
    with pytest.raises(HalfwaveError, match="does not run on these data: .*dimensions"):
        audit_onnx(network, [values(features=5)])
    with pytest.raises(HalfwaveError, match="does not run on these data: .*double"):
        audit_onnx(network, [values().double()])
    with pytest.raises(HalfwaveError, match="must hold the model's inputs 'x'; got 'y'"):
        audit_onnx(network, [{"y": values()}])
    with pytest.raises(HalfwaveError, match='"full" or "light"'):
        audit_onnx(network, [values()], statistics="some")  # pyright: ignore[reportArgumentType]


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"])])
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from halfwave.audit import load_onnx\n"
        f"load_onnx({str(path)!r})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'ONNX files need the extra "onnx": pip install' in found.stderr.splitlines()[-1]


# one node each, against torch


ONE: dict[str, tuple[list[Any], dict[str, Any], int, Any]] = {
    "Relu": ([node("Relu", ["x"], ["y"])], {}, 17, F.relu),
    "LeakyRelu": ([node("LeakyRelu", ["x"], ["y"], alpha=0.25)], {}, 17, lambda x: F.leaky_relu(x, 0.25)),
    "PRelu": (
        [node("PRelu", ["x", "slope"], ["y"])],
        {"slope": [0.5] * 6},
        17,
        lambda x: F.prelu(x, torch.full((6,), 0.5)),
    ),
    "ThresholdedRelu": (
        [node("ThresholdedRelu", ["x"], ["y"], alpha=1.5)],
        {},
        17,
        lambda x: F.threshold(x, 1.5, 0.0),
    ),
    "Clip with attributes": ([node("Clip", ["x"], ["y"], min=0.0, max=2.0)], {}, 6, lambda x: x.clamp(0, 2)),
    "Clip with an attribute": ([node("Clip", ["x"], ["y"], min=0.0)], {}, 6, lambda x: x.clamp(min=0)),
    "Clip with inputs": (
        [node("Clip", ["x", "low", "high"], ["y"])],
        {"low": 0.0, "high": 2.0},
        17,
        lambda x: x.clamp(0, 2),
    ),
    "Clip with one input": ([node("Clip", ["x", "low"], ["y"])], {"low": 0.0}, 17, lambda x: x.clamp(min=0)),
    "Clip both ways": (
        [node("Clip", ["x", "low", "high"], ["y"])],
        {"low": -1.0, "high": 1.0},
        17,
        F.hardtanh,
    ),
    "Max": (
        [node("Max", ["x", "zero"], ["y"])],
        {"zero": 0.0},
        17,
        lambda x: torch.maximum(x, torch.zeros(())),
    ),
    "Max the other way": (
        [node("Max", ["zero", "x"], ["y"])],
        {"zero": [0.0] * 6},
        17,
        lambda x: torch.maximum(x, torch.zeros(6)),
    ),
    "Shrink": ([node("Shrink", ["x"], ["y"], lambd=1.0)], {}, 17, lambda x: F.hardshrink(x, 1.0)),
    "Elu": ([node("Elu", ["x"], ["y"], alpha=1.0)], {}, 17, F.elu),
    "Selu": ([node("Selu", ["x"], ["y"])], {}, 17, F.selu),
    "Celu": ([node("Celu", ["x"], ["y"], alpha=2.0)], {}, 17, lambda x: F.celu(x, 2.0)),
    "Gelu": ([node("Gelu", ["x"], ["y"])], {}, 20, F.gelu),
    "HardSwish": ([node("HardSwish", ["x"], ["y"])], {}, 17, F.hardswish),
    "Mish": ([node("Mish", ["x"], ["y"])], {}, 18, F.mish),
    "Softplus": ([node("Softplus", ["x"], ["y"])], {}, 17, F.softplus),
    "Where below": (
        [node("LessOrEqual", ["x", "kink"], ["c"]), node("Where", ["c", "zero", "x"], ["y"])],
        {"kink": 0.75, "zero": 0.0},
        17,
        lambda x: F.threshold(x, 0.75, 0.0),
    ),
    "Where above, a kink a unit": (
        [node("Greater", ["x", "kink"], ["c"]), node("Where", ["c", "x", "zero"], ["y"])],
        {"kink": [0.0, 0.25, 0.5, 1.0, 1.5, 2.0], "zero": 0.0},
        17,
        ThresholdedReLU(torch.tensor([0.0, 0.25, 0.5, 1.0, 1.5, 2.0]), form="keep"),
    ),
    "SiLU": ([node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"], ["y"])], {}, 17, F.silu),
}


@pytest.mark.parametrize("name", sorted(ONE))
def test_each_operator_is_judged_as_the_function_of_torch(name: str, tmp_path: Path) -> None:
    nodes, constants, opset, function = ONE[name]
    nodes[-1].name = "act"
    x = values()
    path = saved(tmp_path / "one.onnx", nodes, constants=constants, opset=opset)
    report, expected = audit_onnx(path, [x[:30], x[30:]]), audit(Function(function), [x[:30], x[30:]])
    assert [layer.name for layer in report.layers] == ["act"]
    assert report.batches == 2
    check_same(report.layers[0], expected.layers[0])


OTHERS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Clip from another number": ([node("Clip", ["x", "low"], ["y"])], {"low": 1e-6}),
    "Where of two values": (
        [node("Less", ["x", "one"], ["c"]), node("Neg", ["x"], ["z"]), node("Where", ["c", "z", "x"], ["y"])],
        {"one": 1.0},
    ),
    "Where the wrong way": (
        [node("Less", ["x", "one"], ["c"]), node("Where", ["c", "x", "one"], ["y"])],
        {"one": 1.0},
    ),
    "Max of two values": ([node("Neg", ["x"], ["z"]), node("Max", ["x", "z"], ["y"])], {}),
    "Max with ones": ([node("Max", ["x", "one"], ["y"])], {"one": 1.0}),
    "Mul of two values": ([node("Neg", ["x"], ["z"]), node("Mul", ["x", "z"], ["y"])], {}),
    "Relu of a constant": ([node("Relu", ["c"], ["z"]), node("Add", ["x", "z"], ["y"])], {"c": [1.0] * 6}),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_what_is_no_rectifier(name: str, tmp_path: Path) -> None:
    nodes, constants = OTHERS[name]
    assert load_onnx(saved(tmp_path / "other.onnx", nodes, constants=constants)).rectifiers == ()


# whole networks


class Net(nn.Module):
    """Convolution, normalisation, a reused activation, a limit at 0; weights and data are multiples of 1/4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.leaky = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.LeakyReLU(0.25)
        self.first, self.second = nn.Linear(16, 10), nn.Linear(10, 5)
        generator = torch.Generator().manual_seed(0)
        for value in self.parameters():
            value.data = torch.randint(-3, 4, value.shape, generator=generator) / 4

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.conv(x)).flatten(1)
        return self.act(self.second(self.leaky(self.first(h).clamp(min=0, max=6))))


def test_counts_equal_those_of_the_exported_network(tmp_path: Path) -> None:
    model, x = Net().eval(), values(50, 16).reshape(50, 1, 4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        torch.onnx.export(
            model,
            (x,),
            tmp_path / "net.onnx",
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("n")},),
            verbose=False,
        )
    network = load_onnx(tmp_path / "net.onnx")
    assert [(entry.shape, entry.dtype) for entry in network.inputs] == [((None, 1, 4, 4), "float32")]
    report, expected = audit_onnx(network, [x[:20], x[20:]]), audit(model, [x[:20], x[20:]])
    assert len(report.layers) == 4
    assert any("proofs" in note for note in report.notes)
    first, again, *others = expected.layers
    assert (first.name, again.name) == (
        "act#0",
        "act#1",
    )  # calls of one module together; a file knows only nodes
    for layer, other in zip(report.layers, [first, *others, again], strict=True):
        check_same(layer, other)
    assert report.headline.split(";")[0] == expected.headline.split(";")[0]


def test_channels_follow_the_layer_before(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        node("Conv", ["x", "kernel"], ["a"], pads=[1, 1]),
        node("Add", ["a", "shift"], ["b"]),
        node("Relu", ["b"], ["c"], "second"),
        node("Transpose", ["c"], ["d"], perm=[0, 2, 1]),
        node("Relu", ["d"], ["e"], "turned"),
        node("MatMul", ["e", "matrix"], ["f"]),
        node("Relu", ["f"], ["g"], "last"),
    ]
    constants = {
        "kernel": rng.normal(size=(5, 3, 3)),
        "shift": rng.normal(size=(5, 1)),
        "matrix": rng.normal(size=(5, 7)),
    }
    path = saved(tmp_path / "channels.onnx", nodes, ("n", 3, 8), constants)
    layers = audit_onnx(path, [torch.randn(10, 3, 8)]).layers
    assert [(layer.name, layer.channel_dimension, layer.channels) for layer in layers] == [
        ("second", 1, 5),
        ("turned", 2, 5),
        ("last", 2, 7),
    ]
    assert [layer.elements for layer in layers] == [80, 80, 80]


def test_functions_are_written_out_and_names_made_unique(tmp_path: Path) -> None:
    body = [node("Relu", ["a"], ["b"], "act")]
    function = onnx.helper.make_function(
        "own", "Twice", ["a"], ["b"], body, [onnx.helper.make_opsetid("", 17)]
    )
    nodes = [
        node("Twice", ["x"], ["h"], domain="own"),
        node("Neg", ["h"], ["g"]),
        node("Twice", ["g"], ["f"], domain="own"),
        node("Relu", ["f"], ["y"]),
    ]
    path = saved(tmp_path / "function.onnx", nodes, functions=(function,), domains=("own",))
    report = audit_onnx(path, [values()])
    names = [layer.name for layer in report.layers]
    assert len(set(names)) == 3
    assert names[-1] == "Relu:y"
    assert report.layers[1].dead.all()


def test_subgraphs_and_computed_limits_are_noted(tmp_path: Path) -> None:
    result = onnx.helper.make_empty_tensor_value_info("inner")
    branches = [
        onnx.helper.make_graph([node(kind, ["x"], ["inner"])], kind, [], [result]) for kind in ("Relu", "Neg")
    ]
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Greater", ["most", "zero"], ["yes"]),
        node("If", ["yes"], ["h"], "choice", then_branch=branches[0], else_branch=branches[1]),
        node("Clip", ["h", "most"], ["k"], "limit"),
        node("Relu", ["k"], ["y"], "act"),
    ]
    report = audit_onnx(saved(tmp_path / "branch.onnx", nodes, constants={"zero": 0.0}), [values()])
    assert [layer.name for layer in report.layers] == ["act"]
    notes = " ".join(report.notes)
    assert "If choice holds 1 rectifier in a subgraph" in notes
    assert "limits of Clip limit are computed" in notes


def test_weights_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", ["x", "matrix"], ["h"]), node("Relu", ["h"], ["y"], "act")]
    folder = tmp_path / "folder"
    folder.mkdir()
    path = saved(folder / "inside.onnx", nodes, constants={"matrix": rng.normal(size=(6, 400))})
    onnx.save(onnx.load(path), folder / "outside.onnx", save_as_external_data=True, size_threshold=0)
    monkeypatch.chdir(tmp_path)
    reports = [audit_onnx(Path("folder") / name, [values()]) for name in ("inside.onnx", "outside.onnx")]
    check_same(reports[1].layers[0], reports[0].layers[0])


def test_channels_that_vary_and_numbers_without_a_place_are_left_out(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Relu", ["most"], ["one"], "one"),
        node("Relu", ["x"], ["some"], "some"),
        node("Add", ["one", "some"], ["y"]),
    ]
    path = saved(tmp_path / "any.onnx", nodes, ("n", "m"))
    report = audit_onnx(path, [values(), values(features=3)])
    assert [(layer.name, layer.samples) for layer in report.layers] == [("some", 40)]
    assert "some had 6 channels and then 3: only the first were recorded" in report.notes


def test_nan_is_found_and_located(tmp_path: Path) -> None:
    path = saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"], "act")])
    x = values()
    x[3, 2] = torch.nan
    report = audit_onnx(path, [values(), (x, torch.zeros(40))])
    first = report.layer("act").first_non_finite
    assert first is not None
    assert (first.batch, first.sample, first.channel) == (1, 3, 2)
    assert report.headline.startswith("Not finite")


def test_inputs_are_described_and_taken_by_name_or_place(tmp_path: Path) -> None:
    network = load_onnx(saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"], "act")], (4, 6)))
    assert network.inputs == (ModelInput("x", (4, 6), "float32"),)
    x = values(4)
    array = x.numpy()
    array.flags.writeable = False
    for batch in (x, (x, x), {"x": x, "labels": x}, array):
        check_same(audit_onnx(network, [batch]).layers[0], audit(nn.ReLU(), [x]).layers[0])
    check_same(
        audit_onnx(network, [x], statistics="light").layers[0],
        audit(nn.ReLU(), [x], statistics="light").layers[0],
    )


def test_the_number_of_the_batch_is_named(tmp_path: Path) -> None:
    network = load_onnx(saved(tmp_path / "relu.onnx", [node("Relu", ["x"], ["y"])]))
    for bad in (values(features=5), values().to("meta"), [[1.0, 2.0], [3.0]], None, "a"):
        with pytest.raises(HalfwaveError, match=r"\(batch 1\)") as caught:
            audit_onnx(network, [values(), bad])
        assert "\n" not in str(caught.value)


def test_samples_elsewhere_are_noted(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["x"], ["a"], perm=[1, 0, 2]), node("Relu", ["a"], ["b"], "turned")]
    network = load_onnx(saved(tmp_path / "turned.onnx", nodes, ("n", 5, 6)))
    report = audit_onnx(network, [values(40, 30).reshape(40, 5, 6)])
    assert report.layers[0].samples == 5
    assert sum("samples of turned were counted along dimension 0" in note for note in report.notes) == 1


def test_zeros_are_counted_among_finite_inputs(tmp_path: Path) -> None:
    x = values(100, 6)
    x[:10] = np.nan
    network = load_onnx(saved(tmp_path / "leaky.onnx", [node("LeakyRelu", ["x"], ["y"])]))
    (layer,) = audit_onnx(network, [x]).layers
    np.testing.assert_allclose(layer.zero_share, (x[10:] == 0).double().mean(0))
