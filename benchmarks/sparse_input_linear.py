"""Skipping the weights of zeros: one layer, a gated block, and a trained network from thresholds to speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from timing import compare
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave.audit import audit, calibrate_thresholds, sparsify
from halfwave.nn import SparseGatedMLP, SparseInputLinear, ThresholdedReLU

__all__ = ["main"]

ZEROS = (0.5, 0.8, 0.9, 0.95, 0.99)
MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist" / "mnist.npz"


def speedups(
    reference: Callable[[], object], cases: dict[str, Callable[[], object]], rounds: int
) -> dict[str, float]:
    """Median over interleaved rounds of (time of the reference)/(time of the case), by label."""
    for case in (reference, *cases.values()):
        case()
    ratios: dict[str, list[float]] = {label: [] for label in cases}
    for _ in range(rounds):
        base = seconds(reference)
        for label, case in cases.items():
            ratios[label].append(base / seconds(case))
    return {label: statistics.median(values) for label, values in ratios.items()}


def seconds(case: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    case()
    return time.process_time() - start


def sparse_inputs(batch: int, features: int, zeros: float, dtype: torch.dtype) -> Tensor:
    """Inputs of which every sample is zero at its own places."""
    values = torch.rand(batch, features) + 0.5
    return (values * (torch.rand(batch, features) >= zeros)).to(dtype)


def rotating(layers: Sequence[Callable[[Tensor], Tensor]], inputs: Sequence[Tensor]) -> Callable[[], object]:
    """The next layer on the next input, so that no weight is still in a cache."""
    next_layer, next_input = cycle(layers), cycle(inputs)
    return lambda: next(next_layer)(next(next_input))


def one_layer(features: int, outputs: int, dtype: torch.dtype, batches: Sequence[int], copies: int) -> None:
    """Times faster than ``F.linear``, for each batch size and share of zeros."""
    dense = [nn.Linear(features, outputs, bias=False, dtype=dtype) for _ in range(copies)]
    sparse = [SparseInputLinear.from_linear(layer) for layer in dense]
    print(f"\n{features} → {outputs}, {dtype}: times faster than F.linear")
    print(f"{'batch':>6s}" + "".join(f"{zeros:>8.0%}" for zeros in ZEROS) + "   dense below (zeros)")
    for batch in batches:
        inputs = {zeros: [sparse_inputs(batch, features, zeros, dtype) for _ in range(5)] for zeros in ZEROS}
        cases = {f"{zeros}": rotating(sparse, inputs[zeros]) for zeros in ZEROS}
        if batch == 1:
            # in another order of layers: the rows that were just read would still be in a cache
            bare = [by_hand(layer) for layer in (*sparse[2:], *sparse[:2])]
            cases |= {f"by hand {zeros}": rotating(bare, inputs[zeros]) for zeros in ZEROS}
        found = speedups(rotating(dense, inputs[0.9]), cases, rounds=13 if batch < 64 else 5)
        share = next(share for size, share in sparse[0].crossovers.items() if size >= batch)
        print(
            f"{batch:6d}" + "".join(f"{found[f'{z}']:8.2f}" for z in ZEROS) + f"   {1 - share:.2f}",
            flush=True,
        )
        if batch == 1:
            print("  bare" + "".join(f"{found[f'by hand {z}']:8.2f}" for z in ZEROS) + "   by hand")


def by_hand(layer: SparseInputLinear) -> Callable[[Tensor], Tensor]:
    """The bare operations for one sample, which is what the layer must match."""
    rows, start = layer.weight.t(), torch.zeros(1, dtype=torch.long)

    def product(x: Tensor) -> Tensor:
        index = x[0].nonzero().squeeze(1)
        return F.embedding_bag(index, rows, start, mode="sum", per_sample_weights=x[0][index])

    return product


def gated_block(dtype: torch.dtype) -> None:
    """Gate, up and down projection of 4096 → 11008 → 4096, one sample."""
    gate, up = (nn.Linear(4096, 11008, bias=False, dtype=dtype) for _ in range(2))
    down = nn.Linear(11008, 4096, bias=False, dtype=dtype)
    inputs = [torch.randn(1, 4096).to(dtype) for _ in range(5)]
    sparse_down = SparseInputLinear.from_linear(down)
    cases: dict[str, Callable[[], object]] = {}
    for zeros in ZEROS:
        threshold = float(torch.quantile(gate(inputs[0]).float(), zeros))
        activation = ThresholdedReLU(threshold, "keep")
        whole = SparseGatedMLP(gate, up, sparse_down, activation)
        cases[f"whole {zeros}"] = rotating([whole], inputs)
        cases[f"down {zeros}"] = rotating(
            [lambda x, activation=activation: sparse_down(activation(gate(x)) * up(x))], inputs
        )
    dense = rotating([lambda x: down(F.relu(gate(x)) * up(x))], inputs)
    found = speedups(dense, cases, rounds=11)
    print(f"\ngated block 4096 → 11008 → 4096, one sample, {dtype}: times faster than dense (limit 3)")
    print(" " * 32 + "".join(f"{zeros:>8.0%}" for zeros in ZEROS))
    for kind, words in (("whole", "SparseGatedMLP"), ("down", "only down is a SparseInputLinear")):
        print(f"{words:32s}" + "".join(f"{found[f'{kind} {zeros}']:8.2f}" for zeros in ZEROS), flush=True)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test images and labels of scikit-learn's digits."""
    bunch = load_digits()
    x, y = torch.from_numpy(bunch.data).float() / 16, torch.from_numpy(bunch.target)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order[:1300]], y[order[:1300]], x[order[1300:]], y[order[1300:]]


