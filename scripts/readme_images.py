"""Draw the pictures of the README into ``docs/images``: functions, dReLU units, a fit, surfaces, audits, digits.

Trains a machine with 64 dReLU units on the bundled digits (some ten seconds). Run it from the repository root.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from statsmodels.datasets import nile

import halfwave as hw
from halfwave.files import write_atomically
from halfwave.plots.machine.layout import draw_mosaic, evenly_spaced
from halfwave.plots.style import as_array, new_figure, png, style
from halfwave.rbm.features import feature_importance, order_by_importance, standardised_weights
from halfwave.rbm.train import pcd

FOLDER = Path("docs/images")
SIDE = 8
"""Images in a row and in a column of each mosaic."""


def trained_machine(train: torch.Tensor) -> tuple[hw.RBM, torch.Tensor]:
    """A machine trained on the digits, and samples of it."""
    machine = hw.RBM(hw.units.Binary((8, 8)), hw.units.DReLU(64))
    hw.rbm.initialize(machine, train, generator=torch.Generator().manual_seed(0))
    trainer = pcd(machine, train, updates=3000, learning_rate=0.01, schedule="linear")
    samples = machine.sample_v_from_v(trainer.chain_v, 500, torch.Generator().manual_seed(1))
    return machine, samples


def digits_figure(machine: hw.RBM, train: torch.Tensor, samples: torch.Tensor) -> Figure:
    """Data, samples and features side by side."""
    count = SIDE * SIDE
    order = order_by_importance(feature_importance(machine, train))
    weights = as_array(standardised_weights(machine, train)[:, order[:count]].T).reshape(-1, 8, 8)
    reach = float(np.abs(weights).max())
    ink, diverging = matplotlib.colormaps["gray_r"], matplotlib.colormaps["RdBu_r"]
    panels = (
        ("Data", evenly_spaced(as_array(train), count), ink, Normalize(0, 1)),
        ("Samples of the machine", evenly_spaced(as_array(samples), count), ink, Normalize(0, 1)),
        ("Weights of its 64 dReLU units", weights, diverging, Normalize(-reach, reach)),
    )
    with style():
        figure = new_figure(9.0, 3.2, "Digits from the data, digits drawn from the machine, and its weights.")
        for axes, (title, images, colour_map, norm) in zip(figure.subplots(1, 3), panels, strict=True):
            draw_mosaic(axes, images, SIDE, colour_map, norm)
            axes.set_title(title)
    return figure


def fit_figure() -> Figure:
    """The flow of the Nile with its fit, the intervals of the kinks, and how their number was chosen."""
    table = nile.load_pandas().data
    fit = hw.fitting.fit_relu_sum(table["year"].to_numpy(), table["volume"].to_numpy())
    return hw.plots.fit(fit, fit.intervals(), labels=("year", "flow of the Nile, 10⁸ m³"))


def example_picture(name: str, *options: str) -> bytes:
    """What an example draws."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, f"examples/{name}.py", *options, "--output", folder]
        subprocess.run(command, check=True)
        return (Path(folder) / f"{name}.png").read_bytes()


def main() -> None:
    """Write all pictures."""
    train = torch.from_numpy(hw.datasets.load("digits").train)
    machine, samples = trained_machine(train)
    pictures = {
        "functions.png": hw.plots.family(),
        "drelu.png": hw.plots.drelu_grid(generator=torch.Generator().manual_seed(0)),
        "fit.png": fit_figure(),
        "digits.png": digits_figure(machine, train, samples),
    }
    for name, figure in pictures.items():
        write_atomically(FOLDER / name, png(figure))
    write_atomically(FOLDER / "surfaces.png", example_picture("surface_two_dimensions"))
    write_atomically(FOLDER / "audit.png", example_picture("audit_regimes", "--mnist", "none"))
    for name in [*pictures, "surfaces.png", "audit.png"]:
        print(f"{FOLDER / name}: {(FOLDER / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
