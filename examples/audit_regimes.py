"""Four regimes that an audit tells apart in its first line: healthy, dead, always on, and sparse on purpose.

A small perceptron and a small convolutional network learn the digits that come with scikit-learn (and MNIST, where
its file is there): well, with a learning rate that is too high, from a bad initialisation, and well but with its
rectifiers thresholded so that 90 % of their outputs are zero. Run it with

    python examples/audit_regimes.py --output audit_regimes
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

import halfwave as hw
from halfwave.plots.style import COLOURS, DASHES, new_figure, style

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist" / "mnist.npz"
EXPECTED = {
    "healthy": ("Healthy", "Mostly healthy"),
    "learning rate too high": ("Dead units",),
    "bad initialisation": ("Always on",),
    "thresholded": ("Sparse by design",),
}
"""Regime → how the audit's first line may begin."""

Data = tuple[Tensor, Tensor]


def standardised(x: Tensor) -> Tensor:
    """Pixels with mean 0 and deviation 1: those from 0 to 1 already cost a healthy network some of its units."""
    return (x - x.mean()) / x.std()


def digits() -> tuple[Data, Data]:
    """Images (n, 1, 8, 8) with labels, to learn from and to test on."""
    images, labels = load_digits(return_X_y=True)
    x, y = standardised(torch.from_numpy(images).float().reshape(-1, 1, 8, 8)), torch.from_numpy(labels)
    return (x[:1400], y[:1400]), (x[1400:], y[1400:])


def mnist(path: Path) -> tuple[Data, Data]:
    """The same of MNIST, at half its resolution."""
    with np.load(path) as archive:
        parts = [
            (archive[f"x_{part}"][:count], archive[f"y_{part}"][:count])
            for part, count in (("train", 3000), ("test", 1000))
        ]
    pairs = [
        (standardised(torch.from_numpy(x).float()[:, None]), torch.from_numpy(y).long()) for x, y in parts
    ]
    train, test = ((nn.functional.avg_pool2d(x, 2), y) for x, y in pairs)
    return train, test


def perceptron(size: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(size * size, 128), nn.ReLU()),
        *(nn.Linear(128, 128), nn.ReLU()),
        nn.Linear(128, 10),
    )


def convolutional(size: int) -> nn.Sequential:
    """Two convolutions and a hidden layer."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.ReLU()),
        nn.Flatten(),
        *(nn.Linear(32 * (-(-size // 2)) ** 2, 64), nn.ReLU()),
        nn.Linear(64, 10),
    )


def train(model: nn.Module, data: Data, optimizer: torch.optim.Optimizer, epochs: int) -> nn.Module:
    """Plain training in batches of 64, the same every time."""
    x, y = data
    generator = torch.Generator().manual_seed(1)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return model


def thresholded(model: nn.Module, data: Data) -> nn.Module:
    """A copy with the thresholds that make 90 % of the outputs of every rectifier zero."""
    return hw.audit.calibrate_thresholds(model, [data[0]], sparsity=0.9).model


def regimes(make: Callable[[int], nn.Sequential], data: Data) -> dict[str, nn.Module]:
    """The same network in four states; from the bad initialisation it has not yet learnt anything."""

    def fresh(positive: bool = False) -> nn.Sequential:
        torch.manual_seed(0)
        model = make(data[0].shape[-1])
        for layer in model:
            if positive and isinstance(layer, (nn.Linear, nn.Conv2d)):  # weights of one sign, large biases
                layer.weight.data.abs_()
                layer.bias.data.fill_(10.0)
        return model

    healthy, hot, positive = fresh(), fresh(), fresh(positive=True)
    train(healthy, data, torch.optim.SGD(healthy.parameters(), 0.02, momentum=0.9), epochs=6)
    train(hot, data, torch.optim.Adam(hot.parameters(), 0.1), epochs=2)  # a hundred times what suits Adam
    sparse = thresholded(healthy, data)
    for _ in range(
        3
    ):  # learning with what is left brings zeros back to life, so that thresholds are set again
        train(sparse, data, torch.optim.Adam(sparse.parameters(), 1e-3), epochs=2)
        sparse = thresholded(sparse, data)
    return dict(zip(EXPECTED, (healthy, hot, positive, sparse), strict=True))


def draw(reports: Mapping[str, Mapping[str, hw.audit.Report]]) -> Figure:
    """Sorted firing rates of every layer: a row a network, a column a regime."""
    with style():
        figure = new_figure(
            11.0, 0.5 + 2.3 * len(reports), "Firing rates of the units of networks in four regimes."
        )
        panels = figure.subplots(len(reports), len(EXPECTED), squeeze=False, sharex=True, sharey=True)
        for row, (network, found) in zip(panels, reports.items(), strict=True):
            for axes, (regime, report) in zip(row, found.items(), strict=True):
                for layer, colour, dashes in zip(report.layers, COLOURS, DASHES, strict=False):
                    share = (np.arange(layer.channels) + 0.5) / layer.channels
                    axes.plot(
                        share, np.sort(layer.firing_rate), color=colour, linestyle=dashes, label=layer.name
                    )
                axes.set_title(f"{regime}\n{report.headline.split(':')[0]}")
            row[0].set_ylabel(f"{network}\nfiring rate")
            row[0].legend(title="layer")
        for axes in panels[-1]:
            axes.set_xlabel("share of units")
    return figure


def main() -> None:
    """Train, audit, check that the first lines tell the regimes apart, and draw."""
    parser = argparse.ArgumentParser(description="Audit small networks in four regimes.")
    parser.add_argument("--output", type=Path, default=Path("audit_regimes"), help="folder for the files")
    parser.add_argument(
        "--mnist", type=Path, default=MNIST, help="mnist.npz of Keras; left out where it is not there"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)

    sources = {"digits": digits()}
    if options.mnist.is_file():
        sources["MNIST"] = mnist(options.mnist)
    reports: dict[str, dict[str, hw.audit.Report]] = {}
    for source, (learnt, (x, y)) in sources.items():
        for name, make in (("perceptron", perceptron), ("convolutional", convolutional)):
            found = reports.setdefault(f"{name}, {source}", {})
            for regime, model in regimes(make, learnt).items():
                found[regime] = hw.audit.audit(model, [x])
                with torch.no_grad():
                    accuracy = (model(x).argmax(1) == y).float().mean().item()
                print(f"{name}, {source}, {regime} (accuracy {accuracy:.1%}): {found[regime].headline}")
                assert found[regime].headline.startswith(EXPECTED[regime]), found[regime]

    print(hw.plots.save_figure(draw(reports), options.output / "audit_regimes.png"))
    worst = reports["perceptron, digits"]["learning rate too high"]
    page = hw.plots.write_audit_report(
        worst, options.output / "dead.html", title="Adam with a learning rate of 0.1"
    )
    print(page)


if __name__ == "__main__":
    main()
