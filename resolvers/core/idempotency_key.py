"""Validates idempotency keys, which callers choose: not blank, and of bounded length."""

from loyalty.kernel.refusal import Refusal, RefusalCode

KEY_LENGTH_MAX = 200


def key_refusal(key: str) -> Refusal | None:
    """Return a refusal if a key is blank or too long, or None."""
    if not key.strip():
        return Refusal(RefusalCode.INVALID, "key_missing", ("key",))
    if len(key) > KEY_LENGTH_MAX:
        return Refusal(RefusalCode.INVALID, "text_too_long", ("key",), {"max": KEY_LENGTH_MAX})
    return None
