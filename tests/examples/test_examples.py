"""Every script in ``examples`` runs from start to end, at a small size, without a display and without warnings."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL: dict[str, tuple[list[str], list[str]]] = {
    "audit_regimes.py": (["--mnist", "none", "--output", "out"], ["out/audit_regimes.png", "out/dead.html"]),
    "double_and_triple_relu.py": (["--output", "out"], ["out/double_and_triple_relu.png", "out/triple.json"]),
    "drelu_layer.py": (["--samples", "2000", "--output", "out/drelu_layer.png"], ["out/drelu_layer.png"]),
    "drelu_transfer.py": (["--output", "out"], ["out/drelu_transfer.png", "out/mode.json"]),
    "fit_co2.py": (["--output", "out"], ["out/as_it_is.png", "out/corrected.png", "out/yearly.png"]),
    "fit_diabetes.py": (["--output", "out"], ["out/fit_diabetes.png", "out/three_kinks.png"]),
    "fit_engel_quantiles.py": (["--output", "out"], ["out/fit_engel_quantiles.png"]),
    "fit_engel_robust.py": (["--output", "out"], ["out/fit_engel_robust.png"]),
    "fit_gradient.py": (
        ["--steps", "200", "--frames", "5", "--output", "out"],
        ["out/adam.png", "out/lbfgs.png", "out/adam.gif"],
    ),
    "fit_nile.py": (["--output", "out"], ["out/fit_nile.png", "out/fit_nile_jump.png"]),
    "fit_sunspots.py": (["--output", "out"], ["out/few.png", "out/many.png"]),
    "function_from_relus.py": (["--output", "out"], ["out/function_from_relus.png"]),
    "relu_card.py": (["--output", "out"], ["out/relu.png", "out/relu.svg", "out/relu.json"]),
    "revive_dead_units.py": (["--output", "out"], ["out/revive_dead_units.png"]),
    "sparse_digits.py": (
        ["--hidden", "256", "--epochs", "3", "--output", "out"],
        ["out/sparse_digits.png"],
    ),
    "surface_two_dimensions.py": (
        ["--output", "out"],
        ["out/surface_two_dimensions.png", "out/sum_of_relus.png"],
    ),
    "thresholded_relu.py": (["--output", "out"], ["out/thresholded_relu.png", "out/keep.json"]),
    "waveshaper.py": (["--output", "out"], ["out/waveshaper.png"]),
}
"""Options that make each script quick, and the files that it must write."""


def test_every_example_is_listed():
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SMALL)


LONG = {"fit_co2.py", "fit_sunspots.py", "audit_regimes.py", "revive_dead_units.py"}
"""Those of ten seconds and more."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.thorough) if n in LONG else n for n in sorted(SMALL)]
)
def test_example_runs_here(name, tmp_path, monkeypatch, capsys):
    """In the process of the tests, which has imported torch already."""
    options, written = SMALL[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / name), *options])
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    state = torch.get_rng_state()
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        torch.set_rng_state(state)
    output, errors = capsys.readouterr()
    assert errors == ""
    check_files(tmp_path, written, output)


@pytest.mark.parametrize(
    "name", [n if n == "relu_card.py" else pytest.param(n, marks=pytest.mark.thorough) for n in sorted(SMALL)]
)
def test_example_runs(name, tmp_path):
    """As a person runs it."""
    options, written = SMALL[name]
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    check_files(tmp_path, written, result.stdout)


def check_files(folder, written, output):
    for file in written:
        assert (folder / file).stat().st_size > 1000
        assert file in output
