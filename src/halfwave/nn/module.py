"""What the activation modules share: parameters that are numbers, fixed tensors or learnt, one or one per channel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, TypedDict

import torch
from torch import Tensor, nn

from halfwave.constraints import require
from halfwave.errors import HalfwaveError
from halfwave.nn.parameters import along_channels

__all__ = ["Activation", "ChannelOptions"]


class ChannelOptions(TypedDict, total=False):
    """Keyword arguments that every activation module takes."""

    num_channels: int | None
    channel_dim: int
    learnable: bool
    dtype: torch.dtype | None
    device: torch.device | str | None


class Activation(nn.Module):
    """Base class of the activations: registers parameters and lays them along the channel dimension.

    A number that is not learnt stays a number, which is fastest and exports best; a tensor becomes a buffer; with
    ``learnable=True`` either becomes a ``torch.nn.Parameter``. A vector (channels,) is laid along ``channel_dim``
    of the input (1 by default, as in ``torch.nn.PReLU``; −1 for transformers); other shapes broadcast.

    Args:
        values: name → number or tensor.
        rules: name → rule of `halfwave.constraints`, for those that need more than to be finite.
        num_channels: give every channel its own parameters.
        channel_dim: dimension of the input along which channels lie.
        learnable: whether the parameters are learnt.
        dtype, device: of parameters that are tensors.

    Raises:
        HalfwaveError: if a parameter breaks its rule or an option makes no sense.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        rules: Mapping[str, str] | None = None,
        *,
        num_channels: int | None = None,
        channel_dim: int = 1,
        learnable: bool = False,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        if num_channels is not None and (
            isinstance(num_channels, bool) or not isinstance(num_channels, Integral) or num_channels < 1
        ):
            raise HalfwaveError(f"`num_channels` must be a positive integer; got {num_channels!r}")
        if dtype is not None and not dtype.is_floating_point:
            raise HalfwaveError(f"`dtype` of {type(self).__name__} must be a floating dtype; got {dtype}")
        if not isinstance(channel_dim, Integral):
            raise HalfwaveError(f"`channel_dim` must be an integer; got {channel_dim!r}")
        self.num_channels = num_channels
        self.channel_dim = int(channel_dim)
        self.learnable = bool(learnable)
        self.parameter_names = tuple(values)
        for name, value in values.items():
            tensor = _as_tensor(value, self._called(name), dtype, device)
            require(tensor, (rules or {}).get(name, "finite"), self._called(name))
            self._keep(name, value, tensor)

    def _called(self, name: str) -> str:
        return f"`{name}` of {type(self).__name__}"

    def _keep(self, name: str, value: Any, tensor: Tensor) -> None:
        if self.num_channels is not None:
            if tensor.numel() not in (1, self.num_channels):
                raise HalfwaveError(
                    f"{self._called(name)} must have 1 or {self.num_channels} entries; got {tensor.numel()}"
                )
            tensor = tensor.reshape(-1).expand(self.num_channels).clone()
        if self.learnable:
            self.register_parameter(name, nn.Parameter(tensor))
        elif isinstance(value, Tensor) or self.num_channels is not None:
            self.register_buffer(name, tensor)
        else:
            setattr(self, name, float(value))

    def laid(self, name: str, x: Tensor) -> Any:
        """A parameter as the functional form takes it for this input."""
        value = getattr(self, name)
        return (
            along_channels(value, x, self.channel_dim, self._called(name))
            if isinstance(value, Tensor)
            else value
        )

    def size(self, name: str, x: Tensor) -> Any:
        """The same for a parameter that may not be negative: a learnt one counts by its size."""
        value = self.laid(name, x)
        return value.abs() if self.learnable else value

    def extra_repr(self) -> str:
        described = [f"{name}={_described(getattr(self, name))}" for name in self.parameter_names]
        return ", ".join(described + (["learnable=True"] if self.learnable else []))


def _as_tensor(value: Any, called: str, dtype: torch.dtype | None, device: Any) -> Tensor:
    if isinstance(value, Tensor):
        floating = value if value.is_floating_point() else value.to(torch.get_default_dtype())
        return floating.detach().to(dtype=dtype or floating.dtype, device=device).clone()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise HalfwaveError(f"{called} must be a number or a tensor; got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise HalfwaveError(f"{called} must be finite; got {number!r}")
    return torch.tensor(number, dtype=dtype or torch.get_default_dtype(), device=device)


def _described(value: Any) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    return f"{value.item():.6g}" if value.numel() == 1 else f"{tuple(value.shape)}"
