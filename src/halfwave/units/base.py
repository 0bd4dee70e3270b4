"""The interface of every random unit, and what all units share.

A unit is a layer of independent random variables with potential ``U``. Driven by inputs ``I`` it has the density
``p(x | I) = exp(I x − U(x) − Γ(I))``, where ``Γ`` is the cumulant generating function. A concrete unit supplies a
handful of short functions; everything else here is generic.

Arrays are batch-first: ``(*batch, *shape)``, where ``shape`` is the shape of the layer and batch dimensions may
be absent. Statistics are dictionaries from the name of a sufficient statistic to its values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from halfwave.constraints import first_index, require
from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.units.checks import layer_shape
from halfwave.units.numerics.noise import random_words

__all__ = ["Unit"]


class Unit(nn.Module, ABC):
    """Base class of all units; construct one of the concrete units from a shape or from parameter tensors.

    Parameters are frozen ``torch.nn.Parameter`` objects (``requires_grad=False``): training sets their gradients
    from expected statistics. Call ``unit.requires_grad_()`` to differentiate through ``cgfs``, ``energies``,
    ``mean_from_inputs`` and ``var_from_inputs``; the derivatives are exact.
    """

    parameter_rules: ClassVar[dict[str, str]] = {}
    """Name of each parameter and the constraint on it."""
    parameter_defaults: ClassVar[dict[str, float]] = {}
    """Value of each parameter when the unit is built from a shape."""
    statistic_names: ClassVar[tuple[str, ...]] = ("x",)
    """Sufficient statistics, in the order in which the unit lists them."""
    value_rule: ClassVar[str] = "finite"
    """Constraint on the values of the unit."""
    discrete: ClassVar[bool] = False
    """Whether the unit takes finitely many values."""
    input_signs: ClassVar[dict[str, float]] = {}
    """Parameters that an input adds to (+1) or subtracts from (−1): a field or thresholds."""
    scale_powers: ClassVar[dict[str, int]] = {}
    """Power of ``s`` that multiplies each parameter when values shrink, ``x → x/s``; empty if they cannot."""

    def __init__(
        self,
        shape: int | Sequence[int] | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        **parameters: Tensor,
    ) -> None:
        super().__init__()
        if shape is None and not parameters:
            raise HalfwaveError(f"{self.name} needs a shape or its parameters {self._known()}; got neither")
        if shape is not None and parameters:
            raise HalfwaveError(f"{self.name} takes a shape or parameters, not both; got shape {shape}")
        values = self._from_shape(shape, dtype, device) if shape is not None else parameters
        self._check_names(values)
        tensors = {key: torch.as_tensor(value, device=device) for key, value in values.items()}
        common = dtype or _common_dtype(tensors)
        if common not in (torch.float32, torch.float64):
            raise HalfwaveError(f"the dtype of {self.name} must be float32 or float64; got {common}")
        self._check_shapes(tensors)
        for key in self.parameter_rules:
            value = tensors[key].detach().to(common).clone()
            require(value, self.parameter_rules[key], f"`{key}` of {self.name}")
            self.register_parameter(key, nn.Parameter(value, requires_grad=False))
        self._check_layer()

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Tensor]) -> Self:
        """A layer from a mapping of parameter tensors by name; the same as passing them by keyword."""
        return cls(None, **parameters)  # pyright: ignore[reportArgumentType]

    @property
    def name(self) -> str:
        """Name of the unit type, as users write it."""
        return type(self).__name__

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the layer."""
        return tuple(self._first().shape)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Shape of the uniform numbers that one sample of the layer consumes."""
        return self.shape

    @property
    def size(self) -> int:
        """Number of elements of one sample of the layer."""
        return self._first().numel()

    @property
    def dtype(self) -> torch.dtype:
        """Floating dtype of the parameters."""
        return self._first().dtype

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self._first().device

    def extra_repr(self) -> str:
        return f"shape={self.shape}, dtype={self.dtype}"

    # what a concrete unit supplies

    @abstractmethod
    def energies(self, x: Tensor) -> Tensor:
        """Potential ``U(x)`` of each unit, ``(*batch, *shape)``."""

    @abstractmethod
    def cgfs(self, inputs: Tensor) -> Tensor:
        """Cumulant generating function ``Γ(I) = log ∫ exp(I x − U(x)) dx`` of each unit."""

    @abstractmethod
    def mean_from_inputs(self, inputs: Tensor) -> Tensor:
        """Mean ``Γ'(I)`` of each unit, ``(*batch, *shape)``."""

    @abstractmethod
    def var_from_inputs(self, inputs: Tensor) -> Tensor:
        """Variance ``Γ''(I)`` of each unit, ``(*batch, *shape)``."""

    @abstractmethod
    def mode_from_inputs(self, inputs: Tensor) -> Tensor:
        """Most probable value of each unit, ``argmax_x [I x − U(x)]``."""

    @abstractmethod
    def mean_abs_from_inputs(self, inputs: Tensor) -> Tensor:
        """Mean of the absolute value of each unit."""

    @abstractmethod
    def sample_from_noise(self, inputs: Tensor, noise: Tensor) -> Tensor:
        """Samples given the inputs and the random numbers of ``draw_noise``; a pure function."""

    @abstractmethod
    def statistics(self, x: Tensor) -> dict[str, Tensor]:
        """Sufficient statistics of values ``x``, each ``(*batch, *shape)``."""

    @abstractmethod
    def statistics_from_inputs(self, inputs: Tensor) -> dict[str, Tensor]:
        """Expected sufficient statistics given the inputs, each ``(*batch, *shape)``."""

    @abstractmethod
    def energy_gradients(self, moments: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gradient of the mean energy with respect to each parameter, from averaged statistics."""

    @abstractmethod
    def initialize_from_moments(self, mean: Tensor, variance: Tensor, epsilon: float = 1e-6) -> None:
        """Set the parameters in place so that the unit at zero input has (about) this mean and variance."""

    # generic

    def energy(self, x: Tensor) -> Tensor:
        """Potential summed over the layer, ``(*batch,)``."""
        return self.sum_over_layer(self.energies(x))

    def cgf(self, inputs: Tensor) -> Tensor:
        """Cumulant generating function summed over the layer, ``(*batch,)``."""
        return self.sum_over_layer(self.cgfs(inputs), sites=True)

    def log_probs(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Log density (or probability) of each unit at ``x`` given the inputs: ``I x − U(x) − Γ(I)``."""
        x = self.convert(x)
        return inputs * x - self.energies(x) - self.cgfs(inputs)

    def log_prob(self, x: Tensor, inputs: Tensor) -> Tensor:
        """Log density of the whole layer at ``x`` given the inputs, ``(*batch,)``."""
        return self.sum_over_layer(self.log_probs(x, inputs), sites=True)

    def draw_noise(self, batch_shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Random numbers that ``sample_from_noise`` consumes for a batch of this shape (see `random_words`)."""
        return random_words((*batch_shape, *self.noise_shape), generator, self.dtype, self.device)

    def sample_from_inputs(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Independent samples of each unit given the inputs ``(*batch, *shape)``."""
        inputs = self.check_inputs(inputs)
        with torch.no_grad():
            return self.sample_from_noise(inputs, self.draw_noise(self.batch_shape(inputs), generator))

    def sample_with_statistics(self, inputs: Tensor, noise: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Samples and expected statistics from the same inputs; units override it to share work."""
        return self.sample_from_noise(inputs, noise), self.statistics_from_inputs(inputs)

    def mean_from_statistics(self, statistics: Mapping[str, Tensor]) -> Tensor:
        """Mean of the unit, given (expected or averaged) statistics."""
        return statistics["x"]

    def std_from_inputs(self, inputs: Tensor) -> Tensor:
        """Standard deviation of each unit."""
        return self.var_from_inputs(inputs).sqrt()

    def moments_from_samples(self, x: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Weighted average of the sufficient statistics over the batch, each of the layer's shape."""
        return self._average(self.statistics(self.check_inputs(x, "values")), weights)

    def moments_from_inputs(self, inputs: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Weighted average of the expected statistics over the batch, each of the layer's shape."""
        return self._average(self.statistics_from_inputs(self.check_inputs(inputs)), weights)

    def mode_function(self, index: int | tuple[int, ...] = ()) -> PiecewiseLinear:
        """The mode of one unit as an exact piecewise-linear function of its input."""
        raise HalfwaveError(f"mode_function is for units with a piecewise-linear mode; {self.name} has none")

    def absorb_inputs(self, inputs: Tensor) -> None:
        """Move constant inputs ``(*shape)`` into the parameters, in place: ``I`` acts as ``I + inputs`` did."""
        for key, sign in self.input_signs.items():
            self.get_parameter(key).data.add_(inputs, alpha=sign)

    # shapes and values

    def batch_shape(self, x: Tensor) -> tuple[int, ...]:
        """Leading dimensions of ``(*batch, *shape)``."""
        return tuple(x.shape[: x.ndim - len(self.shape)])

    def sum_over_layer(self, values: Tensor, sites: bool = False) -> Tensor:
        """Sum over the layer's dimensions; ``sites`` says that a colour dimension is already summed."""
        dimensions = len(self.noise_shape) if sites else len(self.shape)
        return values.flatten(values.ndim - dimensions).sum(-1) if dimensions else values

    def convert(self, x: Tensor) -> Tensor:
        """Values in the layer's dtype (booleans and integers become floats)."""
        return x if x.dtype == self.dtype else x.to(self.dtype)

    def check_inputs(self, inputs: Tensor, what: str = "inputs") -> Tensor:
        """``inputs`` in the layer's dtype if its trailing dimensions are the layer's, else `HalfwaveError`."""
        trailing = tuple(inputs.shape[max(inputs.ndim - len(self.shape), 0) :])
        if trailing != self.shape:
            raise HalfwaveError(
                f"{what} of {self.name} must end in the layer's shape {self.shape}; got {tuple(inputs.shape)}"
            )
        return self.convert(inputs)

    def check_values(self, x: Tensor, what: str = "values") -> Tensor:
        """``x`` in the layer's dtype if its shape and every value fit the layer, else `HalfwaveError`."""
        x = self.check_inputs(x, what)
        bad = ~torch.isfinite(x)
        if bool(bad.any()):
            index = first_index(bad)
            raise HalfwaveError(
                f"{what} of {self.name} must be finite; got {x[index].item()} at index {index}"
            )
        require(x, self.value_rule, f"{what} of {self.name}")
        return x

    def check_index(self, index: int | tuple[int, ...]) -> tuple[int, ...]:
        """``index`` as a tuple if it names one element of the layer, else `HalfwaveError`."""
        place = index if isinstance(index, tuple) else (index,)
        if len(place) != len(self.shape) or any(
            not isinstance(i, Integral) or not -size <= i < size
            for i, size in zip(place, self.shape, strict=True)
        ):
            raise HalfwaveError(f"an index of {self.name} must name one unit of {self.shape}; got {index!r}")
        return place

    def _first(self) -> Tensor:
        return self._parameters[next(iter(self.parameter_rules))]  # pyright: ignore[reportReturnType]

    def _tracked(self, inputs: Tensor) -> bool:
        """Whether autograd follows the inputs or a parameter."""
        return inputs.requires_grad or any(
            p.requires_grad for p in self._parameters.values() if p is not None
        )

    def _average(self, statistics: Mapping[str, Tensor], weights: Tensor | None) -> dict[str, Tensor]:
        return {key: self._batch_mean(value, weights) for key, value in statistics.items()}

    def _batch_mean(self, values: Tensor, weights: Tensor | None) -> Tensor:
        flat = values.reshape(-1, *self.shape)
        if not len(flat):
            raise HalfwaveError(f"moments of {self.name} need at least one sample; got an empty batch")
        if weights is None:
            return flat.mean(0)
        if weights.numel() != len(flat):
            raise HalfwaveError(
                f"moments of {self.name} need one weight a sample; got {weights.numel()} for {len(flat)} samples"
            )
        weights = weights.reshape(-1).to(flat)
        return torch.tensordot(weights / weights.sum(), flat, dims=1)

    # construction

    def _known(self) -> str:
        return ", ".join(f"`{key}`" for key in self.parameter_rules)

    def _from_shape(
        self, shape: int | Sequence[int], dtype: torch.dtype | None, device: torch.device | str | None
    ) -> dict[str, Tensor]:
        sizes = layer_shape(shape, self.name)
        options = {"dtype": dtype or torch.get_default_dtype(), "device": device}
        return {
            key: torch.full(sizes, self.parameter_defaults.get(key, 0.0), **options)
            for key in self.parameter_rules
        }

    def _check_names(self, values: Mapping[str, Tensor]) -> None:
        for key in values:
            if key not in self.parameter_rules:
                raise HalfwaveError(f"the parameters of {self.name} are {self._known()}; got `{key}`")
        for key in self.parameter_rules:
            if key not in values:
                raise HalfwaveError(
                    f"{self.name} needs all its parameters {self._known()}; `{key}` is missing"
                )

    def _check_shapes(self, tensors: Mapping[str, Tensor]) -> None:
        shapes = {key: tuple(value.shape) for key, value in tensors.items()}
        if len(set(shapes.values())) > 1:
            raise HalfwaveError(f"all parameters of {self.name} must have the same shape; got {shapes}")

    def _check_layer(self) -> None:
        """Further rules of a concrete unit on its layer."""


def _common_dtype(tensors: Mapping[str, Tensor]) -> torch.dtype:
    """Floating dtype that holds all tensors; integers become the default dtype."""
    dtype = None
    for value in tensors.values():
        own = value.dtype if value.is_floating_point() else torch.get_default_dtype()
        dtype = own if dtype is None else torch.promote_types(dtype, own)
    return dtype or torch.get_default_dtype()
