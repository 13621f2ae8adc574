"""Decode a token and turn its claims into an actor.

PyJWT checks every token (docs/decisions/0035-pyjwt-checks-every-token.md).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from jwt import PyJWK, PyJWT

from gateway.clock import now
from resolvers.core.actor import Actor, Role
from resolvers.core.operation_error import Unauthenticated

LEEWAY = timedelta(seconds=5)
"""By how much the clocks of an issuer and of this host may differ: for `iat`, `nbf` and `exp`."""

REQUIRED_CLAIMS = ("exp", "iss", "aud", "sub", "role", "programme")

_jwt = PyJWT({"require": [*REQUIRED_CLAIMS], "strict_aud": False})


def seconds_left(actor: Actor) -> float:
    """Return for how long an actor's token stays valid; its issuer's clock may be behind, unless it is our own."""
    left = actor.expires_at - now()
    return left.total_seconds() + (LEEWAY.total_seconds() if actor.device is None else 0)


def actor_of(claims: Mapping[str, Any]) -> Actor:
    """Return the actor of verified claims.

    Raises:
        Unauthenticated: a claim has a wrong value.
    """
    try:
        role = Role(claims["role"])
    except ValueError:
        raise Unauthenticated("token_invalid", why=f"unknown role {str(claims['role'])[:40]!r}") from None
    member = claims.get("member")
    if (role is Role.MEMBER) != isinstance(member, str):
        raise Unauthenticated(
            "token_invalid", why="the claim member is required for role member, and only allowed there"
        )
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


def decode(token: str, key: PyJWK, *, issuer: str, audience: str) -> Actor:
    """Verify a token with one key and return its actor. The key fixes the algorithm, never the token.

    Raises:
        Unauthenticated: the token is expired or invalid.
    """
    try:
        claims = _jwt.decode(
            token, key, algorithms=[key.algorithm_name], issuer=issuer, audience=audience, leeway=LEEWAY
        )
    except jwt.ExpiredSignatureError:
        raise Unauthenticated("token_expired") from None
    except jwt.InvalidTokenError as error:
        raise Unauthenticated("token_invalid", why=_why(error)) from None
    return actor_of(claims)


def _why(error: jwt.InvalidTokenError) -> str:
    """Return the reason for the refusal, without revealing more than the sender knows."""
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
