"""The explorer: a local page on which rectified units are taken in hand.

`serve` opens it on this machine, `export` writes it as one file that needs no server, and `Explorer` shows a function
in a notebook. The page draws and evaluates sums of rectified linear terms itself; everything else it asks of the
library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from halfwave.explorer.server.page import export
from halfwave.explorer.server.serving import DEFAULT_PORT, serve

if TYPE_CHECKING:
    from halfwave.explorer.widget import Explorer

__all__ = ["DEFAULT_PORT", "Explorer", "export", "serve"]


def __getattr__(name: str) -> Any:
    # the widget needs packages that the page does without
    if name == "Explorer":
        from halfwave.explorer.widget import Explorer

        return Explorer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
