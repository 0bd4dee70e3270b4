"""The audit of a model while it trains, or does whatever else it does."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from torch import nn

from halfwave.audit.auditing import Statistics, checked_statistics
from halfwave.audit.bounds.wiring import Wiring, checked_range
from halfwave.audit.counting.site import SiteKey
from halfwave.audit.listening.recorder import ChannelDimensions, Recorder, checked_dimensions
from halfwave.audit.quiet import uncompiled
from halfwave.audit.reporting.collecting import in_words, layers_of, wire
from halfwave.audit.reporting.layer import LayerReport
from halfwave.audit.reporting.report import Report
from halfwave.errors import HalfwaveError

__all__ = ["LiveReport", "watch"]


class LiveReport(Report):
    """A report that grows with every recorded pass; everything read from it is as of now.

    The layers before and after the rectifiers and what is proven are known once the watch has ended.
    """

    def __init__(self, recorder: Recorder, input_range: Any) -> None:
        super().__init__((), 0, in_words(input_range), ())
        self._recorder = recorder
        self._wiring: dict[SiteKey, Wiring] = {}

    @property
    def layers(self) -> tuple[LayerReport, ...]:
        """One report a rectifier, in the order in which they were first called."""
        return layers_of(self._recorder, self._wiring)

    @property
    def batches(self) -> int:
        """Number of recorded passes."""
        return self._recorder.passes

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at, one sentence each."""
        return tuple(self._recorder.notes)

    def reset(self) -> None:
        """Forget what was recorded, to look at the passes from now on."""
        self._recorder.reset()

    def snapshot(self) -> Report:
        """A copy that stays as it is."""
        return Report(self.layers, self.batches, self.input_range, self.notes)

    def wired(self, input_range: Any) -> None:
        """Look up neighbours and proofs for the model as it is now."""
        self._wiring = wire(self._recorder, input_range)


class watch:  # a context manager that is used like a function
    """Record what the rectifiers of a model do inside a ``with`` block, round a training loop, say.

    The model stays in the mode it is in and trains as without; passes of `audit` in the block are not recorded.
    Watches may be nested. All hooks are gone when the block is left, by an exception too. What is learnt at the end
    from one sample more (neighbours, proofs) leaves no trace in the model.

    Args:
        model: any module that is not compiled.
        every: record one of so many passes, beginning with the first. A pass is one call of the model, or of one of
            its modules from outside; the passes of each are counted by themselves. Those in other threads are not
            recorded, and a note says how many there were.
        callback: called with the report after every recorded pass; its `reset` starts a new window.
        gradients: record the share of exactly zero gradients that reach the rectifiers.
        input_range, channel_dimensions, merge_calls, statistics: as for `audit`; light here, to cost little.

    Returns:
        On entry, a `LiveReport`.

    Raises:
        HalfwaveError: if the model is compiled, or an option makes no sense.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> with watch(model) as report:
    ...     for _ in range(3):
    ...         model(torch.randn(8, 2)).sum().backward()
    >>> report.batches, report.layer("1").samples
    (3, 24)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every: int = 1,
        callback: Callable[[LiveReport], None] | None = None,
        gradients: bool = True,
        input_range: tuple[Any, Any] | None = None,
        channel_dimensions: ChannelDimensions = None,
        merge_calls: bool = False,
        statistics: Statistics = "light",
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise HalfwaveError(f"`every` must be a positive integer; got {every!r}")
        self._input_range = checked_range(input_range)
        self._recorder = Recorder(
            uncompiled(model, "watch", inside=False),
            alone=False,
            every=every,
            full=checked_statistics(statistics) == "full",
            gradients=gradients,
            merge_calls=merge_calls,
            channel_dimensions=checked_dimensions(channel_dimensions),
            after_pass=None if callback is None else lambda: callback(self.report),
        )
        self.report = LiveReport(self._recorder, self._input_range)

    def __enter__(self) -> LiveReport:
        self._recorder.__enter__()
        return self.report

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorder.__exit__(kind, value, trace)
        if kind is None:  # after an exception the model is left alone
            self.report.wired(self._input_range)
