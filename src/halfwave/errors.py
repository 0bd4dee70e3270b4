"""The one error type that Halfwave raises for bad input, and its kind that names options."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["HalfwaveError", "OptionError"]


class HalfwaveError(ValueError):
    """Bad input: one sentence that holds the offending value and the rule it breaks.

    It is also a ``ValueError``. The command line prints it on one line and exits with status 2.

    >>> raise HalfwaveError("`gamma_pos` of DReLU must be positive; got -0.3 at index (0, 4)")
    Traceback (most recent call last):
    ...
    halfwave.errors.HalfwaveError: `gamma_pos` of DReLU must be positive; got -0.3 at index (0, 4)
    """


class OptionError(HalfwaveError):
    """A `HalfwaveError` whose sentence names options, which a command spells in another way than Python.

    Args:
        sentence: with each option between backticks, as a Python caller writes it.
        options: those of them that a command spells in its own way.

    >>> error = OptionError("`hidden_size` must be at least 1; got 0", "hidden_size")
    >>> str(error)
    '`hidden_size` must be at least 1; got 0'
    >>> error.spelled(lambda option: "--" + option.replace("_", "-"))
    '--hidden-size must be at least 1; got 0'
    """

    def __init__(self, sentence: str, *options: str) -> None:
        super().__init__(sentence)
        self.options = options

    def spelled(self, spelling: Callable[[str], str]) -> str:
        """The sentence with each option as ``spelling`` writes it."""
        sentence = str(self)
        for option in self.options:
            sentence = sentence.replace(f"`{option}`", spelling(option))
        return sentence
