"""Whose deadline comes next: the patients of a ward or a partition by when their engines want to be looked at."""

from __future__ import annotations

from datetime import datetime
from heapq import heappop, heappush


class Deadlines:
    """The next deadline of each patient; what is already in the heap and is not the patient's next any more is void."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str]] = []
        self._next: dict[str, datetime] = {}

    @property
    def next(self) -> datetime | None:
        """The nearest of all; a patient may turn out to have nothing to say then."""
        return self._heap[0][0] if self._heap else None

    def note(self, patient: str, due: datetime | None) -> None:
        """Give a patient's deadline a place, unless an earlier one has it and will lead to this."""
        noted = self._next.get(patient)
        if due is not None and (noted is None or due < noted):
            self._next[patient] = due
            heappush(self._heap, (due, patient))

    def take(self, until: datetime) -> list[str]:
        """The patients with a deadline up to then, each once; who has a further one is to be noted again."""
        taken = []
        while self._heap and self._heap[0][0] <= until:
            due, patient = heappop(self._heap)
            if self._next.get(patient) == due:
                del self._next[patient]
                taken.append(patient)
        return taken
