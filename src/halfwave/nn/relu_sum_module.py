"""A trainable sum of rectified linear terms, in any number of dimensions."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfwave import functions
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.nn.parameters import check_input

__all__ = ["ReLUSum"]


class ReLUSum(nn.Module):
    """``f(x) = Σ_k weights[:, k] (slopes[k] · x + intercepts[k])⁺ + slope x + offset``, all of it trainable.

    A network with one hidden layer of rectifiers and a linear path beside it. It starts, for inputs of mean 0 and
    variance 1, with kinks spread evenly over the data: directions ``slopes[k]`` uniform on the unit sphere, kinks
    at the quantiles of the standard normal, in random order; weights normal with variance 1/terms; no linear part.
    `initialize_from_data` puts the kinks at the quantiles of given data instead.

    Args:
        in_features: dimension of x.
        terms: number of rectified linear terms.
        out_features: dimension of f(x).
        generator: of the random numbers of the start.
        dtype, device: of the parameters.

    Raises:
        HalfwaveError: if a size is not a positive integer.

    >>> model = ReLUSum(1, 8, generator=torch.Generator().manual_seed(0))
    >>> model(torch.zeros(5, 1)).shape, len(model.to_function().kinks)
    (torch.Size([5, 1]), 8)
    """

    def __init__(
        self,
        in_features: int,
        terms: int,
        out_features: int = 1,
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("in_features", in_features), ("terms", terms), ("out_features", out_features)):
            if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
                raise HalfwaveError(f"`{name}` of ReLUSum must be a positive integer; got {size!r}")
        options = {"dtype": dtype, "device": device}
        self.in_features, self.terms, self.out_features = in_features, terms, out_features
        self.slopes = nn.Parameter(torch.empty(terms, in_features, **options))
        self.intercepts = nn.Parameter(torch.empty(terms, **options))
        self.weights = nn.Parameter(torch.empty(out_features, terms, **options))
        self.slope = nn.Parameter(torch.empty(out_features, in_features, **options))
        self.offset = nn.Parameter(torch.empty(out_features, **options))
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw the start described above anew."""
        self.slopes.normal_(generator=generator)
        self.slopes.div_(self.slopes.norm(dim=1, keepdim=True).clamp_min(torch.finfo(self.slopes.dtype).tiny))
        order = torch.randperm(self.terms, generator=generator, device=self.slopes.device)
        quantiles = (order.to(torch.float64) + 0.5) / self.terms
        # Along s·d with s the sign of d's first part: in one dimension no two kinks fall on each other.
        self.intercepts.copy_(-torch.special.ndtri(quantiles) * self._signs())
        self.weights.normal_(std=1 / math.sqrt(self.terms), generator=generator)
        self.slope.zero_()
        self.offset.zero_()

    @torch.no_grad()
    def initialize_from_data(self, x: Tensor) -> Self:
        """Put the kink of each term at a quantile of the data along its direction; other parameters stay.

        Args:
            x: data (samples, in_features), at least one sample, finite.

        Raises:
            HalfwaveError: if the shape does not fit or a value is not finite.
        """
        check_input(x, "initialize_from_data")
        if x.ndim != 2 or x.shape[1] != self.in_features or not len(x):
            raise HalfwaveError(
                f"data of ReLUSum must be (samples, {self.in_features}), with a sample; got {tuple(x.shape)}"
            )
        if not bool(torch.isfinite(x).all()):
            raise HalfwaveError(f"data of ReLUSum must be finite; got {x[~torch.isfinite(x)][0].item()}")
        signs = self._signs()
        projected = (x.to(self.slopes) @ (self.slopes * signs[:, None]).T).sort(dim=0).values
        # The terms keep their ranks, so that kinks of all directions stay spread over the data.
        rank = (-self.intercepts * signs).argsort().argsort()
        place = (rank.to(torch.float64) + 0.5) / self.terms * len(x)
        row = place.long().clamp(max=len(x) - 1)
        self.intercepts.copy_(-projected.gather(0, row[None, :])[0] * signs)
        return self

    def _signs(self) -> Tensor:
        return torch.where(self.slopes[:, 0] < 0, -1.0, 1.0).to(self.slopes.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """f of each row: (*batch, in_features) → (*batch, out_features)."""
        check_input(x, "ReLUSum")
        if x.shape[-1:] != (self.in_features,):
            raise HalfwaveError(
                f"the input of ReLUSum must end in {self.in_features} features; got shape {tuple(x.shape)}"
            )
        terms = F.relu(F.linear(x, self.slopes, self.intercepts))
        return F.linear(terms, self.weights, self.offset) + F.linear(x, self.slope)

    def to_function(self) -> PiecewiseLinear:
        """The same function of one variable, exactly, as a `PiecewiseLinear`.

        Raises:
            HalfwaveError: if the module has more than one input or output feature.

        >>> f = ReLUSum(1, 3, generator=torch.Generator().manual_seed(0)).to_function()
        >>> len(f.as_relu_sum()["weights"])
        3
        """
        if (self.in_features, self.out_features) != (1, 1):
            raise HalfwaveError(
                "to_function needs one input and one output feature; "
                f"got {self.in_features} and {self.out_features}"
            )
        flat = {name: value.detach().double().flatten().tolist() for name, value in self.named_parameters()}
        return functions.relu_sum(
            flat["slopes"], flat["intercepts"], flat["weights"], flat["slope"][0], flat["offset"][0]
        )

    @classmethod
    def from_function(cls, function: PiecewiseLinear, *, dtype: torch.dtype | None = None) -> Self:
        """The module of a continuous piecewise-linear function, to start training from.

        Raises:
            HalfwaveError: if the function jumps or has no kink.

        >>> ReLUSum.from_function(functions.absolute())(torch.tensor([[-2.0]])).item()
        2.0
        """
        if not isinstance(function, PiecewiseLinear):
            raise HalfwaveError(f"from_function takes a PiecewiseLinear; got {type(function).__name__}")
        parts = function.as_relu_sum()
        if not parts["slopes"]:
            raise HalfwaveError("from_function needs a function with a kink; got a straight line")
        module = cls(1, len(parts["slopes"]), dtype=dtype)
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                values = torch.as_tensor(parts[name], dtype=torch.float64)
                parameter.copy_(values.reshape(parameter.shape))
        return module

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, terms={self.terms}, out_features={self.out_features}"
