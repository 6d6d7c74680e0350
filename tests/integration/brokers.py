"""Kafka for tests, the most real that can be had: one that is given, our own, one in a container, or a mock."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GIVEN: Final = "KAFKA_BOOTSTRAP_SERVERS"
REQUIRED: Final = "RESCUE_MONITOR_REQUIRE_KAFKA"
"""Set to 1, tests fail where neither a given broker nor our own can be used."""

MARKS: Final = (
    pytest.mark.slow,
    pytest.mark.xdist_group("kafka"),
    # kafka-python leaves a socket to the garbage collector if it is closed while it connects
    pytest.mark.filterwarnings("ignore:unclosed <(socket|ssl):ResourceWarning"),
    pytest.mark.usefixtures("_sockets_collected"),
)
"""Of every test that needs Kafka: one process runs them all, with one broker."""

RUN: Final = ROOT / "deploy/kafka/run"
_READY_WITHIN: Final = 90.0
_STOPPED_WITHIN: Final = 30.0
_IMAGE: Final = "apache/kafka:4.1.1"
_MOCK: Final = """
import signal
from confluent_kafka import Producer
cluster = Producer({"bootstrap.servers": "mock:1", "test.mock.num.brokers": 1, "log_level": 0})
print(*(f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=10).brokers.values()), flush=True)
signal.pause()
"""


Settings = Callable[[tuple[int, int]], Sequence[str]]


class NoBrokerError(Exception):
    """This rung of the ladder cannot be used; the text says why."""


class Broker:
    """A Kafka cluster: where it is, what it can do, and what may be done to it.

    ``real`` is false for the mock: it creates no topics, knows no groups of several members, and understands aiokafka
    but not kafka-python.
    """

    real = True
    servers: str

    def stop(self) -> None:
        """End it in order, as an operator would."""

    def need_to_be_real(self) -> None:
        """Skip the test if this is only the mock."""
        if not self.real:
            pytest.skip("only a mock of Kafka is at hand")


class GivenBroker(Broker):
    """Somebody else's, never started or stopped from here."""

    def __init__(self, servers: str) -> None:
        self.servers = servers


class OwnBroker(Broker):
    """``deploy/kafka/run`` with its data in ``folder``; it may be stopped, killed and started again on its data.

    ``settings`` are a broker's settings as ``name=value``, made from the ports for clients and for itself.
    """

    def __init__(self, folder: Path, settings: Settings = lambda _: ()) -> None:
        self._folder = folder
        self.port, self._controller_port = free_port(), free_port()
        self._settings = [f"--set={setting}" for setting in settings((self.port, self._controller_port))]
        self.servers = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Start it and wait until it answers; returns the seconds that took."""
        began = time.monotonic()
        places = [f"--data={self._folder / 'data'}", f"--logs={self._folder / 'logs'}"]
        ports = [f"--port={self.port}", f"--controller-port={self._controller_port}"]
        with (self._folder / "start.txt").open("ab") as output:
            self._process = subprocess.Popen(
                [RUN, *ports, *places, *self._settings], stdout=output, stderr=output, start_new_session=True
            )
        wait_until(self._answers, _READY_WITHIN, "the broker answers")
        return time.monotonic() - began

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would: no time to write or to say anything."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it in order and start it again."""
        self.stop()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(_STOPPED_WITHIN)
        finally:
            with_children_gone(self._process)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise NoBrokerError((self._folder / "start.txt").read_text(encoding="utf-8").strip())
        return is_listening(self.port)


class ContainerBroker(Broker):
    """Apache's image in Docker."""

    def __init__(self) -> None:
        docker = shutil.which("docker")
        if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
            raise NoBrokerError("no Docker that answers")
        port = free_port()
        self.servers = f"127.0.0.1:{port}"
        listeners = f"PLAINTEXT://:{port},CONTROLLER://:{port + 1}"
        settings = {
            "KAFKA_NODE_ID": "1",
            "KAFKA_PROCESS_ROLES": "broker,controller",
            "KAFKA_LISTENERS": listeners,
            "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{self.servers}",
            "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
            "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@localhost:{port + 1}",
            "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
            "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        }
        self._name = f"rescue-monitor-kafka-{port}"
        variables = [f"--env={name}={value}" for name, value in settings.items()]
        started = subprocess.run(
            [docker, "run", "--rm", "--detach", f"--name={self._name}", f"--publish={port}:{port}", *variables, _IMAGE],
            capture_output=True,
            text=True,
            check=False,
        )
        if started.returncode:
            raise NoBrokerError(started.stderr.strip())
        wait_until(lambda: is_listening(port), _READY_WITHIN, "the container answers")

    def stop(self) -> None:
        subprocess.run(["docker", "stop", self._name], capture_output=True, check=False)


class MockBroker(Broker):
    """librdkafka's mock of a cluster, in a process of its own."""

    real = False

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _MOCK], stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.servers = self._process.stdout.readline().strip()
        if not self.servers:
            self.stop()
            raise NoBrokerError("librdkafka's mock did not start")

    def stop(self) -> None:
        with_children_gone(self._process)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def broker_at_hand(folder: Path) -> Iterator[Broker]:
    """The best broker of the ladder, with what it stores in ``folder``; it is stopped in the end."""
    rungs: list[Callable[[], Broker]] = [_given, lambda: _own(folder)]
    if os.environ.get(REQUIRED) != "1":
        rungs += [ContainerBroker, MockBroker]
    reasons = []
    for rung in rungs:
        try:
            broker = rung()
        except NoBrokerError as error:
            reasons.append(str(error))
            continue
        try:
            yield broker
        finally:
            broker.stop()
        return
    pytest.fail("no Kafka: " + "; ".join(reasons))


@contextmanager
def own_broker(folder: Path, settings: Settings = lambda _: ()) -> Iterator[OwnBroker]:
    """A broker of one's own, to be stopped and killed; skips the test if there can be none."""
    broker = OwnBroker(folder, settings)
    try:
        broker.start()
    except NoBrokerError as error:
        if os.environ.get(REQUIRED) == "1":
            raise
        pytest.skip(f"no Kafka of its own for this test: {error}")
    try:
        yield broker
    finally:
        broker.stop()


def _given() -> Broker:
    servers = os.environ.get(GIVEN)
    if not servers:
        raise NoBrokerError(f"{GIVEN} is not set")
    return GivenBroker(servers)


def _own(folder: Path) -> Broker:
    broker = OwnBroker(folder)
    try:
        broker.start()
    except BaseException:
        broker.stop()
        raise
    return broker


def with_children_gone(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill a process that leads its own group, and whatever it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_listening(port: int) -> bool:
    """Whether anybody accepts connections on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds: Callable[[], bool], seconds: float, what: str, every: float = 0.05) -> None:
    """Wait for something to become true, looking ``every`` so many seconds; fails the test after ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:.0f} s for this: {what}")
        time.sleep(every)
