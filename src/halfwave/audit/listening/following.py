"""When tensors are followed through the model: in the first pass of each kind, since later ones find all known."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.axes.layout import Places
from halfwave.audit.axes.trail import Axes, AxisTrail
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.examples import length_of

__all__ = ["Following"]


class Following:
    """The trail of tensors in a pass, and the kinds of passes whose rectifiers are known.

    Passes are of one kind if they run the same module on arguments of the same ranks; of the same shapes, where samples
    share their dimension with others, whose number may change.
    """

    def __init__(self) -> None:
        self.trail = AxisTrail()
        self.active = False
        """Whether this pass is followed."""
        self._kind: tuple[Any, ...] = ()
        self._learnt: set[tuple[Any, ...]] = set()
        self._folded: set[tuple[Any, ...]] = set()
        """Kinds by rank in which samples share their dimension."""
        self._shapes: tuple[Any, ...] = ()
        self._missed = False
        self._passed: list[tuple[SiteKey, int, int | None]] = []

    def begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], heard: bool) -> bool:
        """A pass begins; whether it is followed."""
        values = (*args, *kwargs.values())
        self._kind = module, tuple(value.ndim for value in values if isinstance(value, Tensor))
        if self._kind in self._folded:
            self._shapes = tuple(
                leaf.shape for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)
            )
        known = self._kind in self._learnt and (
            self._kind not in self._folded or self._by_shape() in self._learnt
        )
        self.active = heard and not known
        self._missed = False
        if heard:
            self.trail.samples = length_of(args, kwargs) or None
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
            if completed and not self._missed:
                self._learnt |= {self._kind, self._by_shape()}

    def _by_shape(self) -> tuple[Any, ...]:
        return *self._kind, self._shapes

    def missed(self) -> None:
        """A rectifier was met that could not be looked at: the next pass of this kind is followed again."""
        self._missed = True

    def met(self, key: SiteKey, rank: int, places: Places) -> None:
        """A rectifier was met with an input of some rank, whose channels and samples were taken to lie somewhere."""
        if self.active:
            self._passed.append((key, rank, places.samples))
            if places.fold != (1, 1):
                self._folded.add(self._kind)

    def taken(self, rank: int, samples: int | None) -> list[SiteKey]:
        """Rectifiers met in this pass with inputs of a rank and samples along a dimension."""
        return [key for key, *rest in self._passed if rest == [rank, samples]]
