"""The canonical form of a receipt's number: what a till prints and what a person types are compared in it."""

import unicodedata

ZERO = "0"


def canonical_receipt(text: str) -> str:
    """Return a receipt's number in its canonical form; empty if it has no letter and no digit.

    Case, spaces, dashes and all other signs do not count, nor do zeros in front. Full-width letters and the digits of
    every script become plain ones: `Nº ٠٠٤-12 a` is `NO412A`.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(_plain(character) for character in folded if character.isalnum())
    return kept.upper().lstrip(ZERO) or (ZERO if kept else "")


def _plain(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
