import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from streams.kafka.health import Health, HealthServer


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_makes_no_progress_although_there_is_something_to_do_is_not_alive() -> None:
    time = Time()
    health = Health(time)
    for time.now in range(0, 59, 10):
        health.looked_around(lag=5, applied=False)
    assert health.alive()
    assert health.idle() == 50
    time.now = 61
    health.looked_around(lag=5, applied=False)
    assert not health.alive()
    health.looked_around(lag=5, applied=True)
    assert health.alive()


def test_who_has_nothing_to_do_is_alive() -> None:
    time = Time()
    health = Health(time)
    for time.now in range(0, 1000, 10):
        health.looked_around(lag=0, applied=False)
        assert health.alive()
    assert health.idle() == 0


def test_who_does_not_look_around_any_more_is_not_alive() -> None:
    time = Time()
    health = Health(time)
    time.now = 61
    assert not health.alive()


@pytest.fixture
def server() -> Iterator[tuple[HealthServer, Health, Time]]:
    time, registry = Time(), CollectorRegistry()
    Gauge("beds", "Beds.", registry=registry).set(7)
    health = Health(time)
    server = HealthServer(("127.0.0.1", 0), health, registry)
    server.start()
    yield server, health, time
    server.stop()


def ask(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_world_may_ask(server: tuple[HealthServer, Health, Time]) -> None:
    answers, health, time = server
    assert "beds 7.0" in ask(answers, "/metrics")[1]
    assert ask(answers, "/readyz")[0] == 503
    health.ready = True
    assert ask(answers, "/readyz") == (200, "ok\n")
    assert ask(answers, "/livez?verbose")[0] == 200
    time.now = 1000.0
    assert ask(answers, "/livez")[0] == 503
    assert ask(answers, "/table/patients")[0] == 404
