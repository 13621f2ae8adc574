"""Channels: where a brand serves its members."""

from enum import StrEnum


class Channel(StrEnum):
    """Where something happened. MongoDB stores the values; the API serves them."""

    APP = "APP"
    WEB = "WEB"
    STORE = "STORE"
    KIOSK = "KIOSK"
    AGENT = "AGENT"
    SOCIAL = "SOCIAL"
    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"
