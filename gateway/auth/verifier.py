"""Verify JSON Web Tokens, with pinned algorithms, issuer, audience and expiry.

Two verifiers: a JWKS (RS256, ES256; picks up rotated keys, and survives an unreachable JWKS server), and the
development key that `carillon up` stores in its data directory (HS256).
"""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

import structlog
from cachetools import LRUCache

from gateway.auth.claims import seconds_left
from resolvers.core.actor import Actor
from resolvers.core.context import Services
from resolvers.core.operation_error import Unauthenticated
from resolvers.tablets.issued_tokens import has_issued_prefix
from resolvers.tablets.session import actor_of_token

TOKEN_LENGTH_MAX = 8192
CACHED_TOKENS_MAX = 10_000

log = structlog.get_logger(__name__)


class Verifier(Protocol):
    """Returns the actor of a token."""

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""


class CachingVerifier:
    """Caches verified tokens: a client sends the same one with every request.

    An entry lives for `seconds`, so that a revoked key is not trusted for longer. A cached token is still refused once
    it has expired.
    """

    def __init__(self, verifier: Verifier, *, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        """Cache the results of `verifier`; `clock` counts seconds."""
        self._verifier, self._seconds, self._clock = verifier, seconds, clock
        self._cached = LRUCache[str, tuple[Actor, float]](CACHED_TOKENS_MAX)

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""
        cached = self._cached.get(token)
        if cached is not None:
            actor, until = cached
            if self._clock() < until:
                if seconds_left(actor) <= 0:
                    raise Unauthenticated("token_expired")
                return actor
            self._cached.pop(token, None)
        actor = await self._verifier.verify(token)
        self._cached[token] = actor, self._clock() + self._seconds
        return actor


class OwnTokensVerifier:
    """Verifies the tokens that Carillon issues to tablets and their sessions; passes others to the next verifier.

    These tokens are never cached: a revoked tablet or an ended session is refused at once.
    """

    def __init__(self, services: Services, others: Verifier) -> None:
        self._services, self._others = services, others

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""
        if has_issued_prefix(token):
            return await actor_of_token(self._services, token)
        return await self._others.verify(token)


def bearer(header: str | None) -> str | None:
    """Return the token of an Authorization header; None if the header is missing or blank.

    Raises:
        Unauthenticated: the header is not a bearer token.
    """
    if header is None or not header.strip():
        return None
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LENGTH_MAX:
        raise Unauthenticated("token_invalid", why="signature or form")
    return token
