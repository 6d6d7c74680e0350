"""The decision engine of one patient: facts and time go in, changes of status and alerts come out.

No clock, no randomness, no input or output: the same events give the same changes, byte for byte, on every machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from math import nan
from typing import Final, NamedTuple, TypeVar

from rules import VERSION
from rules import catalogue as catalogues
from rules.alert import policy
from rules.alerts import Book, Moment, damping
from rules.announcing import describe, status
from rules.arbitration import arbitrate
from rules.brief import in_one
from rules.bulkhead import Bulkhead, Fault
from rules.delivery import confirmed
from rules.events import Action, Assessment, Event, Observations, Resuscitation, Status
from rules.explanation import Explanation, explain
from rules.facts import NOTHING, Answer, Flow, GoingOn, Refusal, Sample, Translator
from rules.instants import HOUR, MINUTE, clock_time, to_datetime, to_instant
from rules.lifecycle import Trigger
from rules.minutes import MinuteSeries
from rules.outputs import AlertChange, Change, Rejection, StatusChange
from rules.pack import Pack
from rules.packs.reads import longest
from rules.pathway import Pathway
from rules.settings import SiteSettings, settings_digest
from rules.stays import CHANNEL as STAYS
from rules.stays import KEPT, moved
from rules.timeline import Fact, Timeline
from rules.track import REACH, Changed, Entry, RestlessError, Track

C = TypeVar("C", AlertChange, StatusChange)

REMEMBER_REFUSED = 1_000
"""How many refused events of a patient are recognised when they are delivered again."""


_RESTLESS: Final = 100
"""So often in a row may one instant ask to be judged again."""

JUDGED: Final = REACH + HOUR
"""How far back the past may be judged again, by an engine that forgets each hour."""


class Prepared(NamedTuple):
    """Packs and settings made ready; ``kept`` says how long the facts of each channel are kept, in milliseconds."""

    pathways: list[Pathway]
    translator: Translator
    kept: dict[str, int]


_PREPARED: dict[tuple[str, ...], Prepared] = {}


def prepare(packs: Sequence[Pack], settings: SiteSettings) -> Prepared:
    """Packs and settings made ready, once for all patients: nothing in them changes afterwards."""
    key = (settings_digest(settings), *(pack.digest for pack in packs))
    found = _PREPARED.get(key)
    if found is None:
        catalogue = catalogues.load()
        pathways = [Pathway(pack, settings, catalogue) for pack in packs]
        kept = {channel: back + JUDGED for channel, back in longest(pathway.reads for pathway in pathways).items()}
        kept[STAYS] = KEPT
        found = _PREPARED[key] = Prepared(pathways, Translator(catalogue, frozenset(kept)), kept)
    return found


class PatientEngine:
    """Everything the monitor knows and has said about one patient.

    Args:
        patient: the subject of all its events.
        packs: the pathways to judge.
        settings: the site's settings.
    """

    def __init__(self, patient: str, packs: Sequence[Pack], settings: SiteSettings) -> None:
        self.patient = patient
        self.settings = settings
        pathways, self.translator, kept = prepare(packs, settings)
        self.timeline = Timeline(kept, JUDGED)
        self.tracks = [Track(pathway) for pathway in pathways]
        self.books = [Book(patient, pathway.pack, policy(settings), damping(settings)) for pathway in pathways]
        self.bulkhead = Bulkhead(patient, policy(settings))
        self._packs = [pathway.pack for pathway in pathways]
        self.pending: list[tuple[int, str, Event]] = []
        self.waiting: set[str] = set()
        self.refused: dict[str, int] = {}
        self.clock: int | None = None
        self.reached: int | None = None
        self.pruned: int | None = None
        self.next: int | None = None
        """When a pathway must be judged next, or an alert brings itself to mind, although nothing has been received."""
        self.touched = False
        """Whether a fact has been received that a pathway has not been judged by."""
        self.sequence = 0
        self._urgent = frozenset[str]()
        """Live signals of which each sample is judged at once."""
        self._minute: int | None = None
        self._going_on: GoingOn = {}
        """The samples of dense signals in that minute: whoever waits for its end was told of it with the first one.

        What anybody waits for changes when it is judged; from then on the first one counts again.
        """
        self._lateness = round(settings.lateness.total_seconds() * 1000)
        self._rate_holds = round(settings.rate_holds.total_seconds() * 1000)
        self._skew = round(settings.future_skew.total_seconds() * 1000)

    def observe(self, event: Event) -> list[Change]:
        """Take in a fact; what changed by it and by the time that has passed.

        Messages may come out of order of ``received_at`` by less than the lateness bound: they are held back that long
        and used in order. In a cardiac arrest nobody waits, and whoever answers an alert is told at once what came of
        it: an event of the resuscitation or an answer is used at once, and with it whatever was received before. The
        same event again changes nothing.

        Raises:
            ValueError: if the event is about somebody else.
        """
        if event.subject != self.patient:
            msg = f"event {event.id} is about {event.subject}, this engine is for {self.patient}"
            raise ValueError(msg)
        key, received = event.key, to_instant(event.received_at)
        if self.clock is None or received > self.clock:
            self.clock = received
        if key not in self.waiting:
            self.waiting.add(key)
            heapq.heappush(self.pending, (received, key, event))
            if isinstance(event, Resuscitation | Action):
                return self._drain(received)
        return self._drain()

    def advance(self, to: datetime) -> list[Change]:
        """Let time pass to an instant: everything due by then (less the lateness bound) happens at its exact time."""
        instant = to_instant(to)
        if self.clock is None or instant > self.clock:
            self.clock = instant
        return self._drain()

    @property
    def due(self) -> datetime | None:
        """When time should be advanced to next although nothing has been received, or None."""
        instants = [self.next] if self.next is not None else []
        if self.pending:
            instants.append(self.pending[0][0])
        return to_datetime(min(instants) + self._lateness) if instants else None

    @property
    def away(self) -> bool:
        """Whether the patient has been discharged, and nothing that was received is held back."""
        at = self.reached
        if at is None or self.pending:
            return False
        return not any(track.pathway.care(self.timeline, at)[0].here for track in self.tracks)

    def explain(self, pathway: str) -> Explanation:
        """Why the verdict on a pathway is what it is, why not another, and what is missing.

        Raises:
            KeyError: if there is no such pathway.
        """
        for track, book in zip(self.tracks, self.books, strict=True):
            if track.pathway.pack.id == pathway:
                return explain(self.patient, track, book, self.timeline, self.reached)
        raise KeyError(pathway)

    def snapshot(self) -> bytes:
        """The whole state, versioned and checksummed; :meth:`restore` continues from it byte for byte."""
        from rules.snapshot import dump  # noqa: PLC0415 - the snapshot knows the engine, not the other way round

        return dump(self)

    @staticmethod
    def restore(data: bytes, packs: Sequence[Pack], settings: SiteSettings) -> PatientEngine:
        """The engine of a snapshot.

        Raises:
            SnapshotError: if the bytes are damaged, of an unknown version, or made with other packs or settings.
        """
        from rules.snapshot import load  # noqa: PLC0415 - the snapshot knows the engine, not the other way round

        return load(data, packs, settings)

    def _drain(self, urgent: int | None = None) -> list[Change]:
        """Process, in order, what can no longer be overtaken, and everything up to an ``urgent`` instant."""
        if self.clock is None:
            return []
        watermark = self.clock - self._lateness
        if urgent is not None and urgent > watermark:
            watermark = urgent
        changes: list[Change] = []
        pending = self.pending
        while pending and pending[0][0] <= watermark:
            received = pending[0][0]
            now = received if self.reached is None else max(received, self.reached)
            if self.next is not None and self.next < now:
                changes += self._pass_time(now - 1)
            late: dict[str, str] = {}
            while pending and pending[0][0] == received:
                _, key, event = heapq.heappop(pending)
                self.waiting.discard(key)
                during = f"taking in {event.kind}"
                changes += self._guarded(partial(self._taken, event, key, received, now, late), during, now)
            self.reached = now
            if self.touched or (self.next is not None and self.next <= now):
                changes += self._judge(now, late)
        if self.next is not None and self.next <= watermark:
            changes += self._pass_time(watermark)
        if self.reached is not None:
            self.reached = max(self.reached, watermark)
            if self.pruned is None or self.reached - self.pruned >= HOUR:
                changes += self._guarded(partial(self._prune, self.reached), "forgetting", self.reached)
        return changes

    def _pass_time(self, to: int) -> list[Change]:
        """Judge at every instant up to ``to`` at which something is due."""
        changes: list[Change] = []
        judged = 0
        while self.next is not None and self.next <= to:
            before = self.reached
            self.reached = self.next if before is None else max(self.next, before)
            judged = judged + 1 if self.reached == before else 0
            if judged > _RESTLESS:
                changes += self._set_aside(RestlessError(), "judging", self.reached)
            changes += self._judge(self.reached, {})
        return changes

    def _prune(self, now: int) -> tuple[()]:
        self.pruned = now
        self.timeline.prune(now)
        self.refused = {event: at for event, at in self.refused.items() if at >= now - self.timeline.longest}
        for track in self.tracks:
            track.prune(now)
        return ()

    def _taken(self, event: Event, key: str, received: int, now: int, late: dict[str, str]) -> Iterator[Change]:
        """Take an event in; where that fails it is refused, too."""
        try:
            yield from self._take(event, key, received, now, late)
        except MemoryError:
            raise
        except Exception as error:
            detail = f"{type(error).__name__} in the monitor"
            yield self._refuse(event, Refusal("event", "fault", detail), now)
            raise

    def _take(self, event: Event, key: str, received: int, now: int, late: dict[str, str]) -> Iterator[Change]:
        """Put an event's facts on the timeline; rejections of what cannot be used."""
        timeline = self.timeline
        if key in timeline.seen or key in timeline.settled or key in self.refused:
            if self._overtaken(event, key):
                self._correct(event, to_instant(event.happened_at), received, now, late)
            return
        happened = event.happened_at
        at = received if happened == event.received_at else to_instant(happened)
        if at > received + self._skew:
            text = f"effective {clock_time(at)}, received {clock_time(received)}"
            yield self._refuse(event, Refusal("effective_at", "future", text), now)
            return
        replaced: dict[str, int] = {}
        if event.corrects is not None:
            replaced = self._correct(event, at, received, now, late)
            if event.status == Status.ENTERED_IN_ERROR:
                return
        if isinstance(event, Action):
            yield from self._answer(event, at, received, now)
            return
        minute = at // MINUTE
        going_on = self._going_on if minute == self._minute and minute >= now // MINUTE else NOTHING
        for outcome in self.translator.facts(event, at, going_on):
            if isinstance(outcome, Refusal):
                yield self._refuse(event, outcome, now)
                continue
            channel, value = outcome
            replaced.pop(channel, None)
            if channel in self.translator.dense and not isinstance(value, Sample):
                self._dense(channel, at, value, now)
            elif channel in self.translator.wanted:
                self._insert(channel, value, key, at, received, now, late)
        for channel, since in replaced.items():
            self._insert(channel, Sample(nan), key, since, received, now, late)

    def _overtaken(self, event: Event, key: str) -> bool:
        """Whether a correction was itself taken back before it came: what it corrects is wrong all the same."""
        settled = self.timeline.settled
        return event.corrects is not None and key in settled and f"{event.source} {event.corrects}" not in settled

    def _correct(self, event: Event, at: int, received: int, now: int, late: dict[str, str]) -> dict[str, int]:
        """Take back the facts of the event that this one corrects.

        Returns:
            The results that were wrong, by channel, with their times: they are not known, unless the event says them.
        """
        self.timeline.settled[event.key] = now
        results: dict[str, int] = {}
        for channel, fact in self.timeline.retract(f"{event.source} {event.corrects}", now):
            self._touch(channel, fact.at)
            words = f"{describe(channel, fact.value)} of {clock_time(fact.at)} taken back"
            late.setdefault(event.key, f"{words}, received {clock_time(received)}")
            if isinstance(fact.value, Sample) and isinstance(event, Observations | Assessment):
                results[channel] = fact.at
        if isinstance(event, Observations):
            self._retract_dense(event, at, now)
        return results

    def _dense(self, channel: str, at: int, value: float, now: int) -> None:
        series = self.timeline.dense.get(channel)
        if series is None:
            series = self.timeline.dense[channel] = MinuteSeries(self.timeline.keeps(channel))
        if not series.insert(at, value, now):
            return
        self.timeline.changed(channel)
        minute = at // MINUTE
        end = (minute + 1) * MINUTE
        late = end <= now
        if not late and channel not in self._urgent:
            if minute != self._minute:
                self._minute = minute
                self._going_on.clear()
            self._going_on[channel] = series.unsettled[minute][1]
        wake = (now // MINUTE + 1) * MINUTE if late else end
        for track in self.tracks:
            if late and track.concerned(channel, end):
                track.touch(end)
            elif late or not track.reads(channel):
                continue
            track.wake(wake)
            if self.next is None or wake < self.next:
                self.next = wake
            if channel in self._urgent and track.present is not None and track.present.fold.open:
                track.touch(min(at, now))
                self.touched = True

    def _retract_dense(self, event: Observations, at: int, now: int) -> None:
        for outcome in self.translator.facts(event):
            sent = not isinstance(outcome, Refusal) and not isinstance(outcome[1], Sample)
            if sent and outcome[0] in self.timeline.dense:
                channel = outcome[0]
                self.timeline.dense[channel].remove(at, now)
                self.timeline.changed(channel)
                self._going_on.pop(channel, None)
                self._touch(channel, at if channel in self.translator.live else (at // MINUTE + 1) * MINUTE)

    def _insert(
        self, channel: str, value: object, event: str, at: int, received: int, now: int, late: dict[str, str]
    ) -> None:
        fact = Fact(at, received, event, value)
        confirms = isinstance(value, Flow) and confirmed(
            self.timeline.channels.get(channel, ()), fact, now, self._rate_holds
        )
        # Of somebody who was discharged, a rate that goes on says that the patient is here.
        confirms = confirms and moved(self.timeline, at).here
        if self.timeline.insert(channel, fact, now) and not confirms:
            self._touch(channel, at)
            if at < now:
                late.setdefault(
                    event, f"{describe(channel, value)} of {clock_time(at)}, received {clock_time(received)}"
                )

    def _touch(self, channel: str, at: int) -> None:
        for track in self.tracks:
            if track.concerned(channel, at):
                track.touch(at)
                self.touched = True

    def _answer(self, event: Action, at: int, received: int, now: int) -> Iterator[Change]:
        words = f"{event.action.removesuffix('e')}ed by {event.actor} ({event.role})" + (
            f": {event.reason}" if event.reason else ""
        )
        for index, (track, book) in enumerate(zip(self.tracks, self.books, strict=True)):
            alert = next((alert for alert in book.alerts.values() if alert.id == event.alert_id), None)
            entry = self._announced()[index]
            if alert is None or entry is None:
                continue
            objection = book.objection(alert, track.pathway, event)
            if objection is not None:
                yield self._refuse(event, objection, now)
                return
            on_screen = (entry.verdict.stage, event.reason, str(alert.priority), alert.asking.fixes)
            answer = Answer(alert.subject, event.action, *on_screen)
            self._insert(f"answer:{book.pack.id}", answer, event.key, at, received, now, {})
            moment = Moment(track, entry, self.timeline, now)
            yield from self._tell(book, book.answer(moment, alert, Trigger(event.action), words))
            self._schedule()
            return
        if self.bulkhead.alert is not None and self.bulkhead.alert.id == event.alert_id:
            objection = self.bulkhead.objection(event)
            if objection is not None:
                yield self._refuse(event, objection, now)
                return
            yield from self._tell(self.bulkhead, self.bulkhead.answer(event, words, now))
            self.touched = True
            return
        yield self._refuse(event, Refusal("alert_id", "unknown_target", f"no alert {event.alert_id}"), now)

    def _refuse(self, event: Event, refusal: Refusal, now: int) -> Rejection:
        self.refused[event.key] = now
        if len(self.refused) > REMEMBER_REFUSED:
            del self.refused[next(iter(self.refused))]
        return Rejection(
            patient=self.patient,
            source=event.source,
            event=event.id,
            place=refusal.place,
            reason=refusal.reason,
            detail=refusal.detail,
            decided_at=to_datetime(now),
        )

    def _judge(self, now: int, late: dict[str, str]) -> list[Change]:
        """Bring every pathway that needs it up to now; of a patient who is set aside only that is said, and to whom."""
        changes: list[Change] = []
        if self.bulkhead.failed_before:
            changes += self._tell(self.bulkhead, self.bulkhead.try_again(f"tried again by version {VERSION}", now))
        changes += self._guarded(partial(self._settle_samples, now), "settling samples", now)
        if self.bulkhead.fault is None:
            changes += self._guarded(partial(self._judged, now, late), "judging", now)
        else:
            changes += self._tell(self.bulkhead, self.bulkhead.remind(now))
        self.touched = False
        self._going_on.clear()
        self.settle()
        return changes

    def _settle_samples(self, now: int) -> tuple[()]:
        self.timeline.settle(now)
        return ()

    def _guarded(self, do: Callable[[], Iterable[Change]], during: str, now: int) -> list[Change]:
        """What something says; where it fails, what it has said by then, and that the patient is set aside."""
        changes: list[Change] = []
        try:
            for change in do():
                changes.append(change)  # noqa: PERF402 - what comes before a fault has been said
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake in the rules may be of any kind
            changes += self._set_aside(error, during, now)
        return changes

    def _set_aside(self, error: Exception, during: str, now: int) -> list[Change]:
        for track in self.tracks:
            track.touch(now)
        told = self._tell(self.bulkhead, self.bulkhead.set_aside(Fault.of(error, during, now)))
        self._schedule()  # although nothing may be judged now: the notice brings itself to mind
        return told

    def _judged(self, now: int, late: dict[str, str]) -> Iterator[Change]:
        """Only what is asked for in here is read by rules and cards."""
        self.timeline.listen_anew()
        before, begun = self._announced(), [track.since for track in self.tracks]
        rewritten = [track.dirty is not None and track.dirty < now for track in self.tracks]
        amended: list[list[Changed]] = [
            track.judge(self.timeline, now) if track.dirty is not None or _is_past(track.due, now) else []
            for track in self.tracks
        ]
        why = in_one(late.values()) or "late samples of a dense signal"
        for index, entry in enumerate(self._announced()):
            earlier, past, since = before[index], amended[index], self.tracks[index].since
            if entry is None or since is None:
                continue
            moved = rewritten[index] and begun[index] != since
            if past or moved or earlier is None or earlier.verdict != entry.verdict:
                pathway = self.tracks[index].pathway.pack.id
                cause = why if past or moved else None
                yield self._number(status(self.patient, pathway, entry, since, now, past, cause))
            if rewritten[index] or earlier is None or earlier[1:] != entry[1:]:
                moment = Moment(self.tracks[index], entry, self.timeline, now, why if rewritten[index] else None)
                yield from self._tell(self.books[index], self.books[index].update(moment))
            if _is_past(self.books[index].due, now):
                moment = Moment(self.tracks[index], entry, self.timeline, now)
                yield from self._tell(self.books[index], self.books[index].remind(moment))
        self.timeline.listen()

    def settle(self) -> None:
        """Work out what follows from the tracks: which samples are urgent, and when something must be looked at."""
        self._urgent = self._read_at_once()
        self._schedule()

    def _schedule(self) -> None:
        if self.bulkhead.fault is not None:
            self.next = self.reached if self.bulkhead.failed_before else self.bulkhead.due
            return
        dues = (*(track.due for track in self.tracks), *(book.due for book in self.books))
        self.next = min((due for due in dues if due is not None), default=None)

    def _read_at_once(self) -> frozenset[str]:
        """The live signals that an open episode is judged by: a sample of one is used before its minute is over."""
        open_tracks = [track for track in self.tracks if track.present is not None and track.present.fold.open]
        live = self.translator.live
        return frozenset(channel for channel in live if any(track.reads(channel) for track in open_tracks))

    def _announced(self) -> list[Entry | None]:
        """The present of every pathway, as it is announced once all of them are weighed against each other."""
        entries = [track.present for track in self.tracks]
        verdicts = arbitrate(self._packs, [None if entry is None else entry.verdict for entry in entries])
        return [
            entry if entry is None or verdict is None or verdict is entry.verdict else entry._replace(verdict=verdict)
            for entry, verdict in zip(entries, verdicts, strict=True)
        ]

    def _tell(self, book: Book | Bulkhead, changes: Iterable[AlertChange]) -> list[Change]:
        told: list[Change] = []
        for change in changes:
            numbered = self._number(change)
            book.moved(numbered)
            told.append(numbered)
        return told

    def _number(self, change: C) -> C:
        self.sequence += 1
        return change.model_copy(update={"sequence": self.sequence})


def _is_past(due: int | None, now: int) -> bool:
    return due is not None and due <= now
