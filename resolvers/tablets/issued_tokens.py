"""Tokens that the installation issues itself: a tablet's, and a shopper's session's. Proved by its secret."""

import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum
from hashlib import sha256


class TokenKind(StrEnum):
    """What a token is of; it begins with it."""

    DEVICE = "cdt"
    SESSION = "cst"


def _proof(kind: TokenKind, id_: str, secret: bytes) -> str:
    proof = hmac.new(secret, f"token\0{kind}\0{id_}".encode(), sha256).digest()
    return urlsafe_b64encode(proof).rstrip(b"=").decode("ascii")


def is_own(token: str) -> bool:
    """Say whether a token looks like one of these; a JSON Web Token does not."""
    return token.startswith(tuple(f"{kind}_" for kind in TokenKind))


def token_of(kind: TokenKind, id_: str, *, secret: bytes) -> str:
    """Return the token of a tablet or a session: always the same, so that a lost answer can be given again."""
    return f"{kind}_{id_}.{_proof(kind, id_, secret)}"


def read_token(token: str, *, secret: bytes) -> tuple[TokenKind, str] | None:
    """Return what a token is of; None where we did not issue it."""
    name, _, rest = token.partition("_")
    id_, _, proof = rest.partition(".")
    if name not in set(TokenKind):
        return None
    kind = TokenKind(name)
    expected = _proof(kind, id_, secret)
    return (kind, id_) if hmac.compare_digest(proof.encode(), expected.encode()) else None
