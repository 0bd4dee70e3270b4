"""Numbers, shapes and positions as they appear in descriptions and errors."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["number", "rounded", "sample_words", "shape_words", "site_words"]


def number(value: float) -> str:
    """A value written exactly, integral ones without a decimal point.

    >>> number(16.0), number(0.5), number(float("nan"))
    ('16', '0.5', 'nan')
    """
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def rounded(value: float) -> str:
    """A value with four significant digits, for descriptions only.

    >>> rounded(16.0), rounded(-0.123456)
    ('16', '-0.1235')
    """
    return number(value) if float(value).is_integer() else f"{float(value):.4g}"


def shape_words(shape: Sequence[int]) -> str:
    """The shape of one sample in words.

    >>> shape_words((28, 28)), shape_words((64,))
    ('28 × 28', '64')
    """
    return " × ".join(str(length) for length in shape)


def site_words(index: Sequence[int]) -> str:
    """A site, counted from 0: a plain number, or a (row, column) pair in an image.

    >>> site_words((7,)), site_words((2, 5))
    ('site 7', 'site (2, 5)')
    """
    plain = tuple(index)
    return f"site {plain[0]}" if len(plain) == 1 else f"site {plain}"


def sample_words(count: int) -> str:
    """A number of samples in words.

    >>> sample_words(1797), sample_words(1)
    ('1,797 samples', '1 sample')
    """
    return f"{count:,} sample" + ("" if count == 1 else "s")
