"""Who may come in and do what, what a browser may be made to do, and what is put on record of it."""

import hashlib
import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from prometheus_client import CollectorRegistry

from monitor import cli
from monitor.demo.build import LOG as DEMO_LOG
from monitor.service.guard import Guard
from monitor.service.heads import Heads
from monitor.service.models import Role
from monitor.service.oidc import Oidc, OidcSettings
from monitor.service.security import (
    AT_THE_MACHINE,
    PERMISSIONS,
    CredentialError,
    Permission,
    SecurityError,
    TokenFile,
    is_loopback,
)
from monitor.service.serving import Listening
from streams.embedded import audit
from streams.embedded.database import open_database
from streams.embedded.heads import Head, Signer, Statement
from streams.embedded.wall import system_wall
from streams.replay import in_stream_order
from tests.service.running import Running, running
from tests.streams.stream import events_of

pytestmark = pytest.mark.xdist_group("service")

NOW = datetime(2026, 6, 1, tzinfo=UTC)
BED_1 = list(in_stream_order(events_of(DEMO_LOG, "bed-1")))
TOKENS = {role: f"token-of-a-{role}" for role in PERMISSIONS}
AS = {role: {"Authorization": f"Bearer {token}"} for role, token in TOKENS.items()}


def entry(role: Role, **more: str) -> str:
    digest = hashlib.sha256(TOKENS[role].encode()).hexdigest()
    return json.dumps({"sha256": digest, "actor": f"{role}-1", "role": role, **more})


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.yaml"
    path.write_text("tokens:\n" + "".join(f"  - {entry(role)}\n" for role in TOKENS), encoding="utf-8")
    return path


@pytest.fixture
def guarded(tokens: Path, tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "service.db", TokenFile(tokens, system_wall)) as service:
        service.send([event for event in BED_1 if event.kind != "action"], AS["operator"])
        yield service


REQUESTS = {
    Permission.READ: ("GET", "/v1/unit"),
    Permission.ANSWER: ("POST", "/v1/alerts/none/actions"),
    Permission.INGEST: ("POST", "/v1/events"),
    Permission.OPERATE: ("GET", "/metrics"),
}


def ask(service: Running, permission: Permission, headers: dict[str, str]) -> int:
    method, path = REQUESTS[permission]
    body = {"content": "[]"} if permission is Permission.INGEST else {"json": {"action": "accept"}}
    arguments: Any = body if method == "POST" else {}
    kind = {"Content-Type": "application/json"} if method == "POST" else {}
    return service.client.request(method, path, headers=kind | headers, **arguments).status_code


class TestRoles:
    def test_may_do_what_the_table_says_and_nothing_else(self, guarded: Running) -> None:
        for role, headers in AS.items():
            for permission in Permission:
                refused = ask(guarded, permission, headers) == 403
                assert refused == (permission not in PERMISSIONS[role]), (role, permission)

    def test_nobody_comes_in_without_a_token(self, guarded: Running) -> None:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKENS['viewer']}"}):
            for permission in Permission:
                assert ask(guarded, permission, headers) == 401

    def test_every_path_but_health_and_the_dashboard_asks_who_it_is(self, guarded: Running) -> None:
        document = guarded.client.get("/openapi.json").json()
        for path, operations in document["paths"].items():
            for method in operations:
                status = guarded.client.request(method, path.replace("{", "").replace("}", "")).status_code
                assert status == (200 if path in ("/livez", "/readyz", "/v1/login") else 401), path

    def test_who_is_asking_follows_from_the_token(self, guarded: Running) -> None:
        assert guarded.client.get("/v1/me", headers=AS["clinician"]).json() == {
            "actor": "clinician-1",
            "role": "clinician",
        }

    def test_an_answer_is_given_in_the_name_of_the_token(self, guarded: Running) -> None:
        alert = guarded.client.get("/v1/alerts?state=open", headers=AS["viewer"]).json()["alerts"][0]
        path = f"/v1/alerts/{alert['id']}/actions"
        after = guarded.client.post(path, json={"action": "accept"}, headers=AS["clinician"]).json()
        assert after["cause"] == "accepted by clinician-1 (clinician)"

    def test_a_token_in_the_address_lets_nobody_in(self, guarded: Running) -> None:
        response = guarded.client.get("/v1/unit", params={"access_token": TOKENS["viewer"], "token": TOKENS["viewer"]})
        assert response.status_code == 401


