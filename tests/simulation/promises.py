"""The promises of ARCHITECTURE.md, as they are seen from outside: by those who send, and by those who watch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from rules.bulkhead import MONITOR
from rules.engine import PatientEngine
from rules.events import Action, Event, encode
from rules.instants import MINUTE, to_instant
from rules.outputs import AlertChange, Change, Rejection, StatusChange, encode_change
from rules.view import View
from streams.embedded.entries import Present
from tests.reference.comparing import Compared
from tests.simulation.chronicle import Told
from tests.simulation.service import SITE, packs
from tests.simulation.world import demand

_STEP: Final = 10 * MINUTE
"""How often the reference looks, besides where the engine says that something changed."""


_SOON: Final = timedelta(minutes=5)
"""The reference knows live signals only as long as their minute takes samples."""


def lost_nothing(kept: Sequence[bytes], accepted: Iterable[bytes]) -> None:
    """What was accepted is kept, once."""
    lines = Counter(kept)
    twice = [line for line, times in lines.items() if times > 1 and not line.startswith(b'{"kind":"time"')]
    demand(not twice, f"an event is taken in once: {twice[:1]}")
    lost = [line for line in accepted if line not in lines]
    demand(not lost, f"nothing that was accepted is lost: {lost[:1]}")


def invented_nothing(kept: Iterable[bytes], sent: Mapping[bytes, object]) -> None:
    """What is kept was sent."""
    invented = [line for line in kept if line not in sent and not line.startswith(b'{"kind":"time"')]
    demand(not invented, f"nothing is invented: {invented[:1]}")


def never_taken_back(before: Sequence[object], after: Sequence[object], what: str) -> None:
    """What was once read stays as it was."""
    demand(list(after[: len(before)]) == list(before), f"{what}: what was said stays as it was")


def heard_in_order(told: Sequence[Told], events: Sequence[Event]) -> None:
    """An engine has heard all that is kept of its patient, in that order, and nothing else."""
    heard = [one for one in told if not isinstance(one, datetime)]
    demand(
        heard == list(events),
        "a patient is judged by what is kept: "
        f"{[event.key for event in heard]} was heard, {[event.key for event in events]} is kept",
    )


def said_again(patient: str, told: Sequence[Told]) -> list[Change]:
    """What an engine says that never was restored."""
    engine = PatientEngine(patient, packs(), SITE)
    changes: list[Change] = []
    for one in told:
        changes += engine.advance(one) if isinstance(one, datetime) else engine.observe(one)
    return changes


def says_what_a_replay_says(words: Sequence[str], replayed: Sequence[Change]) -> None:
    """What was published of a patient is what an engine says of the same history that nothing ever happened to."""
    wanted = [encode_change(change) for change in replayed if not isinstance(change, Rejection)]
    if list(words) != wanted:
        place = next((i for i, (one, other) in enumerate(zip(words, wanted, strict=False)) if one != other), None)
        at = min(len(words), len(wanted)) if place is None else place
        demand(
            False,
            f"nothing is lost and nothing invented: change {at + 1} of {len(words)}, a replay has {len(wanted)}: "
            f"{words[at : at + 1]} instead of {wanted[at : at + 1]}",
        )


def dead_letters_once(found: Sequence[str], wanted: Iterable[str]) -> None:
    """Whatever could not be used, or only in part, is there with its place, once."""
    expected = set(wanted)
    demand(expected <= set(found), f"no dead letter is lost: {sorted(expected - set(found))[:3]}")
    demand(len(set(found)) == len(found), "each dead letter is there once")
    demand(set(found) <= expected, f"no dead letter is invented: {sorted(set(found) - expected)[:3]}")


def nobody_looks_quiet(engines: Iterable[PatientEngine], said: Sequence[Change], reached: datetime | None) -> None:
    """Who is not watched is said not to be, and whatever was due has been said."""
    notices = {
        change.patient: change for change in said if isinstance(change, AlertChange) and change.pathway == MONITOR
    }
    for engine in engines:
        notice = notices.get(engine.patient)
        silent = notice is None or notice.change in ("resolved", "withdrawn", "expired")
        if engine.bulkhead.fault is not None:
            demand(not silent, "who is not watched is said not to be")
        if reached is not None and engine.due is not None:
            demand(engine.due > reached, f"what is due is said: due {engine.due}, it is {reached}")


def stands_as_said(said: Iterable[Change], states: Mapping[str, str]) -> None:
    """The board has every alert in the state in which it was said to be last."""
    present = Present()
    for position, change in enumerate(said):
        present.next(position, change)
    wanted = {name: entry.beside.state.value for name, entry in present.alerts.items() if entry.beside is not None}
    demand(
        dict(states) == wanted, f"the board shows how alerts stand: {sorted(set(wanted.items()) ^ set(states.items()))}"
    )


def time_is_true(reached: datetime | None, latest: datetime) -> None:
    """No clock that is wrong moves everybody's time ahead."""
    demand(reached is None or reached <= latest, f"time comes no further than it is: {reached} at {latest}")


def can_be_worked_out(told: Sequence[Told]) -> bool:
    """Whether the reference can say something: everything came in order, soon, at whole seconds, and with no poison."""
    passed = latest = datetime.min.replace(tzinfo=UTC)
    for one in told:
        if isinstance(one, datetime):
            passed = max(passed, one - SITE.lateness)
            continue
        late = one.received_at < latest or one.received_at <= passed
        if late or one.received_at.microsecond or not timedelta(0) <= one.received_at - one.happened_at <= _SOON:
            return False
        latest = one.received_at
    return latest > datetime.min.replace(tzinfo=UTC)


def says_what_the_reference_says(told: Sequence[Told], words: Sequence[Change]) -> None:
    """The reference works the same out from scratch, and what was published last is that."""
    events = [one for one in told if not isinstance(one, datetime)]
    at = max(to_instant(event.received_at) for event in events) // MINUTE * MINUTE + 2 * MINUTE
    both = Compared(events, packs(), SITE, View, _STEP)
    differences = both.differences(at)
    demand(not differences, f"the engine says what the reference says: {differences[:2]}")
    # What is held back for what may still come has not been decided yet.
    come = max(one if isinstance(one, datetime) else one.received_at for one in told)
    limit = min(at, to_instant(come)) - round(SITE.lateness.total_seconds() * 1000) - 1
    for pathway in {change.pathway for change in both.changes if isinstance(change, StatusChange)}:
        mine = _last(words, pathway, limit)
        theirs = _last(both.changes, pathway, limit)
        demand(mine == theirs, f"what was published is what the reference says of {pathway}: {mine}, not {theirs}")


def _last(changes: Iterable[Change], pathway: str, limit: int) -> str | None:
    found = [
        encode_change(change.model_copy(update={"sequence": 0}))
        for change in changes
        if isinstance(change, StatusChange) and change.pathway == pathway and to_instant(change.decided_at) <= limit
    ]
    return found[-1] if found else None


def line_of(event: Event | Action) -> bytes:
    """An event as it is kept."""
    return encode(event).encode()
