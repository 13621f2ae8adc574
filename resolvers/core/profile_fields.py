"""Reads the fields of a profile that people type, for enrolments and corrections alike."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from unicodedata import normalize
from zoneinfo import available_timezones

import orjson

from loyalty.kernel import canonical
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.programme import Programme
from resolvers.core.personal_data import is_locale

NAME_LENGTH_MAX = 100
CARD_LENGTH_MAX = 64
ATTRIBUTES_BYTES_MAX = 10_000


class _InvalidField(Exception):  # noqa: N818 - caught in this module
    """Carries the refusal of a field, without its path."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


def _invalid(reason: str, **params: str | int) -> _InvalidField:
    return _InvalidField(Refusal(RefusalCode.INVALID, reason, (), params))


def _name(text: str, _programme: Programme) -> str:
    name = normalize("NFC", text.strip())
    if len(name) > NAME_LENGTH_MAX:
        raise _invalid("text_too_long", max=NAME_LENGTH_MAX)
    return name


def _email(text: str, _programme: Programme) -> str:
    form = canonical.email(text)
    if form is None:
        raise _invalid("email_invalid")
    return form.shown


def _phone(text: str, programme: Programme) -> str:
    form = canonical.phone(text, programme.country)
    if form is None:
        raise _invalid("phone_invalid")
    return form.shown


def _locale(text: str, _programme: Programme) -> str:
    locale = text.strip()
    if not is_locale(locale):
        raise _invalid("locale_invalid")
    return locale


def _time_zone(text: str, _programme: Programme) -> str:
    zone = text.strip()
    if zone not in available_timezones():
        raise _invalid("time_zone_invalid")
    return zone


def _card(text: str, _programme: Programme) -> str:
    form = canonical.card(text)
    if len(text.strip()) > CARD_LENGTH_MAX:
        raise _invalid("text_too_long", max=CARD_LENGTH_MAX)
    if form is None:
        raise _invalid("card_invalid")
    return form.shown


# Each text field of a profile, and a card: its name in the API, and how it is read.
_TEXTS: Mapping[str, tuple[str, Callable[[str, Programme], str]]] = {
    "first_name": ("firstName", _name),
    "last_name": ("lastName", _name),
    "nickname": ("nickname", _name),
    "email": ("email", _email),
    "phone": ("phone", _phone),
    "locale": ("locale", _locale),
    "time_zone": ("timeZone", _time_zone),
    "card": ("card", _card),
}


def read_fields(typed: Mapping[str, Any], programme: Programme) -> dict[str, Any] | Refusal:
    """Return the fields as they are stored, a blank text as None; or a refusal of the first invalid one.

    Fields that are no texts are returned as they are.
    """
    read: dict[str, Any] = {}
    for field, value in typed.items():
        if field not in _TEXTS or value is None or not canonical.visible(value):
            read[field] = value if field not in _TEXTS else None
            continue
        name, reader = _TEXTS[field]
        try:
            read[field] = reader(value, programme)
        except _InvalidField as invalid:
            return replace(invalid.refusal, path=(name,))
    return read


def attributes_refusal(attributes: object) -> Refusal | None:
    """Return a refusal of attributes that are no object or too large, or None."""
    if attributes is None:
        return None
    if not isinstance(attributes, Mapping):
        return Refusal(RefusalCode.INVALID, "attributes_not_object", ("attributes",))
    if len(orjson.dumps(attributes)) > ATTRIBUTES_BYTES_MAX:
        return Refusal(RefusalCode.INVALID, "attributes_too_large", ("attributes",), {"max": ATTRIBUTES_BYTES_MAX})
    return None
