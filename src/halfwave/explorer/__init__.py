"""The explorer: a local page on which rectified units are taken in hand.

`serve` opens it on this machine, `export` writes it as one file that needs no server. The page draws and
evaluates sums of rectified linear terms itself; everything else it asks of the library over a websocket.
"""

from __future__ import annotations

from halfwave.explorer.page import export
from halfwave.explorer.serving import DEFAULT_PORT, serve

__all__ = ["DEFAULT_PORT", "export", "serve"]
