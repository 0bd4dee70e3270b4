"""``halfwave audit``: what it prints and writes, and what it says to mistakes."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_calls import call, failed
from torch import nn

from halfwave.audit import audit


def network() -> nn.Sequential:
    """The first layer has one dead and one always-on unit."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3), nn.LeakyReLU())
    with torch.no_grad():
        model[0].bias[0], model[0].bias[1] = -50.0, 50.0
        model[2].weight[:, 1] = 0.0
    return model


def numbers(samples: int = 120) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(samples, 4))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of any batch size, one of batches of 32, and data."""
    monkeypatch.chdir(tmp_path)
    shapes = ({0: torch.export.Dim.AUTO},)
    example = (torch.zeros(32, 4),)
    torch.export.save(torch.export.export(network(), example, dynamic_shapes=shapes), "model.pt2")
    torch.export.save(torch.export.export(network(), example), "fixed.pt2")
    np.savez("data.npz", x=numbers(), y=np.zeros(120))
    np.savez("named.npz", input=numbers(), labels=np.zeros(120))
    np.save("one.npy", numbers().astype(np.float32))
    return tmp_path


# mistakes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.pt2", "data.npz"), ("cannot read none.pt2",)),
        (("none.onnx", "data.npz"), ("cannot read none.onnx",)),
        (("model.pt", "data.npz"), ("unpickled, which runs any code", "torch.export.save")),
        (("model.joblib", "data.npz"), ("unpickled",)),
        (("model.h5", "data.npz"), ("must be an exported program (.pt2) or an ONNX file (.onnx)",)),
        (("data.npz", "model.pt2"), ("got data.npz",)),
        (("model.pt2", "none.npz"), ("cannot read none.npz",)),
        (("model.pt2", "table.csv"), ("must be a file .npz, .npy or .safetensors",)),
        (("model.pt2", "objects.npy"), ("Python objects",)),
        (("model.pt2", "empty.npy"), ("at least one sample",)),
        (("model.pt2", "wide.npy"), ("takes input: float32 (samples, 4)", "(samples, 5)")),
        (("model.pt2", "bytes.npy"), ("holds uint8", "x / 255")),
        (("model.pt2", "data.npz", "--inputs", "z"), ("got 'z'", "'x', 'y'")),
        (("model.pt2", "data.npz", "--inputs", "x,y"), ("takes 1 input",)),
        (("model.pt2", "one.npy", "--batch-size", "0"), ("at least 1",)),
        (("model.pt2", "one.npy", "--input-range", "1", "0"), ("low ≤ high",)),
        (("fixed.pt2", "one.npy", "--batch-size", "7"), ("exactly 32 samples", "batch size of 7")),
        (("model.onnx", "one.npy", "--input-range", "0", "1"), ("--input-range", "ONNX")),
        (("plain.pt2", "one.npy"), ("must call a rectifier",)),
    ],
)
def test_mistakes_end_in_one_sentence(
    files: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    np.save("empty.npy", numbers(0))
    np.save("wide.npy", np.zeros((3, 5)))
    np.save("bytes.npy", np.zeros((3, 4), np.uint8))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    Path("model.pt").write_bytes(pickle.dumps({}))
    if arguments[0] == "plain.pt2":
        torch.export.save(torch.export.export(nn.Sequential(nn.Tanh()), (torch.zeros(120, 4),)), "plain.pt2")
    if arguments[0] == "model.onnx":
        pytest.importorskip("onnxruntime")
        write_onnx(Path("model.onnx"))
    failed(call(capsys, "audit", *arguments), *words)
    assert not list(files.glob("*_audit.*"))


def write_onnx(path: Path) -> None:
    import onnx

    model = network()
    given = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ("n", 4))
    made = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ("n", 3))
    nodes = [
        onnx.helper.make_node("Gemm", ["input", "0.weight", "0.bias"], ["a"], transB=1),
        onnx.helper.make_node("Relu", ["a"], ["b"], "1"),
        onnx.helper.make_node("Gemm", ["b", "2.weight", "2.bias"], ["c"], transB=1),
        onnx.helper.make_node("LeakyRelu", ["c"], ["y"], "3", alpha=0.01),
    ]
    tensors = [
        onnx.numpy_helper.from_array(value.numpy(), name) for name, value in model.state_dict().items()
    ]
    graph = onnx.helper.make_graph(nodes, "network", [given], [made], tensors)
    versions = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=versions, ir_version=10), path)


def test_a_report_that_cannot_be_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "file").write_text("in the way", encoding="utf-8")
    failed(call(capsys, "audit", "model.pt2", "one.npy", "--output", "file/name"), "cannot write")


# results


def test_the_report_is_that_of_the_library(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, errors = call(capsys, "audit", "model.pt2", "named.npz", "--inputs", "input")
    assert (status, errors) == (0, "")
    x = torch.from_numpy(numbers()).float()
    expected = audit(network(), [x])
    assert text.startswith(str(expected))
    assert text.splitlines()[-2:] == ["report: model_audit.html", "numbers: model_audit.json"]
    found, wanted = json.loads(Path("model_audit.json").read_text()), json.loads(expected.to_json())
    assert found["headline"] == wanted["headline"]
    assert found["verdicts"] == wanted["verdicts"]
    for layer, other in zip(found["layers"], wanted["layers"], strict=True):
        for name in ("name", "kind", "samples", "firing_rate", "dead", "always_on", "zero_share"):
            assert layer[name] == other[name]
        np.testing.assert_allclose(layer["mean_before"], other["mean_before"], rtol=1e-4)
    page = Path("model_audit.html").read_text(encoding="utf-8")
    assert "Audit of model.pt2" in page
    assert not list(files.glob("*.partial"))


def test_json_goes_to_standard_output(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = call(
        capsys, "audit", "model.pt2", "one.npy", "--json", "--input-range", "-9", "9", "--output", "out/"
    )
    assert status == 0
    content = json.loads(text)
    assert content == json.loads(Path("out/audit.json").read_text())
    assert content["input_range"] == "inputs between -9 and 9"
    first = content["layers"][0]
    assert first["provably_dead"] == [True] + [False] * 9
    assert first["provably_always_on"] == [False, True] + [False] * 8
    assert Path("out/audit.html").exists()


def test_fixed_batches_leave_out_the_rest_and_say_so(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text, errors = call(capsys, "audit", "fixed.pt2", "one.npy", "--output", "sub/name")
    assert status == 0
    assert "note: the last 24 samples of 120 do not fill a batch of 32 and are left out" in errors
    assert "96 samples" in text
    assert Path("sub/name.html").exists()
    assert Path("sub/name.json").exists()


def test_many_batches_show_progress(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, errors = call(capsys, "audit", "model.pt2", "one.npy", "--batch-size", "2")
    assert status == 0
    assert "auditing" in errors
    assert "120 samples" in errors


def test_nan_in_the_data_is_the_first_thing_said(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = numbers()
    x[5, 2] = np.nan
    np.save("holes.npy", x)
    status, text, _ = call(capsys, "audit", "model.pt2", "holes.npy", "--output", str(files))
    assert status == 0
    assert text.startswith("Not finite")
    assert "batch 0, sample 5" in text
    assert (files / "audit.html").exists()


def test_onnx_gives_the_same_layers(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    write_onnx(files / "model.onnx")
    status, text, _ = call(capsys, "audit", "model.onnx", "one.npy", "--json")
    assert status == 0
    expected = json.loads(audit(network(), [torch.from_numpy(numbers()).float()]).to_json())
    for layer, other in zip(json.loads(text)["layers"], expected["layers"], strict=True):
        assert layer["name"] == other["name"]
        assert layer["dead"] == other["dead"]
        assert layer["firing_rate"] == other["firing_rate"]
