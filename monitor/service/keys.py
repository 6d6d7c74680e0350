"""Published keys of an identity provider: read again within minutes, seldom enough, and never more than a little."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import jwt

from monitor.service.security import CredentialError

FRESH_FOR: Final = 240.0
"""Seconds after which keys are read again when one is asked for."""

GOOD_FOR: Final = 300.0
"""Seconds after which they let nobody in any more: a key that was withdrawn is refused by then."""

NOT_AGAIN_FOR: Final = 30.0
"""Seconds between two attempts: whoever sends made-up tokens does not make us ask for each of them."""

LARGEST: Final = 1 << 20
"""Bytes of an answer."""

_log: Final = logging.getLogger(__name__)


class KeysError(Exception):
    """An answer that holds no keys; the text says why, without it."""


def fetch(address: str, seconds: float, largest: int = LARGEST) -> bytes:
    """What is at an address, in so many seconds altogether however slowly it comes, or not at all.

    Redirections are not followed. Finding the address by its name may take the system's own time.

    Raises:
        KeysError: if it is too large, takes too long, or is not there.
    """
    watch = _Watch(seconds)
    handlers = (_Unmoved(), _Plain(watch), _Secured(watch))
    try:
        with urllib.request.build_opener(*handlers).open(address, timeout=seconds) as answer:
            content: bytes = answer.read(largest + 1)
            whole = answer.length in (None, 0)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise KeysError("it took too long" if watch.over else type(error).__name__) from None
    finally:
        watch.end()
    if len(content) > largest:
        raise KeysError(f"more than {largest} bytes")
    if watch.over or not whole:
        raise KeysError("it took too long" if watch.over else "it was cut short")
    return content


def read_keys(content: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of an answer that sign, by their ids.

    Raises:
        KeysError: if there are none.
    """
    try:
        found = jwt.PyJWKSet.from_dict(json.loads(content))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
        raise KeysError(type(error).__name__) from None
    keys = {key.key_id: key for key in found.keys if key.key_id and key.public_key_use in ("sig", None)}
    if not keys:
        raise KeysError("no key that signs")
    return keys


class Keys:
    """The keys of one provider, from any thread.

    Args:
        ask: brings the provider's answer.
        seconds: a clock that never goes back.
    """

    def __init__(self, ask: Callable[[], bytes], seconds: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._seconds = seconds
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read = self._tried = float("-inf")
        self._asking = threading.Lock()

    def key(self, name: object) -> Any:
        """The key of that id.

        Raises:
            CredentialError: if there is none, or the keys cannot be read for too long.
        """
        found = self._known(name)
        if found is None or self._seconds() - self._read >= FRESH_FOR:
            # Whoever has a good key does not wait for somebody else's question to end.
            if self._asking.acquire(blocking=found is None):
                try:
                    self._read_again(name)
                finally:
                    self._asking.release()
            found = self._known(name)
        if found is None:
            raise CredentialError("no such key" if self._good() else "the provider's keys cannot be read")
        return found.key

    def _known(self, name: object) -> jwt.PyJWK | None:
        return self._keys.get(name) if isinstance(name, str) and self._good() else None

    def _good(self) -> bool:
        return self._seconds() - self._read < GOOD_FOR

    def _read_again(self, name: object) -> None:
        now = self._seconds()
        needed = self._known(name) is None or now - self._read >= FRESH_FOR
        if not needed or now - self._tried < NOT_AGAIN_FOR:
            return
        self._tried = now
        try:
            self._keys = read_keys(self._ask())
            self._read = now
        except KeysError as error:
            _log.error("the keys of the identity provider cannot be read: %s", error)


class _Watch:
    """Shuts down a connection that takes too long altogether; a timeout of the library's is for each piece."""

    def __init__(self, seconds: float) -> None:
        self.over = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def on(self, connection: socket.socket) -> None:
        """Watch this one."""
        self._socket = connection
        if self.over:
            self._shut_down()

    def end(self) -> None:
        """It is over."""
        self._timer.cancel()

    def _shut_down(self) -> None:
        self.over = True
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Nowhere."""


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPConnection, self._watch), req)


class _Secured(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_watched(http.client.HTTPSConnection, self._watch), req)


def _watched(kind: type[http.client.HTTPConnection], watch: _Watch) -> Any:
    class Watched(kind):  # type: ignore[valid-type, misc] # the library asks for a class
        def connect(self) -> None:
            super().connect()
            watch.on(self.sock)

    return Watched
