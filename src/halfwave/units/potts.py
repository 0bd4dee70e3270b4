"""Potts units: each site takes one of ``q`` colours, written one-hot."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from halfwave.constraints import first_index, require
from halfwave.errors import HalfwaveError
from halfwave.units.base import Unit
from halfwave.units.numerics.noise import as_uniform

__all__ = ["Potts"]


class Potts(Unit):
    """Sites with one of ``q`` colours, one-hot, and potential ``U(x) = −Σ_c g_c x_c``.

    The last dimension of the layer is the colour: ``(*batch, sites, colours)``. With ``t = g + I``:
    ``Γ = logsumexp_c t_c`` (one value a site), mean ``softmax(t)``, variance ``p (1 − p)`` of each component,
    mode the one-hot ``argmax`` (the first colour on ties).

    Args:
        shape: ``(*sites, colours)``; the field is then zero.
        field: ``g``, shape ``(*sites, colours)``, finite.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if the field is not finite or there is no colour dimension.

    >>> Potts(field=torch.zeros(2, 4)).mean_from_inputs(torch.zeros(2, 4))[0]
    tensor([0.2500, 0.2500, 0.2500, 0.2500])

    Source: Tubiana, Cocco, Monasson, eLife 8 (2019) e39397, eq. 1.
    """

    parameter_rules = {"field": "finite"}
    input_signs = {"field": 1.0}
    value_rule = "0 or 1"
    discrete = True
    field: Tensor

    @property
    def colours(self) -> int:
        """Number of colours ``q``."""
        return self.shape[-1]

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return self.shape[:-1]

    def energies(self, x: Tensor) -> Tensor:
        return -self.field * self.convert(x)

    def cgfs(self, inputs: Tensor) -> Tensor:
        """Cumulant generating function of each site, ``(*batch, *sites)``."""
        return torch.logsumexp(self.field + inputs, -1)

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Log probability of each site, ``(*batch, *sites)``."""
        return (torch.log_softmax(self.field + inputs, -1) * self.convert(x)).sum(-1)

    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        return torch.softmax(self.field + inputs, -1)

    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        mean = self.mean_from_inputs(inputs)
        return mean * (1.0 - mean)

    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        t = self.field + inputs
        colour = torch.arange(self.colours, device=t.device)
        # the smallest colour among the largest values: argmax alone does not promise which one on ties
        ties = torch.where(t == t.amax(-1, keepdim=True), colour, self.colours)
        return one_hot(ties.amin(-1), self.colours, t.dtype)

    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        return self.mean_from_inputs(inputs)

    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        return self.sample_with_statistics(inputs, noise)[0]

    def sample_with_statistics(self, inputs: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        mean = self.mean_from_inputs(inputs)
        return _pick(mean, noise), {"x": mean}

    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        return {"x": self.convert(x)}

    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"x": self.mean_from_inputs(inputs)}

    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"field": -moments["x"]}

    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        field = mean.clamp(min=epsilon).log()
        self.field.data.copy_(field - field.mean(-1, keepdim=True))

    def check_values(self, x: Tensor, what: str = "values") -> Tensor:
        x = self.check_inputs(x, what)
        require(x, self.value_rule, f"{what} of Potts (one-hot)")
        bad = x.sum(-1) != 1
        if bool(bad.any()):
            index = first_index(bad)
            count = int(x.sum(-1)[index].item())
            raise HalfwaveError(f"{what} of Potts must have one colour a site; got {count} at index {index}")
        return x

    def one_hot(self, colours: Tensor) -> Tensor:
        """One-hot values ``(*batch, *sites, q)`` from integer colours ``(*batch, *sites)`` in 0 … q − 1.

        >>> Potts((1, 3)).one_hot(torch.tensor([2]))
        tensor([[0., 0., 1.]])
        """
        bad = (colours < 0) | (colours >= self.colours) | (colours != colours.round())
        if bool(bad.any()):
            index = first_index(bad)
            found = f"{colours[index].item():.6g}"
            raise HalfwaveError(
                f"a colour of a {self.colours}-colour Potts layer must be an integer from 0 to "
                f"{self.colours - 1}; got {found} at index {index}"
            )
        return one_hot(colours.long(), self.colours, self.dtype)

    def _check_layer(self) -> None:
        if not self.shape:
            raise HalfwaveError("Potts needs a last dimension for the colours; got shape ()")


def one_hot(colours: Tensor, count: int, dtype: torch.dtype) -> Tensor:
    """One-hot floats on a new last dimension."""
    out = torch.zeros((*colours.shape, count), dtype=dtype, device=colours.device)
    return out.scatter_(-1, colours.unsqueeze(-1), 1.0)


def _pick(probabilities: Tensor, noise: Tensor) -> Tensor:
    """One-hot choice by inversion: the first colour whose cumulated probability reaches the noise."""
    cumulated = probabilities.cumsum(-1)
    target = as_uniform(noise).unsqueeze(-1) * cumulated[..., -1:]
    colour = (cumulated < target).sum(-1)
    return one_hot(
        colour.clamp_(max=probabilities.shape[-1] - 1), probabilities.shape[-1], probabilities.dtype
    )
