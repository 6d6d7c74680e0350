"""What a connection may take before anybody knows whose it is: bytes, lines, time, and places."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from uvicorn.server import ServerState

from monitor import cli
from monitor.options import UNREADABLE
from monitor.service.connections import Connection, Limits, most_connections
from tests.service.running import WITHIN, Running, running

pytestmark = pytest.mark.xdist_group("service")

QUICK = Limits(head_seconds=0.3, body_seconds=0.5, sending_seconds=0.5, idle_seconds=1, connections=20)
START = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"
GET = START + b"\r\n"
POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With the limits that a service has."""
    with running(tmp_path_factory.mktemp("connections") / "service.db") as service:
        yield service


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With little time and few places."""
    with running(tmp_path_factory.mktemp("hasty") / "service.db", limits=QUICK) as service:
        yield service


def connect(service: Running) -> socket.socket:
    parts = urlsplit(service.address)
    found = socket.create_connection((parts.hostname, parts.port), WITHIN)
    found.settimeout(WITHIN)
    return found


def push(connection: socket.socket, piece: bytes, most: int) -> int:
    """How many bytes are taken of something endless."""
    sent = 0
    try:
        while sent < most:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


def rest(connection: socket.socket) -> bytes:
    """All that comes until the connection is closed."""
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionError:
        pass
    return found


def memory() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


ENDLESS = {
    "value": (START + b"X: ", b"a" * MIB),
    "name": (START, b"a" * MIB),
    "headers": (START, b"A: b\r\n" * (MIB // 6)),
    "empty headers": (START, b"A:\r\n" * (MIB // 4)),
    "folded": (START + b"X: a\r\n", b" a\r\n" * (MIB // 4)),
    "address": (b"GET /", b"a" * MIB),
    "query": (b"GET /livez?", b"a=b&" * (MIB // 4)),
    "method": (b"", b"A" * MIB),
    "cookies": (START, b"Cookie: a=b\r\n" * (MIB // 13)),
    "trailer value": (CHUNKED + b"1\r\n1\r\n0\r\nX: ", b"a" * MIB),
    "trailers": (CHUNKED + b"1\r\n1\r\n0\r\n", b"A: b\r\n" * (MIB // 6)),
    "extension": (CHUNKED + b"1;", b"a" * MIB),
}


@pytest.mark.parametrize(("start", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_cut_short(patient: Running, start: bytes, piece: bytes) -> None:
    before = memory()
    with connect(patient) as connection:
        connection.sendall(start)
        assert push(connection, piece, 64 * MIB) < 32 * MIB  # what the kernel holds for both ends is not ours
    assert memory() - before < 16 * MIB
    assert patient.client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "lines",
    [
        b"X: " + b"a" * 40_000 + b"\r\n",
        b"A: b\r\n" * 120,
        b"A: " + b"b" * 300 + b"\r\n" + b"C: " + b"d" * 33_000 + b"\r\n",
    ],
    ids=["long", "many", "together"],
)
def test_a_head_that_is_too_large_is_told_so(patient: Running, lines: bytes) -> None:
    with connect(patient) as connection:
        connection.sendall(START + lines + b"\r\n")
        assert rest(connection).startswith(b"HTTP/1.1 431 ")


def test_a_head_as_large_as_a_token_needs_is_read(patient: Running) -> None:
    headers = {"Authorization": "Bearer " + "x" * 20_000, **{f"X-{number}": "y" for number in range(60)}}
    assert patient.client.get("/livez", headers=headers).status_code == 200


def test_a_body_without_events_is_small(patient: Running) -> None:
    body = b'{"action":"accept","comment":"' + b"x" * 70_000
    kind = {"Content-Type": "application/json"}
    assert patient.client.post("/v1/alerts/none/actions", content=body, headers=kind).status_code == 413
    chunks = iter([body[:40_000], body[40_000:]])
    assert patient.client.post("/v1/alerts/none/actions", content=chunks, headers=kind).status_code == 413


def test_requests_that_do_not_wait_for_answers_are_few(patient: Running) -> None:
    with connect(patient) as connection:
        connection.sendall(GET * 10)
        found = b""
        while found.count(b"HTTP/1.1 200") < 10:
            found += connection.recv(1 << 16)
    with connect(patient) as connection:
        assert push(connection, GET * 20_000, 64 * MIB) < 32 * MIB
        assert rest(connection).count(b"HTTP/1.1 200") < 1000


def test_who_is_sent_away_while_being_answered_is_no_fault_of_ours(
    patient: Running, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        with connect(patient) as connection:
            connection.sendall((POST + b"Content-Length: 2\r\n\r\n{}") * 40)
            assert b"HTTP/1.1 500" not in rest(connection)
    assert patient.client.get("/livez").status_code == 200
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


HALF = {
    "nothing": b"",
    "blank lines": b"\r\n\r\n",
    "half a line": b"GET /li",
    "half a head": START,
    "no body": POST + b"Content-Length: 10\r\n\r\n",
    "half a body": POST + b"Content-Length: 10\r\n\r\n[",
    "half a chunk": CHUNKED + b"5\r\n[",
    "no last chunk": CHUNKED + b"1\r\n[\r\n",
    "half a trailer": CHUNKED + b"1\r\n[\r\n0\r\nA: b\r\n",
    "after another": GET + b"GET /li",
    "after a pause": GET,
    "expecting": POST + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    "no token": b"POST /v1/alerts/x/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
}


@pytest.mark.parametrize("half", HALF.values(), ids=HALF)
def test_half_a_request_does_not_stay(hasty: Running, half: bytes) -> None:
    with connect(hasty) as connection:
        connection.sendall(half)
        said = rest(connection)
    if half.startswith((b"GET /li", START)) and b"\r\n\r\n" not in half:
        assert said.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("piece", [b"a", b"A: b\r\n"], ids=["bytes", "lines"])
def test_a_request_that_trickles_in_does_not_stay(hasty: Running, piece: bytes) -> None:
    """Each byte comes in time, and all of them do not."""
    with connect(hasty) as connection:
        connection.sendall(START + (b"X: " if piece == b"a" else b""))
        connection.settimeout(0.02)
        for _ in range(3000):
            try:
                connection.sendall(piece)
                connection.recv(1 << 16)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("it is still there")


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """An application that nothing is asked of."""


class Timer:
    def __init__(self, loop: "Loop", at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self._loop = at, call, loop

    def cancel(self) -> None:
        self._loop.timers = [timer for timer in self._loop.timers if timer is not self]


class Loop:
    """Whose time a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Timer:
        self.timers.append(Timer(self, self.now + seconds, lambda: call(*arguments)))
        return self.timers[-1]

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.at <= self.now]:
            timer.cancel()
            timer.call()


