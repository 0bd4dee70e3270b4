"""What each number of an evaluation means, in plain words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halfwave.plots.numerals import factor, known, plain, with_error
from halfwave.plots.partition_words import MISSING, Fact, partition_fact
from halfwave.rbm.machine import RBM

__all__ = ["Subject", "facts"]

_NOTICEABLE = 0.05
"""Nats, five per cent of a probability."""
_NOT_MEASURED = "It was not measured in this run."


@dataclass(frozen=True)
class Subject:
    """What the samples and their sites are called, and of which kind the units are."""

    sample: str = "sample"
    site: str = "site"
    visible: str = "Binary"
    hidden: str = "DReLU"
    discrete: bool = True

    @classmethod
    def of(cls, rbm: RBM, image_shape: Sequence[int] | None = None) -> Subject:
        """The words for a machine and its data.

        >>> from halfwave.units import Binary, DReLU
        >>> Subject.of(RBM(Binary(4), DReLU(2)), (2, 2)).site
        'pixel'
        """
        names = ("sample", "site") if image_shape is None else ("image", "pixel")
        return cls(*names, rbm.visible.name, rbm.hidden.name, rbm.visible.discrete)

    @property
    def probability(self) -> str:
        """What the likelihood of one sample is."""
        return "probability" if self.discrete else "probability density"


def facts(evaluation: Mapping[str, Any], subject: Subject) -> list[Fact]:
    """All numbers of an evaluation in words; for a missing one, why it is missing.

    Args:
        evaluation: what `halfwave.rbm.evaluation.evaluate` returns; any value may be None or absent.
        subject: what the samples are called.

    >>> facts({"held_out_log_likelihood": -17.0, "independent_held_out": -20.0}, Subject())[0].meaning
    'That is, the machine gives an unseen sample a probability about 20 times larger than independent sites would \
(geometric mean; e to the power 3).'
    """
    numbers = known(evaluation)
    makers = (
        lambda: _likelihood("Held-out log-likelihood", "held_out", numbers, subject),
        lambda: _likelihood("Training log-likelihood", "train", numbers, subject),
        lambda: _gap(numbers, subject),
        lambda: _baseline(numbers, subject),
        lambda: _pseudolikelihood(numbers, subject),
        lambda: _reconstruction(numbers, subject),
        lambda: partition_fact(numbers),
    )
    return [maker() for maker in makers]


def _likelihood(name: str, part: str, numbers: Mapping[str, Any], subject: Subject) -> Fact:
    value, error = numbers.get(f"{part}_log_likelihood"), numbers.get(f"{part}_standard_error")
    if value is None:
        return Fact(name, MISSING, _why_no_likelihood(numbers, subject, part))
    sentences = [_against_baseline(value, numbers.get(f"independent_{part}"), _one(part, subject), subject)]
    if error and numbers.get(f"samples_{part}"):
        count = f"{numbers[f'samples_{part}']:,} {subject.sample}s"
        sentences.append(f"The error is one standard error over the {count}.")
    return Fact(name, f"{with_error(value, error)} nats per {subject.sample}", " ".join(sentences))


def _one(part: str, subject: Subject) -> str:
    return f"{'an unseen' if part == 'held_out' else 'a training'} {subject.sample}"


def _against_baseline(value: float, baseline: float | None, one: str, subject: Subject) -> str:
    if baseline is None:
        return f"The mean of the natural logarithm of the {subject.probability} of {one}."
    ratio = value - baseline
    if abs(ratio) < _NOTICEABLE:
        return f"That is, the machine gives {one} about the same {subject.probability} as independent {subject.site}s."
    return (
        f"That is, the machine gives {one} a {subject.probability} about {factor(abs(ratio))} times "
        f"{'larger' if ratio >= 0 else 'smaller'} than independent {subject.site}s would (geometric mean; e to the "
        f"power {plain(abs(ratio), 3)})."
    )


def _why_no_likelihood(numbers: Mapping[str, Any], subject: Subject, part: str) -> str:
    if part == "held_out" and not numbers.get("samples_held_out", 1):
        return f"No {subject.sample}s were held out, so nothing says how the machine treats those it has not seen."
    return (
        "It needs the partition function Z, the sum that makes all probabilities add up to one, which was not "
        "estimated for this machine."
    )


def _gap(numbers: Mapping[str, Any], subject: Subject) -> Fact:
    name, value = "Free-energy gap", numbers.get("free_energy_gap")
    if value is None:
        without = "It compares held-out with training samples, and none were held out."
        return Fact(name, MISSING, _NOT_MEASURED if numbers.get("samples_held_out", 1) else without)
    meaning = (
        f"Unseen {subject.sample}s are on average {factor(abs(value))} times {'less' if value >= 0 else 'more'} "
        f"probable under the machine than training {subject.sample}s. {_gap_verdict(numbers, value)} The gap needs "
        "no partition function."
    )
    return Fact(name, f"{plain(value, 3)} nats per {subject.sample}", meaning)


def _gap_verdict(numbers: Mapping[str, Any], gap: float) -> str:
    """Whether the gap is more than chance, where the standard errors are known."""
    if not numbers.get("train_standard_error") or not numbers.get("held_out_standard_error"):
        return "A gap that grows during training is a sign of memorising."
    error = math.hypot(numbers["train_standard_error"], numbers["held_out_standard_error"])
    if gap <= 2.0 * error:
        return (
            f"No sign of memorising: a gap up to {plain(2.0 * error, 2)} (two standard errors) can be chance."
        )
    return (
        f"That is {plain(gap / error, 2)} standard errors from none: part of what the machine has learnt holds for "
        "the training data only."
    )


def _baseline(numbers: Mapping[str, Any], subject: Subject) -> Fact:
    name, found = f"Independent {subject.site}s", _either(numbers, "independent")
    if found is None:
        return Fact(name, MISSING, _NOT_MEASURED)
    part, value = found
    knows = "how often each {} takes each value" if subject.discrete else "the mean and variance of each {}"
    meaning = (
        f"The {'held-out' if part == 'held_out' else 'training'} log-likelihood of a model that knows only "
        f"{knows.format(subject.site)} in the training data: the number to beat."
    )
    return Fact(name, f"{plain(value)} nats per {subject.sample}", meaning)


def _either(numbers: Mapping[str, Any], name: str) -> tuple[str, float] | None:
    """The number on held-out samples, else that on training samples."""
    for part in ("held_out", "train"):
        if f"{name}_{part}" in numbers:
            return part, numbers[f"{name}_{part}"]
    return None


def _pseudolikelihood(numbers: Mapping[str, Any], subject: Subject) -> Fact:
    name, found = "Pseudolikelihood", _either(numbers, "pseudolikelihood")
    if found is None:
        return Fact(name, MISSING, _why_no_pseudolikelihood(subject))
    part, value = found
    level = f"{plain(100.0 * math.exp(value), 2)} %" if subject.discrete else plain(math.exp(value), 3)
    meaning = (
        f"Shown all other {subject.site}s of {_one(part, subject)}, the machine gives the true value of a "
        f"{subject.site} a {subject.probability} of {level} (geometric mean)."
    )
    if part == "held_out" and "pseudolikelihood_train" in numbers:
        training = plain(numbers["pseudolikelihood_train"], 3)
        meaning += f" For training {subject.sample}s the value is {training}."
    return Fact(name, f"{plain(value, 3)} nats per {subject.site}", meaning)


def _why_no_pseudolikelihood(subject: Subject) -> str:
    if subject.visible in ("Binary", "Spin", "Potts"):
        return _NOT_MEASURED
    return (
        "It has a closed form for Binary, Spin and Potts visible units, and for Gaussian visible with Gaussian "
        f"hidden units; this machine has {subject.visible} visible and {subject.hidden} hidden units."
    )


def _reconstruction(numbers: Mapping[str, Any], subject: Subject) -> Fact:
    name, found = "Reconstruction error", _either(numbers, "reconstruction_error")
    if found is None:
        return Fact(name, MISSING, _NOT_MEASURED)
    part, value = found
    if subject.discrete:
        # a changed spin moves by 2, a changed one-hot site by 1 in two colours
        share = f"{plain(100.0 * value / (1.0 if subject.visible == 'Binary' else 2.0), 2)} %"
        shown, change = (
            f"{share} of {subject.site}s",
            f"{share} of the {subject.site}s of {_one(part, subject)} change",
        )
    else:
        shown = f"{plain(value, 3)} per {subject.site}"
        change = f"the {subject.site}s of {_one(part, subject)} change by {plain(value, 3)} on average"
    meaning = (
        f"After one Gibbs step, to the hidden units and back, {change}. Small is not always good: a machine that "
        "merely stays where it is has a small error too."
    )
    return Fact(name, shown, meaning)
