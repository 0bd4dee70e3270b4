"""What the first fits of a process import: nothing that costs more time than it saves."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from halfwave import HalfwaveError
from halfwave.fitting import fit_relu_sum
from halfwave.fitting.search import compiled

NUMBA = importlib.util.find_spec("numba") is not None
DATA = "n = {n}; x = np.linspace(0, 10, n); y = np.abs(x - 3) + 0.1 * np.sin(1e4 * x);"


def imported(code: str) -> set[str]:
    """Packages that a fresh process has imported after some code."""
    names = ("matplotlib", "numba", "scipy", "sklearn", "torch")
    program = f"import sys, numpy as np, halfwave as hw\n{code}\nprint(*(set({names!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        f"{DATA.format(n=100_000)} hw.fitting.fit_relu_sum(x, y, 10)",
        f"{DATA.format(n=100_000)} hw.fitting.fit_relu_sum(x, y, 3)\n"
        f"{DATA.format(n=300)} fit = hw.fitting.fit_relu_sum(x, y); repr(fit); fit.predict(x)\n"
        "hw.fitting.approximate(np.sin, 0, 3, 4)\n"
        "f = hw.functions.parse('relu(x) - relu(x - 1)'); f(np.ones(3)); (f + hw.functions.relu()).roots()",
    ],
    ids=["large", "several"],
)
def test_first_calls_need_numpy_alone(code: str) -> None:
    assert imported(code) == set()


def test_commands_that_draw_functions_need_no_torch(tmp_path: Path) -> None:
    data, figures = tmp_path / "data.csv", [str(tmp_path / name) for name in ("relu.png", "fit")]
    data.write_text("x,y\n" + "".join(f"{i},{abs(i - 6)}\n" for i in range(12)))
    commands = (
        ["plot", "relu", "--output", figures[0]],
        ["fit", str(data), "--x", "x", "--y", "y", "--kinks", "1", "--output", figures[1]],
    )
    code = f"from halfwave.cli import app\nfor command in {commands!r}: app(command, standalone_mode=False)"
    assert not imported(code) & {"numba", "sklearn", "torch"}
    assert {"relu.png", "fit.png"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.skipif(not NUMBA, reason="no numba")
def test_long_work_loads_numba() -> None:
    assert "numba" in imported(f"{DATA.format(n=2000)} hw.fitting.fit_relu_sum(x, y);")


@pytest.fixture
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a fresh process."""
    monkeypatch.setattr(compiled, "_loaded", False)
    monkeypatch.setattr(compiled, "_work", 0)


@pytest.mark.skipif(not NUMBA, reason="no numba")
@pytest.mark.usefixtures("nothing_loaded")
def test_many_small_fits_are_worth_loading() -> None:
    answers = [compiled.wanted(None, 100, 4) for _ in range(100)]
    assert answers == sorted(answers)  # once worth it, always
    assert not answers[0]
    assert answers[-1]


@pytest.mark.usefixtures("nothing_loaded")
def test_small_fits_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(0, 1, 30)
    fit_relu_sum(x, np.sin(9 * x), 2)
    once = compiled._work
    fit_relu_sum(x, np.sin(9 * x), 2)
    assert compiled._work == 2 * once > 0
    fit_relu_sum(x, np.sin(9 * x), 2, use_numba=False)
    assert compiled._work == 2 * once


@pytest.mark.usefixtures("nothing_loaded")
def test_asking_for_kernels_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not compiled.wanted(False, 10**6, 100)
    assert not compiled.wanted(None)
    if NUMBA:
        assert compiled.wanted(True)
        assert compiled.wanted(None, 10**6, 100)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not compiled.wanted(None, 10**6, 100)
    with pytest.raises(HalfwaveError, match="needs the package numba"):
        compiled.wanted(True)
