"""Personal offer codes such as `SPRING-4711223344-K7Q2X4AB`: the member's number with a truncated HMAC.

They need no storage: any gateway with the secret creates and verifies them.
"""

import hmac
from base64 import b32encode
from hashlib import sha256

PROOF_LENGTH = 8


def _proof(programme: str, offer: str, number: str, secret: bytes) -> str:
    digest = hmac.new(secret, f"{programme}/{offer}/{number}".encode(), sha256).digest()
    return b32encode(digest).decode()[:PROOF_LENGTH]


def member_code(prefix: str, *, programme: str, offer: str, number: str, secret: bytes) -> str:
    """Return the code of one member for one offer; `prefix` is the prefix in the offer's `code`."""
    return f"{prefix}-{number}-{_proof(programme, offer, number, secret)}"


def split_code(code: str) -> tuple[str, str, str] | None:
    """Split a normalised code into prefix, membership number and proof; None if it does not have three parts."""
    parts = code.rsplit("-", maxsplit=2)
    return (parts[0], parts[1], parts[2]) if len(parts) == len(("prefix", "number", "proof")) else None


def is_valid_proof(proof: str, *, programme: str, offer: str, number: str, secret: bytes) -> bool:
    """Return whether the proof was created with the secret; compares in constant time."""
    return hmac.compare_digest(proof.encode(), _proof(programme, offer, number, secret).encode())
