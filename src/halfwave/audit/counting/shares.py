"""Shares in percent that never say all or nothing where it is not."""

from __future__ import annotations

import math

__all__ = ["percent"]


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, with a dash for NaN; 0 % and 100 % are exact, what would be rounded to them is bounded.

    >>> percent(0.5), percent(1.0), percent(0.9997), percent(0.0001), percent(0.999, digits=0)
    ('50.0%', '100.0%', '>99.9%', '<0.1%', '>99%')
    """
    if math.isnan(share):
        return "–"
    text, step = f"{share:.{digits}%}", 10.0**-digits
    if share < 1 and text == f"{1:.{digits}%}":
        return f">{100 - step:.{digits}f}%"
    return f"<{step:.{digits}f}%" if share > 0 and text == f"{0:.{digits}%}" else text
