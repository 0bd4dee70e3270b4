"""What could not be looked at, or was guessed: one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from halfwave.audit.counting.site import SiteKey
from halfwave.words import counted

__all__ = ["DOUBTS", "Notes", "guessed", "in_other_threads", "left_out"]

DOUBTS = {
    "parts": "samples of {} are parts of the batch's samples: the bound takes them as independent",
    "guessed": "samples of {} were counted along dimension 0, which is not as long as the batch: nothing before it "
    "says where the samples of its input lie",
}
"""What is said of samples that could not be followed."""


@dataclass(frozen=True, slots=True)
class _Note:
    sentence: str
    """With "{}" where the name of the rectifier goes, if it is about one."""
    about: SiteKey | None

    def text(self, name: Callable[[SiteKey], str]) -> str:
        return self.sentence if self.about is None else self.sentence.replace("{}", name(self.about), 1)


class Notes:
    """Sentences, each once and in the order in which they were first made.

    Args:
        name: what a rectifier is called in the report, which is known at its end.

    >>> relu = SiteKey("1", "relu", 0, True)
    >>> notes = Notes(lambda key: key.label(alone=True))
    >>> notes.add("a cannot be seen", lasting=True)
    >>> notes.add("{} was left out once", relu, topic="left out")
    >>> notes.add("{} was left out twice", relu, topic="left out")
    >>> notes.sentences
    ('a cannot be seen', '1 was left out twice')
    >>> notes.clear()
    >>> notes.sentences
    ('a cannot be seen',)
    """

    def __init__(self, name: Callable[[SiteKey], str]) -> None:
        self._name = name
        self._lasting: dict[Hashable, _Note] = {}
        self._passing: dict[Hashable, _Note] = {}

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(note.text(self._name) for note in (*self._lasting.values(), *self._passing.values()))

    def add(
        self, sentence: str, about: SiteKey | None = None, *, lasting: bool = False, topic: Hashable = None
    ) -> None:
        """Note a sentence.

        Args:
            sentence: what to say, with "{}" for the name of the rectifier.
            about: that rectifier, where there is one.
            lasting: whether it is about the model and not about the data since the last `clear`.
            topic: what it is about; it takes the place of the last sentence on that.
        """
        notes = self._lasting if lasting else self._passing
        notes[(sentence, about) if topic is None else topic] = _Note(sentence, about)

    def clear(self) -> None:
        """Forget what is about data."""
        self._passing.clear()


def guessed(rank: int, channel: int) -> str:
    """What is said of channels of which nothing is known."""
    return (
        "channel dimension of {} guessed: nothing before it says where the channels of its input "
        f"of {rank} dimensions lie, and dimension {channel} was taken; `channel_dimensions` names another"
    )


def left_out(first: tuple[int, int], then: tuple[int, int], count: int) -> str:
    """What is said of batches with other channels; each pair is their number and dimension."""
    batches = "1 batch was" if count == 1 else f"{count} batches were"
    return (
        f"{{}} had {first[0]} channels along dimension {first[1]} and then {then[0]} along {then[1]}, and {batches} "
        "left out of it, since only the first kind is recorded: name the dimension of its channels by "
        "`channel_dimensions`"
    )


def in_other_threads(number: int) -> tuple[str, ...]:
    """What is said of passes that were not heard.

    >>> in_other_threads(2)
    ('2 passes in other threads were not recorded',)
    """
    was = "was" if number == 1 else "were"
    return (f"{counted(number, 'pass', 'passes')} in other threads {was} not recorded",) if number else ()
