"""How to reach Kafka: from a YAML file, from ``RESCUE_MONITOR_KAFKA_*``, from the command line; the last one counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from rules.settings import SettingsError
from streams.topics import TopicName
from streams.trust import STEP

ENVIRONMENT: Final = "RESCUE_MONITOR_KAFKA_"
"""How the names of environment variables begin; the name of a setting follows, in capitals."""

WORKER: Final = "worker_"
"""How the names of a worker's settings begin in the environment and among options."""


_REACHED_WITHIN_MS: Final = 10_000


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Server = Annotated[str, Field(pattern=r"^[^\s,:]+:\d{1,5}$|^\[[0-9A-Fa-f:.]+\]:\d{1,5}$")]


class WorkerSettings(BaseModel):
    """How a worker goes about its work. Times are seconds.

    Attributes:
        group: of workers who share the load; its offsets are kept under this name, after the prefix of the topics.
        session_timeout: after so long without a sign of life, another worker takes over.
        heartbeat: between two signs of life.
        request_timeout: for an answer of a broker; not shorter than the session.
        commit_interval: between two notes of how far the inputs have been read.
        snapshot_interval: between two states of one patient who keeps changing. A crash computes so much again.
        batch: most records at once.
        batch_within: how long a batch is collected.
        buffer: records of one input that may wait for being processed before no more are fetched.
        live_within: data received no longer than this before they arrive are live; only then time goes on.
        silence: how far time stays behind where nothing comes.
        step: the most by which the wall clock alone moves time beyond what senders say (local setting).
        ahead: how far the time of receiving may lie after the arrival before a record is refused; unset, the site's
            future_skew. Records whose dates were shifted to hide them need more.
        patience: how long other inputs wait for one that does not give what it has, and how long a record that is not
            live waits for inputs that have been read to their end, unless time marks say enough.
        listen: where figures and health are to be asked for, as ``host:port``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    group: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")] = "rescue-monitor"
    session_timeout: Annotated[float, Field(ge=1, le=300)] = 10.0
    heartbeat: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    request_timeout: Annotated[float, Field(ge=1, le=600)] = 15.0
    commit_interval: Annotated[float, Field(ge=0.1, le=60)] = 0.5
    snapshot_interval: Annotated[float, Field(ge=0.1, le=600)] = 25.0
    batch: Annotated[int, Field(ge=1, le=100_000)] = 1000
    batch_within: Annotated[float, Field(ge=0.001, le=5)] = 0.02
    buffer: Annotated[int, Field(ge=100, le=1_000_000)] = 16_384
    live_within: Annotated[float, Field(ge=1, le=3600)] = 60.0
    silence: Annotated[float, Field(ge=1, le=600)] = 10.0
    step: Annotated[float, Field(ge=0, le=600)] = STEP.total_seconds()
    ahead: Annotated[float, Field(ge=0, le=1e10)] | None = None
    patience: Annotated[float, Field(ge=1, le=600)] = 10.0
    listen: Annotated[Server, Field()] = "127.0.0.1:9464"

    @model_validator(mode="after")
    def _consistent(self) -> WorkerSettings:
        if self.request_timeout < self.session_timeout:
            raise ValueError("request_timeout must not be shorter than session_timeout")
        if self.heartbeat * 3 > self.session_timeout:
            raise ValueError("session_timeout must be at least three heartbeats")
        return self


class KafkaSettings(BaseModel):
    """How to reach one Kafka cluster.

    Attributes:
        bootstrap_servers: some of its brokers, as ``host:port``; one string may name several, with commas.
        prefix: put before the name of each topic, so that several wards or trials share a cluster.
        security_protocol: TLS and SASL, as Kafka names them.
        sasl_mechanism: how the user is proved; needed with SASL.
        sasl_username: needed with SASL.
        sasl_password: needed with SASL; never printed, and not to be given on a command line.
        ssl_cafile: certificates to trust; unset, those of the system.
        ssl_certfile: the client's own certificate, where the cluster wants one.
        ssl_keyfile: its key.
        ssl_password: opens the key; never printed.
        ssl_check_hostname: whether the broker's certificate must name the broker.
        worker: of the command of this name only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: Annotated[tuple[Server, ...], BeforeValidator(_split), Field(min_length=1)] = ("127.0.0.1:9092",)
    prefix: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$")] = ""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    worker: WorkerSettings = WorkerSettings()

    @model_validator(mode="after")
    def _complete(self) -> KafkaSettings:
        sasl = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if self.security_protocol.startswith("SASL") and None in sasl:
            msg = f"{self.security_protocol} needs sasl_mechanism, sasl_username and sasl_password"
            raise ValueError(msg)
        if not self.security_protocol.startswith("SASL") and sasl != (None, None, None):
            msg = f"sasl_* settings are given, but {self.security_protocol} does not use them"
            raise ValueError(msg)
        tls = (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile, self.ssl_password)
        if not self.security_protocol.endswith("SSL") and tls != (None, None, None, None):
            msg = f"ssl_* settings are given, but {self.security_protocol} does not use them"
            raise ValueError(msg)
        return self

    def topic(self, name: TopicName) -> str:
        """The full name of a topic."""
        return f"{self.prefix}{name}"

    def client_options(self) -> dict[str, Any]:
        """What every client of kafka-python is made with; the secrets are in it, so it is not for printing."""
        options: dict[str, Any] = {
            "bootstrap_servers": list(self.bootstrap_servers),
            "client_id": "rescue-monitor",
            "security_protocol": self.security_protocol,
            "bootstrap_timeout_ms": _REACHED_WITHIN_MS,
        }
        if self.security_protocol.startswith("SASL") and self.sasl_password is not None:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password.get_secret_value()
        if self.security_protocol.endswith("SSL"):
            options["ssl_check_hostname"] = self.ssl_check_hostname
            files = {"ssl_cafile": self.ssl_cafile, "ssl_certfile": self.ssl_certfile, "ssl_keyfile": self.ssl_keyfile}
            options |= {name: str(path) for name, path in files.items() if path is not None}
            if self.ssl_password is not None:
                options["ssl_password"] = self.ssl_password.get_secret_value()
        return options


