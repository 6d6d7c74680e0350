"""Who is discharged leaves memory, and comes back as if never gone, when an event does."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from rules.engine import PatientEngine
from rules.events import Event, decode, encode
from streams.intake import Read, read
from streams.processor import Outcome, Processor
from streams.replay import in_stream_order
from tests.streams.embedded import Embedded, spoken
from tests.streams.stream import SITE, Inputs, Words, events_of, packs

BED = "bed-4"


def course() -> list[Event]:
    return list(in_stream_order(events_of(DEMO_LOG, BED)))


def discharge(at: datetime) -> Event:
    moment = at.isoformat()
    told = {"effective_at": moment, "received_at": moment, "kind": "encounter", "event": "discharge"}
    return decode(json.dumps({"schema_version": 1, "id": "gone", "source": "adt", "subject": BED, **told}))


def later(event: Event, by: timedelta) -> Event:
    """The same again later, under another id."""
    told = json.loads(encode(event))
    for key in ("effective_at", "received_at", "started_at"):
        if told.get(key) is not None:
            told[key] = (datetime.fromisoformat(told[key]) + by).isoformat()
    return decode(json.dumps({**told, "id": f"again-{event.id}"}))


def stay_and_return() -> tuple[list[Event], list[Event]]:
    """A stay with its discharge, and the same course once more, days later."""
    events = [event for event in course() if event.kind != "action" and event.corrects is None][:150]
    gone = discharge(events[-1].received_at + timedelta(minutes=10))
    mark = later(events[0], timedelta(hours=12)).model_copy(update={"subject": "bed-1", "id": "mark"})
    return [*events, gone, mark], [later(event, timedelta(days=2)) for event in events]


def reads(events: list[Event]) -> list[Read]:
    """Events as records, in their order."""
    inputs = Inputs(events, closed=False)
    by_id = {one.value: one for records in inputs.records.values() for one in records}
    return [read(by_id[encode(event).encode()], SITE.future_skew) for event in events]


def said(outcome: Outcome) -> Words:
    return spoken(one.change for one in outcome.said)


class Kept:
    """A processor, and the states that were kept of it; these are fetched, or stay in memory."""

    def __init__(self, *, fetched: bool) -> None:
        self.states: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.processor = Processor(packs(), SITE, fetch=self.fetch if fetched else None)
        self.processor.adopt(0, {})

    def fetch(self, name: str) -> bytes:
        self.asked.append(name)
        return self.states[name]

    def keep(self) -> None:
        for name in list(self.processor.unkept(0)):
            self.states[name] = self.processor.state(0, name)
            self.processor.kept(0, [name])

    def in_memory(self) -> bool:
        return self.processor._partitions[0].patients[BED].engine is not None


@pytest.mark.parametrize("fetched", [True, False])
def test_who_comes_back_is_judged_as_if_never_gone(fetched: bool) -> None:
    first, second = stay_and_return()
    log = reads([*first, *second])
    whole, resting = Kept(fetched=False), Kept(fetched=fetched)
    expected = [said(whole.processor.process(0, part)) for part in (log[: len(first)], log[len(first) :])]
    assert said(resting.processor.process(0, log[: len(first)])) == expected[0]
    assert resting.in_memory()
    resting.keep()
    assert not resting.in_memory()
    assert resting.processor.away(0, BED)
    found = [said(resting.processor.process(0, [one])) for one in log[len(first) :]]
    assert resting.in_memory()
    assert {key: text for part in found for key, text in part.items()} == expected[1]
    assert any(key[0] == BED for key in expected[1])
    assert resting.processor.state(0, BED) == whole.processor.state(0, BED)
    assert (resting.asked == [BED]) is fetched


def test_who_is_here_stays_in_memory() -> None:
    kept = Kept(fetched=True)
    kept.processor.process(0, reads(course()[:100]))
    kept.keep()
    assert kept.in_memory()


@pytest.mark.parametrize("fetched", [True, False])
def test_a_look_at_somebody_who_is_away_brings_nobody_back(fetched: bool) -> None:
    kept = Kept(fetched=fetched)
    kept.processor.process(0, reads(stay_and_return()[0]))
    kept.keep()
    looked_at = kept.processor.engine(0, BED)
    assert looked_at.patient == BED
    assert not kept.in_memory()
    assert kept.processor.engine(0, BED).snapshot() == looked_at.snapshot()


def test_a_deadline_at_which_nothing_is_said_brings_nobody_back_for_long() -> None:
    kept = Kept(fetched=True)
    *stay, gone, mark = stay_and_return()[0]
    kept.processor.process(0, reads([*stay, gone]))
    looked: list[int] = []
    for after in (timedelta(minutes=1), timedelta(hours=3), timedelta(days=30), timedelta(days=60)):
        kept.processor.process(0, reads([mark.model_copy(update={"received_at": gone.received_at + after})]))
        kept.keep()
        assert not kept.in_memory()
        looked.append(len(kept.asked))
    assert looked[1] > looked[0], "something was due"
    assert looked[3] == looked[2], "and then nothing is any more"


def test_a_service_that_starts_restores_nobody_who_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = Embedded(tmp_path / "service.db")
    first, second = stay_and_return()
    embedded.send(first)
    embedded.runtime.finish()
    restored: list[str] = []
    restore: Callable[..., PatientEngine] = PatientEngine.restore

    def counted(*given: object) -> PatientEngine:
        engine = restore(*given)
        restored.append(engine.patient)
        return engine

    monkeypatch.setattr(PatientEngine, "restore", staticmethod(counted))
    embedded.crash()
    assert restored == ["bed-1"]
    assert not embedded.runtime.look([BED])[BED].admitted
    assert restored == ["bed-1"]
    embedded.send(second[:1])
    assert restored == ["bed-1", BED]
    assert not embedded.runtime._processor.away(0, BED)
    embedded.connection.close()
