"""What the hidden units of a machine have learnt: how much each matters, and how each responds."""

from __future__ import annotations

import torch
from torch import Tensor

from halfwave.rbm.machine import RBM
from halfwave.rbm.profiles import HiddenProfiles, hidden_inputs, hidden_profiles
from halfwave.units.potts import Potts

__all__ = [
    "HiddenProfiles",
    "feature_importance",
    "hidden_profiles",
    "order_by_importance",
    "standardised_weights",
]


def standardised_weights(rbm: RBM, data: Tensor) -> Tensor:
    """Weights as they act on hidden units of unit variance: ``W_iμ · std(h_μ)`` on the data.

    Unchanged by ``h → h/s`` and by constants added over the colours of Potts units, which leave the distribution of
    the machine as it is. The variance is the variance of the conditional means plus the mean of the conditional
    variances.

    Args:
        rbm: the machine.
        data: samples ``(n, *visible.shape)``, at least 1.

    Returns:
        ``(visible.size, hidden.size)``.

    Raises:
        HalfwaveError: if there are no samples or they have another shape.

    >>> from halfwave.units import Binary, DReLU
    >>> standardised_weights(RBM(Binary((2, 2)), DReLU(3)), torch.ones(5, 2, 2)).shape
    torch.Size([4, 3])
    """
    return _zero_sum(rbm) * hidden_std(rbm, data)


def feature_importance(rbm: RBM, data: Tensor) -> Tensor:
    """Importance ``‖W_μ‖ · std(h_μ)`` of each hidden unit on the data: how far it moves the visible inputs.

    Args:
        rbm: the machine.
        data: samples ``(n, *visible.shape)``, at least 1.

    Returns:
        ``(hidden.size,)``, in the order of the flattened hidden layer.

    Raises:
        HalfwaveError: if there are no samples or they have another shape.

    >>> from halfwave.units import Binary, DReLU
    >>> machine = RBM(Binary(2), DReLU(2), torch.tensor([[3.0, 0.0], [4.0, 0.0]]))
    >>> feature_importance(machine, torch.zeros(5, 2))
    tensor([5., 0.])
    """
    return standardised_weights(rbm, data).norm(dim=0)


def order_by_importance(importance: Tensor) -> Tensor:
    """Positions from the most to the least important; equals keep their order.

    >>> order_by_importance(torch.tensor([0.1, 2.0, 0.7]))
    tensor([1, 2, 0])
    """
    return torch.argsort(importance, descending=True, stable=True)


@torch.no_grad()
def hidden_std(rbm: RBM, data: Tensor) -> Tensor:
    """Standard deviation of each hidden unit over the data, ``(hidden.size,)``, by the law of total variance."""
    mean = torch.zeros(rbm.hidden.size, dtype=torch.float64, device=rbm.weights.device)
    square, within = torch.zeros_like(mean), torch.zeros_like(mean)
    # the mean is taken out before squaring: a unit far from zero would lose its variance to rounding
    origin = None
    for inputs in hidden_inputs(rbm, data):
        means = rbm.hidden.mean_from_inputs(inputs).flatten(1).double()
        origin = means[0] if origin is None else origin
        deviation = means - origin
        mean += deviation.sum(0)
        square += deviation.square().sum(0)
        within += rbm.hidden.var_from_inputs(inputs).flatten(1).double().sum(0)
    between = (square / len(data) - (mean / len(data)).square()).clamp_(min=0.0)
    return (between + within / len(data)).sqrt().to(rbm.weights.dtype)


def _zero_sum(rbm: RBM) -> Tensor:
    """The weight matrix with zero mean over the colours of Potts layers: the same machine, another gauge."""
    weights = rbm.weights
    if isinstance(rbm.visible, Potts):
        weights = weights - weights.mean(len(rbm.visible.shape) - 1, keepdim=True)
    if isinstance(rbm.hidden, Potts):
        weights = weights - weights.mean(-1, keepdim=True)
    return weights.reshape(rbm.visible.size, rbm.hidden.size)
