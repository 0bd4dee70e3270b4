"""The one error type that Halfwave raises for bad input."""

from __future__ import annotations

__all__ = ["HalfwaveError"]


class HalfwaveError(ValueError):
    """Bad input: one sentence that holds the offending value and the rule it breaks.

    It is also a ``ValueError``. The command line prints it on one line and exits with status 2.

    >>> raise HalfwaveError("`gamma_pos` of DReLU must be positive; got -0.3 at index (0, 4)")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: `gamma_pos` of DReLU must be positive; got -0.3 at index (0, 4)
    """
