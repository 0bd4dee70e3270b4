"""Thresholds that make the rectifiers of a model as sparse as asked, or as a loss allows."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from halfwave.audit.auditing import audit
from halfwave.audit.batches import Inputs, iterate, samples_in
from halfwave.audit.calling import arguments_for
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.quiet import device_of, evaluating, uncompiled
from halfwave.audit.sparsity.calibrated import CalibratedThresholds, CurvePoint
from halfwave.audit.sparsity.functional import with_modules
from halfwave.audit.sparsity.trial import RECTIFIERS, SOFT, Trial, threshold_before
from halfwave.audit.swapping import chosen_names, has_hooks
from halfwave.errors import HalfwaveError
from halfwave.functions.checks import finite_number, non_negative_number

__all__ = ["calibrate_thresholds"]

_CURVE = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
_STEPS = 5
"""Bisections between two points of the curve."""

Score = Callable[[Any, Any], Tensor | float]


def calibrate_thresholds(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    sparsity: float | None = None,
    max_loss_increase: float | None = None,
    loss: Score | None = None,
    metric: Score | None = None,
    form: Literal["keep", "subtract"] = "keep",
    layers: Sequence[str] | str | None = None,
    soft: bool = False,
    functions: bool = False,
    inputs: Inputs = None,
    curve: Sequence[float] = _CURVE,
    rounds: int = 2,
) -> CalibratedThresholds:
    """A copy of a model with thresholded rectifiers, ``x · 1[x > T]`` or ``max(0, x − T)``, that leave few outputs.

    Every layer gets the smallest T that makes a share s of its outputs zero on the batches (those without a sample are
    skipped), s being the same for all:
    either ``sparsity``, or the largest s at which the mean loss is at most ``max_loss_increase`` above that of the
    model as it was (found by bisection between the points of the curve). A layer that has more zeros than that by
    itself stays as it was. Where inputs are all but equal, no T makes just s of them zero, and more are: a layer that
    is silenced altogether is named in the result.

    T is a quantile of the layer's own inputs, counted in bins of a relative width of 0.05 %, so that the share of zeros
    among these is never below s (above it where many inputs are all but equal), and the memory, 4 MiB a layer, does not
    depend on the number of batches. Since thresholds in early layers change what later ones are given, quantiles are
    taken again with the thresholds in place: ``rounds`` passes through the batches for each sparsity. What came of the
    last ones, reported in the result, is exact for the first ``rounds`` layers and close to s for those behind.

    Modules are replaced: ``nn.ReLU``, ``nn.Threshold`` with value 0 and `halfwave.nn.ThresholdedReLU` with a number
    T ≥ 0. What was left alone, and why, is in the result. With ``functions`` also ``F.relu``, ``x.relu()`` and
    ``x.clamp(min=0)``: the modules in whose forward they are called are traced by torch.fx, where that can be done.
    With ``soft`` also ``nn.GELU``, ``nn.SiLU``, ``nn.Mish``, ``nn.Hardswish``: their outputs are never zero, so those
    of small size are dropped, ``y · 1[|y| > T]`` or ``sign(y) (|y| − T)⁺``. A module that is called several times in a
    pass has one T for all calls; one that is thresholded already keeps its form.

    The model runs in evaluation mode and is not changed; the copy keeps its training flags.

    Args:
        model: any module; one that is compiled is run as it was before.
        batches: batches that can be gone through several times, such as a data loader or a list.
        sparsity: s, inside (0, 1); 0.9 if no ``max_loss_increase`` is given.
        max_loss_increase: how much the loss may rise, not negative; instead of ``sparsity``.
        loss: ``(output, batch) → number``, the mean over the batch.
        metric: ``(output, batch) → number``, such as an accuracy, the mean over the batch; it decides nothing.
        form: "keep" leaves large values as they are, "subtract" is continuous.
        layers: names of modules, with wildcards, that are to be thresholded, instead of all.
        soft: whether soft activations are thresholded by size.
        functions: whether rectifiers that are called as functions are replaced by modules, "relu_0" and so on in the
            module that calls them, which keeps no method other than ``forward``.
        inputs: what of a batch the model is given, see `halfwave.audit.audit`.
        curve: sparsities inside (0, 1) at which the loss and the metric are reported, if there is either.
        rounds: passes through the batches for each sparsity, positive.

    Returns:
        The result: ``.model``, ``.thresholds``, ``.sparsity``, ``.curve``, ``.table()``.

    Raises:
        HalfwaveError: if there is no rectifier to threshold or no batch, an option makes no sense, or a rectifier's
            input or the loss is not finite.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2))
    >>> data = [torch.randn(100, 8) for _ in range(3)]
    >>> result = calibrate_thresholds(model, data, sparsity=0.9)
    >>> result.model[1].threshold == result.thresholds["1"], round(result.sparsity["1"], 3)
    (True, 0.9)

    Source: form "keep" on trained networks is Kurtz et al., "FATReLU", ICML (2020); by size, Lee et al., "CATS",
    arXiv:2404.08763 (2024).
    """
    network = uncompiled(model, "calibrate_thresholds", inside=True)
    target, bound = _checked_target(sparsity, max_loss_increase, loss)
    _check_options(batches, form, rounds)
    points = [_inside("`curve` of calibrate_thresholds", share) for share in curve]
    first = _first(network, batches, inputs)
    network, refused = _modular(network, first, inputs) if functions else (network, {})
    chosen, left = _chosen(network, first, inputs, layers, soft, refused)
    trial = Trial(copy.deepcopy(network), chosen, batches, inputs, loss, metric)
    before = trial.baseline()
    trial.replace(form)
    tried = {share: trial.at(share, rounds) for share in points} if loss or metric else {}
    if target is None:
        point = _bisected(trial, tried, bound, rounds)
    else:
        point = tried[target] = tried.get(target) or trial.at(target, rounds)
    trial.set(point.thresholds)
    return CalibratedThresholds(
        model=trial.network,
        thresholds=point.thresholds,
        sparsity=trial.sparsity_at[point.asked],
        sparsity_before=trial.sparsity_at[0.0],
        point=point,
        curve=(before, *(tried[share] for share in sorted(tried))),
        left=left | trial.never_called,
    )


def _first(network: nn.Module, batches: Iterable[Any], inputs: Inputs) -> list[Any]:
    """The first batch that holds a sample, or the first one; nothing where there is none."""
    first: list[Any] = []
    with evaluating(network):  # a shuffled loader draws from torch's generator
        for number, batch in enumerate(iterate(batches)):
            first = first or [batch]
            if samples_in(*arguments_for(batch, number, network, inputs, device_of(network))):
                return [batch]
    return first


def _bisected(trial: Trial, tried: dict[float, CurvePoint], bound: float, rounds: int) -> CurvePoint:
    """The point of the largest sparsity that the loss allows; all that are tried are added."""
    low, high = min(trial.sparsity_at[0.0].values()), 1.0
    best = trial.before
    for share in sorted(tried):
        if not tried[share].loss_increase <= bound:
            high = share
            break
        low, best = max(low, share), tried[share]
    for _ in range(_STEPS):
        share = (low + high) / 2
        if not low < share < high:
            break
        point = tried[share] = trial.at(share, rounds)
        if point.loss_increase <= bound:
            low, best = share, point
        else:  # a loss that is NaN is too large
            high = share
    return best


def _modular(network: nn.Module, first: list[Any], inputs: Inputs) -> tuple[nn.Module, dict[SiteKey, str]]:
    """A copy with modules for functions, and why some are as they were; only if it gives the same on one batch."""
    report = audit(network, first, inputs=inputs, statistics="light", merge_calls=True)
    made, left = with_modules(network, [layer.key for layer in report.layers if not layer.key.whole])
    args, kwargs = arguments_for(first[0], 0, network, inputs, device_of(network))
    outputs = []
    for model in (network, made):
        with evaluating(model), torch.no_grad():
            outputs.append(tree_leaves(model(*copy.deepcopy(args), **copy.deepcopy(kwargs))))
    for before, after in zip(*outputs, strict=True):
        if isinstance(before, Tensor) and not torch.equal(before.nan_to_num(), after.nan_to_num()):
            raise HalfwaveError(
                "functions=True must not change the model's outputs, but tracing it did; use modules"
            )
    return made, left


def _chosen(
    network: nn.Module,
    first: list[Any],
    inputs: Inputs,
    layers: Sequence[str] | str | None,
    soft: bool,
    refused: dict[SiteKey, str],
) -> tuple[list[str], dict[str, str]]:
    """Names of the modules to replace, and why the other rectifiers are left alone."""
    # one batch shows which rectifiers there are, and that the batches suit the model
    report = audit(network, first, inputs=inputs, statistics="light", merge_calls=True)
    kinds = RECTIFIERS + (SOFT if soft else ())
    found = {
        name: _obstacle(module, kinds)
        for name, module in network.named_modules()
        if type(module) in RECTIFIERS + SOFT
    }
    left = {
        layer.name: refused.get(layer.key) or _why_left(layer.key.whole, layer.operation)
        for layer in report.layers
        if not (layer.key.whole and layer.key.module in found)
    }
    left |= {name: why for name, why in found.items() if why}
    possible = [name for name, why in found.items() if not why]
    if not possible:
        reasons = "; ".join(f"{name}: {why}" for name, why in left.items())
        raise HalfwaveError(f"the model must have a rectifier module that can be thresholded; got {reasons}")
    chosen = chosen_names(possible, layers, "calibrate_thresholds")
    left |= {name: "it is not among `layers`" for name in possible if name not in chosen}
    return [name for name in possible if name in chosen], left


def _obstacle(module: nn.Module, kinds: tuple[type[nn.Module], ...]) -> str:
    """Why a module cannot be replaced; empty where it can."""
    if type(module) not in kinds:
        return f"{type(module).__name__} is never exactly zero; soft=True drops its outputs of small size"
    if has_hooks(module):
        return "it has hooks, which its replacement would not have"
    if type(module) in RECTIFIERS and threshold_before(module) is None:
        return "it is not zero below one threshold that is a number of at least 0"
    return ""


def _why_left(whole: bool, operation: str) -> str:
    if whole:
        return f"{operation} is not a rectifier that is zero on one side and open on the other"
    return (
        f"{operation} is called as a function; functions=True makes F.relu and its like modules, by tracing"
    )


def _checked_target(
    sparsity: float | None, max_loss_increase: float | None, loss: Score | None
) -> tuple[float | None, float]:
    """The sparsity, or None and the bound on the loss."""
    if max_loss_increase is None:
        return _inside("`sparsity` of calibrate_thresholds", 0.9 if sparsity is None else sparsity), math.nan
    if sparsity is not None:
        raise HalfwaveError(
            f"give `sparsity` or `max_loss_increase`, not both; got {sparsity!r} and {max_loss_increase!r}"
        )
    if loss is None:
        raise HalfwaveError(
            f"`max_loss_increase` needs a `loss`, a function of the output and the batch; got {max_loss_increase!r} "
            "and no loss"
        )
    return None, non_negative_number("`max_loss_increase` of calibrate_thresholds", max_loss_increase)


def _inside(name: str, value: Any) -> float:
    share = finite_number(name, value)
    if not 0 < share < 1:
        raise HalfwaveError(f"{name} must be inside (0, 1); got {share!r}")
    return share


def _check_options(batches: Any, form: Any, rounds: Any) -> None:
    if form not in ("keep", "subtract"):
        raise HalfwaveError(f'`form` of calibrate_thresholds must be "keep" or "subtract"; got {form!r}')
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise HalfwaveError(f"`rounds` of calibrate_thresholds must be a positive integer; got {rounds!r}")
    if hasattr(batches, "__next__"):
        raise HalfwaveError(
            f"`batches` of calibrate_thresholds are gone through several times, so they must not be an iterator; "
            f"got {type(batches).__name__}: give a list or a data loader"
        )
