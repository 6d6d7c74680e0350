"""What has come and is not judged yet: everybody in turn, and of each patient in the order in which it came."""

from __future__ import annotations

from collections import deque

from rules.events import Action, Event, Resuscitation
from streams.intake import Record
from streams.topics import TopicName

Waiting = tuple[Record, Event]
"""A record, and the event in it."""


class Backlog:
    """Events that wait for being judged.

    A patient of whom much has come has no more turns than anybody else, so nobody waits for a noisy pump of another
    bed. Whoever is resuscitated, or has an answer to an alert coming, has the next turn, once for each time.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Waiting]] = {}
        self._turns: deque[str] = deque()
        self._size = 0
        self._pressing = 0

    def __len__(self) -> int:
        """How many events wait."""
        return self._size

    def __contains__(self, patient: object) -> bool:
        """Whether anything of a patient waits."""
        return patient in self._waiting

    @property
    def pressing(self) -> bool:
        """Whether the next turn is that of somebody who cannot wait."""
        return self._pressing > 0

    def add(self, record: Record, event: Event) -> None:
        """An event has come."""
        name = event.subject
        own = self._waiting.get(name)
        if own is None:
            own = self._waiting[name] = deque()
            self._turns.append(name)
        own.append((record, event))
        self._size += 1
        if isinstance(event, Resuscitation | Action) and name not in self._first():
            self._turns.remove(name)
            self._turns.insert(self._pressing, name)
            self._pressing += 1

    def take(self) -> Waiting:
        """The event whose turn it is.

        Raises:
            IndexError: if nothing waits.
        """
        name = self._turns.popleft()
        self._pressing = max(0, self._pressing - 1)
        own = self._waiting[name]
        found = own.popleft()
        self._size -= 1
        if own:
            self._turns.append(name)
        else:
            del self._waiting[name]
        return found

    def oldest(self) -> dict[TopicName, int]:
        """Of each input the first record that waits."""
        first: dict[TopicName, int] = {}
        for own in self._waiting.values():
            for record, _ in own:
                first[record.topic] = min(record.offset, first.get(record.topic, record.offset))
        return first

    def _first(self) -> list[str]:
        """Those who cannot wait, by turn."""
        return [self._turns[place] for place in range(self._pressing)]