def load_settings(
    path: Path | None, environment: Mapping[str, str], options: Mapping[str, object] = MappingProxyType({})
) -> KafkaSettings:
    """Settings from a file, over which the environment counts, over which ``options`` that are not None count.

    Raises:
        SettingsError: naming the place and the reason, and no value.
    """
    values: dict[str, Any] = {}
    place = ENVIRONMENT + "*"
    if path is not None:
        place = f"{path}, {place}"
        values |= _read(path)
    values |= {
        name.removeprefix(ENVIRONMENT).lower(): value
        for name, value in environment.items()
        if name.startswith(ENVIRONMENT)
    }
    values |= {name: value for name, value in options.items() if value is not None}
    worker = {name: values.pop(name) for name in list(values) if name.startswith(WORKER)}
    if worker:
        given = values.get("worker") or {}
        values["worker"] = given | {name.removeprefix(WORKER): value for name, value in worker.items()}
    try:
        return KafkaSettings.model_validate(values)
    except ValidationError as error:
        details = [f"{'.'.join(map(str, e['loc'])) or 'Kafka'}: {e['msg']}" for e in error.errors(include_url=False)]
        raise SettingsError(f"{place}: " + "; ".join(details)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        msg = f"{path}: {error.strerror}"
    except UnicodeDecodeError:
        msg = f"{path}: not UTF-8 text"
    except yaml.YAMLError:
        msg = f"{path}: not YAML"  # the reader's own words would quote the file, and with it a password
    else:
        if isinstance(content, dict):
            return content
        msg = f"{path}: not a list of settings by name"
    raise SettingsError(msg)
