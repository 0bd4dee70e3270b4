"""Numbers with their nouns, for messages and reports."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["counted", "listed"]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, in the singular for 1 alone.

    >>> counted(1, "layer"), counted(0, "layer"), counted(1200, "batch", "batches")
    ('1 layer', '0 layers', '1,200 batches')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(parts: Sequence[str], most: int) -> str:
    """The first parts with commas, and how many more there are.

    >>> listed(["a", "b", "c", "d"], 2), listed(["a", "b"], 2)
    ('a, b and 2 more', 'a, b')
    """
    rest = len(parts) - most
    return ", ".join(parts[:most]) + (f" and {rest:,} more" if rest > 0 else "")
