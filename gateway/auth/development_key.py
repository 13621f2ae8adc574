"""The development key of a data directory, which signs the tokens of `carillon token`."""

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import jwt
from jwt import PyJWK
from jwt.algorithms import HMACAlgorithm
from jwt.utils import base64url_encode

from gateway.auth.claims import decode
from gateway.config import InvalidSettings
from resolvers.core.actor import Actor, Role

DEVELOPMENT_ISSUER = "carillon-development"
DEVELOPMENT_AUDIENCE = "carillon"
DEVELOPMENT_ALGORITHM = "HS256"
KEY_FILE = "development.key"
WRITE_SECONDS_MAX = 1.0


class _PreparedHmac(HMACAlgorithm):
    """HS256 with a secret that is prepared: PyJWT would search it for public keys again at each token."""

    def __init__(self) -> None:
        super().__init__(self.SHA256)

    def prepare_key(self, key: str | bytes) -> bytes:
        """Return a text as bytes, after PyJWT's checks; bytes are already prepared."""
        return key if isinstance(key, bytes) else super().prepare_key(key)


def _prepared(secret: str) -> PyJWK:
    """Return a secret as the key that PyJWT verifies with.

    Raises:
        jwt.InvalidKeyError: it is empty, or a public key.
    """
    algorithm = _PreparedHmac()
    algorithm.prepare_key(secret)
    key = PyJWK({"kty": "oct", "k": base64url_encode(secret.encode()).decode()}, DEVELOPMENT_ALGORITHM)
    key.Algorithm = algorithm
    return key


def _written_secret(path: Path) -> str:
    """Return the secret in a key file; another process may have created it, and be about to write it."""
    deadline = monotonic() + WRITE_SECONDS_MAX
    while not (secret := path.read_text(encoding="ascii").strip()) and monotonic() < deadline:
        sleep(0.01)
    return secret


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """The local issuer and verifier: one secret in a file that only its owner can read."""

    secret: str
    _key: PyJWK = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the key."""
        object.__setattr__(self, "_key", _prepared(self.secret))

    @classmethod
    def load(cls, data_dir: Path) -> "DevelopmentKey":
        """Return the key of a data directory; create it on first use.

        Raises:
            InvalidSettings: the file holds no secret.
        """
        path = data_dir / KEY_FILE
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
        try:
            return cls(_written_secret(path))
        except jwt.InvalidKeyError as error:
            raise InvalidSettings(f"{path} holds no secret: {error} Delete it, and restart for a new key.") from None

    def issue(
        self, *, role: Role, programme: str, subject: str, member: str | None, ttl: timedelta, now: datetime
    ) -> str:
        """Return a token signed with this key; it expires `ttl` after `now`."""
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
        return jwt.encode(claims, self.secret, algorithm=DEVELOPMENT_ALGORITHM)

    async def verify(self, token: str) -> Actor:
        """Return the actor of a token that this key signed; raise Unauthenticated if it is not valid now."""
        return decode(token, self._key, issuer=DEVELOPMENT_ISSUER, audience=DEVELOPMENT_AUDIENCE)
