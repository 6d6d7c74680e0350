"""Accounts for each stay of the MIMIC-IV demo that shows a phenotype of interest, and for every interruption.

``python -m tests.integration.candidates`` prints it: for each line of the list of candidates how far its pathway got,
why and when, or why it did not; then the alerts per 20 bed-days, and what raised each that interrupted. The data is
found through ``ICU_MONITOR_DATA``.
"""

from __future__ import annotations

import csv
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from rules.engine import PatientEngine
from rules.events import Encounter, Event, Resuscitation, Seizure
from rules.outputs import AlertChange, Change, Evidence, State, StatusChange
from rules.pack import Pack
from rules.packs import load_packs
from rules.settings import SiteSettings
from streams.replay import replay
from streams.sources.mimic_iv import ImportReport, convert
from streams.summary import BED_DAYS, ReplaySummary, Tally
from streams.ward import Ward
from tests.integration.artefacts import Contradicted, contradicted, without

DATA: Final = Path(os.environ.get("ICU_MONITOR_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CANDIDATES: Final = "mimic-iv-demo-candidates.csv"

PATHWAY: Final = {
    "septic_shock_refractory": "septic-shock",
    "vasopressor_high_other": "septic-shock",
    "ards_pf_lt80": "ards",
    "status_epilepticus": "status-epilepticus",
    "cardiac_arrest_or_shock_event": "cardiac-arrest",
}
"""The pathway that a phenotype asks for."""

_BEGUN_BY: Final = {"status-epilepticus": (Seizure, "seizure"), "cardiac-arrest": (Resuscitation, "resuscitation")}
"""What alone can begin a pathway, where that is one kind of event."""

_RANK: Final = (State.INDETERMINATE, State.ACTIVE, State.PSEUDO, State.SUSPECTED, State.CONFIRMED)
_RESULT_LAG: Final = timedelta(minutes=30)
"""The evidence names when a sample was taken; by then its result was there."""


_LATER: Final = timedelta(hours=6)
"""Without a value an alert may come later than with it."""


class Candidate(NamedTuple):
    """A line of the list: a stay, what it shows by an independent look, and how that is known."""

    stay: str
    phenotype: str
    evidence: str

    @property
    def patient(self) -> str:
        """The stay as the imported events name it."""
        return f"mimic-{self.stay}"

    @property
    def pathway(self) -> str:
        """The pathway that the phenotype asks for."""
        return PATHWAY[self.phenotype]

    @property
    def shown_at(self) -> datetime | None:
        """When the evidence says that the phenotype was there; none where it gives no time."""
        found = re.search(r"4 h reached ([\d-]+ [\d:]+)", self.evidence)
        found = found or re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?)", self.evidence)
        return datetime.fromisoformat(found.group(1)).replace(tzinfo=UTC) if found else None


class Account(NamedTuple):
    """What became of a candidate: the furthest verdict, and what stood between it and the next one at ``at``."""

    candidate: Candidate
    furthest: StatusChange | None
    at: datetime
    then: str
    """The verdict at that time."""
    why_not: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The account as lines of a table."""
        candidate, furthest = self.candidate, self.furthest
        reached = f"{self.at:%Y-%m-%d %H:%M}  {'-':<6} {self.then}"
        if furthest is not None:
            reached = f"{furthest.effective_from:%Y-%m-%d %H:%M}  {furthest.stage or '-':<6} {furthest.verdict}"
        yield f"{candidate.stay}  {candidate.phenotype:<30}{candidate.pathway:<20}{reached}"
        yield from (f"          {text}" for text in self.why_not)


class Interruption(NamedTuple):
    """An alert that interrupted, how many values of the stay are contradicted, and whether it stands without them."""

    change: AlertChange
    contradicted: int
    stands: bool

    def lines(self) -> Iterator[str]:
        """The alert and the values it rests on."""
        change = self.change
        about = f"{change.pathway} {change.stage}  {change.subject}: {change.verdict}"
        yield f"{change.decided_at:%Y-%m-%d %H:%M}  {change.patient}  {change.priority}  {about}"
        yield from (f"    {text}" for text in (*change.card.fix_first, *map(_said, change.card.findings)))
        stands = "stands" if self.stands else "DOES NOT STAND"
        yield f"    {stands} without the {self.contradicted} values of the stay that their neighbours contradict"


def _said(finding: Evidence) -> str:
    when = "" if finding.at is None else f", {finding.at:%Y-%m-%d %H:%M}"
    return f"{finding.title or finding.measure} {finding.text}{when}"


@dataclass
class Demo:
    """The whole demo, of which some stays, or all, are replayed once with all packs.

    Attributes:
        packs: the packs.
        log: the events of all stays.
        changes: what was said of those that were replayed.
        summary: of these, too.
        by_patient: the events of each stay.
        patients: those that were replayed.
    """

    packs: tuple[Pack, ...]
    log: list[Event]
    changes: list[Change]
    summary: ReplaySummary
    by_patient: dict[str, list[Event]]
    patients: frozenset[str]

    @classmethod
    def replayed(cls, folder: Path = DATA, every: int = 1) -> Demo:
        """Import the demo; replay each stay on the list of candidates, and ``every`` how-manieth of the others."""
        started = time.perf_counter()
        packs, log = tuple(load_packs()), [*convert(folder / "mimic-iv-demo", None, ImportReport())]
        by_patient = defaultdict(list)
        for event in log:
            by_patient[event.subject].append(event)
        patients = {candidate.patient for candidate in _candidates(folder)}.union(sorted(by_patient)[::every])
        ward, tally = Ward(packs, SiteSettings()), Tally()
        changes = [*replay((event for event in log if event.subject in patients), ward, tally)]
        summary = tally.summary(time.perf_counter() - started, ward.late)
        return cls(packs, log, changes, summary, dict(by_patient), frozenset(patients))

    def accounts(self, folder: Path = DATA) -> list[Account]:
        """Every line of the list of candidates with what became of it."""
        return [self._account(candidate) for candidate in _candidates(folder)]

    def interruptions(self) -> list[Interruption]:
        """Every alert that interrupted, with whether it stands without the charted values that are contradicted."""
        found = [change for change in self.changes if isinstance(change, AlertChange) and change.interrupts]
        values = {change.patient: contradicted(self.by_patient[change.patient]) for change in found}
        last = {change.patient: change.decided_at for change in found}
        still = {patient: self._interrupts_without(patient, values[patient], last[patient]) for patient in values}
        return [
            Interruption(change, len(values[change.patient]), _about(change) in still[change.patient])
            for change in found
        ]

    def _account(self, candidate: Candidate) -> Account:
        pack = next(pack for pack in self.packs if pack.id == candidate.pathway)
        furthest = self._furthest(candidate.patient, pack)
        events = self.by_patient[candidate.patient]
        shown = candidate.shown_at
        if furthest is not None:
            at = furthest.decided_at
        elif shown is not None:
            at = shown + _RESULT_LAG
        else:
            at = max(event.received_at for event in events if not isinstance(event, Encounter))
        engine = PatientEngine(candidate.patient, [pack], SiteSettings())
        for event in events:
            if event.received_at <= at:
                engine.observe(event)
        engine.advance(at + SiteSettings().lateness)
        found = engine.explain(pack.id)
        why_not = []
        if pack.id in _BEGUN_BY:
            kind, name = _BEGUN_BY[pack.id]
            count = sum(isinstance(event, kind) for event in events)
            why_not.append(f"{count or 'no'} {name} events in the record of {len(events)}")
        why_not += [
            f"why not {step.title}: {'; '.join(criterion.said() for criterion in step.criteria)}"
            for step in found.nearest[:1]
        ]
        return Account(candidate, furthest, at, found.verdict, tuple(why_not))

    def _furthest(self, patient: str, pack: Pack) -> StatusChange | None:
        """The first of the verdicts that went furthest: by stage, and within a stage from undecided to confirmed."""
        of_pathway = [
            change
            for change in self.changes
            if isinstance(change, StatusChange) and (change.patient, change.pathway) == (patient, pack.id)
        ]
        return max(
            (change for change in of_pathway if change.state in _RANK),
            key=lambda change: (-1 if change.stage is None else pack.rank(change.stage), _RANK.index(change.state)),
            default=None,
        )

    def _interrupts_without(
        self, patient: str, values: list[Contradicted], until: datetime
    ) -> set[tuple[str, str, str]]:
        """What interrupts without these values, up to soon after the last alert that does with them."""
        ward = Ward(self.packs, SiteSettings())
        until += _LATER
        events = [event for event in without(self.by_patient[patient], values) if event.received_at <= until]
        return {
            _about(change)
            for change in replay(iter(events), ward, Tally())
            if isinstance(change, AlertChange) and change.interrupts
        }


def _candidates(folder: Path) -> list[Candidate]:
    with (folder / CANDIDATES).open(newline="") as file:
        return [Candidate(row["stay_id"], row["phenotype"], row["evidence"]) for row in csv.DictReader(file)]


def _about(change: AlertChange) -> tuple[str, str, str]:
    return change.pathway, change.stage, change.subject


def main() -> None:
    """Print the account of the demo."""
    demo = Demo.replayed()
    lines = [line for account in demo.accounts() for line in account.lines()]
    summary = demo.summary
    lines += ["", f"Alerts in {summary.bed_days:.1f} bed-days of {summary.patients} stays, per {BED_DAYS} bed-days:"]
    rates = summary.raised_per_20_bed_days or {}
    lines += [f"  {priority:<12}{summary.raised[priority]:>5}{rate:>8.2f}" for priority, rate in rates.items()]
    lines += [f"  {'interrupting':<12}{summary.interruptions:>5}{summary.interruptions_per_20_bed_days or 0:>8.2f}", ""]
    lines += [line for interruption in demo.interruptions() for line in interruption.lines()]
    sys.stdout.write("\n".join((*lines, "")))


if __name__ == "__main__":
    main()
