"""What all explicit functions of several variables can do: be called, printed, differentiated, stored, exported."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from halfwave.errors import HalfwaveError
from halfwave.functions import PiecewiseLinear
from halfwave.functions.checks import finite_vector, real_array
from halfwave.functions.evaluation import is_torch_tensor
from halfwave.functions.notation.numbers import Latex, Plain

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["ExplicitFunction", "Matrix", "Vector", "finite_matrix", "line_through", "read_only"]

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]

_SHOWN = 400  # characters of LaTeX that a notebook still renders


class ExplicitFunction(ABC):
    """A function of d variables given by its numbers; it cannot be changed.

    Subclasses hold read-only arrays and say how to evaluate, differentiate, write and export them.
    """

    __slots__ = ()

    kind: ClassVar[str]

    @property
    @abstractmethod
    def features(self) -> int:
        """Number of variables d."""

    @abstractmethod
    def write(self, notation: Plain, names: Sequence[str]) -> str:
        """The function in a notation, with a name for each variable."""

    @abstractmethod
    def along(self, point: npt.ArrayLike, direction: npt.ArrayLike) -> PiecewiseLinear:
        """The restriction to a line, ``t ↦ f(point + t direction)``, as an exact function of t."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Its numbers as lists under their names, ready for JSON; `from_dict` reads them back exactly."""

    @classmethod
    @abstractmethod
    def _from_parts(cls, parts: dict[str, Any]) -> Self: ...

    @abstractmethod
    def to_module(self, dtype: torch.dtype | None = None) -> nn.Module:
        """The function as a trainable torch module (*batch, d) → (*batch, 1), which exports to ONNX.

        Args:
            dtype: of its parameters; torch's default dtype by default.
        """

    @abstractmethod
    def _values(self, x: Matrix) -> Vector: ...

    @abstractmethod
    def _gradients(self, x: Matrix) -> Matrix: ...

    def __call__(self, x: Any) -> Any:
        """The values f(x).

        Args:
            x: points (*batch, d), an array or a torch tensor, computed in float64.

        Returns:
            Values (*batch), in the floating dtype (and on the device) of `x`; a float for one point. On a tensor
            they are differentiable in `x`.

        Raises:
            HalfwaveError: if `x` does not end in d features or is not real numbers.
        """
        if is_torch_tensor(x):
            return self._on_tensor(x)
        points = self._points(x)
        values = self._values(points.astype(np.float64, order="C").reshape(-1, self.features))
        shaped = values.reshape(points.shape[:-1]).astype(points.dtype)
        return float(shaped) if shaped.ndim == 0 else shaped

    def gradient(self, x: Any) -> Any:
        """The gradient ``∇f(x)``, at a kink that of one of the pieces which meet there.

        Args:
            x: points (*batch, d), an array or a torch tensor.

        Returns:
            Gradients (*batch, d), in the kind and the floating dtype of `x`.

        Raises:
            HalfwaveError: as for a call.
        """
        if is_torch_tensor(x):
            import torch

            wide = self._checked_tensor(x).detach().cpu().to(torch.float64)
            return torch.tensor(self.gradient(wide.numpy()), dtype=x.dtype, device=x.device)
        points = self._points(x)
        slopes = self._gradients(points.astype(np.float64, order="C").reshape(-1, self.features))
        return slopes.reshape(points.shape).astype(points.dtype)

    def formula(self, names: Sequence[str] | None = None, digits: int | None = None) -> str:
        """The function in one line.

        Args:
            names: of the variables; x1, x2, … by default.
            digits: significant digits of each number; as many as needed by default.

        Raises:
            HalfwaveError: if there is not one name for each variable, or `digits` is not a positive whole number.
        """
        return self.write(Plain(digits=digits), self._names(names, "x{}"))

    def latex(self, names: Sequence[str] | None = None, digits: int | None = None) -> str:
        """The same in LaTeX, for mathematics mode; arguments and errors as in `formula`."""
        return self.write(Latex(digits=digits), self._names(names, "x_{{{}}}"))

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The function that `to_dict` described.

        Raises:
            HalfwaveError: if the dictionary is of another kind, or a part is missing or not what it should be.
        """
        if data.get("kind") != cls.kind:
            raise HalfwaveError(
                f'the dictionary of {cls.__name__} must have "kind": "{cls.kind}"; got {data.get("kind")!r}'
            )
        try:
            return cls._from_parts(data)
        except KeyError as error:
            raise HalfwaveError(
                f"the dictionary of {cls.__name__} must have a part {error}; got {sorted(data)}"
            ) from error

    def _points(self, x: Any) -> npt.NDArray[Any]:
        points = real_array("`x`", x)
        if points.shape[-1:] != (self.features,):
            raise HalfwaveError(
                f"`x` of {type(self).__name__} must end in {self.features} features; got shape {points.shape}"
            )
        return points

    def _checked_tensor(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_complex():
            raise HalfwaveError(f"`x` must be real numbers; got a tensor of dtype {x.dtype}")
        if x.shape[-1:] != (self.features,):
            raise HalfwaveError(
                f"`x` of {type(self).__name__} must end in {self.features} features; got shape {tuple(x.shape)}"
            )
        return x

    def _on_tensor(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        result = x.dtype if self._checked_tensor(x).is_floating_point() else torch.get_default_dtype()
        # float64 as for arrays; Apple's device has none
        dtype = torch.float32 if x.device.type == "mps" else torch.float64
        module = self.to_module(dtype).to(x.device).requires_grad_(False)
        return module(x.to(dtype)).squeeze(-1).to(result)

    def _names(self, names: Sequence[str] | None, pattern: str) -> Sequence[str]:
        if names is None:
            return [pattern.format(i + 1) for i in range(self.features)]
        if len(names) != self.features:
            raise HalfwaveError(f"`names` must have {self.features} entries; got {len(names)}")
        return [str(name) for name in names]

    def _repr_latex_(self) -> str | None:
        # None sends a notebook back to the repr.
        text = self.latex(digits=6)
        return rf"$\displaystyle {text}$" if len(text) <= _SHOWN else None

    def __str__(self) -> str:
        return self.formula()

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self.to_dict()) == repr(other.to_dict())  # pyright: ignore[reportAttributeAccessIssue]

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_dict, (self.to_dict(),)


def finite_matrix(name: str, values: Any, columns: int | None = None) -> Matrix:
    """A fresh float64 array (rows, columns) without NaN or infinity, or HalfwaveError."""
    array = real_array(name, values)
    if array.ndim != 2:
        raise HalfwaveError(f"{name} must be two-dimensional; got shape {array.shape}")
    if columns is not None and array.shape[1] != columns:
        raise HalfwaveError(f"{name} must have {columns} columns; got {array.shape[1]}")
    bad = np.argwhere(~np.isfinite(array))
    if bad.size:
        row, column = bad[0].tolist()
        raise HalfwaveError(
            f"{name} must be finite; got {float(array[row, column])!r} at index ({row}, {column})"
        )
    return array.astype(np.float64, order="C")


def read_only(array: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The array, which can no longer be written to."""
    array.setflags(write=False)
    return array


def line_through(point: npt.ArrayLike, direction: npt.ArrayLike, features: int) -> tuple[Vector, Vector]:
    """A point and a direction (d,), checked."""
    return (
        finite_vector("`point`", point, features),
        finite_vector("`direction`", direction, features),
    )
