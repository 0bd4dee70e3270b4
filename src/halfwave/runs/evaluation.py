"""How good the machine of a run is: numbers that print as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from torch import Tensor

from halfwave.errors import OptionError
from halfwave.rbm.evaluation import evaluate
from halfwave.rbm.machine import RBM
from halfwave.runs.progress import progress_bar
from halfwave.runs.wording import evaluation_lines

__all__ = ["Evaluation", "check_annealing", "evaluated"]

_FEWEST_TEMPERATURES = 2000
_TEMPERATURES_A_VALUE = 10
_STEPS = 1000


class Evaluation(dict[str, Any]):
    """The numbers of an evaluation by name, plain ones and None; as text, the sentences that a person wants to read.

    In nats a sample, unless the name says otherwise: ``train_log_likelihood`` and ``held_out_log_likelihood`` with
    ``…_standard_error``, ``log_partition_lower`` and ``log_partition_upper``, ``pseudolikelihood_train`` (a site), …;
    see `halfwave.rbm.evaluation.evaluate`.

    >>> numbers = {"method": "enumeration", "log_partition_lower": 2.5, "sandwich_width": 0.0}
    >>> nothing = dict.fromkeys(("train_log_likelihood", "held_out_log_likelihood"))
    >>> errors = dict.fromkeys(("train_standard_error", "held_out_standard_error"))
    >>> print(Evaluation({**numbers, **nothing, **errors}))
    log Z by enumeration: 2.5000 nats, exact
    """

    def __init__(self, values: Mapping[str, Any], description: str = "", report: Path | None = None) -> None:
        super().__init__(values)
        self.report = report
        """The page that was written with it, if one was."""
        self.description = description
        """What the machine was evaluated on; empty where that is not known."""

    @property
    def lines(self) -> list[str]:
        """The sentences."""
        return [*([self.description] if self.description else []), *evaluation_lines(self)]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


def evaluated(
    machine: RBM,
    train: Tensor,
    held_out: Tensor,
    *,
    chains: int,
    temperatures: int | None,
    seed: int,
    shown: bool,
) -> dict[str, Any]:
    """The numbers, with a progress bar.

    Args:
        machine: any.
        train, held_out: samples ``(n, *visible.shape)`` on its device.
        chains: annealed ones.
        temperatures: of the annealing; by default 2000, or 10 a visible value if that is more.
        seed: of everything random.
        shown: whether to show the bar.
    """
    with progress_bar("evaluating", _STEPS, shown=shown) as show:
        values = evaluate(
            machine,
            train,
            held_out,
            chains=chains,
            temperatures=temperatures
            or max(_FEWEST_TEMPERATURES, _TEMPERATURES_A_VALUE * machine.visible.size),
            seed=seed,
            progress=lambda done, total: show(_STEPS * done // max(total, 1), "annealing"),
        )
        show(_STEPS, "")
    return values


def check_annealing(**sizes: int | None) -> None:
    """Raise `HalfwaveError` for numbers of chains or temperatures that leave nothing to compare.

    >>> check_annealing(chains=1, temperatures=None)
    Traceback (most recent call last):
    ...
    halfwave.errors.OptionError: `chains` must be at least 2; got 1
    """
    for name, value in sizes.items():
        if value is not None and value < 2:
            raise OptionError(f"`{name}` must be at least 2; got {value}", name)
