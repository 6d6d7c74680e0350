"""The embedded runtime: what moves together, what a restart goes on from, and what is kept for how long."""

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.demo.build import LOG as DEMO_LOG
from rules.events import Action, Encounter, Event, encode
from rules.instants import to_instant
from rules.outputs import AlertChange, AlertChangeKind
from rules.settings import SiteSettings
from streams.embedded import audit
from streams.embedded.database import DatabaseError, open_database
from streams.embedded.settings import EmbeddedSettings
from streams.embedded.store import Store, entries_of
from streams.embedded.wall import ScriptWall
from streams.provenance import OWN
from streams.replay import in_stream_order
from streams.states import StateError
from tests.streams.embedded import LONG_AFTER, Embedded
from tests.streams.stream import events_of

BED = "bed-4"


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Embedded]:
    embedded = Embedded(tmp_path / "service.db")
    yield embedded
    embedded.connection.close()


def bed(name: str = BED) -> list[Event]:
    return list(in_stream_order(events_of(DEMO_LOG, name)))


def play(embedded: Embedded, events: list[Event]) -> None:
    """Events come as they are received."""
    embedded.wall = events[0].received_at
    for event in events:
        embedded.wall = max(event.received_at, embedded.wall)
        embedded.send([event])


def visit(at: datetime) -> Event:
    """Somebody else's message, by which it is known what time it is."""
    times = {"effective_at": at, "received_at": at}
    fixed = {"schema_version": 1, "id": f"visit-{at.isoformat()}", "source": "gateway", "subject": "visitor"}
    return Encounter.model_validate({**fixed, **times, "kind": "encounter", "event": "discharge"})


def live(path: Path, events: list[Event], *, down: bool) -> Embedded:
    """Events come as they are received; then an hour passes with the service running, or down; then senders go on."""
    embedded = Embedded(path)
    play(embedded, events)
    if down:
        embedded.wall += timedelta(hours=1)
        embedded.crash()
        embedded.pass_time(1)
    else:
        for _ in range(361):
            embedded.pass_time(10)
    embedded.wall = events[-1].received_at + timedelta(hours=1, minutes=1)
    embedded.send([visit(embedded.wall)])
    return embedded


def test_deadlines_that_pass_while_it_is_down_are_decided_at_their_own_times(tmp_path: Path) -> None:
    events = bed("bed-1")[:250]
    awake = live(tmp_path / "awake.db", events, down=False)
    asleep = live(tmp_path / "asleep.db", events, down=True)
    later = [entry for entry in asleep.entries if entry.decided_at > events[-1].received_at]
    assert later
    assert asleep.said() == awake.said()
    awake.connection.close()
    asleep.connection.close()


def test_time_does_not_pass_for_a_recorded_log(runtime: Embedded) -> None:
    runtime.send(bed()[:100])
    before = len(runtime.entries)
    runtime.pass_time(86_400)
    assert len(runtime.entries) == before
    assert runtime.runtime.now() < LONG_AFTER


def test_an_event_that_is_sent_again_is_recognised_even_after_a_restart(runtime: Embedded) -> None:
    line = encode(bed()[0]).encode()
    assert [receipt.status for receipt in runtime.read(line, line)] == ["accepted", "duplicate"]
    runtime.crash()
    (receipt,) = runtime.read(line)
    assert (receipt.status, receipt.event) == ("duplicate", bed()[0].id)
    assert runtime.rows("SELECT sum(count) FROM segments") == [(1,)]


def test_a_sender_may_number_the_events_of_each_patient_by_themselves(runtime: Embedded) -> None:
    one = bed()[0].model_copy(update={"id": "1"})
    other = one.model_copy(update={"subject": "bed-x"})
    lines = [encode(event).encode() for event in (one, other, one, other)]
    assert [receipt.status for receipt in runtime.read(*lines)] == ["accepted", "accepted", "duplicate", "duplicate"]
    runtime.crash()
    assert [receipt.status for receipt in runtime.read(*lines[:2])] == ["duplicate", "duplicate"]
    assert runtime.runtime.patients == sorted((BED, "bed-x"))


