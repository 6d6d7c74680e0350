"""Bearer tokens of an OpenID Connect provider: checked against its published keys."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

import jwt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from monitor.service.keys import Keys, fetch
from monitor.service.models import Login, Role
from monitor.service.security import NO_PERSON, CredentialError, Principal
from rules.notation import Identifier

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has; none with a shared secret, and never none at all."""

_LEEWAY: Final = 30
"""Seconds by which the clocks may differ."""

_MOST_FIRST: Final[tuple[Role, ...]] = ("clinician", "viewer", "operator")

_ACTOR: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


_ADDRESS: Final = r"^https?://[^\s;,'\"]+$"


class OidcLogin(BaseModel):
    """How the dashboard signs people in at the provider: by an authorization code with PKCE, as a public client.

    Attributes:
        client: the dashboard's id there; its address is to be registered as where to come back to.
        authorize: where people sign in (``authorization_endpoint``).
        token: where the code is exchanged (``token_endpoint``); it must let pages of our origin ask (CORS).
        scope: what is asked for; with ``offline_access``, where the provider wants that, tokens are renewed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client: str = Field(min_length=1)
    authorize: str = Field(pattern=_ADDRESS)
    token: str = Field(pattern=_ADDRESS)
    scope: str = "openid"


class OidcSettings(BaseModel):
    """How tokens are checked.

    Attributes:
        issuer: who must have made them.
        audience: whom they must be made for.
        keys: the address of the provider's keys (``jwks_uri``).
        role_claim: where the roles are: a claim, or a path of claims with dots between.
        actor_claim: the claim that says who it is, in an opaque id.
        roles: the provider's names of roles, each with ours; then no other lets in. Unset, they have the same names.
        timeout: seconds for an answer of the provider, altogether.
        login: how the dashboard signs people in; unset, they enter a token, or a proxy adds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    keys: str = Field(pattern=r"^https?://")
    role_claim: str = "roles"
    actor_claim: str = "sub"
    roles: dict[Annotated[str, Field(min_length=1)], Role] | None = None
    timeout: float = Field(default=5.0, gt=0, le=60)
    login: OidcLogin | None = None


class Oidc:
    """Checks tokens by the provider's keys."""

    def __init__(self, settings: OidcSettings, keys: Keys | None = None) -> None:
        self._settings = settings
        self._keys = keys or Keys(partial(fetch, settings.keys, settings.timeout))

    @property
    def login(self) -> Login:
        """At the provider, if the settings say how."""
        found = self._settings.login
        if found is None:
            return Login(kind="token")
        return Login(kind="oidc", issuer=self._settings.issuer, **found.model_dump())

    def authenticate(self, token: str) -> Principal:
        """The owner of a token.

        Raises:
            CredentialError: if it is not valid, not for us, or its owner has none of the roles.
        """
        settings = self._settings
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys.key(jwt.get_unverified_header(token).get("kid")),
                algorithms=list(_ALGORITHMS),
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", settings.actor_claim]},
            )
        except (jwt.PyJWTError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
            # Not all that can be written in a token has an error of the library's own.
            raise CredentialError(type(error).__name__) from None
        try:
            actor = _ACTOR.validate_python(claims[settings.actor_claim], strict=True)
        except ValidationError:
            raise CredentialError(f"{settings.actor_claim} is not an identifier") from None
        if actor in NO_PERSON:
            raise CredentialError(f"{settings.actor_claim} is a name that the audit uses for no person")
        return Principal.of(actor, self._role(claims))

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """The first of our roles that the token gives, those who may answer before those who may only look."""
        found: Any = claims
        for step in self._settings.role_claim.split("."):
            found = found.get(step) if isinstance(found, Mapping) else None
        given = found.split() if isinstance(found, str) else found if isinstance(found, list) else ()
        names = {name for name in given if isinstance(name, str)}
        roles = self._settings.roles
        ours = names if roles is None else {roles[name] for name in names & roles.keys()}
        for role in _MOST_FIRST:
            if role in ours:
                return role
        raise CredentialError("none of our roles")
