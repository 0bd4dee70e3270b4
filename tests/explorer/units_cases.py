"""A dReLU unit on a page in the browser, and what the library says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from browser_cases import read, settle, until

from halfwave.explorer.units.questions import PARAMETERS
from halfwave.units import DReLU

if TYPE_CHECKING:
    from playwright.sync_api import Page

INPUT = "Input on the curve of the mean"
LINKS = {
    "dead zone": ((2.0, -2.0, 1.0, 1.0), 2.6, 1.0),
    "wells": ((-1.0, 1.5, 0.7, 1.4), 0.4, 0.5),
    "cold": ((1.0, -1.0, 0.5, 2.0), 1.3, 0.02),
}


def link(values: tuple[float, ...], given: float, temperature: float) -> str:
    theta_pos, theta_neg, gamma_pos, gamma_neg = values
    return f"#units?theta={theta_pos},{theta_neg}&gamma={gamma_pos},{gamma_neg}&I={given}&T={temperature}"


def library(values: tuple[float, ...], given: float, temperature: float) -> dict[str, float]:
    """The numbers of the unit with θ/T and γ/T at the input I/T."""
    tensors = {
        key: torch.tensor(value / temperature, dtype=torch.float64)
        for key, value in zip(PARAMETERS, values, strict=True)
    }
    unit = DReLU.from_parameters(tensors)
    drive = torch.tensor(given / temperature, dtype=torch.float64)
    sides = unit.sides(drive)
    return {
        "mean": unit.mean_from_inputs(drive).item(),
        "mode": unit.mode_from_inputs(drive).item(),
        "variance": unit.var_from_inputs(drive).item(),
        "std": unit.std_from_inputs(drive).item(),
        "cgf": unit.cgfs(drive).item(),
        "prob_pos": sides.prob_pos.item(),
        "prob_neg": sides.prob_neg.item(),
    }


def answered(page: Page) -> None:
    """Wait until the numbers are those of what the controls show."""
    state = (
        "(() => { const at = name => document.querySelector(`.number input[aria-label^='${name}'][type=number]`);"
        "const title = document.querySelector('[aria-label=Numbers] h2').textContent.replaceAll('−', '-');"
        "return title.endsWith(`at I = ${+(+at('input I').value).toPrecision(4)}, "
        "T = ${+(+at('temperature').value).toPrecision(4)}`); })()"
    )
    settle(page)
    until(page, state)
    until(page, "document.querySelectorAll('#unit-mode-pieces td').length > 0")
    settle(page)


def unit_of(page: Page) -> tuple[tuple[float, ...], float, float]:
    """θ⁺, θ⁻, γ⁺, γ⁻, the input and the temperature, as their boxes say."""
    boxes = page.locator(".number input[type=number]").evaluate_all("nodes => nodes.map(node => +node.value)")
    given, theta_pos, gamma_pos, theta_neg, gamma_neg, temperature = boxes[-6:]
    return (theta_pos, theta_neg, gamma_pos, gamma_neg), given, temperature


def assert_numbers(page: Page) -> None:
    answered(page)
    for key, value in library(*unit_of(page)).items():
        until_close(page, f"unit-{key}", value)


def until_close(page: Page, name: str, value: float) -> None:
    until(
        page, f"Math.abs(document.getElementById('{name}').value - {value!r}) <= 1e-12 * Math.abs({value!r})"
    )
    assert read(page, name) == pytest.approx(value, rel=1e-12, abs=1e-300)
