"""How far a file has been read, and how that file is known again: by where it is stored and by what it says."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

_HEAD: Final = 1024
_EDGE: Final = 256

Peek = Callable[[int, int], bytes]
"""Bytes of a file as they are stored: how many, and from where on; fewer, or none, where it is not that long."""

Count = Annotated[int, Field(ge=0)]


class Look(NamedTuple):
    """A file as the system describes it: where it is stored, how large it is, and of what kind."""

    device: int
    inode: int
    size: int
    kind: Literal["file", "pipe", "other"]

    @classmethod
    def of(cls, found: os.stat_result) -> Look:
        """What is found."""
        kind: Literal["file", "pipe", "other"] = (
            "file" if stat.S_ISREG(found.st_mode) else "pipe" if stat.S_ISFIFO(found.st_mode) else "other"
        )
        return cls(found.st_dev, found.st_ino, found.st_size, kind)

    def is_stored_with(self, other: Look | Mark) -> bool:
        """Whether both are stored at one place, which may have been used again."""
        return (self.device, self.inode) == (other.device, other.inode)


class Seen:
    """What has been read of a file, as it is stored: how much, its beginning, and what came last."""

    def __init__(self) -> None:
        self.stored = 0
        self._head = self._edge = b""

    @classmethod
    def of(cls, stored: int, peek: Peek) -> Seen:
        """What a file holds up to some place."""
        seen = cls()
        seen.stored = stored
        edge = min(stored, _EDGE)
        seen._head, seen._edge = peek(min(stored, _HEAD), 0), peek(edge, stored - edge)
        return seen

    def add(self, data: bytes) -> None:
        """These bytes have been read next."""
        self.stored += len(data)
        self._head += data[: _HEAD - len(self._head)]
        self._edge = (self._edge + data)[-_EDGE:]

    def is_in(self, peek: Peek) -> bool:
        """Whether a file begins with it."""
        return Seen.of(self.stored, peek).prints == self.prints

    @property
    def prints(self) -> tuple[str, str]:
        """Digests by which it is known again: a file that only begins alike is another one."""
        return _digest(self._head), _digest(self._edge)


class Mark(BaseModel):
    """How far a file has been read.

    Attributes:
        device: where it is stored.
        inode: as above.
        position: bytes of its text that have been used.
        stored: bytes of the file, as they are stored, up to which its text was made.
        head: digest of its beginning, of as much as was read.
        edge: digest of what stands just before ``stored``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Count
    inode: Count
    position: Count
    stored: Count
    head: str
    edge: str

    @classmethod
    def of(cls, look: Look, position: int, seen: Seen) -> Mark:
        """The mark of a file that has been read so far."""
        head, edge = seen.prints
        return cls(device=look.device, inode=look.inode, position=position, stored=seen.stored, head=head, edge=edge)

    def fits(self, peek: Peek) -> bool:
        """Whether a file begins with what was read: it is the same, or was the same once and has grown since."""
        return Seen.of(self.stored, peek).prints == (self.head, self.edge)


Marks = tuple[Mark, ...]
"""Of one input: those of files that have lost their name and are still read, then that of the present one."""

_MARKS: Final = TypeAdapter(Marks)


def marks_to_json(marks: Marks) -> str:
    """Marks as they are kept."""
    return _MARKS.dump_json(marks).decode()


def marks_from_json(text: str) -> Marks:
    """Marks that were kept."""
    return _MARKS.validate_json(text)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
