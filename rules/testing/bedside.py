"""One made-up patient before the monitor: feed events, let time pass, look at statuses and alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from rules.coverage import Coverage
from rules.engine import PatientEngine
from rules.events import Event
from rules.outputs import AlertChange, Change, StatusChange
from rules.pack import Pack
from rules.packs import check_overrides, load_packs
from rules.settings import SiteSettings
from rules.testing.scenario import PATIENT, Happening, alert_asked_for, read_time

_TOGETHER: Final = timedelta(milliseconds=1)
"""Messages received at the same instant are judged together, as in a ward that waits for stragglers."""


class NoAlertError(LookupError):
    """There is no alert that could be answered; the text says about what, and when."""


class Bedside:
    """An engine for one patient, with everything it has said.

    Args:
        packs: the rule packs, or else the bundled ones.
        settings: the site's settings; the lateness is replaced, so that nothing is waited for.
        coverage: takes note of what the conditions of the packs came out as.

    Raises:
        SettingsError: if the settings do not fit the packs.
    """

    def __init__(
        self,
        packs: Sequence[Pack] | None = None,
        settings: SiteSettings | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        self.packs = tuple(packs) if packs is not None else load_packs()
        self.settings = (settings or SiteSettings()).model_copy(update={"lateness": _TOGETHER})
        check_overrides(self.packs, self.settings)
        self.engine = PatientEngine(PATIENT, self.packs, self.settings)
        if coverage is not None:
            coverage.watch(self.engine)
        self.changes: list[Change] = []
        self._fed = 0

    def feed(self, *happenings: Event | Happening | Mapping[str, Any]) -> list[Change]:
        """Take in events, or happenings as a scenario writes them, each when it was received; what was said.

        Raises:
            NoAlertError: if one answers an alert that there is not.
            ScenarioError: if one is not an event.
        """
        before = len(self.changes)
        events = [event for happening in happenings for event in self._events(happening)]
        events.sort(key=lambda event: event.received_at)
        for received, together in groupby(events, key=lambda event: event.received_at):
            for event in together:
                self.observe(event)
            self.advance(received)
        return self.changes[before:]

    def observe(self, event: Event, pathway: str | None = None) -> None:
        """Take in one event without letting time pass: others may be received at the same instant.

        An answer that names a subject and no pathway is to an alert of ``pathway``, or else to the last about it.

        Raises:
            NoAlertError: if it answers an alert that there is not.
        """
        asked = alert_asked_for(event)
        if asked is not None:
            self.changes += self.engine.advance(event.received_at)
            named, subject = asked
            found = self._alert_id(named or pathway, subject, event.received_at)
            event = event.model_copy(update={"alert_id": found})
        self.changes += self.engine.observe(event)

    def advance(self, to: datetime | str) -> list[Change]:
        """Let time pass up to a time such as ``10:30``; what was said."""
        before = len(self.changes)
        moment: datetime = read_time(to)
        self.changes += self.engine.advance(moment + _TOGETHER)
        return self.changes[before:]

    def statuses(self, pathway: str, upto: datetime | None = None) -> list[StatusChange]:
        """The status changes of a pathway, decided by an instant."""
        return [
            change
            for change in self.changes
            if isinstance(change, StatusChange)
            and change.pathway == pathway
            and (upto is None or change.decided_at <= upto)
        ]

    def status(self, pathway: str) -> StatusChange | None:
        """What was last said of a pathway, if anything was."""
        return next(iter(reversed(self.statuses(pathway))), None)

    def alerts(self, pathway: str | None = None, upto: datetime | None = None) -> dict[str, AlertChange]:
        """The last change of each alert by subject, of one pathway or of all, decided by an instant."""
        return {
            change.subject: change
            for change in self.changes
            if isinstance(change, AlertChange)
            and pathway in (None, change.pathway)
            and (upto is None or change.decided_at <= upto)
        }

    def _events(self, happening: Event | Happening | Mapping[str, Any]) -> list[Event]:
        if isinstance(happening, Mapping):
            happening = Happening.model_validate(happening)
        if not isinstance(happening, Happening):
            return [happening]
        self._fed += 1
        return [*happening.events(self._fed)]

    def _alert_id(self, pathway: str | None, subject: str, at: datetime) -> str:
        alert = self.alerts(pathway).get(subject)
        if alert is None:
            msg = f"at {at:%d %H:%M:%S}: there is no alert about {subject} to answer"
            raise NoAlertError(msg)
        return alert.id
