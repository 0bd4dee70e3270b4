"""Exact distribution functions in double precision, from the definitions and `scipy.special` (not from halfwave)."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_ndtr, ndtr
from torch import Tensor

from halfwave.units import Unit


def excess_survival(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """``P(Z − a > e | Z > a)`` of a standard normal; absolute error below 1e-16·a²."""
    return np.exp(log_ndtr(-(a + e)) - log_ndtr(-a))


def side_cgf(t: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """``log ∫₀^∞ exp(t x − γ x²/2) dx``."""
    return log_ndtr(t / np.sqrt(gamma)) + t * t / (2 * gamma) + 0.5 * np.log(2 * np.pi / gamma)


def drelu_cdf(
    x: np.ndarray,
    inputs: np.ndarray,
    theta_pos: np.ndarray,
    theta_neg: np.ndarray,
    gamma_pos: np.ndarray,
    gamma_neg: np.ndarray,
) -> np.ndarray:
    """``P(X ≤ x)`` of a dReLU unit."""
    t_pos, t_neg = inputs - theta_pos, theta_neg - inputs
    log_odds = side_cgf(t_pos, gamma_pos) - side_cgf(t_neg, gamma_neg)
    above = excess_survival(-t_pos / np.sqrt(gamma_pos), np.maximum(x, 0.0) * np.sqrt(gamma_pos))
    below = excess_survival(-t_neg / np.sqrt(gamma_neg), np.maximum(-x, 0.0) * np.sqrt(gamma_neg))
    return np.where(x < 0, expit(-log_odds) * below, 1.0 - expit(log_odds) * above)


def drelu_parameters(unit: Unit) -> tuple[np.ndarray, ...]:
    """(θ⁺, θ⁻, γ⁺, γ⁻) of a unit of the dReLU family, by the published formulas."""
    values = {key: value.detach().double().numpy() for key, value in unit.named_parameters()}
    if unit.name == "DReLU":
        return tuple(values[key] for key in ("theta_pos", "theta_neg", "gamma_pos", "gamma_neg"))
    eta = values["eta"] if "eta" in values else values["xi"] / (1 + np.abs(values["xi"]))
    theta, gamma, delta = values["theta"], values.get("gamma", np.ones_like(eta)), values["delta"]
    return theta + delta / (1 + eta), theta - delta / (1 - eta), gamma / (1 + eta), gamma / (1 - eta)


def cdf(unit: Unit, inputs: Tensor, samples: Tensor) -> np.ndarray:
    """``P(X ≤ x)`` of every element of a continuous unit at its samples."""
    x, drive = samples.double().numpy(), inputs.double().numpy()
    if unit.name in ("Gaussian", "ReLU"):
        gamma, theta = (unit.get_parameter(key).detach().double().numpy() for key in ("gamma", "theta"))
        t = (drive - theta) / np.sqrt(gamma)
        if unit.name == "Gaussian":
            return ndtr(x * np.sqrt(gamma) - t)
        return 1.0 - excess_survival(-t, x * np.sqrt(gamma))
    return drelu_cdf(x, drive, *drelu_parameters(unit))