def mnist() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A third of the training images of MNIST, and the test images."""
    with np.load(MNIST) as arrays:
        x, y, test_x, test_y = (
            torch.from_numpy(arrays[name].astype(np.float32 if name[0] == "x" else np.int64))
            for name in ("x_train", "y_train", "x_test", "y_test")
        )
    return x[:20_000].reshape(-1, 784) / 255, y[:20_000], test_x.reshape(-1, 784) / 255, test_y


def network(inputs: int, hidden: int) -> nn.Sequential:
    """Two hidden layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    )


def train(model: nn.Sequential, x: Tensor, y: Tensor, epochs: int, penalty: float = 0.0) -> None:
    """Adam, batches of 128; the penalty is on the mean output of the rectifiers."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            values, cost = x[chosen], torch.zeros(())
            for part in model:
                values = part(values)
                if not isinstance(part, nn.Linear):
                    cost = cost + values.mean()
            (F.cross_entropy(values, y[chosen]) + penalty * cost).backward()
            optimizer.step()


def whole_path(name: str, data: tuple[Tensor, Tensor, Tensor, Tensor], hidden: int, epochs: int) -> None:
    """Train, threshold, train on, make sparse: accuracy and zeros on held-out data, time of a pass."""
    x, y, test_x, test_y = data
    model = network(x.shape[1], hidden)
    train(model, x, y, epochs)

    def accuracy(made: nn.Module) -> float:
        with torch.no_grad():
            return (made(test_x).argmax(1) == test_y).float().mean().item()

    print(f"\n{name}: {x.shape[1]} – {hidden} – {hidden} – 10; accuracy on {len(test_x)} held-out samples")
    print(f"as trained: {accuracy(model):.4f}, {zeros_of(model, test_x):.1%} zeros")
    models = {}
    for sparsity in (0.8, 0.9, 0.95):
        made = calibrate_thresholds(model, [(x[:2000], y[:2000])], sparsity=sparsity).model
        assert isinstance(made, nn.Sequential)
        words = f"thresholds for {sparsity:.0%}: {accuracy(made):.4f} at once"
        train(made, x, y, epochs, penalty=1.0)
        found = zeros_of(made, test_x)
        models[f"{sparsity:.0%}, {found:.1%} zeros"] = made
        print(f"{words}, {accuracy(made):.4f} trained on with a penalty, {found:.1%} zeros", flush=True)
    with torch.no_grad():
        for rows in (1, 8):
            cases = {"as trained": forward(model, test_x, rows)}
            for label, made in models.items():
                result = sparsify(made, [test_x[:rows]])
                cases[f"{label}, swapped {', '.join(result.swapped) or 'none'}"] = forward(
                    result.model, test_x, rows
                )
            compare(f"{name}, 50 batches of {rows}", cases, rounds=21)


def zeros_of(model: nn.Module, x: Tensor) -> float:
    """Share of zeros in the outputs of the rectifiers."""
    layers = audit(model, [x]).layers
    return statistics.fmean(layer.sparsity for layer in layers)


def forward(model: nn.Module, x: Tensor, rows: int) -> Callable[[], None]:
    """Fifty batches of different samples."""

    def run() -> None:
        for batch in x[: 50 * rows].split(rows):
            model(batch)

    return run


def main() -> None:
    """Print the tables."""
    torch.manual_seed(0)
    with torch.no_grad():
        for dtype in (torch.float32, torch.bfloat16):
            one_layer(11008, 4096, dtype, (1, 2, 8, 64), copies=4)
        for dtype in (torch.float32, torch.bfloat16):
            gated_block(dtype)
        one_layer(2048, 2048, torch.float32, (1, 8), copies=4)
        one_layer(512, 512, torch.float32, (1, 8), copies=4)
    whole_path("digits", digits(), hidden=1024, epochs=30)
    if MNIST.exists():
        whole_path("MNIST", mnist(), hidden=2048, epochs=2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
