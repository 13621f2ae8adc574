"""Canonical forms of what people type, paste, scan or import: the one place that decides when two texts are the same.

E-mail addresses, phone numbers, cards, membership numbers and codes are stored and compared in canonical form, wherever
they come from. What people see is the shown form: the text as it was written, without what nobody can see.
docs/decisions/0027-canonical-forms.md says why each rule is as it is.
"""

import re
from typing import NamedTuple
from unicodedata import category, decimal, normalize

import idna
import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from loyalty.kernel.membership_number import is_number

# No identity is longer; a longer text is not worth the time to normalise it.
TEXT_LENGTH_MAX = 1000
EMAIL_LENGTH_MAX = 254
LOCAL_PART_LENGTH_MAX = 64
# E.164 has at most 15 digits; a shorter national number than 6 digits is a short code, which no member owns.
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 6, 15
COUNTRIES: frozenset[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)

# Characters without a glyph that are not of the category Cf: joiners, fillers, variation selectors.
_FILLERS = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810)}
_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
# Two joiners are part of the spelling of some domains (Persian, Hindi).
_JOINERS = "\u200c\u200d"
_DASHES_BESIDES_PD = "\u2212\u2043\u02d7"
# Capitals that look like Latin ones: Greek, Cyrillic, and the dotted İ of a Turkish keyboard.
_LOOK_ALIKES = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕЅІЈКМНОРСТУХİ", "ABEZHIKMNOPTYXABESIJKMHOPCTYXI")
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")

