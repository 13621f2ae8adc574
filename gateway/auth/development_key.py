"""The development key of a data directory, which signs the tokens of `carillon token`."""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from gateway.auth.claims import decode
from resolvers.core.actor import Actor, Role

DEVELOPMENT_ISSUER = "carillon-development"
DEVELOPMENT_AUDIENCE = "carillon"
DEVELOPMENT_ALGORITHMS = ("HS256",)
KEY_FILE = "development.key"


@dataclass(frozen=True, slots=True)
class DevelopmentKey:
    """The local issuer and verifier: one secret in a file that only its owner can read."""

    secret: str

    @classmethod
    def load(cls, data_dir: Path) -> "DevelopmentKey":
        """Return the key of a data directory; create it on first use."""
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
        return jwt.encode(claims, self.secret, algorithm="HS256")

    async def verify(self, token: str) -> Actor:
        """Return the actor of a token that this key signed; raise Unauthenticated if it is not valid now."""
        return decode(
            token,
            self.secret,
            algorithms=DEVELOPMENT_ALGORITHMS,
            issuer=DEVELOPMENT_ISSUER,
            audience=DEVELOPMENT_AUDIENCE,
        )
