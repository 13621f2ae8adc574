import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.kernel.receipt_number import canonical_receipt

# Arabic-Indic, Devanagari, full-width
ZEROS = (0x660, 0x966, 0xFF10)
SEPARATORS = " -\u2013\u2014_./#\u00a0\u200b\u200f\t"


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("4711", "4711"),
        ("  0004711 ", "4711"),
        ("A-47 11", "A4711"),
        ("a4711", "A4711"),
        ("٤٧١١", "4711"),
        ("۴۷۱۱", "4711"),
        ("\uff14\uff17\uff11\uff11", "4711"),
        ("\uff214711", "A4711"),
        ("straße 1", "STRASSE1"),
        ("000", "0"),
        ("", ""),
        (" -/# ", ""),
        ("\u200b", ""),
    ],
)
def test_receipt_has_one_canonical_form(typed: str, canonical: str) -> None:
    assert canonical_receipt(typed) == canonical


@given(st.text(max_size=40))
def test_canonical_form_is_its_own_canonical_form(text: str) -> None:
    canonical = canonical_receipt(text)
    assert canonical_receipt(canonical) == canonical
    assert canonical.isalnum() or canonical == ""


@given(st.text("0123456789abcXYZ", min_size=1, max_size=12), st.data())
def test_spelling_makes_no_difference(number: str, data: st.DataObject) -> None:
    spelled = "".join(
        data.draw(st.sampled_from(["", *SEPARATORS])) + data.draw(st.sampled_from(_spellings(character)))
        for character in number
    )
    assert canonical_receipt(f"00{spelled} ") == canonical_receipt(number)


def _spellings(character: str) -> list[str]:
    if not character.isdecimal():
        return [character.lower(), character.upper(), unicodedata.lookup(f"FULLWIDTH LATIN SMALL LETTER {character}")]
    return [character, *(chr(zero + int(character)) for zero in ZEROS)]
