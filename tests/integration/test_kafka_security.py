"""A cluster behind TLS that asks who is there: everything works with the right password, nothing with a wrong one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import KafkaAdminClient, ScramMechanism, UserScramCredentialUpsertion

from monitor import cli
from monitor.demo.build import LOG as DEMO_LOG
from rules.events import encode
from streams.kafka.settings import ENVIRONMENT, KafkaSettings, load_settings
from tests.integration import certificates
from tests.integration.brokers import MARKS, OwnBroker, own_broker, wait_until
from tests.integration.workers import WorkerProcess, exactly, said
from tests.streams.stream import events_of, said_by_replay

pytestmark = list(MARKS)

BED = "bed-9"
PASSWORD = "correct-horse"
MODULES = "org.apache.kafka.common.security"
USERS = f'{MODULES}.plain.PlainLoginModule required username="admin" password="a" user_admin="a";'

Cluster = Callable[..., KafkaSettings]


def settings(ports: tuple[int, int], made: certificates.Certificates) -> list[str]:
    return [
        f"listeners=SASL_SSL://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]}",
        f"advertised.listeners=SASL_SSL://127.0.0.1:{ports[0]}",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name=SASL_SSL",
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        f"listener.name.sasl_ssl.plain.sasl.jaas.config={USERS}",
        f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={MODULES}.scram.ScramLoginModule required;",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={made.broker}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={made.authority}",
    ]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(authority: certificates.Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnBroker]:
    with own_broker(tmp_path_factory.mktemp("guarded"), lambda ports: settings(ports, authority)) as broker:
        yield broker


@pytest.fixture
def cluster(guarded: OwnBroker, authority: certificates.Certificates, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Sets the environment for somebody who wants to reach the cluster."""

    monkeypatch.setattr("streams.kafka.settings._REACHED_WITHIN_MS", 2000)

    def as_user(name: str, password: str, mechanism: str = "PLAIN", **more: str) -> KafkaSettings:
        wanted = {
            "bootstrap_servers": guarded.servers,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": name,
            "sasl_password": password,
            "ssl_cafile": str(authority.authority),
        }
        for setting, value in (wanted | more).items():
            monkeypatch.setenv(ENVIRONMENT + setting.upper(), value)
        return load_settings(None, os.environ)

    return as_user


def enrol(cluster: Cluster, name: str) -> None:
    admin: Any = KafkaAdminClient(**cluster("admin", "a").client_options())
    try:
        user = UserScramCredentialUpsertion(name, ScramMechanism.SCRAM_SHA_512, PASSWORD)
        assert admin.alter_user_scram_credentials([user]) == {name: None}
    finally:
        admin.close()


def test_only_the_right_password_opens_a_cluster(cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    cluster("admin", "a")
    assert cli.main(["topics", "describe"]) == cli.OK
    cluster("admin", "wrong-" + PASSWORD)
    capfd.readouterr()
    assert cli.main(["topics", "describe"]) == cli.UNREADABLE
    words = "".join(capfd.readouterr())
    assert "look at security_protocol, user and password" in words
    assert PASSWORD not in words


def test_a_broker_for_whom_nobody_vouches_is_not_talked_to(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cluster("admin", "a", ssl_cafile=str(certificates.make(tmp_path).authority))
    assert cli.main(["topics", "describe"]) == cli.UNREADABLE
    assert "certificate" in capfd.readouterr().err


def test_a_worker_decides_on_what_was_published_with_a_password_over_tls(cluster: Cluster, tmp_path: Path) -> None:
    enrol(cluster, "monitor")
    kafka = cluster("monitor", PASSWORD, "SCRAM-SHA-512")
    log = tmp_path / "bed.jsonl"
    log.write_text("".join(f"{encode(event)}\n" for event in events_of(DEMO_LOG, BED)), encoding="utf-8")
    assert cli.main(["topics", "create", "--partitions", "1"]) == cli.OK
    assert cli.main(["replay", str(log), "--to", "kafka", "--close"]) == cli.OK
    worker = WorkerProcess(kafka, tmp_path)
    try:
        wait_until(lambda: worker.has_applied(len(events_of(DEMO_LOG, BED))), 60, "all has been applied")
        assert worker.stop() == 0
    finally:
        worker.kill()
    assert said(kafka) == exactly(said_by_replay(BED))
    assert PASSWORD not in worker.log.read_text(encoding="utf-8")
