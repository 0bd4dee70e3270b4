"""What could not be looked at, or was guessed: one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from halfwave.audit.site import SiteKey

__all__ = ["Notes"]


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
