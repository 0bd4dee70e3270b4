"""What the room "Machine" is told of runs, units and pictures is what the library says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorer_machines import (
    CHAINS,
    ask,
    pixels,
    random_machine,
    session_of,
    write_run,
)

from halfwave import datasets
from halfwave.explorer.machine.answers import RECORDED
from halfwave.explorer.machine.part import MachinePart
from halfwave.explorer.machine.pictures import SiteScale
from halfwave.explorer.server.protocol import answer
from halfwave.explorer.session.session import Session
from halfwave.rbm.features import feature_importance, hidden_profiles, order_by_importance
from halfwave.rbm.machine import RBM
from halfwave.runs.folder import RunFolder
from halfwave.units import UNITS, Binary, DReLU

# the run that is open


def test_run_is_described_as_the_library_does(session: Session, run: Any) -> None:
    got = ask(session, "open")
    train = torch.as_tensor(datasets.load("digits").train)
    importance = feature_importance(run.rbm, train)
    assert got["importance"] == [float(value) for value in importance]
    assert got["order"] == order_by_importance(importance).tolist()
    folder = RunFolder.open(
        Path(sys.modules["halfwave.explorer.machine.opening"].__file__ or "").parent / "machines/digits"
    )
    evaluation = folder.read_json("evaluation.json")
    assert evaluation is not None
    assert got["evaluation"]["held_out_log_likelihood"] == evaluation["held_out_log_likelihood"]
    assert got["parameters"] == 64 * 64 + 64 + 4 * 64
    assert got["data"] == {"counts": (1527, 270), "used": 1527, "note": None}
    features = pixels(got["features"]).reshape(64, 64).astype(float)
    weights = run.weights.T[got["order"]].double().numpy()
    np.testing.assert_allclose((features - 128) / 127 * got["reach"], weights, atol=0.51 * got["reach"] / 127)


@pytest.mark.parametrize("rank", [0, 5, 63])
def test_unit_is_described_as_the_library_does(session: Session, run: Any, rank: int) -> None:
    got = ask(session, "unit", rank=rank)
    unit = got["unit"]
    assert run.order[rank] == unit
    profiles = hidden_profiles(run.rbm, run.data, [unit], points=101, bins=40)
    for key in ("edges", "input_density", "inputs", "mean", "mode", "values", "marginal"):
        want = getattr(profiles, key)[0]
        np.testing.assert_allclose(got[key], want, rtol=6e-4, atol=1e-4 * np.abs(want).max(), err_msg=key)
    np.testing.assert_allclose(got["conditional"], profiles.conditional[0], rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(got["quantile_inputs"], profiles.quantile_inputs[0], rtol=1e-4, atol=1e-5)
    alone = DReLU(**{key: torch.tensor([value]) for key, value in got["parameters"].items()})
    assert alone.theta_pos[0] == run.rbm.hidden.theta_pos[unit]
    potential = alone.energies(torch.tensor(got["values"]).unsqueeze(-1)).squeeze(-1)
    np.testing.assert_allclose(got["potential"], potential, rtol=1e-3, atol=1e-3)
    activity = run.rbm.mean_h_from_v(run.data)[:, unit]
    assert got["activity"] == pytest.approx(
        [activity.mean().item(), activity.min().item(), activity.max().item()], rel=1e-5
    )
    assert got["range"] == pytest.approx(
        [profiles.values.min().item(), profiles.values.max().item()], rel=1e-5
    )


def test_moved_unit_shows_the_mean_and_the_nearest_data(session: Session, run: Any) -> None:
    unit, value = run.order[2], 1.25
    got = ask(session, "move", rank=2, value=value)
    activities = run.rbm.mean_h_from_v(run.data)
    h = activities.mean(0)
    h[unit] = value
    mean = run.rbm.mean_v_from_h(h)
    np.testing.assert_allclose(pixels(got["prefers"]) / 255, mean.flatten(), atol=0.51 / 255)
    distances = (activities[:, unit] - value).abs().sort().values[:8]
    found = torch.tensor(got["activities"])
    np.testing.assert_allclose((found - value).abs().sort().values, distances, atol=1e-6)
    shown = torch.as_tensor(pixels(got["nearest"]).reshape(8, 8, 8) / 255, dtype=torch.float32)
    np.testing.assert_allclose(run.rbm.mean_h_from_v(shown)[:, unit], found, rtol=1e-4, atol=1e-5)
    still = ask(session, "move", rank=2, value=None)
    assert still["value"] == pytest.approx(float(activities[:, unit].mean()), rel=1e-5)


def test_large_data_are_thinned_and_counted(tmp_path: Path) -> None:
    values = (np.random.default_rng(0).random((24_000, 4)) < 0.5).astype(np.uint8)
    path = write_run(tmp_path / "many", random_machine("Binary", "ReLU"), values)
    got = ask(session_of(path), "open", "many")
    assert got["data"] == {"counts": (20_400, 3600), "used": 6800, "note": None}


# pictures and levels


@pytest.mark.parametrize(
    ("unit", "shape", "levels", "values"),
    [
        ("Binary", 3, [-1, 0, 1], [0, 0, 1]),
        ("Spin", 3, [-1, 0, 1], [0, -1, 1]),
        ("Gaussian", 3, [-1, 0, 4], [0, -2, 2]),
        ("ReLU", 3, [-1, 0, 4], [0, 0, 2]),
    ],
)
def test_levels_become_values_and_pictures(
    unit: str, shape: int, levels: list[int], values: list[float]
) -> None:
    scale = SiteScale(UNITS[unit](shape), torch.zeros(shape), torch.ones(shape))
    mask, got = scale.values(levels)
    assert mask.tolist() == [False, True, True]
    assert got[mask].tolist() == values[1:]
    assert len(pixels(scale.pictures(got.unsqueeze(0)))) == shape


def test_colours_become_one_hot_sites() -> None:
    scale = SiteScale(UNITS["Potts"]((3, 4)), torch.zeros(3, 4), torch.ones(3, 4))
    mask, got = scale.values([2, -1, 0])
    assert mask[:, 0].tolist() == [True, False, True]
    assert (got.argmax(-1)[mask[:, 0]].tolist(), scale.levels, scale.sites) == ([2, 0], 4, 3)
    assert pixels(scale.pictures(got.unsqueeze(0))).tolist()[0::2] == [2, 0]


@pytest.mark.parametrize("visible", ["Spin", "Potts", "Gaussian"])
@pytest.mark.parametrize("hidden", ["Binary", "Spin", "Gaussian", "ReLU", "PReLU"])
def test_every_pair_of_layers_opens(tmp_path: Path, visible: str, hidden: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "Spin": np.where(rng.random((40, 6)) < 0.5, -1, 1).astype(np.int8),
        "Potts": rng.integers(0, 3, (40, 6)).astype(np.uint8),
        "Gaussian": rng.normal(size=(40, 6)),
    }[visible]
    kind = {"Potts": "categorical", "Gaussian": "real"}.get(visible, "auto")
    shape = (6, int(values.max()) + 1) if visible == "Potts" else 6
    session = session_of(
        write_run(tmp_path / "run", random_machine(visible, hidden, shape, scale=0.1), values, kind)
    )
    got = ask(session, "open", "run")
    assert got["data"]["note"] is None
    assert (got["visible"]["unit"], got["visible"]["sites"], got["hidden"]["unit"]) == (visible, 6, hidden)
    unit = ask(session, "unit", "run", rank=1)
    high = unit["range"][1]
    ask(session, "move", "run", rank=1, value=high)
    ask(session, "step", "run", **CHAINS, steps=5, held={"rank": 1, "value": high})
    part = session.part(MachinePart)
    assert part.chains is not None
    assert bool((part.chains[1].h[:, unit["unit"]] == high).all())
    filled = ask(session, "fill", "run", seed=0, temperature=0.5, steps=5, clamped=[1] + [-1] * 5)
    assert json.dumps([got, unit, filled], allow_nan=False)


# the page without Python


def test_recorded_answers_are_small_and_plain() -> None:
    session, total = Session(), 0
    for kind, payload in RECORDED:
        message = json.dumps({"id": 1, "kind": kind, "payload": payload})
        reply = json.loads(answer(session, message))
        assert "error" not in reply, kind
        total += len(json.dumps(reply["payload"]))
    assert total < 400_000


def test_torch_waits_for_the_first_question() -> None:
    program = (
        "import sys; from halfwave.explorer.server import answers as a; from halfwave.explorer.session import session;"
        ""
        "print('torch' in sys.modules); a.answer_of('machine.list')(session.Session(), {});"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_a_machine_is_not_changed_by_its_room(run: Any) -> None:
    before = {key: value.clone() for key, value in run.rbm.named_parameters()}
    session = Session()
    ask(session, "step", **{**CHAINS, "temperature": 0.3}, steps=5)
    part = session.part(MachinePart)
    assert part.run is not None
    after = dict(part.run.rbm.named_parameters())
    assert all(bool((after[key] == value).all()) for key, value in before.items())
    assert isinstance(part.run.rbm.visible, Binary)
    assert isinstance(part.run.rbm, RBM)
