"""Verify tokens with the keys that the issuer publishes (JWKS)."""

import asyncio
import json
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any
from urllib.request import urlopen

import jwt
from jwt import PyJWK, PyJWKSet

from gateway.auth.claims import decode
from gateway.auth.verifier import log
from resolvers.core.actor import Actor
from resolvers.core.operation_error import Unauthenticated

JWKS_ALGORITHMS = ("RS256", "ES256")
JWKS_TIMEOUT_SECONDS = 5
JWKS_BYTES_MAX = 1_000_000
JWKS_REFETCH_SECONDS = 10
CACHED_HEADERS_MAX = 64


def fetch_jwks(url: str) -> dict[str, Any]:
    """Return the JWKS at a URL. Blocks, for a bounded time and size."""
    with urlopen(url, timeout=JWKS_TIMEOUT_SECONDS) as response:  # noqa: S310 - the operator's own setting
        document: dict[str, Any] = json.loads(response.read(JWKS_BYTES_MAX))
    return document


@lru_cache(maxsize=CACHED_HEADERS_MAX)  # the tokens of one key have the same header
def _algorithm_and_key_id(header: str) -> tuple[str, str]:
    """Return `alg` and `kid` of a token's header in base64url; a missing `kid` counts as empty.

    Raises:
        Unauthenticated: the header is not valid, or its algorithm is not allowed.
    """
    try:
        fields = jwt.get_unverified_header(f"{header}..")
    except jwt.InvalidTokenError:
        raise Unauthenticated("token_invalid", why="signature or form") from None
    if fields.get("alg") not in JWKS_ALGORITHMS:
        raise Unauthenticated("token_invalid", why="algorithm not allowed")
    return fields["alg"], fields.get("kid", "")


class JwksVerifier:
    """Verifies with the keys that an issuer publishes: cached, and fetched again if a token names an unknown key."""

    def __init__(
        self,
        url: str,
        *,
        issuer: str,
        audience: str,
        ttl_seconds: float,
        fetch: Callable[[str], dict[str, Any]] = fetch_jwks,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Cache keys for `ttl_seconds`; `fetch` returns the JWKS (and may block), `clock` counts seconds."""
        self._url, self._issuer, self._audience = url, issuer, audience
        self._ttl_seconds = ttl_seconds
        self._fetch, self._clock = fetch, clock
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def verify(self, token: str) -> Actor:
        """Return the actor of a token that the issuer signed; raise Unauthenticated if it is not valid now."""
        algorithm, key_id = _algorithm_and_key_id(token.partition(".")[0])
        key = await self._key(key_id)
        if key is None:
            raise Unauthenticated("token_invalid", why="unknown key")
        if key.algorithm_name != algorithm:
            raise Unauthenticated("token_invalid", why="algorithm not allowed")
        return decode(token, key, issuer=self._issuer, audience=self._audience)

    async def _key(self, kid: str) -> PyJWK | None:
        if kid not in self._keys or self._clock() - self._fetched_at > self._ttl_seconds:
            async with self._lock:
                await self._refresh(kid)
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        """Fetch the keys, unless another call just did: unknown key ids must not flood the issuer with requests."""
        now = self._clock()
        fresh = kid in self._keys and now - self._fetched_at <= self._ttl_seconds
        if fresh or now - self._tried_at < JWKS_REFETCH_SECONDS:
            return
        self._tried_at = now
        try:
            document = await asyncio.to_thread(self._fetch, self._url)
            keys = {str(key.key_id or ""): key for key in PyJWKSet.from_dict(document).keys}
        except Exception as error:  # noqa: BLE001 - the document can hold anything, at any depth
            # The cached keys stay in use: an unreachable JWKS server must not lock everybody out.
            log.warning("jwks_unavailable", error=type(error).__name__)
            return
        self._keys = keys
        self._fetched_at = now
