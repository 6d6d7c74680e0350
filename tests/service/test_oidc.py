"""An identity provider that rotates, withdraws, fails, drips or floods, and tokens that were made up."""

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import ValidationError

from monitor.service.keys import FRESH_FOR, GOOD_FOR, NOT_AGAIN_FOR, Keys, KeysError, fetch, read_keys
from monitor.service.oidc import Oidc, OidcSettings
from monitor.service.security import CredentialError

PRIVATE = {name: rsa.generate_private_key(65537, 2048) for name in ("one", "two")}
ISSUER = "https://id.example"
Roles = dict[str, Any]


def published(*names: str) -> bytes:
    keys = []
    for name in names:
        key: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE[name].public_key(), as_dict=True)
        keys.append({**key, "kid": name, "use": "sig"})
    return json.dumps({"keys": keys}).encode()


def token(name: str = "one", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    base = {"iss": ISSUER, "aud": "rm", "sub": "dr-1", "roles": ["doc"], "exp": int(time.time()) + 600}
    content = json.dumps({**base, **claims}).encode()
    return jwt.PyJWS().encode(content, PRIVATE[name], "RS256", {"kid": name, **(headers or {})})


class Provider:
    """What it publishes, and how often it was asked; its time is set."""

    def __init__(self, *names: str) -> None:
        self.names, self.asked, self.now = list(names), 0, 1000.0
        self.keys = Keys(self._answer, lambda: self.now)
        self.down = False

    def _answer(self) -> bytes:
        self.asked += 1
        if self.down:
            raise KeysError("down")
        return published(*self.names)

    def lets_in(self, name: str, mapped: Roles | None = None, **claims: Any) -> bool:
        roles: Any = mapped or {"doc": "clinician"}
        settings = OidcSettings(issuer=ISSUER, audience="rm", keys="https://x/keys", roles=roles)
        try:
            return Oidc(settings, self.keys).authenticate(token(name, **claims)).role == "clinician"
        except CredentialError:
            return False


class TestKeys:
    def test_one_that_was_withdrawn_is_refused_within_five_minutes(self) -> None:
        provider = Provider("one", "two")
        assert provider.lets_in("one")
        provider.names = ["two"]
        provider.now += 300
        assert not provider.lets_in("one")
        assert provider.lets_in("two")

    def test_are_read_again_although_each_token_has_a_known_one(self) -> None:
        provider = Provider("one")
        for _ in range(100):
            provider.now += 60
            assert provider.lets_in("one")
        assert provider.asked == 100 * 60 / FRESH_FOR

    def test_a_new_one_is_read_when_a_token_names_it(self) -> None:
        provider = Provider("one")
        assert provider.lets_in("one")
        provider.names = ["one", "two"]
        provider.now += NOT_AGAIN_FOR
        assert provider.lets_in("two")

    def test_of_made_up_names_do_not_make_us_ask_for_each(self) -> None:
        provider = Provider("one")
        assert provider.lets_in("one")
        for number in range(1000):
            provider.now += 0.1
            assert not provider.lets_in("one", headers={"kid": f"made-up-{number}"})
        assert provider.asked <= 1 + 100 / NOT_AGAIN_FOR
        assert provider.lets_in("one")

    def test_are_not_asked_for_by_each_token_while_the_provider_is_down(self) -> None:
        provider = Provider("one")
        provider.down = True
        for _ in range(1000):
            provider.now += 0.1
            assert not provider.lets_in("one")
        assert provider.asked <= 1 + 100 / NOT_AGAIN_FOR
        provider.down = False
        provider.now += NOT_AGAIN_FOR
        assert provider.lets_in("one")

    def test_are_good_for_a_while_without_the_provider_and_then_let_nobody_in(self) -> None:
        provider = Provider("one")
        assert provider.lets_in("one")
        provider.down = True
        provider.now += FRESH_FOR + 1
        assert provider.lets_in("one")
        provider.now += GOOD_FOR - FRESH_FOR
        assert not provider.lets_in("one")

    def test_that_are_known_need_not_wait_for_a_question_under_way(self) -> None:
        begun, go_on = threading.Event(), threading.Event()
        now = [0.0]

        def answer() -> bytes:
            if now[0]:
                begun.set()
                assert go_on.wait(60)
            return published("one")

        keys = Keys(answer, lambda: now[0])
        keys.key("one")
        now[0] = FRESH_FOR
        asking = threading.Thread(target=keys.key, args=("one",))
        asking.start()
        assert begun.wait(60)
        assert keys.key("one") is not None
        go_on.set()
        asking.join()

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"[1,2]",
            b"5",
            b"<html>",
            b'{"keys":[]}',
            b'{"keys":5}',
            b'{"keys":[1]}',
            b'{"keys":[{"kty":"x"}]}',
            b"\xff\xfe{",
            b"[" * 100_000,
            b'{"keys":[{"kty":"RSA","kid":"a","n":"","e":""}]}',
            b'{"keys":[{"kty":"RSA","kid":["a"],"n":5,"e":{}}]}',
        ],
    )
    def test_that_are_none_are_an_error_with_a_reason(self, content: bytes) -> None:
        with pytest.raises(KeysError) as caught:
            read_keys(content)
        assert str(caught.value)

    def test_for_encryption_sign_nothing(self) -> None:
        body = json.loads(published("one", "two"))
        body["keys"][0]["use"] = "enc"
        assert set(read_keys(json.dumps(body).encode())) == {"two"}


