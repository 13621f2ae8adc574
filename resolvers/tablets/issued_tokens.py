"""Issues and verifies the installation's own tokens, of tablets and of shoppers' sessions, signed with its secret."""

import hmac
from base64 import urlsafe_b64encode
from enum import StrEnum
from hashlib import sha256


class TokenKind(StrEnum):
    """The kind of a token, which is its prefix."""

    DEVICE = "cdt"
    SESSION = "cst"


_PREFIXES = tuple(f"{kind}_" for kind in TokenKind)


def _signature(kind: TokenKind, id_: str, secret: bytes) -> str:
    signature = hmac.new(secret, f"token\0{kind}\0{id_}".encode(), sha256).digest()
    return urlsafe_b64encode(signature).rstrip(b"=").decode("ascii")


def has_issued_prefix(token: str) -> bool:
    """Return whether a token has the prefix of an issued one; JSON Web Tokens do not."""
    return token.startswith(_PREFIXES)


def issue_token(kind: TokenKind, id_: str, *, secret: bytes) -> str:
    """Return the token of a tablet or a session. It is always the same, so that a retried request gets it again."""
    return f"{kind}_{id_}.{_signature(kind, id_, secret)}"


def verify_token(token: str, *, secret: bytes) -> tuple[TokenKind, str] | None:
    """Return the kind and id of a token; None if its signature is invalid."""
    name, _, rest = token.partition("_")
    id_, _, signature = rest.partition(".")
    if name not in set(TokenKind):
        return None
    kind = TokenKind(name)
    expected = _signature(kind, id_, secret)
    return (kind, id_) if hmac.compare_digest(signature.encode(), expected.encode()) else None
