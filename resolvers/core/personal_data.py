"""Normalises personal data that people type, and masks it for shared screens."""

import re
from unicodedata import decimal

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
EMAIL_LENGTH_MAX = 254
PHONE = re.compile(r"\+?\d{6,15}")
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-/]")
MASK = "•••"


def normal_email(text: str) -> str | None:
    """Return the normal form of an e-mail address, or None if it is invalid."""
    email = text.strip().casefold()
    return email if len(email) <= EMAIL_LENGTH_MAX and EMAIL.fullmatch(email) else None


def normal_phone(text: str) -> str | None:
    """Return the normal form of a phone number: digits, after a plus if it is international. None if it is invalid.

    Digits of other scripts become ASCII digits: an Arabic keyboard writes ٠٦ for 06.
    """
    phone = "".join(str(decimal(c)) if c.isdecimal() else c for c in _PHONE_PUNCTUATION.sub("", text))
    phone = f"+{phone[2:]}" if phone.startswith("00") else phone
    return phone if PHONE.fullmatch(phone) else None


def is_locale(text: str) -> bool:
    """Return whether a text is a language tag such as `fr`, `en-GB` or `ar-MA` (BCP 47)."""
    return LOCALE.fullmatch(text) is not None


def masked_name(name: str | None) -> str | None:
    """Return a name as a shared screen shows it: its first letter."""
    return f"{name[0]}{MASK}" if name else name


def masked_email(email: str | None) -> str | None:
    """Return an address as a shared screen shows it: the first letter, and the top-level domain."""
    return f"{email[0]}{MASK}@{MASK}.{email.rsplit('.', 1)[-1]}" if email else email


def masked_phone(phone: str | None) -> str | None:
    """Return a phone number as a shared screen shows it: its last two digits."""
    return f"{MASK}{phone[-2:]}" if phone else phone
