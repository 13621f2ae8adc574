"""Members' own codes of offers: `SPRING-4711223344-K7Q2X9`, made of the member's number, and proved by a secret.

They need no storage: any gateway with the secret can make them, and tell a made-up one from a real one.
"""

import hmac
from base64 import b32encode
from hashlib import sha256

PROOF_LENGTH = 8


def _proof(programme: str, offer: str, number: str, secret: bytes) -> str:
    digest = hmac.new(secret, f"{programme}/{offer}/{number}".encode(), sha256).digest()
    return b32encode(digest).decode()[:PROOF_LENGTH]


def member_code(prefix: str, *, programme: str, offer: str, number: str, secret: bytes) -> str:
    """Return the code of one member for one offer; `prefix` is the offer's own."""
    return f"{prefix}-{number}-{_proof(programme, offer, number, secret)}"


def parts_of(code: str) -> tuple[str, str, str] | None:
    """Return the prefix, the membership number and the proof of a code in normal form; None where it has others."""
    parts = code.rsplit("-", maxsplit=2)
    return (parts[0], parts[1], parts[2]) if len(parts) == len(("prefix", "number", "proof")) else None


def is_genuine(proof: str, *, programme: str, offer: str, number: str, secret: bytes) -> bool:
    """Say whether a code was made by somebody who knows the secret; in the same time for every wrong one."""
    return hmac.compare_digest(proof.encode(), _proof(programme, offer, number, secret).encode())
