"""Rectifiers that are called as functions made modules, so that something else can be put in their place."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import fx, nn

from halfwave.audit.counting.site import SiteKey
from halfwave.audit.quiet import is_exported
from halfwave.audit.rectifiers.operations import OPERATIONS, bound_arguments
from halfwave.audit.swapping import has_hooks, swapped
from halfwave.errors import HalfwaveError

__all__ = ["with_modules"]


def with_modules(network: nn.Module, sites: Iterable[SiteKey]) -> tuple[nn.Module, dict[SiteKey, str]]:
    """A copy of a model with an ``nn.ReLU`` for each call of ``F.relu``, ``x.relu()`` or ``x.clamp(min=0)``.

    Only the modules in whose forward the calls are made are traced, by torch.fx, each without those inside it; a module
    whose forward goes by the values of tensors, or by whether it trains, is left as it was. Those that are traced keep
    their parameters and modules, but no method other than ``forward``; a module whose state
    dict would change, since its forward does not use all of it, is left as well.

    Args:
        network: any module, which is not changed.
        sites: the calls.

    Returns:
        The copy, and why calls in it are as they were.

    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(3, 2)
    ...     def forward(self, x):
    ...         return torch.relu(self.layer(x))
    >>> made, left = with_modules(Net(), [SiteKey("", "relu", 0, False)])
    >>> list(dict(made.named_modules())), left
    (['', 'layer', 'relu_0'], {})
    """
    found = list(sites)
    copied = copy.deepcopy(network)
    replacements: dict[nn.Module, nn.Module] = {}
    left: dict[SiteKey, str] = {}
    for path in dict.fromkeys(key.module for key in found):
        module = copied.get_submodule(path)
        try:
            replacements[module] = _rewritten(module)
        except HalfwaveError as error:
            left |= {key: str(error) for key in found if key.module == path}
    # inner modules first, so that the new ones hold the new
    for module in reversed(list(replacements)):
        copied = swapped(copied, {module: replacements[module]})
        for other in replacements.values():
            swapped(other, {module: replacements[module]})
    return copied, left


class _Shallow(fx.Tracer):
    """Traces one forward; the modules that it calls are calls."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _rewritten(module: nn.Module) -> nn.Module:
    """The module with modules for functions, or `HalfwaveError` with the reason why not."""
    if is_exported(module):
        raise HalfwaveError("it is called in an exported program: use the model that was exported")
    if has_hooks(module):
        raise HalfwaveError("it is called in a module with hooks, which would be lost")
    made = _with_relus(module, _traced(module))
    changed = sorted(module.state_dict().keys() ^ made.state_dict().keys())
    if changed:  # torch.fx keeps only what the forward uses, under one name, and buffers as persistent ones
        raise HalfwaveError(
            f"it is called in a module whose state dict would change by tracing, at {changed[0]}: use a torch.nn.ReLU "
            "module"
        )
    made.training = module.training  # not `train`, which would change the flags of the modules inside
    return made


def _traced(module: nn.Module) -> fx.Graph:
    """The graph of a forward that is the same whether the module trains or not."""
    flag = module.training
    graphs = []
    try:
        for training in (True, False):
            module.training = training
            graphs.append(_Shallow().trace(module))
    except Exception as error:  # whatever the forward does with what stands for a tensor
        reason = (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
        raise HalfwaveError(
            f"it is called in a forward that torch.fx cannot trace ({reason}): use a torch.nn.ReLU module"
        ) from error
    finally:
        module.training = flag
    if str(graphs[0]) != str(graphs[1]):
        raise HalfwaveError(
            "it is called in a forward that depends on `training`, which tracing would fix: use a torch.nn.ReLU module"
        )
    for node in graphs[1].nodes:
        node.type = None  # annotations that are text cannot be pickled
    return graphs[1]


def _with_relus(module: nn.Module, graph: fx.Graph) -> fx.GraphModule:
    made = fx.GraphModule(module, graph, type(module).__name__)
    for number, (node, inplace) in enumerate(list(_rectifiers(graph))):
        name = f"relu_{number}"
        while hasattr(made, name):
            name = f"_{name}"
        relu = nn.ReLU(inplace)
        relu.training = module.training
        made.add_submodule(name, relu)
        with graph.inserting_before(node):
            x = node.args[0] if node.args else node.kwargs["input"]
            node.replace_all_uses_with(graph.call_module(name, (x,)))
        graph.erase_node(node)
    made.graph = graph  # compiles it anew
    return made


def _rectifiers(graph: fx.Graph) -> Iterator[tuple[fx.Node, bool]]:
    """The nodes that are max(0, x), and whether they overwrite x."""
    for node in graph.nodes:
        target: Any = node.target
        if node.op == "call_method":
            target = getattr(torch.Tensor, target, None)
        elif node.op != "call_function":
            continue
        operation = OPERATIONS.get(target)
        name = getattr(target, "__name__", "")
        inplace = name.endswith("_") or node.kwargs.get("inplace", node.args[1:2] == (True,)) is True
        if operation == "relu":
            yield node, inplace
        elif operation in ("clamp", "clamp_min"):
            limits = bound_arguments(operation, node.args, node.kwargs)
            low, high = limits["min"], limits.get("max")
            if high is None and isinstance(low, (int, float)) and low == 0:
                yield node, name.endswith("_")
