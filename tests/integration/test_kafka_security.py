"""A cluster that asks who is there: the right password opens it, the wrong one is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor import cli
from streams.kafka.settings import ENVIRONMENT
from tests.integration.brokers import MARKS, OwnBroker, own_broker

pytestmark = list(MARKS)

PASSWORD = "correct-horse"
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
USERS = f'{LOGIN} username="admin" password="a" user_admin="a" user_monitor="{PASSWORD}";'


def settings(ports: tuple[int, int]) -> list[str]:
    return [
        f"listeners=SASL_PLAINTEXT://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]}",
        f"advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{ports[0]}",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "inter.broker.listener.name=SASL_PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        f"listener.name.sasl_plaintext.plain.sasl.jaas.config={USERS}",
    ]


def test_only_the_right_password_opens_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT + "SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv(ENVIRONMENT + "SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv(ENVIRONMENT + "SASL_USERNAME", "monitor")
    with own_broker(tmp_path, settings) as broker:
        monkeypatch.setenv(ENVIRONMENT + "SASL_PASSWORD", PASSWORD)
        assert create(broker) == cli.OK
        monkeypatch.setenv(ENVIRONMENT + "SASL_PASSWORD", "wrong-" + PASSWORD)
        capfd.readouterr()
        assert create(broker) == cli.UNREADABLE
    said = "".join(capfd.readouterr())
    assert "look at security_protocol, user and password" in said
    assert PASSWORD not in said


def create(broker: OwnBroker) -> int:
    return cli.main(["topics", "create", "--partitions", "1", "--bootstrap-servers", broker.servers])
