"""Which timeline channels a pack reads, and how far back: only these facts are kept, and only for that long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from rules.catalogue import Catalogue, UnknownCodeError
from rules.conditions import Check, Decide, Elapsed, Node, Use
from rules.instants import DAY, format_duration
from rules.landmarks import LANDMARKS
from rules.lookback import MEMORY, Reader, Term
from rules.pack import Pack
from rules.predicates import PREDICATES
from rules.quantities import QUANTITIES
from rules.view import names_of
from rules.wording import placeholders

ALWAYS_READ: Final = ("stay", "state:goals_of_care", "signal:age")

MOST: Final = 31 * DAY
"""The furthest that a rule may look back on facts: what is kept of a patient stays small (local setting)."""

MOST_DENSE: Final = 7 * DAY
"""The furthest that a rule may look back on the minutes of a dense signal (local setting)."""


class Length(NamedTuple):
    """How far back in milliseconds, and the durations of the pack that make it so long."""

    milliseconds: int = 0
    durations: tuple[str, ...] = ()

    def and_then(self, other: Length) -> Length:
        """As far back as the other, seen from the end of this one."""
        return Length(self.milliseconds + other.milliseconds, (*self.durations, *other.durations))


class Read(NamedTuple):
    """The furthest that a pack looks back on a channel, and where it does."""

    length: Length
    path: str


_NOW: Final = Length()
_WEIGHT: Final = "signal:weight"
_SHIFTS: Final = "fluid"
"""Whoever reads the weight reads this too, for as long: much fluid makes an old one useless."""


def reads(pack: Pack, catalogue: Catalogue) -> dict[str, Read]:
    """The channels that a pack reads, each with the furthest that anything in it looks back."""
    walk = _Walk(pack, catalogue)
    found: dict[str, Read] = {}
    for path, channel, length in walk.everything():
        if channel == _WEIGHT and (_SHIFTS not in found or length.milliseconds > found[_SHIFTS].length.milliseconds):
            found[_SHIFTS] = Read(length, path)
        if channel not in found or length.milliseconds > found[channel].length.milliseconds:
            found[channel] = Read(length, path)
    return found


def channels_read(pack: Pack, catalogue: Catalogue) -> frozenset[str]:
    """The timeline channels that any condition of a pack reads."""
    return frozenset(reads(pack, catalogue))


class TooLong(NamedTuple):
    """Where a pack looks back further than anything is kept, the durations that make it so long, and the fault."""

    path: str
    durations: tuple[str, ...]
    fault: str


def find_too_long(pack: Pack, catalogue: Catalogue) -> Iterator[TooLong]:
    """Where a pack, with the values of the site, looks back further than anything is kept.

    Args:
        pack: the pack.
        catalogue: says which signals are dense, and how old values may be.
    """
    for channel, (length, path) in sorted(reads(pack, catalogue).items()):
        most = MOST_DENSE if _is_dense(channel, catalogue) else MOST
        if length.milliseconds > most:
            durations = tuple(dict.fromkeys(length.durations))
            by = f" by {', '.join(durations)}" if durations else ""
            asked, possible = format_duration(length.milliseconds), format_duration(most)
            fault = f"looks back {asked} on {channel}{by}; no more than {possible} can be kept"
            yield TooLong(path, durations, fault)


def channels_of(source: Reader, catalogue: Catalogue) -> frozenset[str]:
    """The channels that a source declares; what is given per kilogram needs the weight."""
    drugs = _drug_channels(source.classes, "infusion", catalogue) | _drug_channels(source.classes, "dose", catalogue)
    channels = drugs.union(source.reads)
    weighed = any(channel.startswith(("infusion:", "dose:")) for channel in channels)
    channels = channels | {_WEIGHT} if weighed else channels
    return channels | {_SHIFTS} if _WEIGHT in channels else channels


def _drug_channels(drugs: Iterable[str], kind: str, catalogue: Catalogue) -> frozenset[str]:
    found: list[str] = []
    for drug in drugs:
        with suppress(UnknownCodeError):
            found += names_of(catalogue, drug)
    return frozenset(f"{kind}:{name}" for name in found)


def _is_dense(channel: str, catalogue: Catalogue) -> bool:
    kind, _, name = channel.partition(":")
    try:
        return kind == "signal" and name != "age" and catalogue.signal(name).dense
    except UnknownCodeError:
        return False


class _Walk:
    """Everything that a pack reads; what it names and nobody knows reads nothing here, that is a fault elsewhere."""

    def __init__(self, pack: Pack, catalogue: Catalogue) -> None:
        self._pack = pack
        self._catalogue = catalogue
        self._named: dict[tuple[type[Node], str], Node] = {
            **{(Use, name): condition for name, condition in pack.conditions.items()},
            **{(Check, check.id): check.when for check in pack.checks},
        }

    def everything(self) -> Iterator[tuple[str, str, Length]]:
        """Each read: its path in the pack, the channel, how far back."""
        pack = self._pack
        yield from (("pack", channel, self._age(channel)) for channel in ALWAYS_READ)
        yield from self._answers()
        yield from self._measures("display", pack.display)
        for text in pack.words.values():
            yield from self._measures("words", (name for name in placeholders(text) if name not in pack.parameters))
        for therapy in pack.therapies:
            path = f"therapies.{therapy.id}"
            yield from self._measures(f"{path}.suggestion", placeholders(therapy.suggestion))
            yield from self._measures(f"{path}.answered_until", therapy.answered_until)
            if therapy.deadline is not None:
                yield from self._source(f"{path}.deadline", LANDMARKS.get(therapy.deadline.since), _NOW)
        for path, root in pack.roots():
            yield from self._node(path, root, _NOW, ())

    def _answers(self) -> Iterator[tuple[str, str, Length]]:
        channel = f"answer:{self._pack.id}"
        yield "parameters.decline_holds", channel, self._sum(("decline_holds",))
        for name in ("snooze", *(therapy.snooze for therapy in self._pack.therapies)):
            yield f"parameters.{name}", channel, self._sum((name,))

    def _measures(self, path: str, measures: Iterable[str], before: Length = _NOW) -> Iterator[tuple[str, str, Length]]:
        for measure in measures:
            quantity = QUANTITIES.get(measure)
            if quantity is not None:
                yield from self._source(path, quantity, before)
            else:
                yield path, f"signal:{measure}", before.and_then(self._age(f"signal:{measure}"))

    def _node(self, path: str, node: Node, before: Length, using: Sequence[Node]) -> Iterator[tuple[str, str, Length]]:
        """What a condition reads that is judged so long ``before``; ``using`` are the named ones that led to it."""
        back = before.and_then(self._sum(node.looks_back()))
        yield from ((path, f"state:{concept}", back) for concept in node.concepts())
        measured = [*self._measures(path, node.measures(), back)]
        yield from measured
        yield from self._given(path, node.infusions(), node.doses(), back)
        if isinstance(node, Decide):
            yield from self._source(path, PREDICATES.get(node.name), back)
        if isinstance(node, Elapsed):
            yield from self._source(path, LANDMARKS.get(node.since), back)
        inside = before
        if node.judges_the_past:
            inside = max((length for _, _, length in measured), key=lambda length: length.milliseconds, default=back)
        for child in node.children():
            yield from self._node(path, child, inside, using)
        if isinstance(node, Use | Check) and before.milliseconds:
            named = self._named.get((type(node), node.name))
            if named is not None and named not in using:
                yield from self._node(path, named, before, (*using, named))

    def _source(self, path: str, source: Reader | None, before: Length) -> Iterator[tuple[str, str, Length]]:
        if source is None:
            return
        durations = tuple(name for name in source.parameters if self._is_duration(name))
        others = tuple(name for name in durations if name not in source.of_doses)
        back = before.and_then(self._sum((*others, *source.looks_back)))
        doses = before.and_then(self._sum((*durations, *source.looks_back)))
        memory = Length(MEMORY if source.episode else 0)
        for channel in sorted(channels_of(source, self._catalogue)):
            given = channel.startswith("dose:")
            length = back if _is_dense(channel, self._catalogue) else (doses if given else back).and_then(memory)
            yield path, channel, length.and_then(self._age(channel))

    def _given(
        self, path: str, infusions: Sequence[str], doses: Sequence[str], back: Length
    ) -> Iterator[tuple[str, str, Length]]:
        channels = _drug_channels(infusions, "infusion", self._catalogue) | _drug_channels(
            doses, "dose", self._catalogue
        )
        yield from ((path, channel, back) for channel in sorted(channels))
        if channels:
            yield path, _WEIGHT, back.and_then(self._age(_WEIGHT))

    def _is_duration(self, name: str) -> bool:
        found = self._pack.parameters.get(name)
        return found is not None and found.is_duration

    def _sum(self, terms: Iterable[Term]) -> Length:
        """Terms one after the other: durations of the pack by name, ages of signals by channel, or milliseconds."""
        whole = _NOW
        for term in terms:
            if isinstance(term, int):
                whole = whole.and_then(Length(term))
            elif ":" in term:
                whole = whole.and_then(self._age(term))
            elif self._is_duration(term):
                whole = whole.and_then(Length(self._pack.parameters[term].milliseconds, (term,)))
        return whole

    def _age(self, channel: str) -> Length:
        """How old a value of a signal may be, however it was measured; where age does not matter the newest is kept."""
        kind, _, name = channel.partition(":")
        if kind != "signal" or name == "age":
            return _NOW
        try:
            signal = self._catalogue.signal(name)
        except UnknownCodeError:
            return _NOW
        limits = [signal.max_age, signal.max_age_charted, *(limit.age for limit in signal.max_age_when)]
        return Length(max((round(limit.total_seconds() * 1000) for limit in limits if limit is not None), default=0))


def longest(packs: Iterable[Mapping[str, Read]]) -> dict[str, int]:
    """By channel, the furthest that any of several packs looks back, in milliseconds."""
    found: dict[str, int] = {}
    for pack in packs:
        for channel, read in pack.items():
            found[channel] = max(read.length.milliseconds, found.get(channel, 0))
    return found
