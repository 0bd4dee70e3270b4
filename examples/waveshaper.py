"""A ReLU as an audio effect, with less aliasing: the antiderivative takes the mean over each step of the signal.

A half-wave rectified sine has the harmonics ``1/π + sin(ωt)/2 − (2/π) Σ cos(2kωt)/(4k² − 1)`` without end. Those above
half the sampling rate fold back to frequencies that are no harmonics. Instead of ``f(x_n)`` the antialiased shaper
returns ``(F(x_n) − F(x_{n−1})) / (x_n − x_{n−1})`` with the antiderivative F (Parker, Zavalishin and Le Bivic, DAFx
2016): the exact mean of f between two samples. Run it with

    python examples/waveshaper.py --output waveshaper
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

import halfwave as hw
from halfwave.plots.style import DATA, MODEL, new_figure, style

RATE = 44_100
"""Samples a second; one second is analysed, so that bin n of the spectrum is n Hz."""


def shape_antialiased(f: hw.functions.PiecewiseLinear, x: np.ndarray) -> np.ndarray:
    """The mean of f between each sample and the one before; the signal repeats, so the first follows the last."""
    before = np.roll(x, 1)
    step = x - before
    # a quotient of differences that are nearly zero is noise; the value halfway is then as good
    tiny = np.abs(step) < 1e-6
    integral = f.antiderivative()
    return np.where(tiny, f((x + before) / 2), (integral(x) - integral(before)) / np.where(tiny, 1.0, step))


def amplitudes(y: np.ndarray) -> np.ndarray:
    """Amplitude of each whole frequency in Hz, from 0 to half the sampling rate."""
    spectrum = np.abs(np.fft.rfft(y)) / len(y)
    spectrum[1:-1] *= 2
    return spectrum


def harmonics(frequency: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies and amplitudes of the rectified sine up to half the sampling rate."""
    n = np.arange((RATE // 2) // frequency + 1)
    sizes = np.zeros(len(n))
    sizes[::2] = 2.0 / (np.pi * np.abs(n[::2] ** 2 - 1.0))
    sizes[0], sizes[1] = 1.0 / np.pi, 0.5
    return n * frequency, sizes


def aliasing(spectrum: np.ndarray, frequency: int, below: int = RATE // 2) -> float:
    """Power between the harmonics, below a frequency, over the power in all of them, in dB."""
    false = np.arange(len(spectrum)) % frequency > 0
    heard = false & (np.arange(len(spectrum)) < below)
    return 10.0 * math.log10((spectrum[heard] ** 2).sum() / (spectrum[~false] ** 2).sum())


def draw(axes: Axes, spectrum: np.ndarray, frequency: int, title: str, colour: str) -> None:
    """The spectrum in dB, with rings at the true harmonics."""
    heard = np.flatnonzero(spectrum > 1e-6)
    axes.vlines(heard / 1000, -120.0, 20 * np.log10(spectrum[heard]), color=colour, linewidth=0.9)
    places, sizes = harmonics(frequency)
    heights = 20 * np.log10(sizes[sizes > 0])
    look = {"marker": "o", "linestyle": "none", "markerfacecolor": "none", "color": "black"}
    axes.plot(places[sizes > 0] / 1000, heights, **look, label="harmonics in theory")
    axes.set(title=title, xlabel="frequency, kHz", xlim=(-0.4, RATE / 2000 + 0.4), ylim=(-100.0, 3.0))


def main() -> None:
    """Shape a sine in both ways, compare the harmonics with theory, measure the aliasing, and draw."""
    parser = argparse.ArgumentParser(description="Compare a ReLU waveshaper with its antialiased form.")
    parser.add_argument("--output", type=Path, default=Path("waveshaper"), help="folder for the files")
    parser.add_argument("--frequency", type=int, default=3001, help="of the sine in Hz; coprime to 44100")
    options = parser.parse_args()
    frequency = options.frequency
    if not 1 <= frequency <= 5000 or math.gcd(frequency, RATE) > 1:
        parser.error(f"--frequency must be from 1 to 5000 and coprime to {RATE}; got {frequency}")

    relu = hw.functions.relu()
    sine = np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE)
    plain, smooth = amplitudes(relu(sine)), amplitudes(shape_antialiased(relu, sine))

    places, sizes = harmonics(frequency)
    # straight lines between samples make the sine smaller by sinc²; their mean over a step is a box filter, sinc
    filtered = sizes * np.sinc(frequency / RATE) ** 2 * np.sinc(places / RATE)
    print(f"sine of {frequency} Hz at {RATE} Hz: {len(places) - 1} harmonics below half the rate")
    print("amplitudes:        plain         antialiased")
    print("harmonic     theory  measured     theory  measured")
    for n in (n for n in (0, 1, 2, 4, 6) if n < len(places)):
        print(f"{n:8d}   {sizes[n]:.6f}  {plain[places[n]]:.6f}   {filtered[n]:.6f}  {smooth[places[n]]:.6f}")
    np.testing.assert_allclose(plain[places], sizes, atol=1e-8)
    np.testing.assert_allclose(smooth[places], filtered, atol=2e-3 * sizes[1])

    for below in (10_000, RATE // 2):
        before, after = aliasing(plain, frequency, below), aliasing(smooth, frequency, below)
        print(
            f"aliasing below {below / 1000:g} kHz: {before:.1f} dB plain, {after:.1f} dB antialiased: "
            f"{before - after:.1f} dB less"
        )

    with style():
        figure = new_figure(9.0, 3.6, "Spectra of a rectified sine, with and without antialiasing.")
        left, right = figure.subplots(1, 2, sharey=True)
        draw(left, plain, frequency, f"plain:  aliasing {before:.1f} dB".replace("-", "−"), MODEL)
        draw(right, smooth, frequency, f"antialiased:  aliasing {after:.1f} dB".replace("-", "−"), DATA)
        left.set_ylabel("amplitude, dB")
        right.legend(loc="upper right")
    options.output.mkdir(parents=True, exist_ok=True)
    file = options.output / "waveshaper.json"
    file.write_text(json.dumps({"frequency": frequency, "plain_db": before, "antialiased_db": after}) + "\n")
    print(file)
    print(hw.plots.save_figure(figure, options.output / "waveshaper.png"))


if __name__ == "__main__":
    main()
