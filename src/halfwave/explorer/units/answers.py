"""What the room "Units" asks of the library: densities, transfer curves and samples of a dReLU unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from halfwave.explorer.session.payloads import whole_number
from halfwave.explorer.session.session import Answer, Session
from halfwave.explorer.session.shelf import Shelf
from halfwave.explorer.units.grids import (
    Vector,
    density_points,
    density_window,
    histogram_edges,
    input_points,
    transfer_window,
)
from halfwave.explorer.units.questions import (
    PARAMETERS,
    UnitQuestion,
    driven_unit,
    unit_at_temperature,
    window_of,
)
from halfwave.units.histograms import drelu_grid_layer, layer_histograms

__all__ = ["ANSWERS", "RECORDED", "RECORDED_INPUTS", "UNIT_PRESETS"]

MOST_SAMPLES = 100_000
"""Samples in one answer."""
RECORDED_SAMPLES = 5000
"""Samples that a page without Python shows."""
_DIGITS = 5
_ZOOMED_DIGITS = 11
_GRID_SAMPLES = 20_000
_GRID_BINS = 40
_GRID_POINTS = 101

UNIT_PRESETS: Mapping[str, tuple[float, float, float, float]] = {
    "ReLU": (0.0, -1000.0, 1.0, 1.0),
    "Gaussian": (0.0, 0.0, 1.0, 1.0),
    "Dead zone": (2.0, -2.0, 1.0, 1.0),
    "Double well": (-2.0, 2.0, 1.0, 1.0),
    "Asymmetric": (0.0, 0.0, 0.5, 2.0),
}
"""θ⁺, θ⁻, γ⁺ and γ⁻ of the buttons of the page; a test compares them with those in its script."""
RECORDED_INPUTS = range(-6, 7)

Payload = dict[str, Any]


class UnitSamples:
    """The random numbers of one page."""

    def __init__(self, shelf: Shelf) -> None:
        # the same for every page, so that an exported page is the same file each time
        self._generator = torch.Generator().manual_seed(0)

    def counts(self, asked: UnitQuestion, samples: int) -> list[int]:
        """How many of so many new samples lie in each bin of `histogram_edges`, one side after the other."""
        drives = asked.drive.expand(samples)
        drawn = asked.unit.sample_from_inputs(drives, self._generator).numpy()
        return [int(count) for edges in histogram_edges(asked) for count in np.histogram(drawn, edges)[0]]


@torch.no_grad()
def _density(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The density at one input, its numbers, and a first histogram of samples."""
    asked = driven_unit(payload)
    samples = whole_number(payload, "samples", 1, MOST_SAMPLES)
    window = density_window(asked, window_of(payload, 2))
    x = density_points(asked, window)
    points = torch.from_numpy(x)
    return {
        "x": _short(x, _digits(payload)),
        "density": _short(asked.unit.log_probs(points, asked.drive).exp().numpy(), 4),
        "potential": _short(asked.plain.energies(points).numpy(), _digits(payload)),
        "window": list(window),
        "numbers": _numbers(asked),
        "bins": [_short(edges[[0, -1]]) for edges in histogram_edges(asked)],
        "counts": session.part(UnitSamples).counts(asked, samples),
    }


def _numbers(asked: UnitQuestion) -> Payload:
    """Numbers of the unit at one input, with all digits."""
    unit, drive = asked.unit, asked.drive
    variance = unit.var_from_inputs(drive)
    mode = unit.mode_from_inputs(drive).item()
    # where two wells are equally deep the function of the library takes the other one
    other = asked.mode_function(asked.input)
    highest = asked.input * mode - asked.plain.energies(torch.tensor(mode, dtype=torch.float64)).item()
    return {
        "mean": unit.mean_from_inputs(drive).item(),
        "mode": mode,
        "other_mode": other if other * mode < 0 else None,
        "variance": variance.item(),
        "std": variance.sqrt().item(),
        "cgf": unit.cgfs(drive).item(),
        "highest": highest,
        "prob_pos": asked.sides.prob_pos.item(),
        "prob_neg": asked.sides.prob_neg.item(),
    }


@torch.no_grad()
def _transfer(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Mean, standard deviation and mode as functions of the input."""
    asked = unit_at_temperature(payload)
    window = transfer_window(asked, window_of(payload, 4))
    inputs = input_points(asked, window[0], window[1])
    drives = torch.from_numpy(inputs) / asked.temperature
    mode = asked.mode_function
    return {
        "inputs": _short(inputs, _digits(payload)),
        "mean": _short(asked.unit.mean_from_inputs(drives).numpy(), _digits(payload)),
        "std": _short(asked.unit.std_from_inputs(drives).numpy()),
        "window": window,
        "mode": {
            "kinks": mode.kinks.tolist(),
            "slopes": mode.slopes.tolist(),
            "intercepts": mode.intercepts.tolist(),
            "cases": mode.formula(variable="I", style="cases", digits=4),
        },
    }


@torch.no_grad()
def _sample(session: Session, payload: Mapping[str, Any]) -> Payload:
    """Counts of new samples in the bins of the density's first histogram."""
    asked = driven_unit(payload)
    samples = whole_number(payload, "samples", 1, MOST_SAMPLES)
    return {"counts": session.part(UnitSamples).counts(asked, samples), "samples": samples}


def _sixteen(session: Session, payload: Mapping[str, Any]) -> Payload:
    """The sixteen standard units at input 0: density on even points, and histogram on even bins."""
    histograms = layer_histograms(
        drelu_grid_layer(),
        _GRID_SAMPLES,
        bins=_GRID_BINS,
        points=_GRID_POINTS,
        generator=torch.Generator().manual_seed(0),
    )
    parameters = {key: value.detach().numpy() for key, value in histograms.unit.named_parameters()}
    units = [
        {
            "parameters": {key: float(parameters[key][index]) for key in PARAMETERS},
            "limits": [float(histograms.edges[index][0]), float(histograms.edges[index][-1])],
            "density": _short(histograms.densities[index], 4),
            "heights": _short(histograms.heights[index], 4),
        }
        for index in np.ndindex(histograms.inputs.shape)
    ]
    return {"units": units, "samples": histograms.samples}


def _digits(payload: Mapping[str, Any]) -> int:
    """A window that the page has chosen may be a narrow one."""
    return _DIGITS if payload.get("window") is None else _ZOOMED_DIGITS


def _short(values: Vector | Iterable[float], digits: int = _DIGITS) -> list[float]:
    """As many digits as a screen can show."""
    return [float(f"{value:.{digits}g}") for value in values]


ANSWERS: dict[str, Answer] = {
    "units.density": _density,
    "units.transfer": _transfer,
    "units.sample": _sample,
    "units.sixteen": _sixteen,
}


def _recorded() -> list[tuple[str, Payload]]:
    questions: list[tuple[str, Payload]] = [("units.sixteen", {})]
    for preset in UNIT_PRESETS.values():
        unit = {**dict(zip(PARAMETERS, preset, strict=True)), "temperature": 1.0, "window": None}
        questions.append(("units.transfer", unit))
        questions += [
            ("units.density", {**unit, "input": float(given), "samples": RECORDED_SAMPLES})
            for given in RECORDED_INPUTS
        ]
    return questions


RECORDED = _recorded()
