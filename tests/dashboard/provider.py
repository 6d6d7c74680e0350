"""An OpenID Connect provider that signs in whoever comes, and is strict about the rest."""

import base64
import hashlib
import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from monitor.service.oidc import OidcLogin, OidcSettings

CLIENT = "dashboard"
AUDIENCE = "rescue-monitor"
RENEWAL = "renewal of nurse-7"


class Provider:
    """Listens on loopback in a thread of its own.

    Attributes:
        refuses: whether it lets nobody in.
        granted: what tokens were given for.
    """

    def __init__(self) -> None:
        self.refuses = False
        self.granted: list[str] = []
        self.codes: dict[str, tuple[str, str]] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as the base has it
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def settings(self) -> OidcSettings:
        login = OidcLogin(client=CLIENT, authorize=f"{self.address}/authorize", token=f"{self.address}/token")
        return OidcSettings(issuer=self.address, audience=AUDIENCE, keys=f"{self.address}/keys", login=login)

    def token(self, actor: str, role: str) -> str:
        expires = datetime.now(UTC) + timedelta(minutes=5)
        claims = {"iss": self.address, "aud": AUDIENCE, "sub": actor, "roles": [role], "exp": expires}
        return jwt.encode(claims, self._key, "ES256", {"kid": "one"})

    def get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        if parts.path == "/keys":
            key = jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            _answer(request, 200, {"keys": [{**key, "kid": "one", "use": "sig"}]})
            return
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = (asked["code_challenge"], asked["redirect_uri"])
        told = {"error": "access_denied"} if self.refuses else {"code": code}
        request.send_response(302)
        request.send_header("Location", f"{asked['redirect_uri']}?{urlencode({**told, 'state': asked['state']})}")
        request.end_headers()

    def post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        if not self._good(form):
            _answer(request, 400, {"error": "invalid_grant"})
            return
        self.granted.append(form["grant_type"])
        given = {"token_type": "Bearer", "access_token": self.token("nurse-7", "clinician"), "refresh_token": RENEWAL}
        _answer(request, 200, given)

    def _good(self, form: dict[str, str]) -> bool:
        if form.get("client_id") != CLIENT:
            return False
        if form["grant_type"] == "refresh_token":
            return form["refresh_token"] == RENEWAL
        challenge, back = self.codes.pop(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (challenge, back) == (proof, form["redirect_uri"])


def _answer(request: BaseHTTPRequestHandler, status: int, content: Any) -> None:
    body = json.dumps(content).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.send_header("Access-Control-Allow-Origin", "*")
    request.end_headers()
    request.wfile.write(body)
