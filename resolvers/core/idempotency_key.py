"""Keys that callers choose: present, and of bounded length."""

from loyalty.kernel.refusal import Refusal, RefusalCode

KEY_LENGTH_MAX = 200


def key_refusal(key: str) -> Refusal | None:
    """Return what is wrong with a key, or None."""
    if not key.strip():
        return Refusal(RefusalCode.INVALID, "key_missing", ("key",))
    if len(key) > KEY_LENGTH_MAX:
        return Refusal(RefusalCode.INVALID, "text_too_long", ("key",), {"max": KEY_LENGTH_MAX})
    return None
