"""However a text is typed, pasted or scanned, it has one canonical form; what is shown stays as it was written."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel import canonical
from loyalty.kernel.membership_number import number_from

INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u00ad\ufeff\u2060\u202a\u202c\u2066\u2069\u034f\ufe0f"
BLANKS = " \t\u00a0\u2009\u3000\n"
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"
FULL_WIDTH = {chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)}
ARABIC = dict(zip("0123456789", "٠١٢٣٤٥٦٧٨٩", strict=True))
PERSIAN = dict(zip("0123456789", "۰۱۲۳۴۵۶۷۸۹", strict=True))
DEVANAGARI = dict(zip("0123456789", "०१२३४५६७८९", strict=True))


def in_script(text: str, script: dict[str, str]) -> str:
    return "".join(script.get(c, c) for c in text)


@st.composite
def noise(draw: st.DrawFn, text: str, between: str) -> str:
    """Draw the text with characters of `between` anywhere in it."""
    gaps = st.text(alphabet=between, max_size=2)
    return "".join(draw(gaps) + c for c in text) + draw(gaps)


EMAILS = [
    (" Sam@Example.org ", "Sam@example.org", "sam@example.org"),
    ("a@b.co", "a@b.co", "a@b.co"),
    ("sam\u200b.lee@example.org\ufeff", "sam.lee@example.org", "sam.lee@example.org"),
    ("mailto:Sam.Lee@example.org", "Sam.Lee@example.org", "sam.lee@example.org"),
    ("Sam Lee <sam.lee@example.org>", "sam.lee@example.org", "sam.lee@example.org"),
    ("ｓａｍ＠ｅｘａｍｐｌｅ．ｏｒｇ", "ｓａｍ@example.org", "sam@example.org"),
    ("sam@exämple.org", "sam@exämple.org", "sam@xn--exmple-cua.org"),
    ("sam@EXÄMPLE.org", "sam@exämple.org", "sam@xn--exmple-cua.org"),
    ("sam@exa\u0308mple.org", "sam@exämple.org", "sam@xn--exmple-cua.org"),
    ("sam@XN--EXMPLE-CUA.org", "sam@xn--exmple-cua.org", "sam@xn--exmple-cua.org"),
    ("sam@straße.de", "sam@straße.de", "sam@xn--strae-oqa.de"),
    ("sam@例え。jp", "sam@例え.jp", "sam@xn--r8jz45g.jp"),
    ("sam@example.org.", "sam@example.org", "sam@example.org"),
    ("Zoe\u0308@example.org", "Zoë@example.org", "zoë@example.org"),
    ("ZOË@example.org", "ZOË@example.org", "zoë@example.org"),
    ("sam+shop@example.org", "sam+shop@example.org", "sam+shop@example.org"),
    ("sam@my_shop.example.org", "sam@my_shop.example.org", "sam@my_shop.example.org"),
    ("نام@نامه\u200cای.com", "نام@نامه\u200cای.com", "نام@xn--mgba3gch31f060k.com"),
]


@pytest.mark.parametrize(("typed", "shown", "compared"), EMAILS)
def test_email(typed: str, shown: str, compared: str) -> None:
    assert canonical.email(typed) == (shown, compared)
    for again in (shown, compared):
        form = canonical.email(again)
        assert form is not None
        assert form.canonical == compared


@pytest.mark.parametrize(
    "typed",
    [
        *("", "sam", "sam@example", "sam@@example.org", "sam example.org", "sam lee@example.org", "@example.org"),
        *("sam@.org", "sam@example..org", "sam@xn--a.org", "sam@💩.example", "a@b@example.org", "sam@[127.0.0.1]"),
        *(f"{'s' * 65}@example.org", f"{'é' * 33}@example.org", f"s@{'e' * 250}.org", f"s@{'e' * 64}.org"),
        *("sam\x00@example.org", "sam@exam ple.org", "sam,lee@example.org", "\u200b@example.org"),
    ],
)
def test_invalid_email(typed: str) -> None:
    assert canonical.email(typed) is None


@given(noise("Sam.Lee@Exämple.org", INVISIBLE), st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
@property_settings(200)
def test_what_nobody_sees_changes_no_email(typed: str, form: str) -> None:
    found = canonical.email(f" {normalize(form, typed)} ")  # type: ignore[arg-type]
    assert found is not None
    assert found.canonical == "sam.lee@xn--exmple-cua.org"


PHONES = [
    ("06 12 34 56 78", "FR", "+33612345678"),
    ("0612345678", "FR", "+33612345678"),
    ("06.12.34.56.78", "FR", "+33612345678"),
    ("06–12–34–56–78", "FR", "+33612345678"),
    ("٠٦ ١٢ ٣٤ ٥٦ ٧٨", "FR", "+33612345678"),
    ("۰۶۱۲۳۴۵۶۷۸", "FR", "+33612345678"),
    ("０６１２３４５６７８", "FR", "+33612345678"),
    ("+33 6 12 34 56 78", "US", "+33612345678"),
    ("+33 (0)6 12 34 56 78", None, "+33612345678"),
    ("＋33 6 12 34 56 78", "FR", "+33612345678"),
    ("0033 6 12 34 56 78", "FR", "+33612345678"),
    ("0033 6 12 34 56 78", "US", "+33612345678"),
    ("0033 6 12 34 56 78", None, "+33612345678"),
    ("011 33 6 12 34 56 78", "US", "+33612345678"),
    ("0011 33 6 12 34 56 78", "AU", "+33612345678"),
    ("tel:+33-6-12-34-56-78", "FR", "+33612345678"),
    ("TEL: 06 12 34 56 78", "FR", "+33612345678"),
    ("\u202a+33 6 12 34 56 78\u202c", "FR", "+33612345678"),
    ("(212) 555-0123", "US", "+12125550123"),
    ("1 212 555 0123", "US", "+12125550123"),
    ("(212) 555-0123 x99", "US", "+12125550123;ext=99"),
    ("+1 212 555 0123, ext. 99", "FR", "+12125550123;ext=99"),
    ("tel:+1-212-555-0123;ext=99", None, "+12125550123;ext=99"),
    ("01 23 45 67 89 poste 12", "FR", "+33123456789;ext=12"),
    ("06 1234 5678", "IT", "+390612345678"),  # Italy keeps its zero
    ("090-1234-5678", "JP", "+819012345678"),
    ("8 (912) 345-67-89", "RU", "+79123456789"),
    ("0612345678", None, "0612345678"),
]


@pytest.mark.parametrize(("typed", "country", "compared"), PHONES)
def test_phone(typed: str, country: str | None, compared: str) -> None:
    form = canonical.phone(typed, country)
    assert form is not None
    assert form.canonical == compared
    assert canonical.phone(form.shown, country) == form
    assert canonical.identity("phone", compared, country) == compared


@pytest.mark.parametrize("typed", ["", "12345", "112", "+33", "+33 6", "+999 123456", "+33 six", "call me", "1" * 16])
@pytest.mark.parametrize("country", ["FR", None])
def test_invalid_phone(typed: str, country: str | None) -> None:
    assert canonical.phone(typed, country) is None


@given(noise("+33612345678", INVISIBLE + " .()-"), st.sampled_from([FULL_WIDTH, ARABIC, PERSIAN, DEVANAGARI]))
@property_settings(200)
def test_a_phone_may_be_written_in_any_digits_and_punctuation(typed: str, script: dict[str, str]) -> None:
    form = canonical.phone(in_script(typed, script), "FR")
    assert form is not None
    assert form.canonical == "+33612345678"


@given(
    st.text(alphabet="ABCXYZ0123456789", min_size=1, max_size=20).flatmap(
        lambda text: st.tuples(st.just(text), noise(text, INVISIBLE + BLANKS + DASHES))
    ),
    st.sampled_from([{}, FULL_WIDTH, ARABIC, DEVANAGARI]),
    st.sampled_from([str.upper, str.lower, str.title]),
)
@property_settings(400)
def test_a_code_may_be_written_in_any_way(texts: tuple[str, str], script: dict[str, str], case: object) -> None:
    text, typed = texts
    assert callable(case)
    assert canonical.code(case(in_script(typed, script))) == text
    card = canonical.card(typed)
    assert card is not None
    assert card.canonical == text


@given(st.text())
@property_settings(1000)
def test_the_canonical_form_of_a_code_is_its_own(text: str) -> None:
    assert canonical.code(canonical.code(text)) == canonical.code(text)


@given(st.text(), st.text())
@property_settings(500)
def test_the_canonical_form_of_an_email_is_its_own(local: str, domain: str) -> None:
    form = canonical.email(f"{local}@{domain}.org")
    if form is not None:
        for again in form:
            found = canonical.email(again)
            assert found is not None
            assert found.canonical == form.canonical


@pytest.mark.parametrize(
    ("typed", "compared"),
    [
        ("spring-24", "SPRING24"),
        ("ＳＰＲＩＮＧ　２４", "SPRING24"),
        ("ЅРRІNG24", "SPRING24"),  # Cyrillic capitals
        ("spr\u0131ng24", "SPRING24"),  # a Turkish keyboard
        ("SPRİNG24", "SPRING24"),
        ("strasse", "STRASSE"),
        ("straße", "STRASSE"),
        ("été", "ÉTÉ"),
        ("e\u0301te\u0301", "ÉTÉ"),
        ("O0I1", "O0I1"),  # not guessed: random codes contain both
        ("\u200b - ", ""),
    ],
)
def test_code(typed: str, compared: str) -> None:
    assert canonical.code(typed) == compared


@given(st.integers(0, 999_999_999), st.sampled_from([FULL_WIDTH, ARABIC, PERSIAN, DEVANAGARI]), st.data())
@property_settings(100)
def test_a_number_may_be_written_in_any_digits(body: int, script: dict[str, str], data: st.DataObject) -> None:
    number = number_from(body)
    typed = in_script(data.draw(noise(number, INVISIBLE + BLANKS + DASHES)), script)
    assert canonical.number(typed) == canonical.identity("number", typed, None) == number


def test_a_mistyped_number_is_none() -> None:
    assert [canonical.number(text) for text in ("", "123", "4711223345", "one", "4711223344 5")] == [None] * 5


def test_an_unusable_text_is_no_identity() -> None:
    kinds = ("number", "card", "email", "phone")
    assert [canonical.identity(kind, "\u200b -", "FR") for kind in kinds] == [None] * 4
