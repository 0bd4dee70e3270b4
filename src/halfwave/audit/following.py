"""When tensors are followed through the model: in the first pass of each kind, since later ones find all known."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.axes import Axes, AxisTrail
from halfwave.audit.site import SiteKey

__all__ = ["Following"]


class Following:
    """The trail of tensors in a pass, and the kinds of passes whose rectifiers are known.

    Passes are of one kind if they run the same module on arguments of the same ranks.
    """

    def __init__(self) -> None:
        self.trail = AxisTrail()
        self.active = False
        """Whether this pass is followed."""
        self._kind: tuple[nn.Module, tuple[int, ...]] | None = None
        self._learnt: set[tuple[nn.Module, tuple[int, ...]] | None] = set()
        self._passed: list[tuple[SiteKey, int, int | None]] = []

    def begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], heard: bool) -> bool:
        """A pass begins; whether it is followed."""
        values = (*args, *kwargs.values())
        self._kind = module, tuple(value.ndim for value in values if isinstance(value, Tensor))
        self.active = heard and self._kind not in self._learnt
        if self.active:
            for leaf in tree_leaves((args, kwargs)):
                if isinstance(leaf, Tensor):
                    self.trail.note(leaf, Axes())
        return self.active

    def end(self, completed: bool) -> None:
        """The pass is over; one that did not come to its end is no help to others."""
        if self.active:
            self.trail.clear()
            self._passed.clear()
            if completed:
                self._learnt.add(self._kind)

    def met(self, key: SiteKey, rank: int, samples: int | None) -> None:
        """A rectifier was met whose samples were taken to lie along a dimension of its input."""
        if self.active:
            self._passed.append((key, rank, samples))

    def taken(self, rank: int, samples: int | None) -> list[SiteKey]:
        """Rectifiers met in this pass with inputs of a rank and samples along a dimension."""
        return [key for key, *rest in self._passed if rest == [rank, samples]]
