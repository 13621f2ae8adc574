"""Who asks: JSON Web Tokens, verified with pinned algorithms, issuer, audience and expiry.

Two verifiers: a JWKS (RS256, ES256; rotated keys are picked up, a lost JWKS server does not lock everybody out), and
the development key that `carillon up` keeps in its data directory (HS256).
"""

import asyncio
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any, Protocol
from urllib.request import urlopen

import jwt
import structlog
from jwt import PyJWK, PyJWKSet

from gateway.kept import Kept
from resolvers.core.actor import Actor, Role
from resolvers.core.context import Services
from resolvers.core.fault import Unauthenticated
from resolvers.tablets.issued_tokens import is_own
from resolvers.tablets.session import actor_of_token

DEVELOPMENT_ISSUER = "carillon-development"
DEVELOPMENT_AUDIENCE = "carillon"
DEVELOPMENT_ALGORITHMS = ("HS256",)
JWKS_ALGORITHMS = ("RS256", "ES256")
JWKS_TIMEOUT_SECONDS = 5
JWKS_BYTES_MAX = 1_000_000
JWKS_ASK_AGAIN_SECONDS = 10
KEY_FILE = "development.key"
TOKEN_LENGTH_MAX = 8192
REMEMBERED_MAX = 10_000
REQUIRED_CLAIMS = ("exp", "iss", "aud", "sub", "role", "programme")

log = structlog.get_logger(__name__)


class Verifier(Protocol):
    """Tells who a token stands for."""

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""


