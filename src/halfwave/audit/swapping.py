"""Puts other modules in the place of some of a model's, wherever they are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from halfwave.errors import HalfwaveError

__all__ = ["chosen_names", "has_hooks", "is_fused", "swapped", "text_table"]

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def swapped(model: nn.Module, replacements: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """The model with modules replaced at every path that leads to them, in place; another one if it is one of them.

    >>> relu = nn.ReLU()
    >>> swapped(nn.Sequential(relu, nn.Sequential(relu)), {relu: nn.Tanh()})
    Sequential(
      (0): Tanh()
      (1): Sequential(
        (0): Tanh()
      )
    )
    """
    if model in replacements:
        return replacements[model]
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if child is not None and child in replacements:
                if is_fused(parent) and name == "activation":
                    # or its fused kernel would compute the old activation
                    parent.activation_relu_or_gelu = 0  # pyright: ignore[reportArgumentType]
                parent._modules[name] = replacements[child]
    return model


def is_fused(module: nn.Module | None) -> bool:
    """Whether it is a transformer layer whose fused kernel reads weights and activation itself, without calling them.

    >>> is_fused(nn.TransformerEncoderLayer(8, 2, activation=nn.ReLU())), is_fused(nn.ReLU())
    (True, False)
    """
    return isinstance(module, nn.TransformerEncoderLayer) and bool(module.activation_relu_or_gelu)


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody listens at a module, who would not hear its replacement."""
    return any(getattr(module, name) for name in _HOOKS)


def chosen_names(names: Sequence[str], layers: Sequence[str] | str | None, caller: str) -> set[str]:
    """The names that patterns with wildcards choose; all where there are no patterns.

    Raises:
        HalfwaveError: if a pattern chooses none.

    >>> sorted(chosen_names(["a.0", "a.1", "b"], ["a.*"], "example"))
    ['a.0', 'a.1']
    """
    if layers is None:
        return set(names)
    found: set[str] = set()
    for pattern in [layers] if isinstance(layers, str) else layers:
        matching = {name for name in names if fnmatchcase(name, pattern)}
        if not matching:
            raise HalfwaveError(
                f"`layers` of {caller} must name layers, of {', '.join(map(repr, names))}; got {pattern!r}"
            )
        found |= matching
    return found


def text_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Lines of text with aligned columns, the first to the left, the others to the right.

    >>> print(text_table(["layer", "zeros"], [["fc", "90 %"]]))
    layer  zeros
    fc      90 %
    """
    cells = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = (
        [
            row[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        for row in cells
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)
