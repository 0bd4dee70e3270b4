"""Runs a model with thresholds in place and counts what its rectifiers are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from halfwave.audit.batches import Inputs, iterate, moved, samples_in
from halfwave.audit.calling import arguments_for, located
from halfwave.audit.counting.magnitudes import Magnitudes
from halfwave.audit.quiet import device_of, evaluating
from halfwave.audit.sparsity.calibrated import CurvePoint
from halfwave.audit.swapping import swapped
from halfwave.errors import HalfwaveError
from halfwave.nn import HardThreshold, SoftThreshold, ThresholdedReLU

__all__ = ["RECTIFIERS", "SOFT", "Trial", "threshold_before"]

RECTIFIERS: tuple[type[nn.Module], ...] = (nn.ReLU, nn.Threshold, ThresholdedReLU)
"""Modules that are zero below a threshold."""
SOFT: tuple[type[nn.Module], ...] = (nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish)
"""Modules whose outputs of small size can be dropped."""

Score = Callable[[Any, Any], Tensor | float] | None


def threshold_before(module: Any) -> float | None:
    """The number below which a module of `RECTIFIERS` is zero and above which it is not, or None.

    >>> threshold_before(nn.ReLU()), threshold_before(nn.Threshold(0.5, 0.0)), threshold_before(nn.Threshold(0.5, 1.0))
    (0.0, 0.5, None)
    """
    if isinstance(module, nn.ReLU):
        return 0.0
    threshold = module.threshold
    if isinstance(module, nn.Threshold):
        silent = module.value == 0
    else:
        silent = module.form != "floor" and module.convention is None
    usable = silent and not isinstance(threshold, Tensor) and threshold >= 0
    return float(threshold) if usable else None


class Trial:
    """A copy of a model that is run with one set of thresholds after another.

    Args:
        network: the copy, which is changed.
        names: paths of the modules that are thresholded.
        batches, inputs, loss, metric: see `halfwave.audit.calibrate_thresholds`.
    """

    def __init__(
        self,
        network: nn.Module,
        names: list[str],
        batches: Iterable[Any],
        inputs: Inputs,
        loss: Score,
        metric: Score,
    ) -> None:
        self.network = network
        self.batches, self.inputs, self.scores = batches, inputs, (loss, metric)
        self.watched: dict[str, nn.Module] = {name: network.get_submodule(name) for name in names}
        """Layer → the module at which values are counted: inputs of a rectifier, outputs of a soft one."""
        self.thresholding: dict[str, Any] = {}
        self.sparsity_at: dict[float, dict[str, float]] = {}
        """Sparsity asked for (0 for the model as it was) → layer → sparsity reached."""
        self.never_called: dict[str, str] = {}

    def baseline(self) -> CurvePoint:
        """Run the model as it was; layers that are never called are dropped."""
        before = {n: threshold_before(m) for n, m in self.watched.items() if type(m) in RECTIFIERS}
        self._counted, (loss, metric) = self._run()
        for name in [name for name, counted in self._counted.items() if not counted.total]:
            self.never_called[name] = "it was not called on the batches"
            del self.watched[name], self._counted[name]
        if not self.watched:
            raise HalfwaveError("`batches` must reach a rectifier that can be thresholded; got none that did")
        if self.scores[0] is not None and not math.isfinite(loss):
            raise HalfwaveError(f"`loss` of the model as it is must be finite; got {loss!r}")
        self._loss = loss
        thresholds = {name: before.get(name) or 0.0 for name in self.watched}
        self._before = self._point(0.0, thresholds, self._counted, loss, metric)
        return self._before

    @property
    def before(self) -> CurvePoint:
        """The point of the model as it was."""
        return self._before

    def replace(self, form: Literal["keep", "subtract"]) -> None:
        """Put thresholded modules in place of the watched ones; those that have a form keep it."""
        replacements: dict[nn.Module, nn.Module] = {}
        for name, module in self.watched.items():
            if type(module) in SOFT:
                threshold = (HardThreshold if form == "keep" else SoftThreshold)(0.0)
                replacements[module] = nn.Sequential(module, threshold)
            else:
                inplace = bool(getattr(module, "inplace", False))
                own: Any = "keep" if type(module) is nn.Threshold else getattr(module, "form", form)
                threshold = ThresholdedReLU(0.0, own, inplace=inplace)
                replacements[module] = self.watched[name] = threshold
            self.thresholding[name] = threshold
            replacements[module].train(module.training)
        self.network = swapped(self.network, replacements)

    def set(self, thresholds: dict[str, float]) -> None:
        """Use these thresholds."""
        for name, threshold in thresholds.items():
            self.thresholding[name].threshold = threshold

    def at(self, share: float, rounds: int) -> CurvePoint:
        """Take thresholds for a sparsity, run, and take them again from what the run showed."""
        thresholds, counted, scores = {}, self._counted, (math.nan, math.nan)
        for _ in range(rounds):
            # never below a threshold that the model had: what it silenced was not to be heard
            least = self._before.thresholds
            thresholds = {name: max(least[name], found.threshold(share)) for name, found in counted.items()}
            self.set(thresholds)
            counted, scores = self._run()
        return self._point(share, thresholds, counted, *scores)

    def _point(
        self,
        asked: float,
        thresholds: dict[str, float],
        counted: dict[str, Magnitudes],
        loss: float,
        metric: float,
    ) -> CurvePoint:
        shares = {name: counted[name].share_at_most(t) for name, t in thresholds.items()}
        self.sparsity_at[asked] = shares
        total = sum(magnitudes.total for magnitudes in counted.values())
        zeros = sum(shares[name] * counted[name].total for name in shares)
        return CurvePoint(asked, zeros / total, loss, loss - self._loss, metric, thresholds)

    def _run(self) -> tuple[dict[str, Magnitudes], tuple[float, float]]:
        """What the layers were given, and the mean scores over samples."""
        counted = {name: Magnitudes() for name in self.watched}
        count, sums, samples = 0, [0.0, 0.0], 0
        handles = [self._listen(name, counted[name], lambda: count) for name in self.watched]
        device = device_of(self.network)
        try:
            with torch.no_grad(), evaluating(self.network):
                for batch in iterate(self.batches):
                    args, kwargs = arguments_for(batch, count, self.network, self.inputs, device)
                    size = samples_in(args, kwargs)
                    if not size:  # whose mean loss would be NaN
                        count += 1
                        continue
                    with located(self.network, count, (args, kwargs)):
                        output = self.network(*args, **kwargs)
                    for place, score in enumerate(self.scores):
                        sums[place] += size * _score(score, output, moved(batch, device))
                    samples += size
                    count += 1
        finally:
            for handle in handles:
                handle.remove()
        return counted, (sums[0] / max(1, samples), sums[1] / max(1, samples))

    def _listen(self, name: str, counted: Magnitudes, batch: Callable[[], int]) -> Any:
        def take(values: Tensor) -> None:
            if values.numel() and not counted.add(values):
                raise HalfwaveError(
                    f"values at layer {name or '(model)'} must be finite; got NaN or infinite ones in batch {batch()}"
                )

        module = self.watched[name]

        def take_output(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
            take(output)

        def take_input(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            take((args[0] if args else kwargs["input"]).clamp_min(0))

        if type(module) in SOFT:
            return module.register_forward_hook(take_output)
        # before the call, because it may overwrite its input
        return module.register_forward_pre_hook(take_input, with_kwargs=True)


def _score(score: Score, output: Any, batch: Any) -> float:
    if score is None:
        return math.nan
    value = score(output, batch)
    if isinstance(value, Tensor) and value.numel() != 1:
        raise HalfwaveError(f"`loss` and `metric` must return one number; got shape {tuple(value.shape)}")
    return float(value)
