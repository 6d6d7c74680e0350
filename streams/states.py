"""What a runtime keeps of a patient and of a partition, as bytes: versioned and checksummed, read whole or refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rules.instants import to_datetime, to_instant
from rules.pack import Pack
from rules.settings import SiteSettings, settings_digest
from streams.topics import TopicName

MAGIC: Final = b"RMP"
VERSION: Final = 2
_READ: Final = (1, 2)
"""In the first, origins are by the id of the event, each with its key."""
PARTITION_KEY: Final = b"\x00partition"
"""Under what the state of a partition is kept, among those of its patients; no patient has this name."""

_DIGEST: Final = 32
_LENGTH: Final = 4
_HEADER: Final = len(MAGIC) + 1 + _DIGEST + _LENGTH

Positions = Mapping[TopicName, int]


class StateError(ValueError):
    """A state that cannot be continued from; the text says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """The rules that a state was made with: packs by name, version and digest, and the digest of the settings."""

    packs: tuple[tuple[str, str, str], ...]
    settings: str

    @classmethod
    def by(cls, packs: Sequence[Pack], settings: SiteSettings) -> Made:
        """Those of a runtime."""
        return cls(tuple((pack.id, pack.version, pack.digest) for pack in packs), settings_digest(settings))

    def demand(self, present: Made) -> None:
        """Refuse to go on under other rules: what was said by the old ones would be taken as said by the new.

        Raises:
            StateError: naming both.
        """
        if self.packs != present.packs:
            raise StateError(f"made with packs {_names(self.packs)}, not with {_names(present.packs)}")
        if self.settings != present.settings:
            raise StateError("made with other site settings")


@dataclass(frozen=True, slots=True)
class PatientState:
    """A patient's engine, and what of the inputs is in it.

    Attributes:
        made: the rules.
        positions: the last record applied, by input.
        due: when time should be advanced to next although nothing is received, or None.
        origins: of each event that the engine holds back, by its key in the engine: its input and its offset.
        snapshot: of the engine.
        set_aside: whether it is not judged because of a fault in the monitor.
        away: whether the patient has been discharged, and nothing is held back.
    """

    made: Made
    positions: Positions
    due: datetime | None
    origins: Mapping[str, tuple[TopicName, int]]
    snapshot: bytes
    set_aside: bool = False
    away: bool = False

    def to_bytes(self) -> bytes:
        """It as bytes."""
        header = {
            "packs": self.made.packs,
            "settings": self.made.settings,
            "positions": self.positions,
            "due": _instant(self.due),
            "origins": self.origins,
            "aside": self.set_aside,
            "away": self.away,
        }
        return _seal(header, self.snapshot)

    @classmethod
    def from_bytes(cls, data: bytes) -> PatientState:
        """The state in bytes.

        Raises:
            StateError: if they are damaged or of another version.
        """
        header, snapshot = _open(data)
        return cls(
            _made(header),
            _positions(header["positions"]),
            _moment(header["due"]),
            dict(_origin(event, raw) for event, raw in header["origins"].items()),
            snapshot,
            header.get("aside", False),
            header.get("away", False),
        )


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far a partition has been read, and its time.

    Attributes:
        floors: the first record of each input that a restored partition must read.
        newest: the newest ``received_at``.
        live: whether its time may go on although nothing comes.
        letters: from where on its dead letters must be known, see :class:`streams.letterbox.Letterbox`.
        reached: how far its time had come.
    """

    floors: Positions
    newest: datetime | None
    live: bool
    letters: int = 0
    reached: datetime | None = None

    def to_bytes(self) -> bytes:
        """It as bytes."""
        header = {
            "floors": self.floors,
            "newest": _instant(self.newest),
            "live": self.live,
            "letters": self.letters,
            "reached": _instant(self.reached),
        }
        return _seal(header, b"")

    @classmethod
    def from_bytes(cls, data: bytes) -> PartitionState:
        """The state in bytes; one that was written earlier lacks what was not noted then.

        Raises:
            StateError: if they are damaged or of another version.
        """
        header, _ = _open(data)
        return cls(
            _positions(header["floors"]),
            _moment(header["newest"]),
            bool(header["live"]),
            header.get("letters", 0),
            _moment(header.get("reached")),
        )


def seal_of(data: bytes) -> bytes:
    """The checksum in a state's bytes; equal states have equal ones."""
    return data[len(MAGIC) + 1 :][:_DIGEST]


def _seal(header: Mapping[str, Any], body: bytes) -> bytes:
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    content = len(text).to_bytes(_LENGTH, "big") + text + body
    return MAGIC + bytes([VERSION]) + hashlib.sha256(content).digest() + content


def _open(data: bytes) -> tuple[dict[str, Any], bytes]:
    if len(data) < _HEADER or not data.startswith(MAGIC):
        raise StateError("not a state")
    version = data[len(MAGIC)]
    if version not in _READ:
        raise StateError(f"state version {version} is not known here (known: {', '.join(map(str, _READ))})")
    start = len(MAGIC) + 1
    digest, content = data[start : start + _DIGEST], data[start + _DIGEST :]
    if hashlib.sha256(content).digest() != digest:
        raise StateError("damaged: its checksum does not fit")
    end = _LENGTH + int.from_bytes(content[:_LENGTH], "big")
    header: dict[str, Any] = json.loads(content[_LENGTH:end])
    return header, content[end:]


def _instant(at: datetime | None) -> int | None:
    return None if at is None else to_instant(at)


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else to_datetime(instant)


def _made(header: Mapping[str, Any]) -> Made:
    return Made(tuple((name, version, digest) for name, version, digest in header["packs"]), header["settings"])


def _origin(event: str, raw: Sequence[Any]) -> tuple[str, tuple[TopicName, int]]:
    *key, topic, offset = raw
    return key[0] if key else event, (TopicName(topic), offset)


def _positions(raw: Mapping[str, int]) -> Positions:
    return {TopicName(name): offset for name, offset in raw.items()}


def _names(packs: Sequence[tuple[str, str, str]]) -> str:
    return ", ".join(" ".join(pack) for pack in packs) or "none"
