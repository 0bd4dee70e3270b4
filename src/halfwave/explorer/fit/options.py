"""What a page may ask of a fit: settings, checked one by one before they reach the process that fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from halfwave.errors import HalfwaveError
from halfwave.explorer.session.payloads import number, whole_number

__all__ = ["CRITERIA", "LOSSES", "MOST_KINKS", "fit_options", "path_options"]

MOST_KINKS = 12
# those of the library, whose fits the server itself does not load: that would take a second
CRITERIA = ("bic", "bic3", "wbic", "cross_validation")
LOSSES = ("squares", "huber", "tukey", "quantile")
_MOST_STEPS = 5000


def fit_options(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `halfwave.fitting.fit_relu_sum`.

    Args:
        payload: `kinks`, a whole number up to 12 or "auto"; and, as there where missing, `criterion`, `loss`,
            `quantile`, `correct` (whether to count correlated points less), `fixed` (a list of kinks).

    Raises:
        HalfwaveError: if a value breaks its rule.

    >>> fit_options({"kinks": 2, "fixed": [3]})["fixed_kinks"]
    [3.0]
    """
    kinks = payload.get("kinks", "auto")
    return {
        "kinks": kinks if kinks == "auto" else whole_number(payload, "kinks", 0, MOST_KINKS),
        "max_kinks": MOST_KINKS,
        "criterion": _one_of(payload, "criterion", CRITERIA),
        "correlation": "correct" if _truth(payload, "correct") else "warn",
        "loss": _one_of(payload, "loss", LOSSES),
        "quantile": number(payload, "quantile", 0.5),
        "fixed_kinks": _places(payload.get("fixed", [])),
    }


def path_options(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `halfwave.fitting.fit_by_gradient`: `terms`, `optimizer`, `steps` and `seed`.

    >>> path_options({"terms": 3})["steps"]
    2000
    """
    return {
        "terms": whole_number(payload, "terms", 1, MOST_KINKS),
        "optimizer": _one_of(payload, "optimizer", ("adam", "lbfgs")),
        "steps": whole_number(payload, "steps", 1, _MOST_STEPS, 2000),
        "seed": whole_number(payload, "seed", 0, 2**31 - 1, 0),
    }


def _one_of(payload: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """The choice with this name; the first where it is missing."""
    value = payload.get(name, choices[0])
    if not isinstance(value, str) or value not in choices:
        raise HalfwaveError(f"`{name}` must be one of {', '.join(choices)}; got {repr(value)[:40]}")
    return value


def _truth(payload: Mapping[str, Any], name: str) -> bool:
    value = payload.get(name, False)
    if not isinstance(value, bool):
        raise HalfwaveError(f"`{name}` must be true or false; got {repr(value)[:40]}")
    return value


def _places(value: Any) -> list[float]:
    if not isinstance(value, list) or len(value) > MOST_KINKS:
        raise HalfwaveError(f"`fixed` must be a list of at most {MOST_KINKS} numbers; got {repr(value)[:40]}")
    return [number({"fixed": place}, "fixed") for place in value]
