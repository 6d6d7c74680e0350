"""What somebody offers to the log, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Literal, NamedTuple

from rules.brief import brief
from rules.engine import prepare
from rules.events import Event, MalformedEventError, decode
from rules.facts import Refusal, Translator
from rules.pack import Pack
from rules.settings import SiteSettings
from streams.intake import TimeMark, Unusable
from streams.logfile import LONGEST_LINE
from streams.provenance import RESERVED, is_own
from streams.topics import rank_of

_KEPT: Final = 1 << 16
"""Bytes that are kept of a message that cannot be used."""


class Offer(NamedTuple):
    """One message.

    Attributes:
        content: what it says, or why it cannot be read.
        reasons: why it, or a part of it, cannot be used.
        usable: whether any of it can.
        raw: its beginning, if it cannot be read.
    """

    content: Event | TimeMark | Unusable
    reasons: tuple[str, ...] = ()
    usable: bool = True
    raw: bytes = b""


def order_of(offers: Sequence[Offer]) -> list[int]:
    """The places of offers in the order in which they are to be applied.

    Those that were received at the same instant and stand together take the order of the inputs of a stream.
    """
    order: list[int] = []
    for _, together in groupby(range(len(offers)), key=lambda place: _received(offers[place]) or place):
        order += sorted(together, key=lambda place: _rank(offers[place]))
    return order


def _received(offer: Offer) -> datetime | None:
    """When an event was received; what is none stands alone."""
    return offer.content.received_at if isinstance(offer.content, Event) else None


def _rank(offer: Offer) -> int:
    return rank_of(offer.content) if isinstance(offer.content, Event) else 0


Status = Literal["accepted", "duplicate", "rejected"]


class Receipt(NamedTuple):
    """What became of an offer once it is durable.

    Attributes:
        status: ``rejected`` where nothing of it can be used.
        reasons: why it, or a part of it, cannot be used.
        event: its id, if it has one.
        refused: if it was decided on at once and refused, the kind of reason.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    event: str | None = None
    refused: str | None = None


class Submission(NamedTuple):
    """Messages that come together.

    Attributes:
        offers: in the order in which they are to be applied.
        arrived_at: the latest that it may be.
        done: told what became of each, in the same order, once that is durable.
        source: of a file, its path and the marks of how far it has been read with these.
    """

    offers: Sequence[Offer]
    arrived_at: datetime
    done: Callable[[list[Receipt]], None]
    source: tuple[str, str] | None = None


class Examiner:
    """Reads messages and finds out at once what of them cannot be used.

    Args:
        packs: the pathways to judge.
        settings: the site's settings.
        ahead: how far ``received_at`` may lie after the arrival: one clock that is wrong would move everybody's time.
    """

    def __init__(self, packs: Sequence[Pack], settings: SiteSettings, ahead: timedelta) -> None:
        self._translator: Translator = prepare(packs, settings).translator
        self._skew = settings.future_skew
        self._ahead = ahead

    def read(self, message: bytes, arrived_at: datetime) -> Offer:
        """Read a message from outside; whatever its bytes are, there is an answer."""
        if len(message) > LONGEST_LINE:
            text = f"longer than {LONGEST_LINE} bytes ({len(message)})"
            return unreadable(Unusable("too_long", text), message)
        if not message or message.isspace():
            return unreadable(Unusable("empty", "no message"), message)
        try:
            event = decode(message)
        except MalformedEventError as error:
            return unreadable(Unusable("malformed", str(error)), message)
        if is_own(event.source):
            return unreadable(Unusable("reserved_source", RESERVED), message)
        return self.examine(event, arrived_at, message)

    def examine(self, event: Event, arrived_at: datetime, message: bytes = b"") -> Offer:
        """Look at an event that has been read."""
        early = event.received_at - arrived_at
        if early > self._ahead:
            text = f"received_at: {early.total_seconds():.0f} s after it arrived"
            return unreadable(Unusable("future", text, event.received_at), message)
        if event.happened_at > event.received_at + self._skew:
            return Offer(event, ("effective_at: after received_at",), usable=False)
        try:
            outcomes = list(self._translator.facts(event))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - a mistake in the rules: the engine refuses the event, and sets one patient aside
            return Offer(event)
        refusals = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        if not refusals:
            return Offer(event)
        reasons = brief(f"{found.place or 'event'}: {found.detail}" for found in refusals)
        return Offer(event, reasons, usable=len(refusals) < len(outcomes))


def unreadable(why: Unusable, message: bytes) -> Offer:
    """A message of which nothing is used."""
    return Offer(why, (why.text,), usable=False, raw=message[:_KEPT])
