"""Dead letters: what could not be used, with the reason and the place it came from, and how they are sent again.

A dead letter has the key and the value of the record it is about, unchanged; the rest is in its headers. Only where
there was neither, which clients refuse to send, its value is empty. A record without value whose header names a dead
letter says that it has been sent again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from rules.outputs import RefusalReason

Headers = Sequence[tuple[str, bytes | None]]

TOPIC: Final = "source-topic"
PARTITION: Final = "source-partition"
OFFSET: Final = "source-offset"
REASON: Final = "reason"
SENT_AGAIN: Final = "sent-again"
"""The header of a note that a dead letter has been sent again; it holds what :attr:`DeadLetter.source` says."""

_LONGEST_REASON: Final = 2000


_OF_RULES: Final = frozenset(get_args(RefusalReason))
_PLACE: Final = re.compile(r"[a-z_]+(\.([a-z_]+|[0-9]+))*")


def without_content(reason: str) -> str:
    """A reason without what it quotes of the message: the details of what the rules refuse do."""
    kind, _, rest = reason.partition(": ")
    place = rest.partition(": ")[0]
    if kind not in _OF_RULES:
        return reason
    return f"{kind}: {place}" if _PLACE.fullmatch(place) else kind


class NotADeadLetterError(ValueError):
    """A record that is no dead letter; the text says why."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used.

    Attributes:
        topic: where it was, with its prefix.
        partition: where it was.
        offset: where it was.
        reason: why it could not be used.
        key: its key, as it was.
        value: its value, as it was.
    """

    topic: str
    partition: int
    offset: int
    reason: str
    key: bytes | None
    value: bytes | None

    @property
    def source(self) -> str:
        """Where the record was, in one word: ``icu.vitals[3]@17``."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    def headers(self) -> list[tuple[str, bytes]]:
        """The headers with which it is published."""
        return [
            (TOPIC, self.topic.encode()),
            (PARTITION, str(self.partition).encode()),
            (OFFSET, str(self.offset).encode()),
            (REASON, self.reason[:_LONGEST_REASON].encode()),
        ]

    def note_sent_again(self) -> list[tuple[str, bytes]]:
        """The headers of the note that it has been sent again."""
        return [(SENT_AGAIN, self.source.encode())]


def read_dead_letter(key: bytes | None, value: bytes | None, headers: Headers) -> DeadLetter:
    """The dead letter in a record.

    Raises:
        NotADeadLetterError: naming the header that is missing or wrong.
    """
    given = {name: content for name, content in headers if content is not None}
    try:
        texts = {name: given[name].decode() for name in (TOPIC, PARTITION, OFFSET, REASON)}
        numbers = {name: int(texts[name]) for name in (PARTITION, OFFSET)}
    except KeyError as error:
        raise NotADeadLetterError(f"header {error} is missing") from None
    except ValueError:
        raise NotADeadLetterError("a header is not what it should be") from None
    return DeadLetter(texts[TOPIC], numbers[PARTITION], numbers[OFFSET], texts[REASON], key, value)


class OpenDeadLetters:
    """The dead letters that have not been sent again; one that is published twice counts once."""

    def __init__(self) -> None:
        self._letters: dict[str, DeadLetter] = {}
        self._sent_again: set[str] = set()

    def take(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Take in one record of the topic of dead letters.

        Raises:
            NotADeadLetterError: if it is none, nor a note about one.
        """
        note = dict(headers).get(SENT_AGAIN)
        if note is not None:
            self._sent_again.add(note.decode(errors="replace"))
            return
        letter = read_dead_letter(key, value, headers)
        self._letters.setdefault(letter.source, letter)

    def letters(self, only: Iterable[str] = ()) -> list[DeadLetter]:
        """Those still open, by their source; if ``only`` names sources, those of them."""
        wanted = set(only)
        return sorted(
            (
                letter
                for source, letter in self._letters.items()
                if source not in self._sent_again and (not wanted or source in wanted)
            ),
            key=lambda letter: (letter.topic, letter.partition, letter.offset),
        )
