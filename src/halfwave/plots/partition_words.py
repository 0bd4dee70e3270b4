"""The partition function in plain words: what the bounds from annealing say, and how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halfwave.plots.numerals import plain, with_error

__all__ = ["MISSING", "Fact", "partition_fact"]

MISSING = "not available"

_PURPOSE = "Z makes all probabilities add up to one"


@dataclass(frozen=True)
class Fact:
    """A number with its name and a sentence or more that says what it means."""

    name: str
    value: str
    meaning: str


def partition_fact(numbers: Mapping[str, Any]) -> Fact:
    """The bounds on log Z, or its exact value, and what they mean for the log-likelihoods.

    >>> partition_fact({"method": "enumeration", "log_partition_lower": 3.5, "log_partition_upper": 3.5}).value
    '3.5 nats'
    """
    name = "Partition function, log Z"
    lower, upper = numbers.get("log_partition_lower"), numbers.get("log_partition_upper")
    if lower is None or upper is None:
        return Fact(name, MISSING, f"{_PURPOSE}; it was not estimated for this machine.")
    if numbers.get("method") == "enumeration":
        exact = f"{_PURPOSE}; it was summed exactly over all states of the smaller layer."
        return Fact(name, f"{plain(lower, 7)} nats", f"{exact} The log-likelihoods have no error from it.")
    forward = with_error(lower, numbers.get("log_partition_lower_error"))
    reverse = with_error(upper, numbers.get("log_partition_upper_error"))
    meaning = (
        f"{_PURPOSE} and is too large a sum to do exactly. Annealed importance sampling{_size(numbers)} bounds it "
        f"from both sides. Forward, from independent units to the machine, it gives on average too little: {forward}. "
        f"In reverse, from samples of the machine to independent units, it gives on average too much: {reverse}, "
        f"provided the samples it starts from are good ones. {_verdict(numbers, upper - lower)}{_used(numbers)}"
    )
    low, high = sorted((lower, upper))
    return Fact(name, f"between {low:,.3f} and {high:,.3f} nats".replace("-", "−"), meaning)


def _size(numbers: Mapping[str, Any]) -> str:
    chains, temperatures = numbers.get("chains"), numbers.get("temperatures")
    return (
        ""
        if chains is None or temperatures is None
        else f" ({chains:,} chains, {temperatures:,} temperatures)"
    )


def _used(numbers: Mapping[str, Any]) -> str:
    if "log_partition" not in numbers:
        return ""
    used = with_error(numbers["log_partition"], numbers.get("log_partition_error"))
    return f" The log-likelihoods use the value that combines both runs, {used}."


def _verdict(numbers: Mapping[str, Any], width: float) -> str:
    errors = (numbers.get("log_partition_lower_error", 0.0), numbers.get("log_partition_upper_error", 0.0))
    noise = 2.0 * math.hypot(*errors)
    if abs(width) <= noise:
        return (
            "The two agree within their errors, so Z leaves the log-likelihoods uncertain by no more than about "
            f"{plain(noise, 2)} nats."
        )
    if width > 0:
        return (
            f"The two leave {plain(width, 3)} nats open, and the log-likelihoods with them; more temperatures would "
            "narrow this."
        )
    return (
        f"The reverse estimate is below the forward one by {plain(-width, 3)} nats, more than their errors explain: "
        "the samples it started from do not follow the machine well, and the log-likelihoods should not be trusted "
        "further than that."
    )
