"""What the room "Units" is told equals the library and the integrals behind it, and nothing breaks it."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import chi2
from units_questions_cases import asked, told

from halfwave.explorer.server.page import static_text
from halfwave.explorer.session.session import Session
from halfwave.explorer.units.answers import RECORDED, RECORDED_INPUTS, RECORDED_SAMPLES, UNIT_PRESETS
from halfwave.explorer.units.questions import PARAMETERS
from halfwave.functions import two_sided_relu
from halfwave.nn import UnitMean
from halfwave.units import DReLU
from halfwave.units.histograms import drelu_grid_layer

CASES = {
    "dead zone": ((2.0, -2.0, 1.0, 1.0), 2.6, 1.0),
    "two wells": ((-1.0, 1.5, 0.7, 1.4), 0.4, 0.5),
    "cold": ((1.0, -1.0, 0.5, 2.0), 1.3, 0.02),
    "hot": ((-0.5, 0.25, 2.0, 0.5), -1.0, 3.0),
    "shut": ((0.0, -1000.0, 1.0, 1.0), 1.0, 1.0),
}


def energy(values: tuple[float, ...], x: float) -> float:
    theta_pos, theta_neg, gamma_pos, gamma_neg = values
    return 0.5 * gamma_pos * x * x + theta_pos * x if x > 0 else 0.5 * gamma_neg * x * x + theta_neg * x


def integrals(values: tuple[float, ...], given: float, temperature: float) -> dict[str, float]:
    """The numbers of the unit from quadrature of exp((I x − U)/T), scaled by its highest value."""
    tallest = two_sided_relu(*values)(given)
    highest = given * tallest - energy(values, tallest)

    def moment(power: int, side: int) -> float:
        def integrand(x: float) -> float:
            return (side * x) ** power * np.exp(
                (given * side * x - energy(values, side * x) - highest) / temperature
            )

        breaks = sorted({0.0, 0.01, 0.1, 0.5, 1, 2, 4, 8, 16, 60, max(0.0, side * tallest)})
        pairs = pairwise(breaks)
        return sum(quad(integrand, low, high, epsabs=0, epsrel=1e-12, limit=200)[0] for low, high in pairs)

    both = [moment(power, 1) + moment(power, -1) for power in range(3)]
    mean = both[1] / both[0]
    return {
        "mean": mean,
        "variance": both[2] / both[0] - mean**2,
        "cgf": np.log(both[0]) + highest / temperature,
        "prob_pos": moment(0, 1) / both[0],
        "prob_neg": moment(0, -1) / both[0],
        "highest": highest,
    }


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_the_integrals(name: str) -> None:
    numbers = told("density", asked(*CASES[name]))["numbers"]
    for key, value in integrals(*CASES[name]).items():
        assert numbers[key] == pytest.approx(value, rel=1e-6, abs=1e-12), key
    assert numbers["std"] == pytest.approx(np.sqrt(numbers["variance"]), rel=1e-14)
    values, given, temperature = CASES[name]
    assert numbers["mode"] == pytest.approx(two_sided_relu(*values)(given), abs=1e-12)
    unit = DReLU.from_parameters(
        {
            key: torch.tensor([value], dtype=torch.float64)
            for key, value in zip(PARAMETERS, values, strict=True)
        }
    )
    mean = UnitMean(unit, temperature=temperature)(torch.tensor([[given]], dtype=torch.float64))
    assert numbers["mean"] == pytest.approx(mean.item(), rel=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_density_is_exact_and_its_points_suffice(name: str) -> None:
    values, given, temperature = CASES[name]
    got = told("density", asked(*CASES[name]))
    x, density = np.array(got["x"]), np.array(got["density"])
    exact = [np.exp((given * at - energy(values, at)) / temperature - got["numbers"]["cgf"]) for at in x]
    # five digits of x move the density of a cold unit by more than its own rounding
    np.testing.assert_allclose(density, exact, rtol=2e-2, atol=1e-4)
    np.testing.assert_allclose(got["potential"], [energy(values, at) for at in x], rtol=1e-2, atol=1e-4)
    # between its points the density is drawn as straight lines: all of it must be there
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=0.01)
    assert density.max() == pytest.approx(max(exact), rel=1e-3)
    assert got["window"][0] <= x[0]
    assert x[-1] <= got["window"][1]
    assert 0.0 in x


def test_window_is_kept() -> None:
    got = told("density", asked(*CASES["dead zone"], window=[0.5, 3.0]))
    assert got["window"] == [0.5, 3.0]
    assert min(got["x"]) >= 0.5
    assert max(got["x"]) <= 3.0
    curves = told("transfer", asked(*CASES["dead zone"], window=[1.0, 3.0, -1.0, 1.0]))
    assert curves["window"] == [1.0, 3.0, -1.0, 1.0]
    assert curves["inputs"][0] == 1.0
    assert curves["inputs"][-1] == 3.0


@pytest.mark.parametrize("name", CASES)
def test_samples_follow_the_density(name: str) -> None:
    session, payload = Session(), asked(*CASES[name])
    first = told("density", payload, session)
    counts, total = np.array(first["counts"]), 1000
    for _ in range(3):
        more = told("sample", {**payload, "samples": 20_000}, session)
        counts, total = counts + np.array(more["counts"]), total + more["samples"]
    assert total == 61_000
    assert total * 0.9995 <= counts.sum() <= total
    values, given, temperature = CASES[name]
    edges = [np.linspace(low, high, counts.size // 2 + 1) for low, high in first["bins"]]
    log_norm = first["numbers"]["cgf"]

    def mass(low: float, high: float) -> float:
        return quad(lambda x: np.exp((given * x - energy(values, x)) / temperature - log_norm), low, high)[0]

    expected = total * np.array([mass(*pair) for side in edges for pair in pairwise(side)])
    enough = expected > 8
    statistic = ((counts - expected)[enough] ** 2 / expected[enough]).sum()
    # false alarms: 1e-6 for each of the five cases; and the seed is fixed
    assert statistic < chi2.isf(1e-6, enough.sum())


def test_transfer_curves() -> None:
    for values, _, temperature in CASES.values():
        got = told("transfer", asked(values, 0.0, temperature))
        inputs = np.array(got["inputs"])
        assert np.diff(inputs).min() > 0
        unit = DReLU.from_parameters(
            {
                key: torch.tensor(value / temperature, dtype=torch.float64)
                for key, value in zip(PARAMETERS, values, strict=True)
            }
        )
        drives = torch.from_numpy(inputs / temperature)
        # inputs have five digits, and a cold mean is steep
        np.testing.assert_allclose(got["mean"], unit.mean_from_inputs(drives), rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(got["std"], unit.std_from_inputs(drives), rtol=1e-3, atol=2e-3)
        mode = two_sided_relu(*values)
        assert got["mode"]["kinks"] == mode.kinks.tolist()
        assert got["mode"]["slopes"] == mode.slopes.tolist()
        assert got["mode"]["intercepts"] == mode.intercepts.tolist()
        assert got["mode"]["cases"] == mode.formula(variable="I", style="cases", digits=4)


def test_mean_becomes_the_mode_as_the_temperature_falls() -> None:
    for values in ((2.0, -2.0, 1.0, 1.0), (-2.0, 2.0, 1.0, 0.5)):
        mode = two_sided_relu(*values)
        far = []
        for temperature in (1.0, 0.1, 0.01, 0.001):
            got = told("transfer", asked(values, 0.0, temperature))
            inputs = np.array(got["inputs"])
            away = np.min([np.abs(inputs - kink) for kink in mode.kinks], axis=0) > 0.3
            far.append(np.abs(np.array(got["mean"])[away] - mode(inputs[away])).max())
        assert far == sorted(far, reverse=True)
        assert far[-1] < 0.01


def test_equal_wells_have_two_modes() -> None:
    equal = told("density", asked((-2.0, 2.0, 1.0, 1.0), 0.0, 1.0))["numbers"]
    assert (equal["mode"], equal["other_mode"]) == (2.0, -2.0)
    unequal = told("density", asked((-2.0, 2.0, 1.0, 1.0), 0.1, 1.0))["numbers"]
    assert unequal["other_mode"] is None
    dead = told("density", asked((2.0, -2.0, 1.0, 1.0), 0.0, 1.0))["numbers"]
    assert (dead["mode"], dead["other_mode"]) == (0.0, None)


def test_sixteen_units_are_those_of_the_figure() -> None:
    got = told("sixteen", {})
    layer = drelu_grid_layer(torch.float64)
    assert len(got["units"]) == 16
    for index, unit in zip(np.ndindex(2, 2, 2, 2), got["units"], strict=True):
        assert unit["parameters"] == {key: getattr(layer, key)[index].item() for key in PARAMETERS}
        low, high = unit["limits"]
        x = np.linspace(low, high, len(unit["density"]))
        one = DReLU.from_parameters(
            {k: torch.tensor(v, dtype=torch.float64) for k, v in unit["parameters"].items()}
        )
        exact = one.log_probs(torch.from_numpy(x), torch.zeros((), dtype=torch.float64)).exp()
        # the point nearest to zero is zero itself, where a density may have a kink
        np.testing.assert_allclose(unit["density"], exact, atol=0.1 * float(exact.max()))
        assert np.mean(unit["heights"]) * (high - low) == pytest.approx(1.0, abs=0.01)


def test_two_pages_have_samples_of_their_own() -> None:
    one, other = Session(), Session()
    payload = asked(*CASES["dead zone"])
    first = told("sample", payload, one)["counts"]
    second = told("sample", payload, one)["counts"]
    assert first != second
    assert told("sample", payload, other)["counts"] == first


def test_recorded_answers_are_those_that_the_page_asks_for() -> None:
    state, answers = static_text("units/state.js"), static_text("units/answers.js")
    shown = re.findall(r'^  "?([\w ]+)"?: \{\n    values: \[([^\]]*)\]', state, re.MULTILINE)
    presets = {name: tuple(float(value) for value in values.split(",")) for name, values in shown}
    assert presets == dict(UNIT_PRESETS)
    assert "RECORDED_UNIT_INPUTS = [-6, 6]" in state
    assert (RECORDED_INPUTS[0], RECORDED_INPUTS[-1]) == (-6, 6)
    assert f"RECORDED_UNIT_SAMPLES = {RECORDED_SAMPLES};" in answers
    session = Session()
    rows = [
        [f"units.{k}", p, told(k, p, session)]
        for k, p in ((kind.partition(".")[2], payload) for kind, payload in RECORDED)
    ]
    assert len(json.dumps(rows, separators=(",", ":"))) < 400_000
