"""Checks language tags, and masks personal data for shared screens."""

import re

LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
MASK = "•••"
CARD_SHOWN_FROM = 8


def is_locale(text: str) -> bool:
    """Return whether a text is a language tag such as `fr`, `en-GB` or `ar-MA` (BCP 47)."""
    return LOCALE.fullmatch(text) is not None


def masked_name(name: str | None) -> str | None:
    """Return a name as a shared screen shows it: its first letter."""
    return f"{name[0]}{MASK}" if name else name


def masked_email(email: str | None) -> str | None:
    """Return an address as a shared screen shows it: the first letter, and the top-level domain."""
    return f"{email[0]}{MASK}@{MASK}.{email.rsplit('.', 1)[-1]}" if email else email


def masked_card(card: str) -> str:
    """Return a card as a shared screen shows it: its last four characters, of a long one only."""
    return f"{MASK}{card[-4:]}" if len(card) > CARD_SHOWN_FROM else MASK


def masked_phone(phone: str | None) -> str | None:
    """Return a phone number as a shared screen shows it: its last two digits."""
    return f"{MASK}{phone[-2:]}" if phone else phone
