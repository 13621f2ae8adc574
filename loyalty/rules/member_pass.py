"""The pass that a member shows at a tablet: a code for a minute, told by the app as a QR code, and six digits.

Neither is stored: any gateway with the installation's secret can make them and tell a made-up one. That each is used
once is for whoever takes them to see to.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

PREFIX = "CP1"
PASS_TTL = timedelta(seconds=60)
NONCE_BYTES = 8
# Digits are of a span of so many seconds; they are good in it and in the DIGITS_SPANS after it, 60 to 80 seconds.
DIGITS_SPAN_SECONDS = 20
DIGITS_SPANS = 3
DIGITS = 6
_PROOF_BYTES = 12
_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class MemberPass:
    """What a genuine code says: whose it is, until when it is good, and what makes it different from all others."""

    member: str
    expires_at: datetime
    nonce: str


def _proof(secret: bytes, *parts: str) -> bytes:
    return hmac.new(secret, "\0".join(parts).encode(), sha256).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def member_pass(*, programme: str, member: str, expires_at: datetime, nonce: bytes, secret: bytes) -> str:
    """Return a code that is good until `expires_at`, to the second."""
    said = (member, str(int(expires_at.timestamp())), _text(nonce))
    return ".".join((PREFIX, *said, _pass_proof(programme, said, secret)))


def _pass_proof(programme: str, said: tuple[str, ...], secret: bytes) -> str:
    return _text(_proof(secret, "pass", programme, *said)[:_PROOF_BYTES])


def read_pass(text: str, *, programme: str, secret: bytes) -> MemberPass | None:
    """Return what a code says; None where it is none of this programme's."""
    if len(text) > _LENGTH_MAX:
        return None
    match text.strip().split("."):
        case [prefix, member, expires, nonce, proof] if prefix == PREFIX:
            expected = _pass_proof(programme, (member, expires, nonce), secret)
            if hmac.compare_digest(proof.encode(), expected.encode()):
                return MemberPass(member, datetime.fromtimestamp(int(expires), UTC), nonce)
    return None


def span_of(at: datetime) -> int:
    """Return the span of digits that a moment is in."""
    return int(at.timestamp()) // DIGITS_SPAN_SECONDS


def digits_of(*, programme: str, member: str, span: int, secret: bytes) -> str:
    """Return the digits of a span, as RFC 4226 cuts them out of a digest."""
    digest = _proof(secret, "digits", programme, member, str(span))
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def span_that_says(digits: str, *, programme: str, member: str, now: datetime, secret: bytes) -> int | None:
    """Return the span whose digits these are and which is good now, None where there is none."""
    typed, current = "".join(digits.split()), span_of(now)
    for span in range(current, current - DIGITS_SPANS - 1, -1):
        known = digits_of(programme=programme, member=member, span=span, secret=secret)
        if hmac.compare_digest(known.encode(), typed.encode()):
            return span
    return None