_PASTED_EMAIL = re.compile(r"(?:[^<>@]*<\s*([^<>]+?)\s*>|mailto:\s*(.+))", re.IGNORECASE)
_LOCAL_PART = re.compile(r'[^@\s<>()\[\],;:\\"\x00-\x1f\x7f]+')
_ASCII_LABEL = re.compile(r"(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_EXTENSION = re.compile(r"(?:;ext=|\s*(?:[;,]\s*)?(?:extension|ext|poste|x|#)[.:]?\s*)(\d{1,7})\s*$", re.IGNORECASE)
_TEL = re.compile(r"\s*tel:\s*", re.IGNORECASE)
_PHONE_BODY = re.compile(r"[\d\s+().\-/]+")
_PHONE_PUNCTUATION = re.compile(r"[\s().\-/]")


class Form(NamedTuple):
    """A text as it is shown, and as it is compared."""

    shown: str
    canonical: str


def _is_invisible(char: str) -> bool:
    return ord(char) in _FILLERS or ord(char) in _SELECTORS or category(char) == "Cf"


def visible(text: str, *, keep: str = "") -> str:
    """Return a text without surrounding blanks and without characters that nobody sees, except those in `keep`."""
    if text.isascii():
        return text.strip()
    return normalize("NFC", "".join(c for c in text if c in keep or not _is_invisible(c))).strip()


def _ascii_digits(text: str) -> str:
    """Replace the digits of other scripts: an Arabic keyboard writes ٠٦ for 06."""
    return text if text.isascii() else "".join(str(decimal(c)) if c.isdecimal() else c for c in text)


def email(text: str) -> Form | None:
    """Return an e-mail address, or None if it is invalid.

    Shown is the part before the @ as it was typed, and the domain in lower case.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    typed = visible(text, keep=_JOINERS)
    pasted = _PASTED_EMAIL.fullmatch(typed)
    if pasted is not None:
        typed = pasted[1] or pasted[2]
    separator = "@" if "@" in typed else "\uff20"
    before, _, after = typed.rpartition(separator)
    shown = visible(before)
    local = normalize("NFKC", normalize("NFKC", shown).casefold())
    domain = _domain(after)
    if domain is None or len(local.encode()) > LOCAL_PART_LENGTH_MAX or _LOCAL_PART.fullmatch(local) is None:
        return None
    canonical = f"{local}@{domain.canonical}"
    return Form(f"{shown}@{domain.shown}", canonical) if len(canonical.encode()) <= EMAIL_LENGTH_MAX else None


def _domain(text: str) -> Form | None:
    """Return a domain in its ASCII form (punycode for international ones), or None if it is invalid."""
    for typed in dict.fromkeys((text, visible(text))):
        name = normalize("NFKC", typed.translate(_DOTS)).lower().removesuffix(".")
        labels = name.split(".")
        if len(labels) > 1 and all(_ASCII_LABEL.fullmatch(label) for label in labels):
            return Form(name, name)
        try:
            canonical = idna.encode(name, uts46=True).decode().lower()
        except (idna.IDNAError, UnicodeError):
            continue
        if "." in canonical:
            return Form(normalize("NFC", name), canonical)
    return None


def phone(text: str, country: str | None) -> Form | None:
    """Return a phone number in E.164, with `;ext=` if it has an extension; None if it is invalid.

    `country` is where a national number is: without it, a national number stays a row of digits.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    shown = visible(text)
    body = _ascii_digits(normalize("NFKC", shown))
    tel = _TEL.match(body)
    body = body[tel.end() :] if tel is not None else body
    extension = _EXTENSION.search(body)
    if extension is not None:
        body = body[: extension.start()]
    body = "".join("-" if category(c) == "Pd" or c in _DASHES_BESIDES_PD else c for c in body)
    if _PHONE_BODY.fullmatch(body) is None:
        return None
    number = _phone_number(_PHONE_PUNCTUATION.sub(" ", body).strip(), country)
    if number is None:
        return None
    return Form(shown, f"{number};ext={extension[1]}" if extension is not None else number)


def _phone_number(body: str, country: str | None) -> str | None:
    digits = body.replace(" ", "")
    if not digits.startswith("+"):
        if country is not None and (number := _parsed(body, country)) is not None:
            return number
        if not digits.startswith("00"):
            is_national = country is None and PHONE_DIGITS_MIN <= len(digits) <= PHONE_DIGITS_MAX
            return digits if is_national and digits.isdecimal() else None
        body = f"+{digits[2:]}"
    return _parsed(body, None)


def _parsed(body: str, country: str | None) -> str | None:
    """Return a number in E.164; `country` is None for an international one."""
    try:
        number: PhoneNumber = phonenumbers.parse(body, country)
    except NumberParseException:
        return None
    length = phonenumbers.is_possible_number_with_reason(number)
    if country is None:
        # Only what is too short is refused: numbering plans grow, and an international number is unique as it is.
        is_accepted = length not in {ValidationResult.TOO_SHORT, ValidationResult.INVALID_COUNTRY_CODE}
    else:
        is_accepted = length == ValidationResult.IS_POSSIBLE
    canonical: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return canonical if is_accepted and len(canonical) <= PHONE_DIGITS_MAX + 1 else None


def code(text: str) -> str:
    """Return a code or a card in capitals, without blanks, dashes and what nobody sees; empty if nothing is left.

    Full-width letters and the digits of other scripts become ASCII; so do Greek and Cyrillic capitals that look like
    Latin ones.
    """
    if text.isascii() and text.isalnum():
        return text.upper()
    upper = normalize("NFKC", normalize("NFKC", text).upper())
    kept = (c for c in upper if not (c.isspace() or c in _DASHES_BESIDES_PD or category(c) == "Pd" or _is_invisible(c)))
    return _ascii_digits(normalize("NFC", "".join(kept)).translate(_LOOK_ALIKES))


def card(text: str) -> Form | None:
    """Return a card: its text as written, and in the form of a code; None if nothing is left of it."""
    canonical = code(text)
    return Form(visible(text), canonical) if canonical else None


def number(text: str) -> str | None:
    """Return a membership number as ten ASCII digits, or None if it is not one."""
    digits = code(text)
    return digits if is_number(digits) else None


def identity(kind: str, text: str, country: str | None) -> str | None:
    """Return an identity of a member in canonical form, or None if it is invalid.

    `kind` is number, card, email or phone; `country` is the programme's.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    if kind == "number":
        return number(text)
    if kind == "card":
        return code(text) or None
    form = email(text) if kind == "email" else phone(text, country)
    return form.canonical if form is not None else None


def stored_identity(kind: str, text: str, country: str | None) -> str:
    """Return an identity that a member has in canonical form.

    One that an earlier release accepted, and that has no canonical form, is compared as it is.
    """
    return text if kind == "number" else identity(kind, text, country) or text
