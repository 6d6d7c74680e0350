"""Which events have come lately, by what identifies them: who sends again what was not answered is told so."""

from __future__ import annotations

from streams.embedded.segments import keys_in


class Recent:
    """The newest keys, in the order in which they came; older ones are forgotten.

    An event that is sent again later than that is not recognised here. The rules recognise it, and it changes nothing.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._keys: dict[bytes, None] = {}

    def knows(self, key: bytes) -> bool:
        """Whether a key has come lately; from now on it has."""
        if key in self._keys:
            return True
        self._keys[key] = None
        if len(self._keys) > self._most:
            del self._keys[next(iter(self._keys))]
        return False

    def fill(self, joined: bytes) -> None:
        """Take in the keys of a segment."""
        for key in keys_in(joined):
            self.knows(key)