class TestRoles:
    @pytest.mark.parametrize(
        ("given", "role"),
        [
            (["doc"], True),
            ("doc", True),
            ("guest doc", True),
            (["clinician"], False),
            ("clinician", False),
            (["guest", "clinician"], False),
            ([], False),
            ([""], False),
            ([None], False),
            ([1], False),
            ([["doc"]], False),
            ({"doc": 1}, False),
            (True, False),
        ],
    )
    def test_only_those_of_the_map_count_if_there_is_one(self, given: Any, role: bool) -> None:
        assert Provider("one").lets_in("one", {"doc": "clinician", "guest": "viewer"}, roles=given) == role

    @pytest.mark.parametrize("roles", [{"None": "clinician"}, {"1": "clinician"}, {"True": "clinician"}])
    def test_are_texts_and_nothing_that_looks_like_one(self, roles: Roles) -> None:
        for given in ([None], [1], [True]):
            assert not Provider("one").lets_in("one", roles, roles=given)

    def test_a_map_that_is_empty_lets_nobody_in_and_no_name_is_empty(self) -> None:
        settings: dict[str, Any] = {"issuer": ISSUER, "audience": "rm", "keys": "https://x/keys"}
        keys = Provider("one").keys
        with pytest.raises(CredentialError, match="none of our roles"):
            Oidc(OidcSettings(**settings, roles={}), keys).authenticate(token(roles=["clinician"]))
        assert Oidc(OidcSettings(**settings), keys).authenticate(token(roles=["clinician"])).role == "clinician"
        with pytest.raises(ValidationError):
            OidcSettings(**settings, roles={"": "viewer"})


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "made_up",
    [
        "",
        "a.b.c",
        ".." * 100,
        "\N{SNOWMAN}.a.b",
        part(b"[1]") + ".e30.e30",
        part(b'{"alg":"RS256","kid":5}') + ".e30.e30",
        part(b'{"alg":"RS256","kid":{}}') + ".e30.e30",
        part(b'{"alg":"RS256","kid":["one"]}') + ".e30.e30",
        part(b'{"alg":"RS256"}') + ".e30.e30",
        part(b'{"alg":["RS256"],"kid":"one"}') + ".e30.e30",
        part(b'{"alg":"RS256","kid":"one","x":' + b"[" * 5000 + b"]" * 5000 + b"}") + ".e30.e30",
        part(b'{"alg":"none","kid":"one"}') + ".e30.",
        part(b'{"alg":"RS256","kid":"one","crit":["x"],"x":1}') + ".e30.e30",
        token(exp="soon"),
        token(aud=[]),
        token(aud=5),
        token(iss=[ISSUER]),
        token(sub=5),
        token(sub="rules"),
        token(sub="unknown"),
        token(sub="local"),
        token("two", {"kid": "one"}),
    ],
    ids=map(str, count()),
)
def test_what_was_made_up_lets_nobody_in_and_is_no_error_of_ours(made_up: str) -> None:
    settings = OidcSettings(issuer=ISSUER, audience="rm", keys="https://x/keys", roles={"doc": "clinician"})
    with pytest.raises(CredentialError):
        Oidc(settings, Provider("one").keys).authenticate(made_up)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what it is told."""
    ended = threading.Event()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                if ended.is_set():
                    return
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        ended.set()
        with socket.create_connection(listener.getsockname()):
            thread.join()


def says(head: bytes, body: bytes = b"", again: bytes = b"") -> Callable[[socket.socket], None]:
    """An answer that begins so and then repeats something until nobody listens any more."""

    def answer(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + (b"\r\n" if body else b"") + body)
        connection.settimeout(0.02)
        while again:
            connection.sendall(again)
            with suppress(TimeoutError):
                if len(again) < 100 and not connection.recv(1):
                    return

    return answer


class TestFetch:
    def test_brings_what_is_there(self) -> None:
        with answering(says(b"Content-Length: 2\r\n", b"{}")) as address:
            assert fetch(address, 30) == b"{}"

    @pytest.mark.parametrize(
        "answer",
        [
            says(b"Content-Length: 100000\r\n", b"{", b" "),
            says(b"X: ", b"", b"a"),
            says(b"", b"", b"A: b\r\n"),
            says(b"Transfer-Encoding: chunked\r\n", b"1\r\n{\r\n", b"1\r\n \r\n"),
        ],
        ids=["body", "header", "headers", "chunks"],
    )
    def test_ends_in_time_however_slowly_it_comes(self, answer: Callable[[socket.socket], None]) -> None:
        with answering(answer) as address, pytest.raises(KeysError):
            fetch(address, 0.5)

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (says(b"Content-Length: 999999999\r\n", b"{", b" " * 65536), "more than 4096 bytes"),
            (says(b"Transfer-Encoding: chunked\r\n", b"1\r\n{\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n"), "more than"),
            (says(b"Content-Length: 100\r\n", b'{"keys"'), "cut short|IncompleteRead"),
        ],
        ids=["large", "endless", "short"],
    )
    def test_takes_no_more_than_a_little_and_no_half(self, answer: Callable[[socket.socket], None], why: str) -> None:
        with answering(answer) as address, pytest.raises(KeysError, match=why):
            fetch(address, 30, largest=4096)

    @pytest.mark.parametrize("status", [b"302 Found", b"404 Not Found", b"500 Oh"])
    def test_follows_nobody_elsewhere_and_takes_no_error_for_keys(self, status: bytes) -> None:
        def answer(connection: socket.socket) -> None:
            connection.recv(1 << 16)
            connection.sendall(
                b"HTTP/1.1 " + status + b"\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 2\r\n\r\n{}"
            )

        with answering(answer) as address, pytest.raises(KeysError, match="HTTPError"):
            fetch(address, 30)

    def test_of_nobody_there_is_an_error_with_a_reason(self) -> None:
        with pytest.raises(KeysError, match="URLError"):
            fetch("http://127.0.0.1:9/keys", 5)
