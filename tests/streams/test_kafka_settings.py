"""How to reach Kafka: what counts over what, what does not fit together, and that secrets stay secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.settings import SettingsError
from streams.kafka.settings import ENVIRONMENT, KafkaSettings, load_settings

SECRET = "correct-horse"
SASL = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "monitor",
    "sasl_password": SECRET,
}


def in_environment(settings: dict[str, str]) -> dict[str, str]:
    return {ENVIRONMENT + name.upper(): value for name, value in settings.items()}


def test_the_command_line_counts_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "kafka.yaml"
    file.write_text("bootstrap_servers: [a:1, b:2]\nprefix: file.\nsecurity_protocol: SSL\n", encoding="utf-8")
    environment = in_environment({"prefix": "environment.", "bootstrap_servers": "c:3, d:4"}) | {"HOME": "x"}
    settings = load_settings(file, environment, {"prefix": "option.", "bootstrap_servers": None})
    assert settings.prefix == "option."
    assert settings.bootstrap_servers == ("c:3", "d:4")
    assert settings.security_protocol == "SSL"


def test_secrets_reach_the_client_and_are_never_shown() -> None:
    settings = load_settings(None, in_environment(SASL | {"ssl_password": SECRET, "ssl_cafile": "ca.pem"}))
    options = settings.client_options()
    assert (options["sasl_plain_password"], options["ssl_password"], options["ssl_cafile"]) == (
        SECRET,
        SECRET,
        "ca.pem",
    )
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sasl_password": SECRET}, "sasl_* settings are given, but PLAINTEXT does not use them"),
        ({"security_protocol": "SASL_SSL", "sasl_password": SECRET}, "needs sasl_mechanism, sasl_username"),
        ({"ssl_cafile": "ca.pem"}, "ssl_* settings are given, but PLAINTEXT does not use them"),
        ({"bootstrap_servers": "somewhere"}, "bootstrap_servers.0"),
        ({"bootstrap_servers": ""}, "bootstrap_servers.0"),
        ({"prefix": "a b"}, "prefix"),
        ({"password": SECRET}, "password: Extra inputs are not permitted"),
        (SASL | {"sasl_mechanism": SECRET}, "sasl_mechanism"),
    ],
)
def test_what_does_not_fit_is_named_without_secrets(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, in_environment(wrong))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a", "not a list of settings by name"),
        (b"sasl_password: [correct-horse", "not YAML"),
        (b"\xff", "not UTF-8 text"),
        (None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_quoted(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "kafka.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert f"{file}: " in str(caught.value)
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_client_without_security_is_given_none() -> None:
    assert set(KafkaSettings().client_options()) == {
        "bootstrap_servers",
        "client_id",
        "security_protocol",
        "bootstrap_timeout_ms",
    }


def test_settings_of_a_worker_come_from_its_part_of_the_file_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "kafka.yaml"
    file.write_text("worker: {group: night, snapshot_interval: 5}", encoding="utf-8")
    settings = load_settings(file, {"RESCUE_MONITOR_KAFKA_WORKER_GROUP": "day"})
    assert (settings.worker.group, settings.worker.snapshot_interval) == ("day", 5)
    with pytest.raises(SettingsError, match=r"worker: .*three heartbeats"):
        load_settings(None, {"RESCUE_MONITOR_KAFKA_WORKER_HEARTBEAT": "9"})
