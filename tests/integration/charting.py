"""What the engine makes of real charting: the MIMIC-IV demo in figures, to compare one state of the rules with another.

``python -m tests.integration.charting`` prints interruptions and alerts per 20 bed-days, how much of ventilated time
the settings of the ventilator are known, why ARDS could not be told and for how long, and in how many blood gases
PaO2/FiO2 is that of an independent implementation. The data is found through ``ICU_MONITOR_DATA``.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from rules.engine import prepare
from rules.events import Event, Observations
from rules.facts import Refusal
from rules.instants import HOUR, MINUTE, to_instant
from rules.minutes import MinuteSeries
from rules.outputs import AlertChange, State, StatusChange
from rules.packs import load_packs
from rules.pathway import Fold, Pathway
from rules.quantities.oxygenation import pf_ratio_of
from rules.settings import SiteSettings
from rules.timeline import Fact, Timeline
from tests.integration.candidates import DATA, Demo

_DEMO: Final = DATA / "mimic-iv-demo"
_EXPECTED: Final = DATA / "expected" / "mimic-iv-demo"
_VENTILATED: Final = "225792"
"""The item of a stretch of invasive ventilation."""
_SETTINGS: Final = {"fio2": "FiO2", "peep": "PEEP", "tidal_volume": "tidal volume", "plateau_pressure": "plateau"}
_CODES: Final = {"fio2": ("fio2",), "peep": ("peep", "20077-4")}
_STEP: Final = 30 * MINUTE
_CHARTED: Final = 4 * HOUR
_TOLERANCE: Final = 0.005


class Known(NamedTuple):
    """Of so many instants of ventilated time, at how many each setting was known."""

    instants: int
    counts: Counter[str]


class Agreement(NamedTuple):
    """Blood gases with an inspired fraction of the last 4 h: how many, of how many P/F agrees, and which do not."""

    rows: int
    agreeing: int
    differing: tuple[str, ...]

    @property
    def share(self) -> float:
        """The part that agrees."""
        return self.agreeing / self.rows if self.rows else 1.0


def table(name: str, folder: Path = _DEMO) -> Iterator[dict[str, str]]:
    """The rows of a table of the demo."""
    with (folder / name).open(newline="") as file:
        yield from csv.DictReader(file)


def instant(text: str) -> int:
    """A time of the demo, in milliseconds."""
    return to_instant(datetime.fromisoformat(text).replace(tzinfo=UTC))


def pathway(name: str) -> Pathway:
    """A bundled pathway with no settings of a site."""
    pathways, _, _ = prepare(load_packs(), SiteSettings())
    return next(found for found in pathways if found.pack.id == name)


def filled(events: Iterable[Event], *upto: int) -> Iterator[Timeline]:
    """One patient's record, as it was true at each of some instants, in order: nothing arrives late."""
    _, translator, _ = prepare(load_packs(), SiteSettings())
    waiting = sorted(events, key=lambda event: event.effective_at, reverse=True)
    timeline = Timeline()
    for limit in upto:
        while waiting and to_instant(waiting[-1].effective_at) <= limit:
            event = waiting.pop()
            at = to_instant(event.effective_at)
            for outcome in translator.facts(event, at):
                if isinstance(outcome, Refusal):
                    continue
                channel, value = outcome
                if isinstance(value, float):
                    timeline.dense.setdefault(channel, MinuteSeries()).insert(at, value, at)
                else:
                    timeline.insert(channel, Fact(at, at, event.key, value), 0)
        yield timeline


def known_settings(demo: Demo) -> Known:
    """How often each setting is known in ventilated time, looked at every half hour."""
    ards, counts, instants = pathway("ards"), Counter[str](), 0
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in table("icu/procedureevents.csv"):
        if row["itemid"] == _VENTILATED:
            spans[f"mimic-{row['stay_id']}"].append((instant(row["starttime"]), instant(row["endtime"])))
    for patient, stretches in spans.items():
        moments = sorted({at for start, end in stretches for at in range(start + HOUR, end, _STEP)})
        for at, timeline in zip(moments, filled(demo.by_patient[patient], *moments), strict=True):
            view = ards.view(timeline, Fold(), at)
            instants += 1
            counts.update(name for name in _SETTINGS if view.value(name).known)
    return Known(instants, counts)


def undecided(demo: Demo) -> tuple[Counter[str], Counter[str]]:
    """Hours for which ARDS could not be told, by reason; and those of a setting charted within 4 h before."""
    hours, charted = Counter[str](), Counter[str]()
    for patient in sorted(demo.patients):
        events = demo.by_patient[patient]
        known = {name: _charted(events, codes) for name, codes in _CODES.items()}
        told = [c for c in demo.changes if isinstance(c, StatusChange) and (c.patient, c.pathway) == (patient, "ards")]
        ends = [*(change.decided_at for change in told[1:]), max(event.received_at for event in events)]
        for change, end in zip(told, ends, strict=True):
            if change.state is not State.INDETERMINATE or end <= change.decided_at:
                continue
            begun, over = to_instant(change.decided_at), to_instant(end)
            hours["any reason"] += over - begun
            for reason in {text.partition(" (")[0] for text in change.reasons}:
                hours[reason] += over - begun
            for name in {text for text in change.reasons if text in known}:
                charted[name] += _within(known[name], begun, over)
    return hours, charted


