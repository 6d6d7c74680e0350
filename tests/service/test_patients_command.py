"""``rescue-monitor patients``: who is set aside is listed, and judged again by a running service."""

import threading
from collections.abc import Iterator, Sequence
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor import cli
from monitor.client import Client
from monitor.service.security import TokenFile
from rules.engine import PatientEngine
from rules.events import Event
from streams.embedded.wall import system_wall
from streams.replay import in_stream_order
from tests.integration.brokers import free_port
from tests.service.running import Running, running
from tests.streams.stream import events_of

pytestmark = [pytest.mark.xdist_group("service"), pytest.mark.usefixtures("bulkheads")]

BEDS = ("bed-4", "bed-6", "bed-9")
DIGEST = sha256(b"test").hexdigest()


class Fault:
    """A mistake in the rules about some beds, until it is mended."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.beds = set(BEDS[:2])
        judge = PatientEngine._judged

        def fail(engine: PatientEngine, *arguments: Any) -> Any:
            if engine.patient in self.beds:
                raise ZeroDivisionError("of bed-4")
            return judge(engine, *arguments)

        patch.setattr(PatientEngine, "_judged", fail)


@pytest.fixture
def fault(monkeypatch: pytest.MonkeyPatch) -> Fault:
    return Fault(monkeypatch)


def beds() -> Sequence[Event]:
    mine = [event for event in in_stream_order(events_of()) if event.subject in BEDS]
    return [event for event in mine if event.kind != "action"][:400]


@pytest.fixture
def service(tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with running(tmp_path / "service.db") as found:
        monkeypatch.setenv("RESCUE_MONITOR_SERVICE", found.address)
        monkeypatch.delenv("RESCUE_MONITOR_TOKEN", raising=False)
        assert found.send(beds()).status_code == 200
        yield found


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_lists_who_is_set_aside_and_by_what(service: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["patients", "list"]) == cli.OK
    lines = said(capsys)
    assert [line.partition(":")[0] for line in lines] == ["bed-4", "bed-6"]
    assert all("NOT WATCHED since" in line and line.endswith("FAULT(ZeroDivisionError)") for line in lines)


def test_tries_everybody_again(service: Running, fault: Fault, capsys: pytest.CaptureFixture[str]) -> None:
    fault.beds.clear()
    assert cli.main(["patients", "retry"]) == cli.OK
    assert said(capsys) == ["bed-4: watched again", "bed-6: watched again"]
    assert cli.main(["patients", "list"]) == cli.OK
    assert said(capsys) == []
    assert cli.main(["patients", "retry"]) == cli.OK
    assert capsys.readouterr().err == "nobody is set aside\n"


def test_tries_who_is_named_and_nobody_else(service: Running, fault: Fault, capsys: pytest.CaptureFixture[str]) -> None:
    fault.beds.clear()
    assert cli.main(["patients", "retry", "bed-6"]) == cli.OK
    assert said(capsys) == ["bed-6: watched again"]
    assert cli.main(["patients", "list"]) == cli.OK
    assert [line.partition(":")[0] for line in said(capsys)] == ["bed-4"]


def test_says_who_is_set_aside_again_and_who_never_was(
    service: Running, fault: Fault, capsys: pytest.CaptureFixture[str]
) -> None:
    fault.beds.remove("bed-6")
    assert cli.main(["patients", "retry", "bed-9", "bed-4", "bed-6"]) == cli.FAULTS
    never, again, watched = said(capsys)
    assert (never, watched) == ("bed-9: not set aside", "bed-6: watched again")
    assert again.startswith("bed-4: set aside again: NOT WATCHED since")
    assert cli.main(["patients", "retry"]) == cli.FAULTS
    (again,) = said(capsys)
    assert again.startswith("bed-4: set aside again")


def test_one_who_is_not_set_aside_is_a_fault_of_its_own(service: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["patients", "retry", "bed-9"]) == cli.FAULTS
    assert said(capsys) == ["bed-9: not set aside"]


def test_acknowledged_notices_count(service: Running, fault: Fault, capsys: pytest.CaptureFixture[str]) -> None:
    for alert in service.client.get("/v1/alerts", params={"pathway": "monitor"}).json()["alerts"]:
        service.client.post(f"/v1/alerts/{alert['id']}/actions", json={"action": "acknowledge"})
    fault.beds.clear()
    assert cli.main(["patients", "retry"]) == cli.OK
    assert said(capsys) == ["bed-4: watched again", "bed-6: watched again"]


def test_one_whom_somebody_else_has_answered_meanwhile_is_told(
    service: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(client: Client, alert: str, action: str, based_on: int) -> None:
        service.client.post(f"/v1/alerts/{alert}/actions", json={"action": "acknowledge"})
        answer(client, alert, action, based_on)

    answer = Client.answer
    monkeypatch.setattr(Client, "answer", overtaken)
    assert cli.main(["patients", "retry", "bed-4"]) == cli.FAULTS
    (line,) = said(capsys)
    assert line == "bed-4: not tried: not_watched has changed since"


class TestAccess:
    @pytest.fixture
    def guarded(self, tmp_path: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch, role: str) -> Iterator[Running]:
        tokens = tmp_path / "tokens.yaml"
        operator = f"{{sha256: {sha256(b'feed').hexdigest()}, actor: gateway, role: operator}}"
        entry = f"{{sha256: {DIGEST}, actor: nurse-7, role: {role}}}"
        tokens.write_text(f"tokens: [{operator}, {entry}]", encoding="utf-8")
        (tmp_path / "token").write_text("test\n", encoding="utf-8")
        with running(tmp_path / "service.db", TokenFile(tokens, system_wall)) as service:
            monkeypatch.setenv("RESCUE_MONITOR_SERVICE", service.address)
            monkeypatch.delenv("RESCUE_MONITOR_TOKEN", raising=False)
            assert service.send(beds(), {"Authorization": "Bearer feed"}).status_code == 200
            fault.beds.clear()
            yield service

    @pytest.mark.parametrize("role", ["clinician"])
    def test_takes_the_token_from_a_file_or_the_environment(
        self, guarded: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["patients", "retry", "bed-4", "--token-file", str(tmp_path / "token")]) == cli.OK
        monkeypatch.setenv("RESCUE_MONITOR_TOKEN", "test")
        assert cli.main(["patients", "retry", "--service", guarded.address + "/"]) == cli.OK
        assert said(capsys) == ["bed-4: watched again", "bed-6: watched again"]

    @pytest.mark.parametrize("role", ["viewer"])
    def test_who_may_not_answer_is_told(
        self, guarded: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli.main(["patients", "retry"]) == cli.UNREADABLE
        assert "a bearer token is needed" in capsys.readouterr().err
        monkeypatch.setenv("RESCUE_MONITOR_TOKEN", "test")
        assert cli.main(["patients", "list"]) == cli.OK
        assert len(said(capsys)) == 2
        assert cli.main(["patients", "retry"]) == cli.UNREADABLE
        assert "a viewer may not" in capsys.readouterr().err


class TestAddress:
    def test_of_nobody(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["patients", "list", "--service", f"http://127.0.0.1:{free_port()}"]) == cli.UNREADABLE
        assert "Connection refused" in capsys.readouterr().err

    def test_that_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["patients", "list", "--service", "file:///etc/passwd"]) == cli.USAGE
        assert "does not begin with http" in capsys.readouterr().err

    def test_that_sends_elsewhere_is_told_no_token(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked: list[str | None] = []

        class Elsewhere(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.headers["Authorization"])
                self.send_response(302)
                self.send_header("Location", self.path)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Elsewhere)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            monkeypatch.setenv("RESCUE_MONITOR_TOKEN", "test")
            address = f"http://127.0.0.1:{server.server_port}"
            assert cli.main(["patients", "list", "--service", address]) == cli.UNREADABLE
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        assert asked == ["Bearer test"], "it goes nowhere else"
        assert "answers 302" in capsys.readouterr().err
