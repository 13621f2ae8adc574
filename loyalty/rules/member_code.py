"""Personal offer codes such as `SPRING-4711223344-K7Q2X4AB`: the member's number with a truncated HMAC.

They need no storage: any gateway with the secret creates and verifies them.
"""

import hmac
from base64 import b32encode
from hashlib import sha256

from loyalty.kernel.membership_number import NUMBER_LENGTH
from loyalty.model.catalogue import Catalogue
from loyalty.model.offer import Offer

PROOF_LENGTH = 8
_END_LENGTH = NUMBER_LENGTH + PROOF_LENGTH
# Base 32 has none of these digits.
_MISREAD = str.maketrans("018", "OIB")


def _proof(programme: str, offer: str, number: str, secret: bytes) -> str:
    digest = hmac.new(secret, f"{programme}/{offer}/{number}".encode(), sha256).digest()
    return b32encode(digest).decode()[:PROOF_LENGTH]


def member_code(prefix: str, *, programme: str, offer: str, number: str, secret: bytes) -> str:
    """Return the code of one member for one offer; `prefix` is the prefix in the offer's `code`."""
    return f"{prefix}-{number}-{_proof(programme, offer, number, secret)}"


def split_code(code: str) -> tuple[str, str, str] | None:
    """Split a code in canonical form into prefix, membership number and proof; None if it does not have three parts."""
    prefix, number, proof = code[:-_END_LENGTH], code[-_END_LENGTH:-PROOF_LENGTH], code[-PROOF_LENGTH:]
    return (prefix, number, proof.translate(_MISREAD)) if prefix and number.isascii() and number.isdigit() else None


def is_valid_proof(proof: str, *, programme: str, offer: str, number: str, secret: bytes) -> bool:
    """Return whether the proof was created with the secret; compares in constant time."""
    return hmac.compare_digest(proof.encode(), _proof(programme, offer, number, secret).encode())


def offer_with_code(catalogue: Catalogue, code: str) -> Offer | None:
    """Return the offer whose shared code, or whose members' codes, include a code in canonical form; or None."""
    shared = catalogue.offer_by_code(code)
    parts = split_code(code)
    return shared or (next(catalogue.offers_by_prefix(parts[0]), None) if parts is not None else None)
