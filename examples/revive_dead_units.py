"""A learning rate that was too high for a while kills most hidden units; new ones give the network its width back.

A perceptron learns handwritten digits (scikit-learn's, or MNIST from a file). In its first steps the learning rate is
far too high. From there it trains on at a sane rate twice: as it is, and after `hw.audit.revive`. Run it with

    python examples/revive_dead_units.py --output revive_dead_units
    python examples/revive_dead_units.py --mnist mnist.npz
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw
from halfwave.plots.style import DATA, MODEL, new_figure, style

Split = tuple[Tensor, Tensor, Tensor, Tensor]
HIDDEN = 64
BATCH = 64


def read(mnist: Path | None) -> Split:
    """Training images and labels, test images and labels; pixels inside [0, 1]."""
    if mnist is None:
        digits = load_digits()
        x, y = digits.data / 16.0, digits.target
        order = np.random.default_rng(0).permutation(len(x))
        x, y, cut = x[order], y[order], 1200
    else:
        with np.load(mnist, allow_pickle=False) as arrays:
            parts = [arrays[name] for name in ("x_train", "x_test", "y_train", "y_test")]
        x, y = np.concatenate([p.reshape(len(p), -1) / 255.0 for p in parts[:2]]), np.concatenate(parts[2:])
        cut = len(parts[0])
    images, labels = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.long)
    return images[:cut], labels[:cut], images[cut:], labels[cut:]


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, data: Split, steps: int, every: int
) -> list[float]:
    """Take so many steps; the accuracy on the test images at the start and after every so many."""
    generator = torch.Generator().manual_seed(1)
    found = [accuracy(model, data)]
    for step in range(1, steps + 1):
        rows = torch.randint(len(data[0]), (BATCH,), generator=generator)
        optimizer.zero_grad()
        F.cross_entropy(model(data[0][rows]), data[1][rows]).backward()
        optimizer.step()
        if step % every == 0:
            found.append(accuracy(model, data))
    return found


@torch.no_grad()
def accuracy(model: nn.Module, data: Split) -> float:
    """Share of the test images whose digit is found."""
    return float((model(data[2]).argmax(1) == data[3]).float().mean())


def widths(model: nn.Module, data: Split) -> list[int]:
    """Units of each layer that fire on the training images."""
    report = hw.audit.audit(model, data[0])
    return [int((~layer.dead).sum()) for layer in report.layers]


def draw(curves: dict[str, list[float]], units: dict[str, list[int]], every: int) -> Figure:
    """Accuracy against steps, and the units that fire in each layer at the end."""
    with style():
        figure = new_figure(9.0, 3.4, "Accuracy and firing units of a network with and without revived units")
        left, right = figure.subplots(1, 2, width_ratios=(1.7, 1.0))
        colours = dict(zip(curves, (MODEL, DATA), strict=True))
        for label, curve in curves.items():
            left.plot(every * np.arange(len(curve)), curve, color=colours[label], label=label)
        left.set(xlabel="steps at the sane learning rate", ylabel="accuracy on test images")
        left.set_ylim(top=1.0)
        left.legend(loc="lower right", bbox_to_anchor=(1.0, 0.3))
        for number, (label, count) in enumerate(units.items()):
            places = np.arange(len(count)) + 0.36 * number - 0.18
            bars = right.bar(places, count, 0.34, color=colours[label])
            right.bar_label(bars, fontsize=8)
        right.axhline(HIDDEN, color="#8A8F98", linewidth=0.8, linestyle=(0, (2, 1.2)))
        right.set(ylabel=f"units that fire, of {HIDDEN}", ylim=(0, HIDDEN * 1.12))
        right.set_xticks(range(len(count)), [f"hidden layer {n + 1}" for n in range(len(count))])
        right.grid(axis="x", visible=False)
    return figure


def main() -> None:
    """Kill, audit, revive, and train on both ways."""
    parser = argparse.ArgumentParser(description="Revive the dead units of a network and train on.")
    parser.add_argument("--mnist", type=Path, help="file with MNIST, instead of scikit-learn's digits")
    parser.add_argument("--steps", type=int, default=600, help="steps after the revival")
    parser.add_argument(
        "--output", type=Path, default=Path("revive_dead_units"), help="folder for the figure"
    )
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = read(options.mnist)

    model = nn.Sequential(
        *(nn.Linear(data[0].shape[1], HIDDEN), nn.ReLU()),
        *(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 10)),
    )
    too_high = 0.1
    train(model, torch.optim.Adam(model.parameters(), lr=too_high), data, steps=20, every=20)
    report = hw.audit.audit(model, data[0])
    print(f"after 20 steps of Adam at a learning rate of {too_high}: {report.headline}")

    revived = copy.deepcopy(model)
    outputs = revived(data[2])
    result = hw.audit.revive(revived, report, data[0])
    print(result)
    torch.testing.assert_close(revived(data[2]), outputs)

    every = 20
    curves, units = {}, {}
    for label, network in {"as it is": model, "revived": revived}.items():
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        curves[label] = train(network, optimizer, data, options.steps, every)
        units[label] = widths(network, data)
        print(
            f"{label:9s} accuracy {curves[label][-1]:.1%}, units that fire: {units[label]} of {HIDDEN} each"
        )
    assert sum(units["revived"]) > 1.5 * sum(units["as it is"])
    assert curves["revived"][-1] > curves["as it is"][-1] + 0.02
    file = options.output / "revive_dead_units.png"
    print(hw.plots.save_figure(draw(curves, units, every), file))


if __name__ == "__main__":
    main()