class Transport:
    """Nobody at the other end."""

    def __init__(self) -> None:
        self.closing = self.aborted = False

    def get_extra_info(self, name: str) -> Any:
        return None

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True

    def write(self, data: bytes) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class TestWhoTakesNoAnswer:
    LIMITS = Limits(sending_seconds=5, connections=10)

    @pytest.fixture
    def loop(self) -> Loop:
        return Loop()

    def connection(self, loop: Loop) -> tuple[Connection, Transport]:
        config = uvicorn.Config(nobody, http="httptools", ws="none", log_config=None)
        made: Any = Connection(limits=self.LIMITS, config=config, server_state=ServerState(), app_state={}, _loop=loop)
        transport: Any = Transport()
        made.connection_made(transport)
        return made, transport

    def test_does_not_stay(self, loop: Loop) -> None:
        connection, transport = self.connection(loop)
        connection.pause_writing()
        loop.pass_time(2)
        connection.resume_writing()
        connection.pause_writing()
        loop.pass_time(self.LIMITS.sending_seconds - 0.1)
        assert not transport.aborted
        loop.pass_time(0.2)
        assert transport.aborted

    def test_does_not_stay_either_where_the_connection_is_to_be_closed(self, loop: Loop) -> None:
        connection, transport = self.connection(loop)
        connection.send_400_response("")
        assert transport.closing
        assert not transport.aborted
        loop.pass_time(self.LIMITS.sending_seconds)
        assert transport.aborted

    def test_leaves_no_timer_when_it_goes(self, loop: Loop) -> None:
        connection, _ = self.connection(loop)
        connection.pause_writing()
        connection.connection_lost(None)
        assert loop.timers == []


class TestPlaces:
    def test_hundreds_who_wait_keep_nobody_out(self, hasty: Running) -> None:
        with ExitStack() as open_ones:
            for number in range(300):
                one = open_ones.enter_context(connect(hasty))
                one.sendall(list(HALF.values())[number % len(HALF)])
                if not number % 30:
                    with httpx.Client(base_url=hasty.address, timeout=WITHIN) as client:
                        assert client.get("/v1/unit").status_code == 200

    def test_who_is_being_answered_stays(self, hasty: Running) -> None:
        with hasty.client.stream("GET", "/v1/stream") as feed, ExitStack() as open_ones:
            lines = feed.iter_lines()
            next(lines)
            for _ in range(60):
                open_ones.enter_context(connect(hasty))
            assert any(line.startswith("event: heartbeat") for line in lines)

    def test_are_as_many_as_files_may_be_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for allowed, places in ((256, 96), (1024, 864), (100_000, 1000), (32, 16), (resource.RLIM_INFINITY, 1000)):
            monkeypatch.setattr(resource, "getrlimit", lambda _, found=allowed: (found, found))
            assert most_connections() == places


def test_a_sender_that_pauses_for_a_minute_keeps_its_connection() -> None:
    assert Limits().idle_seconds > 60


def test_an_address_that_is_taken_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert cli.main(["serve", "--database", str(tmp_path / "service.db"), "--listen", address]) == UNREADABLE
    assert f"{address}: the service cannot listen there" in capsys.readouterr().err
