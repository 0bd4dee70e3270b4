"""Sparsity that pays: train a network, threshold it, train it on, and skip the weights of its zeros.

Run it with

    python examples/sparse_digits.py --output sparse_digits

The data are the digits of scikit-learn, or MNIST with ``--mnist PATH`` (an .npz file with x_train, y_train, x_test,
y_test). Thresholds alone cost accuracy beyond some 80 % zeros. Training on with the thresholds in place and a price on
activity brings it back, at more zeros than were asked for.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import halfwave as hw

SPARSITIES = (0.6, 0.8, 0.9, 0.95, 0.98)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training images and labels, then held-out ones."""
    bunch = load_digits()
    x, y = torch.from_numpy(bunch.data).float() / 16, torch.from_numpy(bunch.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order[:1300]], y[order[:1300]], x[order[1300:]], y[order[1300:]]


def mnist(path: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same of MNIST, the first 20,000 training images."""
    with np.load(path) as arrays:
        images = [torch.from_numpy(arrays[name]).flatten(1).float() / 255 for name in ("x_train", "x_test")]
        labels = [torch.from_numpy(arrays[name].astype(np.int64)) for name in ("y_train", "y_test")]
    return images[0][:20_000], labels[0][:20_000], images[1], labels[1]


def train(model: nn.Sequential, x: Tensor, y: Tensor, epochs: int, price: float = 0.0) -> None:
    """Adam, batches of 64; the price is on the mean output of the rectifiers."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            values, activity = x[chosen], torch.zeros(())
            for part in model:
                values = part(values)
                if not isinstance(part, nn.Linear):
                    activity = activity + values.mean()
            (F.cross_entropy(values, y[chosen]) + price * activity).backward()
            optimizer.step()


def accuracy(output: Tensor, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Share of samples whose label has the largest output."""
    return (output.argmax(1) == batch[1]).float().mean()


def milliseconds(model: nn.Module, x: Tensor) -> float:
    """Processor time for one sample, the median over many."""
    times = []
    with torch.no_grad():
        for sample in x[:200].split(1):
            start = time.process_time()
            model(sample)
            times.append(time.process_time() - start)
    return 1e3 * float(np.median(times))


def main() -> None:
    """Print accuracy, zeros and time, and draw accuracy against sparsity."""
    parser = argparse.ArgumentParser(description="From thresholds to speed.")
    parser.add_argument("--output", type=Path, default=Path("sparse_digits"), help="folder for the figure")
    parser.add_argument("--mnist", type=Path, help="an .npz file of MNIST, instead of the small digits")
    parser.add_argument("--hidden", type=int, default=2048, help="units in each of two hidden layers")
    parser.add_argument("--epochs", type=int, default=10, help="passes through the training data")
    parser.add_argument("--sparsity", type=float, default=0.9, help="share of zeros to aim at")
    parser.add_argument(
        "--price", type=float, default=1.0, help="of activity, in the loss of the second training"
    )
    options = parser.parse_args()

    torch.manual_seed(0)
    x, y, test_x, test_y = digits() if options.mnist is None else mnist(options.mnist)
    hidden = options.hidden
    model = nn.Sequential(
        nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )
    train(model, x, y, options.epochs)

    def calibrated(network: nn.Module, **target: float) -> hw.audit.CalibratedThresholds:
        return hw.audit.calibrate_thresholds(
            network,
            [(test_x, test_y)],
            loss=lambda output, batch: F.cross_entropy(output, batch[1]),
            metric=accuracy,
            curve=SPARSITIES,
            **target,
        )

    at_once = calibrated(model, sparsity=options.sparsity)
    print("Thresholds alone:", at_once, sep="\n")
    tuned = copy.deepcopy(at_once.model)
    train(tuned, x, y, options.epochs, options.price)
    trained_on = calibrated(tuned, max_loss_increase=0.01)
    print("\nTrained on with them, then as sparse as 0.01 more loss allows:", trained_on, sep="\n")

    sparse = hw.audit.sparsify(trained_on.model, [test_x[:1]])
    print("\nOne sample at a time:", sparse, sep="\n")
    with torch.no_grad():
        torch.testing.assert_close(sparse.model(test_x), trained_on.model(test_x), rtol=1e-4, atol=1e-4)
    print(f"\nwhole network: {milliseconds(model, test_x):.3f} ms as trained, ", end="")
    print(f"{milliseconds(sparse.model, test_x):.3f} ms thresholded and sparse")

    figure, axes = plt.subplots(figsize=(5.5, 3.6), layout="constrained")
    for result, label in ((at_once, "thresholds alone"), (trained_on, "trained on with thresholds")):
        points = sorted((point.sparsity, point.metric) for point in result.curve)
        axes.plot(*zip(*points, strict=True), "o-", label=label)
    axes.set(xlabel="share of zeros in the hidden layers", ylabel="accuracy on held-out data", ylim=(0, 1.02))
    axes.legend()
    print(hw.plots.save_figure(figure, options.output / "sparse_digits.png"))


if __name__ == "__main__":
    main()
