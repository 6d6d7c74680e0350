"""A scenario played, and what came out otherwise than expected, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from rules.bulkhead import MONITOR
from rules.coverage import Coverage
from rules.lifecycle import AlertState
from rules.outputs import Advice, AlertChange, AlertChangeKind, Card, Change, State, StatusChange, TherapyStatus
from rules.pack import Pack
from rules.settings import SiteSettings
from rules.testing.bedside import Bedside, NoAlertError
from rules.testing.names import unknown_names
from rules.testing.scenario import CardText, Expectation, Never, Scenario, ScenarioError

_SECOND: Final = timedelta(seconds=1)


class Run:
    """A scenario played through an engine: every change, and the status and alerts at any instant.

    Args:
        scenario: what happens, and what is expected.
        packs: the rule packs, or else the bundled ones.
        settings: a site's settings; those that the scenario names itself go before them.
        coverage: takes note of what the conditions of the packs came out as.

    Raises:
        ScenarioError: if an event is none, or an expectation names what no pack has.
        SettingsError: if the settings do not fit the packs.
    """

    def __init__(
        self,
        scenario: Scenario,
        packs: Sequence[Pack] | None = None,
        settings: SiteSettings | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        self.scenario = scenario
        own = {name: getattr(scenario.settings, name) for name in scenario.settings.model_fields_set}
        self.bed = Bedside(packs, (settings or SiteSettings()).model_copy(update=own), coverage)
        unknown = list(unknown_names(scenario, self.bed.packs))
        if unknown:
            raise ScenarioError("\n".join(unknown))
        self._unanswered: list[str] = []
        events = scenario.wire_events()
        position = 0
        for instant in sorted(scenario.times() | {event.received_at for event in events}):
            while position < len(events) and events[position].received_at <= instant:
                try:
                    self.bed.observe(events[position], scenario.pathway)
                except NoAlertError as error:
                    self._unanswered.append(str(error))
                position += 1
            self.bed.advance(instant)

    @property
    def changes(self) -> list[Change]:
        """Everything that was said."""
        return self.bed.changes

    def statuses(self, upto: datetime | None = None, pathway: str | None = None) -> list[StatusChange]:
        """Status changes of a pathway (the scenario's own, unless another is named), decided by an instant."""
        return self.bed.statuses(pathway or self.scenario.pathway, upto)

    def alerts(self, upto: datetime | None = None, pathway: str | None = None) -> dict[str, AlertChange]:
        """The last change of each alert of a pathway by subject, decided by an instant."""
        return self.bed.alerts(pathway or self.scenario.pathway, upto)

    def failures(self) -> list[str]:
        """What was expected and did not come out, in words."""
        found = [failure for expectation in self.scenario.expect for failure in self._check(expectation)]
        found += [failure for never in self.scenario.never for failure in self._check_never(never)]
        return self._unanswered + self._faults() + found

    def _faults(self) -> list[str]:
        """What went wrong in the monitor itself: nothing that a scenario may expect."""
        return [
            f"{_place(change.decided_at)}: a fault in the monitor: {change.verdict}"
            for change in self.changes
            if isinstance(change, AlertChange) and (change.pathway, change.change) == (MONITOR, AlertChangeKind.RAISED)
        ]

    def _check(self, expected: Expectation) -> Iterator[str]:
        if expected.at is not None:
            yield from self._compare(expected, expected.at)
            yield from self._check_interruptions(expected, expected.at, expected.at + _SECOND)
        elif expected.between is not None:
            start, end = expected.between
            decided = [change.decided_at for change in self.statuses(pathway=expected.pathway)]
            decided += [change.decided_at for change in self._alert_changes(expected.pathway)]
            moments = {start, *(moment for moment in decided if start < moment < end)}
            for moment in sorted(moments):
                yield from self._compare(expected, moment)
            yield from self._check_interruptions(expected, start, end)

    def _alert_changes(self, pathway: str | None) -> Iterator[AlertChange]:
        wanted = pathway or self.scenario.pathway
        return (c for c in self.changes if isinstance(c, AlertChange) and c.pathway == wanted)

    def _check_interruptions(self, expected: Expectation, start: datetime, end: datetime) -> Iterator[str]:
        for subject, wanted in expected.interrupts.items():
            moments = [
                change.decided_at
                for change in self._alert_changes(expected.pathway)
                if change.subject == subject and change.interrupts and start <= change.decided_at < end
            ]
            if moments and not wanted:
                yield f"{_place(moments[0])}: {subject} must not interrupt"
            if wanted and not moments:
                yield f"{_place(start)}: expected {subject} to interrupt, it did not"

    def _compare(self, expected: Expectation, moment: datetime) -> Iterator[str]:
        statuses = self.statuses(moment, expected.pathway)
        status = statuses[-1] if statuses else None
        place = _place(moment)
        verdict = status.verdict if status else "NOT_APPLICABLE"
        if expected.verdict is not None and not matches(expected.verdict, verdict):
            yield f"{place}: expected {expected.verdict}, got {verdict}"
        if expected.stage is not None and (status is None or status.stage != expected.stage):
            yield f"{place}: expected stage {expected.stage}, got {status.stage if status else None}"
        if expected.soft is not None and (status is None or set(status.soft) != set(expected.soft)):
            found = sorted(status.soft) if status else []
            yield f"{place}: expected soft findings {sorted(expected.soft)}, got {found}"
        fix_first = set(status.reasons) if status is not None and status.state is State.PSEUDO else set[str]()
        if expected.fix_first is not None and fix_first != set(expected.fix_first):
            yield f"{place}: expected to fix first {sorted(expected.fix_first)}, got {sorted(fix_first)}"
        yield from self._compare_therapies(expected, status, moment)
        yield from self._compare_alerts(expected, moment, place)
        for field in ("decided_at", "effective_from"):
            wanted = getattr(expected, field)
            if wanted is not None and (status is None or getattr(status, field) != wanted):
                yield f"{place}: expected {field} {wanted:%d %H:%M}, got {getattr(status, field, None)}"
        if expected.amended is not None and (status is None or bool(status.amends) != expected.amended):
            yield f"{place}: expected amended {expected.amended}, got {bool(status and status.amends)}"

    @staticmethod
    def _compare_therapies(expected: Expectation, status: StatusChange | None, moment: datetime) -> Iterator[str]:
        place = _place(moment)
        therapies = {t.therapy: t for t in status.therapies} if status else {}
        for name, advice in expected.therapies.items():
            given = therapies.get(name)
            words = None if given is None else _advice(given.advice, given.reasons)
            if (advice is None) != (words is None) or (advice and words and not matches(advice, words)):
                yield f"{place}: expected {name} {advice}, got {words}"
        for name, priority in expected.priority.items():
            given = therapies.get(name)
            if given is None or given.priority != priority:
                yield f"{place}: expected {name} with priority {priority}, got {given.priority if given else None}"
        for name, window in expected.windows.items():
            got = _window_of(therapies.get(name), moment)
            if got != window:
                yield f"{place}: expected {name} with {window}, got {got}"

    def _compare_alerts(self, expected: Expectation, moment: datetime, place: str) -> Iterator[str]:
        alerts = self.alerts(moment, expected.pathway)
        for subject, state in expected.alerts.items():
            change = alerts.get(subject)
            got = None if change is None else _SHOWN_AS[change.change]
            if got != state:
                yield f"{place}: expected alert {subject} {state}, got {got}"
        for card in expected.cards:
            yield from _compare_card(card, alerts.get(card.subject), place)

    def _check_never(self, never: Never) -> Iterator[str]:
        for status in self.statuses(pathway=never.pathway):
            place = _place(status.decided_at)
            if never.verdict is not None and matches(never.verdict, status.verdict):
                yield f"{place}: {status.verdict} must never be the verdict"
            shown = {t.therapy for t in status.therapies if t.advice in (Advice.ELIGIBLE, Advice.CAUTION)}
            if never.therapy in shown:
                yield f"{place}: {never.therapy} must never be suggested"
        if never.interrupts:
            for change in self.changes:
                concerned = isinstance(change, AlertChange) and never.pathway in (None, change.pathway)
                if isinstance(change, AlertChange) and concerned and change.interrupts:
                    yield f"{_place(change.decided_at)}: {change.subject} must not interrupt"


def _place(moment: datetime) -> str:
    return f"at {moment:%d %H:%M:%S}"


def _compare_card(expected: CardText, change: AlertChange | None, place: str) -> Iterator[str]:
    if change is None:
        yield f"{place}: expected a card about {expected.subject}, there is none"
        return
    text = "\n".join(_texts(change.card))
    yield from (f"{place}: the card of {expected.subject} does not say {t!r}" for t in expected.says if t not in text)
    yield from (f"{place}: the card of {expected.subject} says {t!r}" for t in expected.never_says if t in text)


def _texts(card: Card) -> Iterator[str]:
    """Every line of a card."""
    for _, part in card:
        for line in (part,) if isinstance(part, str) else part or ():
            yield line if isinstance(line, str) else f"{line.title or line.measure}: {line.text}"


_SHOWN_AS: Final[dict[AlertChangeKind, str]] = {
    AlertChangeKind.RAISED: AlertState.OPEN,
    AlertChangeKind.UPDATED: AlertState.OPEN,
    AlertChangeKind.AMENDED: AlertState.OPEN,
    AlertChangeKind.REOPENED: AlertState.OPEN,
    AlertChangeKind.WITHDRAWN: AlertState.WITHDRAWN,
    AlertChangeKind.RESOLVED: AlertState.RESOLVED,
    AlertChangeKind.SUPPRESSED: AlertState.SUPPRESSED,
    AlertChangeKind.ACKNOWLEDGED: AlertState.ACKNOWLEDGED,
    AlertChangeKind.ACCEPTED: AlertState.ACCEPTED,
    AlertChangeKind.DECLINED: AlertState.DECLINED,
    AlertChangeKind.SNOOZED: AlertState.SNOOZED,
    AlertChangeKind.ESCALATED: AlertState.OPEN,
    AlertChangeKind.EXPIRED: AlertState.EXPIRED,
}


def matches(expected: str, actual: str) -> bool:
    """Whether a verdict is the expected one: the same word and, where given, the same reasons (by their beginnings)."""
    word, _, reasons = expected.partition("(")
    actual_word, _, actual_reasons = actual.partition("(")
    if word != actual_word:
        return False
    if not reasons:
        return True
    wanted = _split(reasons[:-1])
    given = _split(actual_reasons[:-1])
    return len(wanted) == len(given) and all(any(g.startswith(w) for g in given) for w in wanted)


def _split(reasons: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", reasons)]


def _advice(advice: Advice, reasons: tuple[str, ...]) -> str:
    return f"{advice}({', '.join(reasons)})" if reasons else str(advice)


def _window_of(status: TherapyStatus | None, moment: datetime) -> str | None:
    """The window of a therapy as it is seen at a moment."""
    return None if status is None or status.window is None else status.window.text(moment)
