"""Who asks: JSON Web Tokens, verified with pinned algorithms, issuer, audience and expiry.

Two verifiers: a JWKS (RS256, ES256; rotated keys are picked up, a lost JWKS server does not lock everybody out), and
the development key that `carillon up` keeps in its data directory (HS256).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

import structlog
from cachetools import LRUCache

from resolvers.core.actor import Actor
from resolvers.core.context import Services
from resolvers.core.fault import Unauthenticated
from resolvers.tablets.issued_tokens import is_own
from resolvers.tablets.session import actor_of_token

TOKEN_LENGTH_MAX = 8192
REMEMBERED_MAX = 10_000

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
        self._known = LRUCache[str, tuple[Actor, float]](REMEMBERED_MAX)

    async def verify(self, token: str) -> Actor:
        """Return the actor; raises Unauthenticated for a token that is not valid now."""
        known = self._known.get(token)
        if known is not None:
            actor, until = known
            if self._clock() < until:
                if actor.expires_at <= datetime.now(UTC):
                    raise Unauthenticated("token_expired")
                return actor
            self._known.pop(token, None)
        actor = await self._verifier.verify(token)
        self._known[token] = actor, self._clock() + self._seconds
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