class TestAnswersInEvents:
    """An operator may send events and may not answer; so events are no way to answer, in whoever's name."""

    def forged(self, service: Running, **more: Any) -> dict[str, Any]:
        found = service.client.get("/v1/alerts?state=open", headers=AS["viewer"]).json()["alerts"][0]
        stamp = BED_1[-1].received_at.isoformat().replace("+00:00", "Z")
        body = {"schema_version": 1, "id": "forged", "source": "chart", "subject": found["patient"], "kind": "action"}
        answer = {"alert_id": found["id"], "action": "accept", "actor": "dr-9", "role": "clinician"}
        return {**body, **answer, "effective_at": stamp, "received_at": stamp, **more}

    @pytest.mark.parametrize("form", ["one", "array", "lines"])
    def test_are_refused_by_name_and_change_nothing(self, guarded: Running, form: str) -> None:
        event = self.forged(guarded)
        body = json.dumps([event] if form == "array" else event)
        kind = "application/x-ndjson" if form == "lines" else "application/json"
        response = guarded.client.post("/v1/events", content=body, headers={"Content-Type": kind, **AS["operator"]})
        (item,) = response.json()["results"]
        assert item["status"] == "rejected"
        assert "/v1/alerts/{id}/actions" in item["reasons"][0]
        after = guarded.client.get(f"/v1/alerts/{event['alert_id']}", headers=AS["viewer"]).json()
        assert after["state"] == "open"
        with sqlite3.connect(guarded.path) as connection:
            assert connection.execute("SELECT kind FROM rejected").fetchall() == [("answer",)]

    @pytest.mark.parametrize(
        "more",
        [
            {"source": "rescue-monitor"},
            {"source": "rescue-monitor-log"},
            {"comment": 5},
            {"status": "corrected", "corrects": "x"},
        ],
        ids=["own source", "log", "salvaged", "corrected"],
    )
    def test_are_refused_in_other_forms_too(self, guarded: Running, more: dict[str, Any]) -> None:
        event = self.forged(guarded, **more)
        for role, identity in AS.items():
            status = 200 if role == "operator" else 403
            headers = {"Content-Type": "application/json", **identity}
            response = guarded.client.post("/v1/events", content=json.dumps(event), headers=headers)
            assert response.status_code == status
            assert status == 403 or response.json()["results"][0]["status"] == "rejected"
        after = guarded.client.get(f"/v1/alerts/{event['alert_id']}", headers=AS["viewer"]).json()
        assert after["state"] == "open"

    def test_are_put_on_record_with_whose_token_it_was(self, guarded: Running) -> None:
        headers = {"Content-Type": "application/json", **AS["operator"]}
        guarded.client.post("/v1/events", content=json.dumps(self.forged(guarded)), headers=headers)
        ((actor, note),) = TestRecord().settled(guarded, 1)
        assert (actor, note["refused"]) == ("operator-1", "kind: answers are given at /v1/alerts/{id}/actions")

    def test_one_by_token_is_on_record_with_the_services_own_source(self, guarded: Running) -> None:
        alert = self.forged(guarded)["alert_id"]
        guarded.client.post(f"/v1/alerts/{alert}/actions", json={"action": "accept"}, headers=AS["clinician"])
        with sqlite3.connect(guarded.path) as connection:
            (found,) = [entry for entry in audit.read(connection) if entry.kind == "action"]
        assert (found.actor, json.loads(found.content)["source"]) == ("clinician-1", "rescue-monitor")


def entries_in(path: Path) -> list[audit.Entry]:
    with sqlite3.connect(path) as connection:
        return list(audit.read(connection))