class RememberingVerifier:
    """Knows a token again that it has verified a moment ago: a client sends the same one with every request.

    A token is forgotten after `seconds`, so that a key which its issuer withdraws is not trusted for longer, and
    refused from its own end on, whatever is remembered.
    """

    def __init__(self, verifier: Verifier, *, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        """Make a verifier in front of another one; `clock` counts seconds."""
        self._verifier, self._seconds, self._clock = verifier, seconds, clock
        self._known = Kept[str, tuple[Actor, float]](count_max=REMEMBERED_MAX)

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""
        known = self._known.get(token)
        if known is not None:
            actor, until = known
            if self._clock() < until:
                if actor.expires_at <= datetime.now(UTC):
                    raise Unauthenticated("token_expired")
                return actor
            self._known.drop(token)
        actor = await self._verifier.verify(token)
        self._known.put(token, (actor, self._clock() + self._seconds))
        return actor


class OwnTokensVerifier:
    """Knows the tokens that the installation issued itself, of tablets and their sessions; leaves others to others.

    Nothing of them is remembered: a tablet that is revoked, or a session that has ended, is refused at once.
    """

    def __init__(self, services: Services, others: Verifier) -> None:
        self._services, self._others = services, others

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""
        if is_own(token):
            return await actor_of_token(self._services, token)
        return await self._others.verify(token)


def actor_of(claims: Mapping[str, Any]) -> Actor:
    """Return the actor that verified claims describe."""
    try:
        role = Role(claims["role"])
    except ValueError:
        raise Unauthenticated("token_invalid", why=f"there is no role {str(claims['role'])[:40]!r}") from None
    member = claims.get("member")
    if (role is Role.MEMBER) != isinstance(member, str):
        raise Unauthenticated("token_invalid", why="role member, and only it, carries the claim member")
    for name in ("sub", "programme", *(("member",) if role is Role.MEMBER else ())):
        if not isinstance(claims[name], str) or not claims[name]:
            raise Unauthenticated("token_invalid", why=f"the claim {name} is empty")
    try:
        expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    except (OSError, OverflowError, TypeError, ValueError):
        raise Unauthenticated("token_invalid", why="the claim exp is out of range") from None
    return Actor(
        role=role,
        programme=claims["programme"],
        subject=claims["sub"],
        expires_at=expires_at,
        member=member,
    )


def _decode(token: str, key: Any, *, algorithms: tuple[str, ...], issuer: str, audience: str) -> Actor:
    """Verify a token with one key. The algorithms are ours, never the token's."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[*algorithms],
            issuer=issuer,
            audience=audience,
            options={"require": [*REQUIRED_CLAIMS], "strict_aud": False},
        )
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("token_expired") from None
    except jwt.InvalidTokenError as error:
        raise Unauthenticated("token_invalid", why=_why(error)) from None
    return actor_of(claims)


def _why(error: jwt.InvalidTokenError) -> str:
    """Return what is wrong with a token, without telling more than its sender knows."""
    if isinstance(error, jwt.InvalidAudienceError):
        return "wrong audience"
    if isinstance(error, jwt.InvalidIssuerError):
        return "wrong issuer"
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"the claim {error.claim} is missing"
    if isinstance(error, jwt.InvalidAlgorithmError):
        return "algorithm not allowed"
    if isinstance(error, jwt.ImmatureSignatureError):
        return "not valid yet"
    return "signature or form"


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """The local issuer and verifier: one secret in a file that only its owner reads."""

    secret: str

    @classmethod
    def load(cls, data_dir: Path) -> "DevelopmentKey":
        """Return the key kept in a data directory, made on first use."""
        path = data_dir / KEY_FILE
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        return cls(path.read_text(encoding="ascii").strip())

    def issue(
        self, *, role: Role, programme: str, subject: str, member: str | None, ttl: timedelta, now: datetime
    ) -> str:
        """Return a token of this installation's own."""
        claims: dict[str, Any] = {
            "iss": DEVELOPMENT_ISSUER,
            "aud": DEVELOPMENT_AUDIENCE,
            "sub": subject,
            "iat": now,
            "exp": now + ttl,
            "role": role.value,
            "programme": programme,
        }
        if member is not None:
            claims["member"] = member
        return jwt.encode(claims, self.secret, algorithm="HS256")

    async def verify(self, token: str) -> Actor:
        """Return the actor of a token that this installation issued."""
        return _decode(
            token,
            self.secret,
            algorithms=DEVELOPMENT_ALGORITHMS,
            issuer=DEVELOPMENT_ISSUER,
            audience=DEVELOPMENT_AUDIENCE,
        )


def fetch_jwks(url: str) -> dict[str, Any]:
    """Return the JWKS at a URL. Blocking, bounded in time and size."""
    with urlopen(url, timeout=JWKS_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the operator's own setting
        document: dict[str, Any] = json.loads(answer.read(JWKS_BYTES_MAX))
    return document


class JwksVerifier:
    """Verifies with the keys that an issuer publishes, kept for a while, asked for again when a key is unknown."""

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        audience: str,
        keep_seconds: float,
        fetch: Callable[[str], dict[str, Any]] = fetch_jwks,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Make a verifier; `fetch` gets the JWKS (and may block), `clock` counts seconds."""
        self._url, self._issuer, self._audience = url, issuer, audience
        self._keep_seconds = keep_seconds
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Actor:
        """Return the actor of a token that the issuer signed."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise Unauthenticated("token_invalid", why="signature or form") from None
        if header.get("alg") not in JWKS_ALGORITHMS:
            raise Unauthenticated("token_invalid", why="algorithm not allowed")
        key = await self._key(str(header.get("kid", "")))
        if key is None:
            raise Unauthenticated("token_invalid", why="unknown key")
        if key.algorithm_name != header["alg"]:
            raise Unauthenticated("token_invalid", why="algorithm not allowed")
        return _decode(token, key, algorithms=(key.algorithm_name,), issuer=self._issuer, audience=self._audience)

    async def _key(self, kid: str) -> PyJWK | None:
        if kid not in self._keys or self._clock() - self._fetched_at > self._keep_seconds:
            async with self._lock:
                await self._refresh(kid)
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        """Ask for the keys, unless somebody just did: unknown key ids must not become a flood of requests."""
        now = self._clock()
        fresh = kid in self._keys and now - self._fetched_at <= self._keep_seconds
        if fresh or now - self._asked_at < JWKS_ASK_AGAIN_SECONDS:
            return
        self._asked_at = now
        try:
            keys = PyJWKSet.from_dict(await asyncio.to_thread(self._fetch, self._url)).keys
        except (OSError, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            # The keys at hand stay in use: a lost JWKS server must not lock everybody out.
            log.warning("jwks_unavailable", error=type(error).__name__)
            return
        self._keys = {key.key_id or "": key for key in keys}
        self._fetched_at = now


def bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header; None where there is none.

    Raises:
        Unauthenticated: the header is there, and is no bearer token.
    """
    if header is None or not header.strip():
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LENGTH_MAX:
        raise Unauthenticated("token_invalid", why="signature or form")
    return token
