"""The channels on which a member is served."""

from enum import StrEnum


class Channel(StrEnum):
    """Where something was said or done."""

    APP = "APP"
    WEB = "WEB"
    STORE = "STORE"
    KIOSK = "KIOSK"
    AGENT = "AGENT"
    SOCIAL = "SOCIAL"
    PARTNER = "PARTNER"
    SYSTEM = "SYSTEM"
