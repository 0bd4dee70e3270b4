"""The explorer as a widget of a notebook."""

from __future__ import annotations

from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.functions.answers import sum_of_function
from halfwave.explorer.server.page import WIDGET, script, style
from halfwave.explorer.server.protocol import answer
from halfwave.explorer.session.payloads import function_of
from halfwave.explorer.session.session import Session
from halfwave.functions import PiecewiseLinear, relu

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise HalfwaveError(
        f"the explorer in a notebook needs the package `{error.name}`; pip install 'halfwave[notebook]'"
    ) from error

__all__ = ["Explorer"]


class Explorer(anywidget.AnyWidget):
    """A function ``Σ w max(0, m x + b) + slope x + offset`` to take in hand, in a cell of a notebook.

    What is dragged in the cell is in `function` at once, and a function that is assigned to it is shown.
    Terms that are muted in the cell are left out of it.

    Args:
        function: continuous, one input, at most 200 kinks; the rectifier without it.

    Raises:
        HalfwaveError: if the function is none that the explorer can show, with what it is.

    >>> import halfwave as hw
    >>> explorer = hw.explorer.Explorer(hw.functions.double_relu(-1.2, -1.2, 0.5, 1))
    >>> explorer.function = hw.functions.absolute()
    >>> explorer.function(-3.0)
    3.0
    >>> explorer.observe(lambda change: print(change["new"].kinks), names="function")
    >>> explorer.sum = {"terms": [[1, 1, -2, True]], "slope": 0, "offset": 0, "leak": 0}
    [2.]
    """

    _esm = script(WIDGET)
    _style = traitlets.Unicode(style()).tag(sync=True)
    sum = traitlets.Dict().tag(sync=True)
    function = traitlets.Instance(PiecewiseLinear)

    def __init__(self, function: PiecewiseLinear | None = None, **options: Any) -> None:
        start = relu() if function is None else function
        super().__init__(function=start, sum=_sum_of(start), **options)
        self._session = Session()
        self.on_msg(self._receive)

    @traitlets.validate("function")
    def _check_function(self, proposal: Any) -> PiecewiseLinear:
        _sum_of(proposal["value"])
        return proposal["value"]

    @traitlets.validate("sum")
    def _check_sum(self, proposal: Any) -> dict[str, Any]:
        _function_of(proposal["value"])
        return proposal["value"]

    @traitlets.observe("function")
    def _show(self, change: Any) -> None:
        # the cell may write the same function in other terms, which are then left as they are
        if not self.sum or _function_of(self.sum) != change["new"]:
            self.sum = _sum_of(change["new"])

    @traitlets.observe("sum")
    def _take(self, change: Any) -> None:
        function = _function_of(change["new"])
        if function != self.function:
            self.function = function

    def _receive(self, widget: Any, content: Any, buffers: Any) -> None:
        """Answer a question of the cell."""
        if isinstance(content, dict) and isinstance(content.get("text"), str):
            self.send({"view": content.get("view"), "text": answer(self._session, content["text"])})


def _sum_of(function: Any) -> dict[str, Any]:
    if not isinstance(function, PiecewiseLinear):
        raise HalfwaveError(f"the explorer shows a PiecewiseLinear function; got a {type(function).__name__}")
    shown = sum_of_function(function)
    return {**shown, "terms": [[*term, True] for term in shown["terms"]], "leak": 0.0}


def _function_of(payload: dict[str, Any]) -> PiecewiseLinear:
    terms = payload.get("terms")
    if isinstance(terms, list) and all(isinstance(term, list) and len(term) == 4 for term in terms):
        return function_of({**payload, "terms": [term[:3] for term in terms if term[3]]})
    raise HalfwaveError("`sum` of the explorer must hold `terms`, a list of [w, m, b, on]")