def _charted(events: list[Event], codes: tuple[str, ...]) -> list[tuple[int, int]]:
    """Stretches for which a setting was charted within 4 h before, and known to be."""
    return [
        (to_instant(event.received_at), to_instant(event.effective_at) + _CHARTED)
        for event in events
        if isinstance(event, Observations) and any(reading.code in codes for reading in event.readings)
    ]


def _within(stretches: list[tuple[int, int]], begun: int, over: int) -> int:
    covered = sorted((max(start, begun), min(end, over)) for start, end in stretches if end > begun and start < over)
    total, reached = 0, begun
    for start, end in covered:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def agreement(demo: Demo) -> Agreement:
    """PaO2/FiO2 of arterial gases within a stay, against mimic-code, which looks back 4 h for the inspired fraction."""
    ards = pathway("ards")
    stays: dict[tuple[str, str], list[tuple[str, int, int]]] = defaultdict(list)
    for row in table("icu/icustays.csv"):
        span = (row["stay_id"], instant(row["intime"]) - 24 * HOUR, instant(row["outtime"]))
        stays[row["subject_id"], row["hadm_id"]].append(span)
    wanted: dict[str, list[tuple[int, float, str]]] = defaultdict(list)
    for row in table("bg.csv", _EXPECTED):
        if not row["pao2fio2ratio"] or row["specimen"] != "ART.":
            continue
        at = instant(row["charttime"])
        within = [stay for stay, first, last in stays[row["subject_id"], row["hadm_id"]] if first <= at <= last]
        if within:
            about = f"{row['subject_id']} {row['charttime']}"
            wanted[f"mimic-{within[-1]}"].append((at, float(row["pao2fio2ratio"]), about))
    rows, agreeing, differing = 0, 0, []
    for patient, gases in wanted.items():
        gases.sort()
        records = filled(demo.by_patient[patient], *(at for at, _, _ in gases))
        for (at, expected, about), timeline in zip(gases, records, strict=True):
            gas = next((fact for fact in timeline.upto("signal:pao2", at) if fact.at == at), None)
            ratio = None if gas is None else pf_ratio_of(ards.view(timeline, Fold(), at), gas)
            rows += 1
            if ratio is not None and abs(ratio - expected) <= 0.01 + _TOLERANCE * expected:
                agreeing += 1
            else:
                differing.append(f"{about}: {expected:.1f} against {'unknown' if ratio is None else f'{ratio:.1f}'}")
    return Agreement(rows, agreeing, tuple(differing))


def lines(demo: Demo) -> Iterator[str]:
    """The figures."""
    summary = demo.summary
    scale = 20 / summary.bed_days
    yield f"{'bed-days':<44}{summary.bed_days:>10.1f}  of {summary.patients} stays"
    told = [change for change in demo.changes if isinstance(change, AlertChange)]
    interrupting = [change for change in told if change.interrupts]
    yield f"{'interruptions':<44}{len(interrupting):>10}{len(interrupting) * scale:>10.2f} per 20 bed-days"
    by_subject = Counter(f"{change.pathway} {change.subject}" for change in interrupting)
    yield from (f"  {subject:<42}{count:>10}{count * scale:>10.2f}" for subject, count in by_subject.most_common())
    for priority, rate in (summary.raised_per_20_bed_days or {}).items():
        yield f"{f'alerts raised, {priority}':<44}{summary.raised[priority]:>10}{rate:>10.2f}"
    fluid = Counter(change.patient for change in interrupting if "fluid_incomplete" in change.verdict)
    yield f"{'interruptions for fluid_incomplete':<44}{sum(fluid.values()):>10}"
    yield from (f"  {patient:<42}{count:>10}" for patient, count in sorted(fluid.items()))
    known = known_settings(demo)
    yield f"{'ventilated time looked at, h':<44}{known.instants * _STEP / HOUR:>10.0f}"
    for name, title in _SETTINGS.items():
        yield f"  {f'{title} known':<42}{100 * known.counts[name] / known.instants:>9.1f} %"
    hours, charted = undecided(demo)
    yield f"{'ARDS cannot be told, h':<44}{hours.pop('any reason', 0) / HOUR:>10.1f}"
    yield from (f"  {reason:<42}{length / HOUR:>10.1f}" for reason, length in hours.most_common(20))
    for name in _CODES:
        yield f"  {f'{name}, although charted within 4 h':<42}{charted[name] / HOUR:>10.1f}"
    found = agreement(demo)
    yield f"{'P/F agrees':<44}{100 * found.share:>9.1f} %  {found.agreeing} of {found.rows}"
    yield from (f"  {line}" for line in found.differing[:30])


def main() -> None:
    """Print the figures of the demo."""
    demo = Demo.replayed()
    sys.stdout.write("\n".join((*lines(demo), "", *_told(demo), "")))


def _told(demo: Demo) -> Iterator[str]:
    """Each interruption."""
    for change in demo.changes:
        if isinstance(change, AlertChange) and change.interrupts:
            about = f"{change.pathway} {change.stage}  {change.subject}: {change.verdict}"
            yield f"{change.decided_at:%Y-%m-%d %H:%M}  {change.patient}  {change.priority}  {about}"


if __name__ == "__main__":
    main()
