"""Validates idempotency keys, which callers choose: not blank, and of bounded length; and what a key stands for."""

import re
from unicodedata import decimal

from loyalty.kernel.refusal import Refusal, RefusalCode

KEY_LENGTH_MAX = 200


_PHONE_PUNCTUATION = re.compile(r"[\s().\-/]")


def email_content(text: str) -> str:
    """Return an e-mail address as the stored digests of keys contain it. It never changes."""
    return text.strip().casefold()


def phone_content(text: str) -> str:
    """Return a phone number as the stored digests of keys contain it. It never changes."""
    phone = "".join(str(decimal(c)) if c.isdecimal() else c for c in _PHONE_PUNCTUATION.sub("", text))
    return f"+{phone[2:]}" if phone.startswith("00") else phone


def key_refusal(key: str) -> Refusal | None:
    """Return a refusal if a key is blank or too long, or None."""
    if not key.strip():
        return Refusal(RefusalCode.INVALID, "key_missing", ("key",))
    if len(key) > KEY_LENGTH_MAX:
        return Refusal(RefusalCode.INVALID, "text_too_long", ("key",), {"max": KEY_LENGTH_MAX})
    return None