def test_what_was_sent_long_ago_is_forgotten_and_changes_nothing(tmp_path: Path) -> None:
    embedded = Embedded(tmp_path / "service.db", EmbeddedSettings(remembered=10))
    events = bed()
    embedded.send(events)
    said = embedded.said()
    embedded.send(events[:50])
    assert embedded.said() == said
    embedded.connection.close()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "no message"),
        (b"nonsense", "message: Invalid JSON"),
        (b"\xff\xfe", "message: Invalid JSON"),
        (b'{"kind":"observations"}', "observations.id: Field required"),
        (b"[" * 100_000, "message: "),
        (b'{"a":' * 100_000, "message: "),
        (b'"' + b"x" * (1 << 20) + b'"', "longer than 1048576 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_and_kept(runtime: Embedded, message: bytes, reason: str) -> None:
    good = encode(bed()[0]).encode()
    refused, accepted = runtime.read(message, good)
    assert (refused.status, accepted.status) == ("rejected", "accepted")
    assert reason in refused.reasons[0]
    ((kept,),) = runtime.rows("SELECT value FROM rejected")
    assert kept == message[: 1 << 16]


def test_a_message_from_the_future_moves_nobodys_time(runtime: Embedded) -> None:
    runtime.send(bed()[:5])
    now = runtime.runtime.now()
    event = bed()[5].model_copy(update={"received_at": runtime.wall + timedelta(hours=1)})
    (receipt,) = runtime.read(encode(event).encode())
    assert receipt.status == "rejected"
    assert runtime.runtime.now() == now


def test_a_part_that_cannot_be_used_is_told_at_once_and_refused_for_good_when_decided(runtime: Embedded) -> None:
    event = next(event for event in bed() if event.kind == "observations")
    body = json.loads(encode(event))
    body["readings"].append({"code": "no-such-signal", "value": 1, "unit": "1"})
    (receipt,) = runtime.read(json.dumps(body).encode())
    assert receipt.status == "accepted"
    assert len(receipt.reasons) == 1
    assert "no-such-signal" in receipt.reasons[0]
    runtime.close()
    runtime.crash()
    rejections = [entry.change for entry in runtime.entries if entry.change.kind == "rejection"]
    assert [change.event for change in rejections] == [event.id]


def test_an_event_of_which_nothing_can_be_used_is_rejected(runtime: Embedded) -> None:
    event = next(event for event in bed() if event.kind == "infusion")
    body = {**json.loads(encode(event)), "drug": "unobtainium"}
    (receipt,) = runtime.read(json.dumps(body).encode())
    assert receipt.status == "rejected"


def open_alert(runtime: Embedded) -> AlertChange:
    """Something to answer, at the end of the log."""
    alerts = {e.change.id: e for e in runtime.entries if isinstance(e.change, AlertChange)}
    entry = next(e for e in alerts.values() if e.beside is not None and e.beside.state == "open")
    assert isinstance(entry.change, AlertChange)
    return entry.change


def answer(runtime: Embedded, alert: AlertChange, action: str, actor: str, number: int) -> Action:
    now = runtime.runtime.now()
    return Action.model_validate(
        {
            "schema_version": 1,
            "id": f"answer-{number}",
            "source": "test",
            "subject": alert.patient,
            "effective_at": now,
            "received_at": now,
            "kind": "action",
            "alert_id": alert.id,
            "action": action,
            "actor": actor,
            "role": "clinician",
            "based_on": alert.sequence,
        }
    )


class TestAnswers:
    @pytest.fixture
    def alert(self, runtime: Embedded) -> AlertChange:
        runtime.send(bed("bed-1"))
        return open_alert(runtime)

    def test_of_two_at_the_same_time_one_counts_and_the_other_is_told(
        self, runtime: Embedded, alert: AlertChange
    ) -> None:
        both = [answer(runtime, alert, "accept", actor, n) for n, actor in enumerate(("nurse-1", "fellow-2"))]
        first, second = runtime.take([runtime.examiner.examine(event, runtime.wall) for event in both])
        assert (first.status, first.refused) == ("accepted", None)
        assert (second.status, second.refused) == ("rejected", "conflict")
        assert "accepted by nurse-1" in second.reasons[0]
        history = [e.change.change for e in entries_of(runtime.connection, alert.id) if e.change.kind == "alert"]
        assert history.count(AlertChangeKind.ACCEPTED) == 1

    def test_are_decided_at_once_and_survive_a_crash(self, runtime: Embedded, alert: AlertChange) -> None:
        runtime.send([answer(runtime, alert, "acknowledge", "nurse-1", 1)])
        said = runtime.said()
        runtime.crash()
        assert runtime.said() == said
        assert runtime.runtime.present.alerts[alert.id].beside is not None
        newest = entries_of(runtime.connection, alert.id)[-1]
        assert newest.beside is not None
        assert newest.beside.state == "acknowledged"

    def test_are_on_record_with_what_became_of_them(self, runtime: Embedded, alert: AlertChange) -> None:
        runtime.send([answer(runtime, alert, "accept", "nurse-1", 1), answer(runtime, alert, "accept", "nurse-2", 2)])
        entries = [entry for entry in audit.read(runtime.connection) if entry.kind == "action"][-2:]
        assert [(entry.actor, json.loads(entry.content)["result"]) for entry in entries] == [
            ("nurse-1", "done"),
            ("nurse-2", "refused"),
        ]


class TestAudit:
    @pytest.fixture
    def recorded(self, runtime: Embedded) -> Embedded:
        runtime.send(bed("bed-1"))
        runtime.close()
        return runtime

    def test_every_suppression_is_on_record_once(self, recorded: Embedded) -> None:
        changes = [entry.change for entry in recorded.entries if isinstance(entry.change, AlertChange)]
        suppressed = [(c.id, c.cause) for c in changes if c.change is AlertChangeKind.SUPPRESSED]
        recorded.crash()
        notes = [json.loads(e.content) for e in audit.read(recorded.connection) if e.kind == "suppression"]
        assert suppressed
        assert [(note["alert"], note["cause"]) for note in notes] == suppressed

    def test_the_chain_holds_over_restarts(self, recorded: Embedded) -> None:
        before = audit.verify(audit.read(recorded.connection))
        recorded.crash()
        alert = open_alert(recorded)
        recorded.send([answer(recorded, alert, "acknowledge", "nurse-1", 1)])
        found = audit.verify(audit.read(recorded.connection))
        assert found.fault is None
        assert found.entries == before.entries + 1

    def test_the_database_lets_nobody_change_it(self, recorded: Embedded) -> None:
        for sql in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                recorded.connection.execute(sql)

    @pytest.mark.parametrize(
        ("tampering", "fault"),
        [
            ("UPDATE audit SET actor = 'somebody' WHERE number = 2", "entry 2 has been changed"),
            ("UPDATE audit SET content = '{}' WHERE number = 1", "entry 1 has been changed"),
            ("DELETE FROM audit WHERE number = 2", "entry 2 is missing"),
            ("UPDATE audit SET number = 1000 WHERE number = 3", "entry 3 is missing"),
        ],
    )
    def test_whoever_gets_around_that_breaks_the_chain(self, recorded: Embedded, tampering: str, fault: str) -> None:
        for trigger in ("audit_is_not_changed", "audit_is_not_cut"):
            recorded.connection.execute(f"DROP TRIGGER {trigger}")
        recorded.connection.execute(tampering)
        found = audit.verify(audit.read(recorded.connection))
        assert found.fault is not None
        assert fault in found.fault


def test_a_transaction_that_fails_leaves_nothing(runtime: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    events = bed("bed-1")
    runtime.send(events[:200])
    before = (runtime.said(), runtime.rows("SELECT count(*) FROM segments"), runtime.rows("SELECT count(*) FROM audit"))

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Store, "say", full)
    with pytest.raises(sqlite3.OperationalError):
        runtime.send(events[200:])
    monkeypatch.undo()
    runtime.crash()
    after = (runtime.said(), runtime.rows("SELECT count(*) FROM segments"), runtime.rows("SELECT count(*) FROM audit"))
    assert after == before


def test_states_are_kept_by_turns_so_that_a_restart_reads_little(runtime: Embedded) -> None:
    for event in bed():
        runtime.send([event])
    runtime.crash()
    assert runtime.runtime._noted > len(bed()) - 20


def test_what_is_old_is_forgotten_but_never_what_a_restart_needs(tmp_path: Path) -> None:
    events = bed()
    said = []
    for days, left in ((1, 1), (15, len(events) - 1)):
        settings = EmbeddedSettings(snapshot_interval=0.5, note_interval=0.1, forget_interval=1, keep_events=days)
        embedded = Embedded(tmp_path / f"{days}.db", settings)
        play(embedded, events[:-1])
        embedded.pass_time(2 * 86_400)
        embedded.pass_time(2)
        assert embedded.rows("SELECT count(*), max(first) FROM segments") == [(left, len(events) - 2)]
        embedded.crash()
        embedded.send(events[-1:])
        embedded.close()
        said.append(embedded.said())
        embedded.connection.close()
    assert said[0] == said[1]


class TestClocks:
    """A machine whose clock is wrong, and senders whose clocks are right."""

    @pytest.fixture
    def ward(self, runtime: Embedded) -> Embedded:
        play(runtime, bed()[:150])
        runtime.runtime.finish()
        return runtime

    def come(self, ward: Embedded, number: int) -> list[str]:
        """An event each second; what became of them."""
        statuses: list[str] = []
        for _ in range(number):
            ward.pass_time(1)
            (receipt,) = ward.read(encode(visit(ward.wall)).encode())
            statuses.append(receipt.status)
        return statuses

    def reached(self, ward: Embedded) -> datetime:
        reached = ward.runtime._processor.clock(0).reached
        assert reached is not None
        return reached

    @pytest.mark.parametrize("off", [timedelta(minutes=10), timedelta(days=1), timedelta(days=100)])
    def test_that_jumps_ahead_moves_time_by_a_step_and_comes_back(self, ward: Embedded, off: timedelta) -> None:
        step, said = timedelta(seconds=30), len(ward.entries)
        ward.off = off
        ward.pass_time(0.25)
        assert self.reached(ward) <= ward.wall + step
        assert set(self.come(ward, 60)) == {"accepted"}
        assert ward.wall <= ward.runtime.now() == ward.runtime.shown() <= ward.wall + step
        ward.off = timedelta(0)
        assert set(self.come(ward, 60)) == {"accepted"}
        assert self.reached(ward) <= ward.wall == ward.runtime.now()
        assert ward.runtime.trust.warning == ""
        ward.crash()
        assert self.come(ward, 1) == ["accepted"]
        assert len(ward.entries) - said < 5, "nobody has grown old by it"

    def test_that_is_set_back_keeps_nothing_out_and_no_bed_young(self, ward: Embedded) -> None:
        before = ward.wall
        ward.off = -timedelta(minutes=10)
        assert set(self.come(ward, 60)) == {"accepted"}
        assert self.reached(ward) >= before + timedelta(seconds=50)
        ward.pass_time(400)
        assert ward.runtime.shown() == ward.wall
        assert ward.runtime.look([BED])[BED].blind(to_instant(ward.runtime.shown()))

    def test_that_is_ahead_from_the_start_leaves_silence_to_be_noticed(self, tmp_path: Path) -> None:
        ward = Embedded(tmp_path / "ahead.db")
        ward.off = timedelta(minutes=10)
        play(ward, bed()[:150])
        ward.pass_time(600)
        assert ward.wall <= ward.runtime.shown() <= ward.wall + timedelta(seconds=30)
        assert self.reached(ward) > ward.wall - timedelta(seconds=11)
        ward.connection.close()

    @pytest.mark.parametrize("speaks", [False, True])
    @pytest.mark.parametrize("started", [False, True])
    def test_that_is_100_days_ahead_deletes_nothing(self, tmp_path: Path, *, started: bool, speaks: bool) -> None:
        settings = EmbeddedSettings(note_interval=0.1, forget_interval=1, keep_events=1, keep_alerts=1, keep_history=1)
        ward = Embedded(tmp_path / "service.db", settings)
        play(ward, bed()[:150])
        ward.read(b"nonsense")
        ward.runtime.finish()
        tables = ("segments", "feed", "rejected", "history", "patients", "states")
        count = [ward.rows(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - names of ours
        ward.off = timedelta(days=100)
        if started:
            ward.crash()
        for _ in range(20):
            ward.pass_time(2)
            if speaks:
                ward.send([visit(ward.wall)])
        left = [ward.rows(f"SELECT count(*) FROM {table}") for table in tables]  # noqa: S608 - names of ours
        assert all(now >= then for then, now in zip(count, left, strict=True))
        ward.connection.close()

    def test_that_is_behind_from_the_start_keeps_every_bed_in_doubt(self, ward: Embedded) -> None:
        ward.pass_time(300)
        ward.off = -timedelta(minutes=10)
        ward.crash()
        assert ward.runtime.trust.doubted
        assert ward.runtime.trust.warning == "this machine's clock is 10 min behind what it has kept"

    def test_that_was_off_while_nobody_came_shows_data_as_old_as_the_wall_says(self, ward: Embedded) -> None:
        ward.wall += timedelta(hours=1)
        ward.crash()
        assert ward.runtime.shown() == ward.wall
        ward.pass_time(1)
        assert self.reached(ward) < ward.wall - timedelta(minutes=59), "decided once somebody says that it is so late"
        ward.send([visit(ward.wall)])
        assert self.reached(ward) > ward.wall - timedelta(seconds=2)

    def test_is_not_vouched_for_by_what_the_service_says_itself(self, ward: Embedded) -> None:
        ward.off = timedelta(days=1)
        now = ward.runtime.now()
        own = visit(now).model_copy(update={"source": OWN})
        ward.take([ward.examiner.examine(own, ward.runtime.trust.latest())])
        assert self.reached(ward) <= ward.wall + timedelta(seconds=30)
        ward.off = timedelta(0)
        assert self.come(ward, 1) == ["accepted"]
        assert ward.runtime.now() == ward.wall, "what the service says itself is no evidence"


def test_a_hole_in_the_log_is_refused(runtime: Embedded) -> None:
    for event in bed()[:50]:
        runtime.send([event])
    runtime.connection.execute("DELETE FROM states")
    runtime.connection.execute("DELETE FROM segments WHERE first < 10")
    with pytest.raises(StateError, match="gone"):
        runtime.crash()


def test_state_of_other_rules_is_refused(runtime: Embedded) -> None:
    runtime.send(bed()[:50])
    runtime.runtime.finish()
    runtime.site = SiteSettings(strict_fluid=True)
    with pytest.raises(StateError, match="other site settings"):
        runtime.crash()


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(DatabaseError, match="not a database of this service"):
        open_database(other)
    (tmp_path / "text.db").write_text("not a database, and long enough to be looked at" * 100, encoding="utf-8")
    with pytest.raises(DatabaseError):
        open_database(tmp_path / "text.db")


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    open_database(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 999")
    with pytest.raises(DatabaseError, match="version 999"):
        open_database(path)


class TestADatabaseThatIsBeingMade:
    @pytest.mark.parametrize("looks", [1, 2, 50])
    def test_is_waited_for(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
        path, waits = tmp_path / "service.db", []
        path.touch()

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == looks:
                open_database(path).close()

        monkeypatch.setattr(time, "sleep", wait)
        open_database(path, read_only=True).close()
        assert len(waits) == looks

    def test_is_waited_for_although_its_tables_are_half_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "service.db"
        with sqlite3.connect(path, isolation_level=None) as maker:
            maker.execute("PRAGMA journal_mode = WAL")
            maker.execute("BEGIN IMMEDIATE")
            maker.execute("CREATE TABLE half (a)")

            def wait(_: float) -> None:
                maker.execute("ROLLBACK")
                open_database(path).close()

            monkeypatch.setattr(time, "sleep", wait)
            open_database(path, read_only=True).close()

    def test_is_not_waited_for_without_end(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        (tmp_path / "service.db").touch()
        with pytest.raises(DatabaseError, match="no tables"):
            open_database(tmp_path / "service.db", read_only=True)
        assert 1 < sum(waits) < 10


def test_what_somebody_elses_event_brought_about_is_not_said_again_after_a_crash(tmp_path: Path) -> None:
    runtime = Embedded(tmp_path / "service.db", EmbeddedSettings(snapshot_interval=600, note_interval=0.1))
    first, *_, newest = in_stream_order(events_of(DEMO_LOG, BED))
    runtime.send([newest])
    runtime.runtime.finish()
    runtime.send([first.model_copy(update={"subject": "somebody-else"})])
    said = runtime.said()
    assert ("somebody-else", 1) in said
    runtime.crash()
    runtime.send([newest.model_copy(update={"id": "next", "received_at": newest.received_at + timedelta(minutes=1)})])
    assert {key: line for key, line in runtime.said().items() if key[0] == "somebody-else"} == said


def test_others_cannot_read_the_database(tmp_path: Path) -> None:
    path = tmp_path / "service.db"
    open_database(path).close()
    assert path.stat().st_mode & 0o077 == 0


def test_the_wall_of_a_script_stands_runs_and_stands() -> None:
    seconds = iter((10.0, 12.5, 40.0))
    wall = ScriptWall(LONG_AFTER, LONG_AFTER + timedelta(hours=1), 120, lambda: next(seconds))
    assert wall() == LONG_AFTER
    wall.start()
    assert wall() == LONG_AFTER + timedelta(minutes=5)
    assert wall() == LONG_AFTER + timedelta(hours=1)


def test_the_seconds_of_a_script_pass_as_its_time_does() -> None:
    wall = ScriptWall(LONG_AFTER, LONG_AFTER + timedelta(hours=1), 120, iter((10.0, 12.5, 40.0)).__next__)
    assert wall.seconds() == 0
    wall.start()
    assert (wall.seconds(), wall.seconds()) == (300, 3600)
