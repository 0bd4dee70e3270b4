"""(b, c) One full PCD-1 update against the bare matrix products it cannot avoid.

The products are v→h for data and chains, h→v, and the two gradient products. Our update includes the minibatch
gather, random numbers, both samplers, all moments, centring, the optimiser (Adam, or plain SGD as in the figures of
other packages) and the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from timing import compare
from torch import Tensor

from halfwave.rbm import RBM, initialize
from halfwave.rbm.train import PCDTrainer
from halfwave.rbm.train.phases import can_compile
from halfwave.units import Binary, DReLU, Potts, Unit

__all__ = ["main"]

BATCH = 256
UPDATES = 4
"""Updates in one timing: the machine is brought up to date once at the end, as in a long run."""


def products(sites: int, hidden: int) -> Callable[[], object]:
    """The five products on buffers of the right sizes."""
    weights, h = torch.randn(sites, hidden), torch.randn(BATCH, hidden)
    data, chains = torch.rand(BATCH, sites), torch.rand(BATCH, sites)
    gradient = torch.empty(sites, hidden)

    def run() -> None:
        for _ in range(UPDATES):
            data @ weights
            chains @ weights
            h @ weights.T
            torch.mm(data.T, h, out=gradient)
            gradient.addmm_(chains.T, h, beta=-1.0 / BATCH, alpha=1.0 / BATCH)

    return run


def updater(
    visible: Unit, hidden: Unit, data: Tensor, compiled: bool, optimizer: str = "Adam"
) -> Callable[[], object]:
    """A few updates of a trainer that is ready to go."""
    rbm = initialize(RBM(visible, hidden), data, generator=torch.Generator().manual_seed(0))
    trainer = PCDTrainer(rbm, data, updates=10**9, batch_size=BATCH, compile=compiled, optimizer=optimizer)
    return lambda: trainer.run(until=trainer.update + UPDATES)


def scikit_learn(data: Tensor) -> Callable[[], object]:
    """One update of scikit-learn's BernoulliRBM (binary hidden units only)."""
    from sklearn.neural_network import BernoulliRBM

    machine = BernoulliRBM(n_components=400, batch_size=BATCH, random_state=0)
    batch = data[:BATCH].numpy().astype(np.float32)
    machine.partial_fit(batch)

    def run() -> None:
        for _ in range(UPDATES):
            machine.partial_fit(batch)

    return run


def table(
    title: str, make: Callable[[], tuple[Unit, Unit]], data: Tensor, **more: Callable[[], object]
) -> None:
    """Floor, eager, compiled and further cases."""
    visible, hidden = make()
    cases = {
        "bare matrix products": products(visible.size, hidden.size),
        "halfwave eager": updater(*make(), data, False),
        "halfwave eager, SGD": updater(*make(), data, False, "SGD"),
    }
    if can_compile(data.device):
        cases["halfwave compiled"] = updater(*make(), data, True)
        cases["halfwave compiled, SGD"] = updater(*make(), data, True, "SGD")
    compare(title, {**cases, **more})


def main() -> None:
    """Print the three tables."""
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand(2000, 784, generator=generator) < 0.2).float()
    table("PCD-1: binary 784 × dReLU 400, batch 256", lambda: (Binary(784), DReLU(400)), images)
    table(
        "PCD-1: binary 784 × binary 400, batch 256",
        lambda: (Binary(784), Binary(400)),
        images,
        **{"scikit-learn BernoulliRBM": scikit_learn(images)},
    )
    colours = torch.randint(21, (2000, 53), generator=generator)
    sequences = Potts((53, 21)).one_hot(colours)
    table("PCD-1: Potts 53 × 21 × dReLU 200, batch 256", lambda: (Potts((53, 21)), DReLU(200)), sequences)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
