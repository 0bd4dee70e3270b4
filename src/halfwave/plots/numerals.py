"""Numbers as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["duration", "factor", "known", "plain", "short", "with_error"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(value: float, digits: int = 4) -> str:
    """A number with this many significant digits, thousands apart and a real minus sign.

    >>> plain(-17.0821), plain(1797.0), plain(0.00012345)
    ('−17.08', '1,797', '0.0001234')
    """
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    decimals = digits - 1 - (math.floor(math.log10(abs(value))) if value else 0)
    if decimals > 8:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    text = f"{value:,.{max(decimals, 0)}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")


def short(value: float) -> str:
    """A number for a label: at most four significant digits and a real minus sign.

    >>> short(-0.5), short(1234567.0), short(1.0)
    ('−0.5', '1.235e+06', '1')
    """
    return f"{value:.4g}".replace("-", "−")


def with_error(value: float, error: float | None) -> str:
    """A number and its standard error, cut where the error makes further digits idle.

    >>> with_error(-17.0821, 0.2921), with_error(73.46, 0.0), with_error(-3.0, None)
    ('−17.08 ± 0.29', '73.46', '−3')
    """
    if error is None or not math.isfinite(error) or error <= 0:
        return plain(value)
    decimals = min(6, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:,.{decimals}f} ± {error:.{decimals}f}".replace("-", "−")


def factor(exponent: float) -> str:
    """``e^exponent`` in two significant digits, for exponents of at least 0.

    >>> factor(8.19), factor(0.26), factor(80.0)
    ('3,600', '1.3', '5.5 × 10³⁴')
    """
    power = exponent / math.log(10.0)
    if power >= 6:
        whole = math.floor(power)
        mantissa = f"{10 ** (power - whole):.1f}"
        if mantissa == "10.0":
            whole, mantissa = whole + 1, "1.0"
        return f"{mantissa} × 10{str(whole).translate(_SUPERSCRIPTS)}"
    return plain(float(f"{math.exp(exponent):.2g}"), 2 if exponent < math.log(10.0) else 7)


def duration(seconds: float) -> str:
    """A time span in the unit that suits it.

    >>> duration(18.84), duration(400.0), duration(10_000.0)
    ('18.8 seconds', '6.67 minutes', '2.78 hours')
    """
    if seconds < 120:
        return f"{plain(seconds, 3)} seconds"
    return f"{plain(seconds / 60, 3)} minutes" if seconds < 7200 else f"{plain(seconds / 3600, 3)} hours"


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are there: not None, not NaN, not infinite.

    >>> known({"a": 1.5, "b": None, "c": math.inf, "method": "enumeration"})
    {'a': 1.5, 'method': 'enumeration'}
    """
    return {
        key: value
        for key, value in values.items()
        if value is not None and (not isinstance(value, float) or math.isfinite(value))
    }
