"""The audit of a model on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from halfwave.audit.batches import Inputs, iterate, moved, samples_in
from halfwave.audit.bounds.wiring import checked_range
from halfwave.audit.calling import arguments_for, located
from halfwave.audit.listening.recorder import ChannelDimensions, Recorder, checked_dimensions
from halfwave.audit.quiet import device_of, evaluating, kinds_in, uncompiled
from halfwave.audit.reporting.collecting import in_words, layers_of, wire
from halfwave.audit.reporting.report import Report
from halfwave.audit.reviving.tracing import ways_of
from halfwave.errors import HalfwaveError
from halfwave.words import counted

__all__ = ["Statistics", "audit", "checked_statistics"]

Statistics = Literal["full", "light"]


def audit(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    inputs: Inputs = None,
    loss: Callable[[Any, Any], Tensor] | None = None,
    input_range: tuple[Any, Any] | None = None,
    channel_dimensions: ChannelDimensions = None,
    merge_calls: bool = False,
    statistics: Statistics = "full",
) -> Report:
    """What the rectifiers of a model do on data: how often each unit fires, which are dead, which always on.

    The model runs as it is, in evaluation mode; nothing of it changes: not the training flags of its modules, not
    running statistics, gradients or torch's random state. Rectifiers are found where they are called: modules
    (torch's and Halfwave's), functions (``F.relu``, ``x.relu_()``, ``x.clamp(min=0)``, ``torch.maximum(x, 0)``) and the
    kernels of exported programs. A rectifier that is called n times in a pass gives n layers, "name#0" to
    "name#n−1"; functions are named "path:relu#0" after the module in whose forward they are called. Not seen are
    rectifiers written with ``torch.where`` or a mask, and those inside fused layers such as ``nn.RNN``.

    Counts and rates are exact, moments come from sums in the inputs' own precision, added up in float64, and
    histograms hold 64 inputs a sample. The memory does not depend on the number of batches.

    Channels lie where the activation says (a parameter per channel), else where the layer before puts them
    (convolutions, batch and group normalisation: dimension 1; linear layers, layer normalisation: the last), else
    along dimension 1 of inputs with 4 or more dimensions and the last of others; they are followed through views,
    transpositions and concatenations, and a note says where they had to be guessed. Samples lie along dimension 0;
    behind layers that take positions first (``batch_first=False``) along dimension 1, and an image or sequence without
    a batch is one sample. Frames or windows that a model merges with its samples are places of them, as long as they
    can be followed; else a note says so.

    Args:
        model: any module; one that is compiled is run as it was before.
        batches: an iterable of batches, such as a data loader; a tensor, a tuple or a mapping each.
        inputs: what of a batch the model is given: a function of the batch that returns a tensor, a tuple of
            positional or a mapping of named arguments, or an index or name, or a tuple of those. By default, of a
            tuple as many as the model's forward must have, of a mapping those that it has names for.
        loss: ``(output, batch) → scalar``; if given, the gradients that reach the rectifiers are looked at.
        input_range: bounds (low, high) of every floating-point input, numbers or arrays that broadcast to one
            sample. What is "provably" so holds for every input in them; without, for every input.
        channel_dimensions: where channels lie, for all layers, or by name, module path or wildcard.
        merge_calls: keep one layer for all calls of a rectifier in a pass, for recurrent models.
        statistics: "light" takes moments and histograms from one of eight samples (and the range of outputs, unless
            they are ``max(0, x)``); counts, rates and the range of inputs stay exact.

    Returns:
        The report.

    Raises:
        HalfwaveError: if the model calls no rectifier or does not run on a batch, there is no batch, an option makes
            no sense, or no parameter requires the gradient of ``loss``.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> _ = nn.init.eye_(model[0].weight), nn.init.constant_(model[0].bias, -1.0)
    >>> report = audit(model, [torch.tensor([[2.0, 0.0], [3.0, 2.0]])], input_range=(0.0, 3.0))
    >>> report.layer("1").firing_rate, report.layer("1").provably_dead
    (array([1. , 0.5, 0. ]), array([False, False,  True]))
    """
    network = uncompiled(model, "audit", inside=True)
    domain = checked_range(input_range)
    if loss is not None:
        _check_gradients(network)
    recorder = Recorder(
        network,
        alone=True,
        full=checked_statistics(statistics) == "full",
        gradients=loss is not None,
        merge_calls=merge_calls,
        channel_dimensions=checked_dimensions(channel_dimensions),
    )
    with evaluating(network):
        count, samples = _run(recorder, batches, inputs, loss)
        _check(recorder, count, samples)
        layers = layers_of(recorder, wire(recorder, domain))
        ways = ways_of(network, recorder.examples, layers)
    return Report(layers, count, in_words(domain), tuple(recorder.notes), ways)


def _run(
    recorder: Recorder, batches: Iterable[Any], inputs: Inputs, loss: Callable[[Any, Any], Tensor] | None
) -> tuple[int, bool]:
    """The number of batches that went through the model, and whether any of them held a sample."""
    model, count, samples = recorder.model, 0, False
    device = device_of(model)
    for batch in iterate(batches):
        args, kwargs = arguments_for(batch, count, model, inputs, device)
        with torch.set_grad_enabled(loss is not None), recorder:
            with located(model, count, (args, kwargs)):
                output = model(*args, **kwargs)
            if loss is not None:
                _backward(model, loss(output, moved(batch, device)))
        count += 1
        samples = samples or samples_in(args, kwargs) > 0
    return count, samples


def _backward(model: nn.Module, value: Any) -> None:
    """Send gradients through the model without leaving any in its parameters."""
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise HalfwaveError(
            f"`loss` must return one number that depends on the model's parameters; got {shape}"
        )
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        torch.autograd.grad(value.sum(), parameters, allow_unused=True)
    except RuntimeError as error:
        if "incompatible with .grad()" not in str(error):
            raise
        raise HalfwaveError(
            "`loss` cannot be followed through checkpoints with use_reentrant=True, whose gradients go into the "
            "parameters: use use_reentrant=False there, or leave out `loss`"
        ) from error


def _check(recorder: Recorder, batches: int, samples: bool) -> None:
    if not batches:
        raise HalfwaveError("`batches` must hold at least one batch; got none")
    if not recorder.sites and not samples:
        raise HalfwaveError("`batches` must hold at least one sample; got only empty batches")
    if not recorder.sites:
        raise HalfwaveError(
            f"the model must call a rectifier; got none in {kinds_in(recorder.model)} (those inside fused layers such "
            "as nn.RNN, and those written with torch.where or a mask, are not seen)"
        )


def _check_gradients(model: nn.Module) -> None:
    """Gradients are those on the way to parameters: where none is wanted, torch records no graph."""
    if torch.is_inference_mode_enabled():
        raise HalfwaveError(
            "with `loss`, gradients are needed, which torch.inference_mode() rules out: call audit outside of it, or "
            "leave out `loss`"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        number = sum(1 for _ in model.parameters())
        raise HalfwaveError(
            f"with `loss`, a parameter of the model must require a gradient; got {counted(number, 'parameter')}, none "
            "of which does: call model.requires_grad_(True) before, or leave out `loss`"
        )


def checked_statistics(statistics: Any) -> str:
    """The option as it is, or `HalfwaveError`."""
    if statistics not in ("full", "light"):
        raise HalfwaveError(f'`statistics` must be "full" or "light"; got {statistics!r}')
    return statistics
