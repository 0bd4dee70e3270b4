"""Exported programs: loaded as networks, audited as the model itself, and never run for anything else."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave import HalfwaveError
from halfwave.audit import Batches, ModelInput, audit, load_exported, read_arrays, sparsify
from halfwave.nn import ThresholdedReLU


class Net(nn.Module):
    """Modules, functions, a reused activation and a normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU()
        self.inner = nn.Linear(144, 10)
        self.head = nn.Sequential(nn.Linear(10, 5), nn.LeakyReLU(0.1), nn.Linear(5, 5), nn.GELU("tanh"))

    def forward(self, x: Tensor) -> Tensor:
        h = self.act(self.norm(self.conv(x)))
        return self.head(self.act(self.inner(h.flatten(1)).clamp(min=0) - 0.1))


class Attention(nn.Module):
    """Whole numbers in, sizes that are computed, text among the arguments, a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layer = nn.Embedding(7, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

    def forward(self, tokens: Tensor, *, mask: Tensor) -> Tensor:
        h = self.layer(self.table(tokens)).masked_fill(mask[..., None], 0.0)
        h = torch.einsum("bij,bkj->bik", h, h).reshape(tokens.shape[0] * tokens.shape[1], -1)
        return F.interpolate(h[None], size=2 * tokens.shape[1], mode="linear").relu()


def images(samples: int) -> Tensor:
    return torch.randn(samples, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def exported(model: nn.Module, path: Path, *args: Tensor, dynamic: bool = True, **kwargs: Tensor) -> Path:
    sizes = {0: torch.export.Dim.AUTO} if dynamic else {}
    shapes: dict[str, Any] = dict.fromkeys(kwargs, sizes)
    shapes |= dict.fromkeys(("tokens" if kwargs else "x",), sizes)
    program = torch.export.export(model.eval(), args, kwargs, dynamic_shapes=shapes if dynamic else None)
    torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Net, Path]:
    torch.manual_seed(0)
    model = Net()
    return model, exported(model, tmp_path_factory.mktemp("network") / "net.pt2", images(4))


# mistakes


@pytest.mark.parametrize("name", ["model.pt", "model.PTH", "model.pkl", "model.joblib", "model.ckpt"])
def test_pickles_are_refused_before_they_are_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(HalfwaveError, match=r"unpickled, which runs any code.*torch\.export\.save"):
        load_exported(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    with pytest.raises(HalfwaveError, match="cannot read .*No such file"):
        load_exported(tmp_path / "none.pt2")
    (tmp_path / "noise.pt2").write_bytes(b"noise" * 100)
    with pytest.raises(HalfwaveError, match="is no exported program"):
        load_exported(tmp_path / "noise.pt2")
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "weights.pt2")
    with pytest.raises(HalfwaveError, match="weights.pt2 is n"):
        load_exported(tmp_path / "weights.pt2")


def test_a_damaged_program(network: tuple[Net, Path], tmp_path: Path) -> None:
    content = network[1].read_bytes()
    (tmp_path / "half.pt2").write_bytes(content[: len(content) // 2])
    with pytest.raises(HalfwaveError, match="is no exported program"):
        load_exported(tmp_path / "half.pt2")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def rewritten(source: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """An archive with other parts."""
    with zipfile.ZipFile(source) as archive:
        parts = {name.split("/", 1)[1]: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(f"{target.stem}/{name}", content)
    return target


def trapped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save(Trap(folder / "sprung"), buffer)
    return buffer.getvalue()


def in_json(part: str, change: Callable[[Any, str], None]) -> Callable[[dict[str, bytes], Path], None]:
    def apply(parts: dict[str, bytes], folder: Path) -> None:
        content = json.loads(parts[part])
        change(content, f"__import__('os').mkdir('{folder / 'sprung'}')")
        parts[part] = json.dumps(content).encode()

    return apply


def program(change: Callable[[Any, str], None]) -> Callable[[dict[str, bytes], Path], None]:
    return in_json("models/model.json", change)


def payload(kind: str, **fields: Any) -> Callable[[dict[str, bytes], Path], None]:
    def apply(parts: dict[str, bytes], folder: Path) -> None:
        name = f"data/{kind}/model_{kind}_config.json"
        config = json.loads(parts[name])
        entry = next(iter(config["config"].values()), {"is_param": False, "tensor_meta": None})
        config["config"]["conv.weight"] = entry | fields
        parts[name] = json.dumps(config).encode()
        parts[f"data/{kind}/{config['config']['conv.weight']['path_name']}"] = trapped(folder)

    return apply


def graph(content: Any) -> Any:
    return content["graph_module"]["graph"]


def rename_input(content: Any, code: str) -> None:
    text = json.dumps(content).replace('"name": "x"', json.dumps(f"x={code}").join(['"name": ', ""]))
    text = text.replace('"x": {', json.dumps(f"x={code}") + ": {")
    content.update(json.loads(text))


def extra_part(name: str) -> Callable[[dict[str, bytes], Path], None]:
    def apply(parts: dict[str, bytes], folder: Path) -> None:
        parts[name] = b"\x7fELF"

    return apply


def pickled_inputs(parts: dict[str, bytes], folder: Path) -> None:
    parts["data/sample_inputs/model.pt"] = trapped(folder)


def expression(content: Any, code: str) -> None:
    text = json.dumps(content)
    first = text.index("Symbol(")
    symbol = text[first : text.index(')"', first) + 1]
    content.update(json.loads(text.replace(symbol, code.replace('"', "'"))))


def specification(content: Any, code: str) -> None:
    signature = content["graph_module"]["module_call_graph"][0]["signature"]
    signature["in_spec"] = signature["in_spec"].replace("builtins.tuple", "collections.defaultdict")


def enumeration(content: Any, code: str) -> None:
    signature = content["graph_module"]["module_call_graph"][0]["signature"]
    context = json.dumps({"__enum__": True, "fqn": "antigravity:fly", "name": "x"})
    signature["in_spec"] = signature["in_spec"].replace(
        '"context": "null"', f'"context": {json.dumps(context)}', 1
    )


REASONS = {
    "pickled sample inputs": "UnpicklingError",
    "a pickled weight": "UnpicklingError",
    "a custom object": "no tensor, 'conv.weight'",
    "an opaque object": "no tensor, 'conv.weight'",
    "a size that is code": 'the size "__import__',
    "a function of Python": "the function 'torch.os.mkdir'",
    "a call of anything": "the function '_operator.attrgetter'",
    "an operator that writes files": "the function 'torch.ops.aten.from_file.default'",
    "an argument name that is code": 'the name "x=__import__',
    "a module path that is code": "the module path",
    "another container": "arguments or results in a 'collections.defaultdict'",
    "a class to import": "arguments or results named",
    "compiled code": "the part 'data/aotinductor/model/model.so'",
}
ATTACKS: dict[str, Callable[[dict[str, bytes], Path], None]] = {
    "pickled sample inputs": pickled_inputs,
    "a pickled weight": payload("weights", use_pickle=True),
    "a custom object": payload("constants", path_name="custom_obj_0", use_pickle=True),
    "an opaque object": payload("constants", path_name="opaque_obj_0", use_pickle=True),
    "a size that is code": program(expression),
    "a function of Python": program(
        lambda content, code: graph(content)["nodes"][0].update(target="torch.os.mkdir")
    ),
    "a call of anything": program(
        lambda content, code: graph(content)["nodes"][0].update(target="_operator.attrgetter")
    ),
    "an operator that writes files": program(
        lambda content, code: graph(content)["nodes"][0].update(target="torch.ops.aten.from_file.default")
    ),
    "an argument name that is code": program(rename_input),
    "a module path that is code": program(
        lambda content, code: graph(content)["nodes"][0]["metadata"].update(
            nn_module_stack=f'a,a") or {code} #,b'
        )
    ),
    "another container": program(specification),
    "a class to import": program(enumeration),
    "compiled code": extra_part("data/aotinductor/model/model.so"),
}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_programs_that_would_run_code_are_refused(
    network: tuple[Net, Path], tmp_path: Path, name: str
) -> None:
    path = rewritten(network[1], tmp_path / "model.pt2", lambda parts: ATTACKS[name](parts, tmp_path))
    with pytest.raises(HalfwaveError, match="model.pt2 is n") as caught:
        load_exported(path)(images(2))
    assert REASONS[name] in str(caught.value)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["pickled sample inputs", "a pickled weight"])
def test_the_traps_are_real(network: tuple[Net, Path], tmp_path: Path, name: str) -> None:
    path = rewritten(network[1], tmp_path / "model.pt2", lambda parts: ATTACKS[name](parts, tmp_path))
    with pytest.raises(Exception):  # noqa: B017, PT011
        torch.export.load(path)
    assert (tmp_path / "sprung").exists()


def test_guards_in_the_file_are_not_run(network: tuple[Net, Path], tmp_path: Path) -> None:
    change = program(lambda content, code: content.update(guards_code=[code]))
    path = rewritten(network[1], tmp_path / "model.pt2", lambda parts: change(parts, tmp_path))
    load_exported(path)(images(3))
    assert not (tmp_path / "sprung").exists()


def test_arguments_in_containers_are_refused(tmp_path: Path) -> None:
    class Pair(nn.Module):
        def forward(self, pair: list[Tensor]) -> Tensor:
            return pair[0].relu() + pair[1]

    torch.export.save(torch.export.export(Pair(), ([torch.zeros(2), torch.zeros(2)],)), tmp_path / "pair.pt2")
    with pytest.raises(HalfwaveError, match="must be tensors, one by one"):
        load_exported(tmp_path / "pair.pt2")


# results


COUNTED = ("firing_rate", "dead", "always_on", "zero_share", "sample_rate", "nan_count")


def test_same_report_as_of_the_model(network: tuple[Net, Path]) -> None:
    model, path = network
    x = images(60)
    loaded = load_exported(path)
    report, expected = audit(loaded, [x[:50], x[50:]]), audit(model, [x[:50], x[50:]])
    names = ["act#0", "act#1", "(model):clamp#0", "head.1", "head.3"]
    assert [layer.name for layer in report.layers] == names == [layer.name for layer in expected.layers]
    assert report.batches == 2
    for layer, other in zip(report.layers, expected.layers, strict=True):
        assert (layer.samples, layer.kind, layer.channels) == (60, other.kind, other.channels)
        for name in COUNTED:
            np.testing.assert_array_equal(getattr(layer, name), getattr(other, name))
        np.testing.assert_allclose(layer.mean_before, other.mean_before, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.input_high, other.input_high)
    assert report.layer("head.1").before is not None


def test_inputs_by_place_and_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Attention()
    tokens, mask = torch.arange(10).reshape(2, 5) % 7, torch.zeros(2, 5, dtype=torch.bool)
    loaded = load_exported(exported(model, tmp_path / "attention.pt2", tokens, mask=mask, dynamic=False))
    assert loaded.inputs == (ModelInput("tokens", (2, 5), "int64"), ModelInput("mask", (2, 5), "bool"))
    torch.testing.assert_close(loaded(tokens, mask), model(tokens, mask=mask))
    torch.testing.assert_close(loaded(mask=mask, tokens=tokens), model(tokens, mask=mask))
    batches = Batches({"tokens": np.zeros((5, 5), np.uint8), "mask": np.ones((5, 5)) > 0}, loaded.inputs)
    report = audit(loaded, batches)
    assert (report.batches, batches.left_out, report.layers[0].operation) == (2, 1, "relu")


def test_results_may_be_containers(tmp_path: Path) -> None:
    class Results(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"layer.0": x.relu(), "both": [x, (x.abs(), x.sum())]}

    x = torch.randn(3, 2)
    loaded = load_exported(exported(Results(), tmp_path / "results.pt2", x, dynamic=False))
    torch.testing.assert_close(loaded(x)["layer.0"], x.relu())
    assert [layer.name for layer in audit(loaded, [x]).layers] == ["(model):relu#0"]


def test_sizes_that_are_computed_are_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Attention()
    tokens, mask = torch.arange(15).reshape(3, 5) % 7, torch.zeros(3, 5, dtype=torch.bool)
    path = exported(model, tmp_path / "attention.pt2", tokens, mask=mask)
    with zipfile.ZipFile(path) as archive:
        assert b"Mul(Integer(5), Symbol(" in archive.read("attention/models/model.json")
    more = torch.cat([tokens, tokens]), torch.cat([mask, mask])
    torch.testing.assert_close(load_exported(path)(*more), model(more[0], mask=more[1]))


def test_own_activations_keep_their_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    parts = [nn.Linear(4, 6), ThresholdedReLU(0.5), nn.Linear(6, 6), ThresholdedReLU(0.25, form="keep")]
    model, x = nn.Sequential(*parts), torch.randn(30, 4)
    report = audit(load_exported(exported(model, tmp_path / "own.pt2", x, dynamic=False)), [x])
    expected = audit(model, [x])
    assert [layer.name for layer in report.layers] == ["1", "3"]
    for layer, other in zip(report.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(layer.firing_rate, other.firing_rate)
        np.testing.assert_array_equal(layer.zero_share, other.zero_share)


def test_dynamic_batches_are_seen(network: tuple[Net, Path]) -> None:
    assert load_exported(network[1]).inputs == (ModelInput("x", (None, 1, 8, 8), "float32"),)


# data


X = ModelInput("x", (None, 3), "float32")
MISMATCHES: dict[str, tuple[dict[str, np.ndarray], dict[str, Any], str]] = {
    "other names": ({"a": np.zeros((2, 3)), "b": np.zeros((2, 3))}, {}, "hold 'a', 'b'.*takes x: float32"),
    "unknown name": ({"x": np.zeros((2, 3))}, {"names": ["y"]}, "hold 'x'.*got 'y'"),
    "too many names": ({"x": np.zeros((2, 3))}, {"names": ["x", "x"]}, "takes 1 input"),
    "too few axes": ({"x": np.zeros(3)}, {}, r"takes x: float32 \(samples, 3\); 'x' has shape \(samples\)"),
    "no axes": ({"x": np.zeros(())}, {}, "'x' has shape"),
    "other size": ({"x": np.zeros((2, 4))}, {}, r"\(samples, 4\), with 2 samples"),
    "no samples": ({"x": np.zeros((0, 3))}, {}, "at least one sample"),
    "pixels": ({"x": np.zeros((2, 3), np.uint8)}, {}, "holds uint8: scale it as for training"),
    "batch size": ({"x": np.zeros((2, 3))}, {"batch_size": 0}, "at least 1; got 0"),
}


@pytest.mark.parametrize("name", sorted(MISMATCHES))
def test_data_that_do_not_match(name: str) -> None:
    arrays, options, words = MISMATCHES[name]
    with pytest.raises(HalfwaveError, match=words):
        Batches(arrays, [X], **options)


def test_several_inputs_must_agree() -> None:
    inputs = [X, ModelInput("t", (None,), "int64")]
    with pytest.raises(HalfwaveError, match="'x' has 2, 't' has 3"):
        Batches({"x": np.zeros((2, 3)), "t": np.zeros(3, int)}, inputs)
    with pytest.raises(HalfwaveError, match="takes int64 and 't' holds float64"):
        Batches({"x": np.zeros((2, 3)), "t": np.zeros(2)}, inputs)
    swapped = Batches({"a": np.arange(2), "b": np.ones((2, 3), bool)}, inputs, ["b", "a"])
    batch = next(iter(swapped))
    assert (batch["x"].dtype, batch["t"].tolist()) == (torch.float32, [0, 1])


def test_fixed_batches() -> None:
    fixed = [ModelInput("x", (4, 3), "float32")]
    batches = Batches({"data": np.arange(30.0).reshape(10, 3)}, fixed)
    assert (len(batches), batches.left_out, [len(batch["x"]) for batch in batches]) == (2, 2, [4, 4])
    for samples, options in ((10, {"batch_size": 5}), (3, {})):
        with pytest.raises(HalfwaveError, match="batches of exactly 4 samples"):
            Batches({"x": np.zeros((samples, 3))}, fixed, **options)
    with pytest.raises(HalfwaveError, match="along dimension 0"):
        Batches({"x": np.zeros((6, 3)), "y": np.zeros((6, 3))}, [*fixed, ModelInput("y", (2, 3), "float32")])


def test_dynamic_batches_end_with_the_rest() -> None:
    batches = Batches({"x": np.zeros((5, 3))}, [X], batch_size=2)
    assert (len(batches), batches.left_out, [len(batch["x"]) for batch in batches]) == (3, 0, [2, 2, 1])


def test_arrays_from_files(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    values = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "one.npy", values)
    np.savez(tmp_path / "two.npz", a=values, b=values > 1)
    save_file({"a": values}, tmp_path / "three.safetensors")
    np.testing.assert_array_equal(read_arrays(tmp_path / "one.npy")["one"], values)
    assert sorted(read_arrays(tmp_path / "two.npz")) == ["a", "b"]
    np.testing.assert_array_equal(read_arrays(tmp_path / "three.safetensors")["a"], values)


def test_files_that_hold_no_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    np.savez(tmp_path / "words.npz", a=np.array(["a"]))
    np.savez(tmp_path / "empty.npz")
    (tmp_path / "noise.npy").write_bytes(b"noise")
    for name, words in {
        "objects.npz": "Python objects",
        "words.npz": "must hold numbers",
        "empty.npz": "no arrays",
        "noise.npy": "damaged",
        "none.npz": "No such file",
        "table.csv": "must be a file .npz, .npy or .safetensors",
    }.items():
        with pytest.raises(HalfwaveError, match=words):
            read_arrays(tmp_path / name)


@pytest.mark.filterwarnings("ignore")
def test_messages_have_words_of_the_user(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid())
    torch.export.save(torch.export.export(model, (torch.zeros(2, 4),)), tmp_path / "plain.pt2")
    network = load_exported(tmp_path / "plain.pt2")
    with pytest.raises(HalfwaveError, match="must call a rectifier; got none in Linear, Sequential, Sigmoid"):
        audit(network, [torch.zeros(2, 4)])
    with pytest.raises(
        HalfwaveError, match="got Linear, Sequential, Sigmoid: use the model that the program was"
    ):
        sparsify(network, [torch.zeros(2, 4)])
    with pytest.raises(
        HalfwaveError, match="the model must run on every batch; batch 0, float32 .3, 4., failed"
    ):
        audit(network, [torch.zeros(3, 4)])


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.filterwarnings("ignore::FutureWarning")  # torch's own, about its own containers
def test_samples_of_an_exported_transformer(decomposed: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval(), torch.randn(40, 5, 16)
    expected = audit(model, [x])
    program = torch.export.export(model, (x,))
    path = tmp_path / "transformer.pt2"
    torch.export.save(program, path)
    for network in ((program.run_decompositions() if decomposed else program).module(), load_exported(path)):
        report = audit(network, [x])
        assert report.notes == ()
        for one, other in zip(report.layers, expected.layers, strict=True):
            assert (one.samples, one.channels, one.channel_dimension) == (40, 32, 2)
            np.testing.assert_allclose(one.sample_rate, other.sample_rate, atol=0.03)


def test_zeros_are_counted_among_finite_inputs(tmp_path: Path) -> None:
    x = torch.randn(100, 6, generator=torch.Generator().manual_seed(0))
    x[:10] = torch.nan

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.act = nn.Linear(6, 4), nn.GELU()

        def forward(self, x: Tensor) -> Tensor:
            return self.act(self.layer(x))

    path = exported(Net(), tmp_path / "gelu.pt2", x)
    (layer,) = audit(load_exported(path), [x]).layers
    np.testing.assert_array_equal(layer.zero_share, 0.0)