class TestRecord:
    def notes(self, service: Running) -> list[tuple[str, dict[str, Any]]]:
        with sqlite3.connect(service.path) as connection:
            found = [entry for entry in audit.read(connection) if entry.kind == "access"]
            assert audit.verify(audit.read(connection)).fault is None
        return [(entry.actor, json.loads(entry.content)) for entry in found]

    def settled(self, service: Running, wanted: int) -> list[tuple[str, dict[str, Any]]]:
        """The notes once there are so many: they are written with the next transaction."""
        end = time.monotonic() + 30
        while len(self.notes(service)) < wanted:
            assert time.monotonic() < end, "the record was not written"
            service.client.get("/livez")
        return self.notes(service)

    def test_names_who_was_turned_away_and_why(self, guarded: Running) -> None:
        ask(guarded, Permission.READ, {})
        ask(guarded, Permission.READ, {"Authorization": "Bearer wrong"})
        ask(guarded, Permission.READ, AS["operator"])
        assert self.settled(guarded, 3) == [
            ("unknown", {"from": "127.0.0.1", "refused": "no token", "times": 1}),
            ("unknown", {"from": "127.0.0.1", "refused": "unknown token", "times": 1}),
            ("operator-1", {"from": "127.0.0.1", "refused": "operator may not read", "times": 1}),
        ]

    def test_cannot_be_flooded(self, guarded: Running) -> None:
        for _ in range(50):
            ask(guarded, Permission.READ, {"Authorization": "Bearer wrong"})
        assert len(self.settled(guarded, 1)) < 5

    def test_names_who_looked_at_whom_once_an_hour(self, guarded: Running) -> None:
        for path in ("/v1/patients/bed-1", "/v1/patients/bed-1/trends", "/v1/patients/bed-1"):
            guarded.client.get(path, headers=AS["viewer"])
        guarded.client.get("/v1/patients/bed-1", headers=AS["clinician"])
        assert self.settled(guarded, 2) == [
            ("viewer-1", {"patient": "bed-1", "role": "viewer"}),
            ("clinician-1", {"patient": "bed-1", "role": "clinician"}),
        ]

    @pytest.mark.parametrize("path", ["", "/trends", "/explain?pathway=ards"])
    def test_cannot_be_flooded_by_looking_for_who_is_not_there(self, guarded: Running, path: str) -> None:
        for number in range(50):
            assert guarded.client.get(f"/v1/patients/made-up-{number}{path}", headers=AS["viewer"]).status_code == 404
            guarded.client.get(f"/v1/alerts?patient=made-up-{number}", headers=AS["viewer"])
            guarded.client.get(f"/v1/alerts/made-up-{number}", headers=AS["viewer"])
        guarded.client.get(f"/v1/patients/bed-1{path}", headers=AS["viewer"])
        assert self.settled(guarded, 1) == [("viewer-1", {"patient": "bed-1", "role": "viewer"})]

    def test_cannot_be_flooded_by_coming_back_to_the_feed(self, guarded: Running) -> None:
        for _ in range(10):
            with guarded.client.stream("GET", "/v1/stream", headers=AS["viewer"]) as feed:
                next(feed.iter_lines())
        assert self.settled(guarded, 1) == [("viewer-1", {"opened": "live feed", "role": "viewer"})]

    def test_counts_who_was_turned_away_again_once_an_hour_and_at_the_end(self) -> None:
        now = [NOW]
        notes: list[audit.Note] = []
        guard = Guard(None, lambda: now[0])
        guard.record = notes.append
        for minute in range(120):
            now[0] = NOW + timedelta(minutes=minute)
            for host in range(200):
                guard.turned_away({"client": (f"10.0.0.{host}", 1)}, "no token")
            guard.settle()
        assert len(notes) < 500
        guard.settle(ending=True)
        assert sum(note.content["times"] for note in notes) == 120 * 200

    def test_goes_on_after_a_clock_that_was_a_day_ahead_has_come_back(self, tmp_path: Path) -> None:
        now = [NOW + timedelta(days=1)]
        notes: list[audit.Note] = []
        guard = Guard(None, lambda: now[0])
        guard.record = notes.append
        heads = Heads(Signer.of(tmp_path / "service.db", make=True), CollectorRegistry())
        connection = open_database(tmp_path / "service.db")
        heads.publish(connection, now[0])
        connection.close()
        for _ in range(2):
            guard.looked(AT_THE_MACHINE, "bed-1")
            guard.turned_away({"client": ("10.0.0.1", 1)}, "no token")
        now[0] = NOW
        assert heads.due(now[0])
        guard.looked(AT_THE_MACHINE, "bed-1")
        guard.settle()
        assert [note.content.get("patient") for note in notes] == ["bed-1", None, "bed-1", None]
        assert notes[-1].content["times"] == 1, "who was turned away again meanwhile"

    def test_has_a_head_that_is_signed_and_published(
        self, guarded: Running, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        guarded.client.get("/v1/patients/bed-1", headers=AS["viewer"])
        self.settled(guarded, 1)
        database = str(guarded.path)
        assert cli.main(["audit", "head", "--database", database]) == cli.OK
        printed = capsys.readouterr().out.strip()
        assert (guarded.path.parent / "service.db.audit-key").stat().st_mode & 0o077 == 0
        guarded.stop()
        logged = [record.message for record in caplog.records if record.name == "rescue_monitor.audit"]
        key = Statement.read(printed).key
        for line in (printed, logged[-1], f"2026-06-01 INFO rescue_monitor.audit: {logged[-1]}"):
            arguments = ["audit", "verify", "--database", database, "--head", line]
            assert cli.main(arguments) == cli.OK
            assert cli.main([*arguments, "--key", key]) == cli.OK
            assert cli.main([*arguments, "--key", "00" * 32]) == 2
        assert Statement.read(logged[-1]).head.entries == audit.verify(entries_in(guarded.path)).entries
        with sqlite3.connect(database) as connection:
            connection.executescript(
                "DROP TRIGGER audit_is_not_cut; DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)"
            )
        assert cli.main(["audit", "verify", "--database", database, "--head", logged[-1]]) == cli.FAULTS

    def test_is_said_to_prove_no_more_than_it_does(self, guarded: Running, capsys: pytest.CaptureFixture[str]) -> None:
        guarded.client.get("/v1/patients/bed-1", headers=AS["viewer"])
        self.settled(guarded, 1)
        guarded.stop()
        assert cli.main(["audit", "verify", "--database", str(guarded.path)]) == cli.OK
        assert "does not show whether newer entries were cut off" in capsys.readouterr().err

    @pytest.mark.parametrize("change", ["entries", "digest", "at", "signature", "words"])
    def test_a_head_that_was_changed_is_none(self, change: str, tmp_path: Path) -> None:
        statement = Signer.of(tmp_path / "x.db", make=True).state(Head(5, "ab" * 32, "2026-06-01T00:00:00Z"))
        assert Statement.read(str(statement)) == statement
        head = statement.head
        changed = {
            "entries": str(statement._replace(head=head._replace(entries=4))),
            "digest": str(statement._replace(head=head._replace(digest="cd" * 32))),
            "at": str(statement._replace(head=head._replace(at="2026-06-02T00:00:00Z"))),
            "signature": str(statement._replace(signature="00" * 64)),
            "words": str(statement).replace("audit-head", "head"),
        }
        with pytest.raises(ValueError, match=r"."):
            Statement.read(changed[change])

    def test_is_verified_by_a_command(self, guarded: Running, capsys: pytest.CaptureFixture[str]) -> None:
        guarded.client.get("/v1/patients/bed-1", headers=AS["viewer"])
        self.settled(guarded, 1)
        guarded.stop()
        database = str(guarded.path)
        assert cli.main(["audit", "verify", "--database", database]) == cli.OK
        head = capsys.readouterr().out.split()[-1]
        assert cli.main(["audit", "verify", "--database", database, "--head", head]) == cli.OK
        with sqlite3.connect(database) as connection:
            connection.executescript(
                "DROP TRIGGER audit_is_not_cut; DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)"
            )
        assert cli.main(["audit", "verify", "--database", database]) == cli.OK
        assert cli.main(["audit", "verify", "--database", database, "--head", head]) == cli.FAULTS
        with sqlite3.connect(database) as connection:
            connection.executescript("DROP TRIGGER audit_is_not_changed; UPDATE audit SET actor = 'x' WHERE number = 1")
        assert cli.main(["audit", "verify", "--database", database]) == cli.FAULTS
        assert "entry 1 has been changed" in capsys.readouterr().err


class TestTokenFile:
    def test_a_token_runs_out(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.yaml"
        path.write_text(f"tokens: [{entry('viewer', expires_at=NOW.isoformat())}]", encoding="utf-8")
        moments = iter((NOW - timedelta(seconds=1), NOW))
        tokens = TokenFile(path, lambda: next(moments))
        assert tokens.authenticate(TOKENS["viewer"]).actor == "viewer-1"
        with pytest.raises(CredentialError, match="run out"):
            tokens.authenticate(TOKENS["viewer"])

    @pytest.mark.parametrize(
        "content",
        ["", "tokens: []", "tokens: [{sha256: secret, actor: a, role: viewer}]", "tokens: [{actor: a}]", "{", "a: 1"],
    )
    def test_a_file_that_is_wrong_is_refused_without_being_quoted(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "tokens.yaml"
        path.write_text(content, encoding="utf-8")
        with pytest.raises(SecurityError) as caught:
            TokenFile(path, system_wall)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("name", ["rules", "unknown", "local"])
    def test_nobody_is_called_what_the_audit_calls_no_person(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / "tokens.yaml"
        path.write_text(f"tokens: [{entry('viewer').replace('viewer-1', name)}]", encoding="utf-8")
        with pytest.raises(SecurityError, match="may be called"):
            TokenFile(path, system_wall)

    @pytest.mark.parametrize("actor", ["nurse-7", "4711", "null", "ward: 3, bed}", "o'neill #2"])
    def test_the_command_makes_what_the_file_takes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], actor: str
    ) -> None:
        assert cli.main(["token", actor, "clinician"]) == cli.OK
        said = capsys.readouterr()
        path = tmp_path / "tokens.yaml"
        path.write_text(f"tokens:\n{said.out}", encoding="utf-8")
        token = said.err.split()[-1]
        assert token not in said.out
        assert TokenFile(path, system_wall).authenticate(token)[:2] == (actor, "clinician")

    @pytest.mark.parametrize("actor", ["", "rules", "local", "nürse", "a" * 201])
    def test_the_command_makes_nothing_that_the_file_would_not_take(
        self, capsys: pytest.CaptureFixture[str], actor: str
    ) -> None:
        assert cli.main(["token", actor, "clinician"]) == cli.USAGE
        said = capsys.readouterr()
        assert said.out == ""
        assert "token, shown" not in said.err


class ProvidedKeys:
    """A provider's keys without a provider."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def key(self, name: object) -> Any:
        return self._key


class TestOidc:
    KEY = ec.generate_private_key(ec.SECP256R1())
    OTHER = ec.generate_private_key(ec.SECP256R1())
    RSA = rsa.generate_private_key(65537, 2048)
    SETTINGS = OidcSettings(
        issuer="https://id.example",
        audience="rescue-monitor",
        keys="https://id.example/keys",
        role_claim="realm.roles",
        roles={"ICU-NURSE": "clinician", "ICU-GUEST": "viewer"},
    )

    def claims(self, **changed: Any) -> dict[str, Any]:
        base = {
            "iss": "https://id.example",
            "aud": ["rescue-monitor"],
            "sub": "u-123",
            "exp": int(time.time()) + 600,
            "realm": {"roles": ["ICU-GUEST", "ICU-NURSE"]},
        }
        return {name: value for name, value in (base | changed).items() if value is not None}

    def check(self, token: str, key: Any = None) -> Any:
        keys: Any = ProvidedKeys(key or self.KEY.public_key())
        return Oidc(self.SETTINGS, keys).authenticate(token)

    def test_a_token_of_the_provider_lets_in_with_the_role_that_may_do_most(self) -> None:
        assert self.check(jwt.encode(self.claims(), self.KEY, "ES256"))[:2] == ("u-123", "clinician")

    @pytest.mark.parametrize(
        "changed",
        [
            {"iss": "https://other.example"},
            {"aud": "something else"},
            {"exp": 1},
            {"exp": None},
            {"aud": None},
            {"sub": None},
            {"sub": ""},
            {"sub": "line\nbreak"},
            {"realm": {"roles": ["nobody"]}},
            {"realm": "ICU-NURSE"},
            {"realm": None},
            {"nbf": 2**40},
        ],
    )
    def test_claims_that_do_not_fit_let_nobody_in(self, changed: dict[str, Any]) -> None:
        with pytest.raises(CredentialError):
            self.check(jwt.encode(self.claims(**changed), self.KEY, "ES256"))

    def test_a_signature_of_somebody_else_lets_nobody_in(self) -> None:
        with pytest.raises(CredentialError):
            self.check(jwt.encode(self.claims(), self.OTHER, "ES256"))

    def test_neither_no_signature_nor_a_shared_secret_is_one(self) -> None:
        for token in (jwt.encode(self.claims(), "", "none"), jwt.encode(self.claims(), "s" * 32, "HS256")):
            with pytest.raises(CredentialError):
                self.check(token)

    def test_what_is_no_token_lets_nobody_in(self) -> None:
        for token in ("", "x", "a.b.c", "." * 100):
            with pytest.raises(CredentialError):
                self.check(token)

    def test_keys_of_other_kinds_are_taken(self) -> None:
        token = jwt.encode(self.claims(), self.RSA, "RS256")
        assert self.check(token, self.RSA.public_key()).role == "clinician"


class TestBinding:
    @pytest.mark.parametrize(
        ("host", "safe"),
        [
            ("127.0.0.1", True),
            ("localhost", True),
            ("::1", True),
            ("[::1]", True),
            ("127.9.9.9", True),
            ("0.0.0.0", False),  # noqa: S104 - this is what must not be served
            ("::", False),
            ("", False),
            ("192.168.1.5", False),
            ("ward.example", False),
            ("127.0.0.1.example", False),
        ],
    )
    def test_elsewhere_than_loopback_needs_authentication(self, host: str, safe: bool, tokens: Path) -> None:
        assert is_loopback(host) == safe
        Listening(host, 0, TokenFile(tokens, system_wall)).demand_safe()
        if safe:
            Listening(host, 0).demand_safe()
        else:
            with pytest.raises(SecurityError, match="can be reached from elsewhere"):
                Listening(host, 0).demand_safe()

    def test_the_command_refuses_it(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        arguments = ["serve", "--database", str(tmp_path / "x.db"), "--listen", "0.0.0.0:0"]
        assert cli.main(arguments) == cli.UNREADABLE
        assert "--tokens" in capsys.readouterr().err
        assert not (tmp_path / "x.db").exists()


class TestBrowser:
    @pytest.mark.parametrize("path", ["/", "/v1/unit", "/v1/nothing", "/livez", "/openapi.json"])
    def test_is_told_to_be_strict_on_every_path(self, ward: Running, path: str) -> None:
        headers = ward.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == ("no-store" if path.startswith("/v1") else "no-cache")

    def test_fetches_of_the_page_only_what_has_changed(self, ward: Running) -> None:
        first = ward.client.get("/js/main.js")
        again = ward.client.get("/js/main.js", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost.evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_cannot_be_made_to_change_anything_by_another_page(self, ward: Running, headers: dict[str, str]) -> None:
        response = ward.client.post("/v1/alerts/none/actions", json={"action": "accept"}, headers=headers)
        assert response.status_code == 403

    def test_may_change_something_from_our_own_page(self, ward: Running) -> None:
        headers = {"Origin": ward.address, "Sec-Fetch-Site": "same-origin"}
        response = ward.client.post("/v1/alerts/none/actions", json={"action": "accept"}, headers=headers)
        assert response.status_code == 404

    def test_cannot_send_a_form(self, ward: Running) -> None:
        for kind in ("application/x-www-form-urlencoded", "text/plain", "multipart/form-data"):
            headers = {"Content-Type": kind}
            path = "/v1/alerts/none/actions"
            response = ward.client.post(path, content=b'{"action":"accept"}', headers=headers)
            assert response.status_code == 422

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::1"])
    def test_cannot_be_led_here_under_another_name(self, ward: Running, host: str) -> None:
        assert ward.client.get("/v1/unit", headers={"Host": host}).status_code == 421

    def test_with_a_token_any_name_will_do(self, guarded: Running) -> None:
        response = guarded.client.get("/v1/unit", headers=AS["viewer"] | {"Host": "ward.example"})
        assert response.status_code == 200


def test_the_log_names_no_patient_and_no_token(guarded: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="rescue_monitor.access"):
        guarded.client.get("/v1/patients/bed-1/explain?pathway=septic-shock", headers=AS["viewer"])
        guarded.client.get("/v1/alerts?patient=bed-1", headers=AS["viewer"])
        guarded.client.get("/v1/patients/bed-1/nothing/here", headers=AS["viewer"])
    assert "GET /v1/patients/{patient}/explain 200" in caplog.text
    assert "bed-1" not in caplog.text
    assert "token-of" not in caplog.text
