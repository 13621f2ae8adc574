"""The pass that a member shows at a till or tablet: a signed code for the QR code, valid for a minute, and six digits.

Neither is stored: any gateway with the installation's secret creates and verifies them. The caller that accepts one
ensures that it is used by one caller only.
"""

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from loyalty.kernel import canonical

PREFIX = "CP1"
PASS_TTL = timedelta(seconds=60)
# By how much the clocks of two gateways may differ, the one that signs a pass and the one that verifies it.
LEEWAY = timedelta(seconds=2)
# The caller that presents a pass first may use it for so long.
USE_TTL = timedelta(minutes=10)
NONCE_BYTES = 8
# The digits change every span of 20 seconds. They are valid in their span and the next 3: for 60 to 80 seconds.
TIME_STEP_SECONDS = 20
TIME_STEPS_GRACE = 3
DIGITS = 6
_PROOF_BYTES = 12
_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class MemberPass:
    """The content of a verified pass. `nonce` makes every pass unique."""

    member: str
    expires_at: datetime
    nonce: str

    def has_expired(self, now: datetime) -> bool:
        """Return whether nobody may present it any more."""
        return now >= self.expires_at + LEEWAY


def _proof(secret: bytes, *parts: str) -> bytes:
    return hmac.new(secret, "\0".join(parts).encode(), sha256).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def sign_pass(*, programme: str, member: str, expires_at: datetime, nonce: bytes, secret: bytes) -> str:
    """Return a signed pass that is valid until `expires_at`, in whole seconds."""
    content = (member, str(int(expires_at.timestamp())), _text(nonce))
    return ".".join((PREFIX, *content, _pass_proof(programme, content, secret)))


def _pass_proof(programme: str, content: tuple[str, ...], secret: bytes) -> str:
    return _text(_proof(secret, "pass", programme, *content)[:_PROOF_BYTES])


def verify_pass(text: str, *, programme: str, secret: bytes) -> MemberPass | None:
    """Return the content of a pass; None if it was not signed for this programme. The caller checks `expires_at`."""
    if len(text) > _LENGTH_MAX:
        return None
    match text.strip().split("."):
        case [prefix, member, expires, nonce, proof] if prefix == PREFIX:
            expected = _pass_proof(programme, (member, expires, nonce), secret)
            if hmac.compare_digest(proof.encode(), expected.encode()):
                return MemberPass(member, datetime.fromtimestamp(int(expires), UTC), nonce)
    return None


def time_step_of(at: datetime) -> int:
    """Return the number of the span that a moment is in."""
    return int(at.timestamp()) // TIME_STEP_SECONDS


def digits_for(*, programme: str, member: str, time_step: int, secret: bytes) -> str:
    """Return the six digits of a span, truncated from an HMAC as in RFC 4226, section 5.3."""
    digest = _proof(secret, "digits", programme, member, str(time_step))
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_time_step(digits: str, *, programme: str, member: str, now: datetime, secret: bytes) -> int | None:
    """Return the span of `digits` if they are valid now, else None; compares in constant time."""
    typed, current = canonical.code(digits), time_step_of(now)
    for time_step in range(current, current - TIME_STEPS_GRACE - 1, -1):
        known = digits_for(programme=programme, member=member, time_step=time_step, secret=secret)
        if hmac.compare_digest(known.encode(), typed.encode()):
            return time_step
    return None
