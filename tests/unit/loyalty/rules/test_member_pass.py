"""A pass identifies a member for a minute; only holders of the secret can create or read one."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.rules.member_pass import (
    PASS_TTL,
    TIME_STEP_SECONDS,
    MemberPass,
    digits_for,
    matching_time_step,
    sign_pass,
    time_step_of,
    verify_pass,
)

NOW = datetime(2026, 6, 15, 16, 0, 7, tzinfo=UTC)
SECRET = b"a secret"
CODE = sign_pass(programme="grocer", member="a1", expires_at=NOW + PASS_TTL, nonce=b"12345678", secret=SECRET)


def digits(at: datetime, *, member: str = "a1", programme: str = "grocer") -> str:
    return digits_for(programme=programme, member=member, time_step=time_step_of(at), secret=SECRET)


def says(typed: str, now: datetime, *, member: str = "a1", programme: str = "grocer") -> int | None:
    return matching_time_step(typed, programme=programme, member=member, now=now, secret=SECRET)


def test_a_pass_says_whose_it_is_and_until_when() -> None:
    assert CODE.startswith("CP1.a1.")
    assert len(CODE) < 80
    result = verify_pass(CODE, programme="grocer", secret=SECRET)
    assert result == MemberPass("a1", NOW + timedelta(seconds=60), "MTIzNDU2Nzg")
    assert verify_pass(f" {CODE}\n", programme="grocer", secret=SECRET) == result


def test_pass_of_another_programme_or_secret_is_invalid() -> None:
    assert verify_pass(CODE, programme="coffee", secret=SECRET) is None
    assert verify_pass(CODE, programme="grocer", secret=b"another") is None


@given(place=st.integers(0, len(CODE) - 1), character=st.characters())
@property_settings(300)
def test_pass_with_one_changed_character_is_invalid(place: int, character: str) -> None:
    forged = CODE[:place] + character + CODE[place + 1 :]
    if forged != CODE:
        assert verify_pass(forged, programme="grocer", secret=SECRET) is None


@given(text=st.text(max_size=300) | st.text("CP1.a0=-_", max_size=60))
@property_settings(300)
def test_any_other_text_is_invalid(text: str) -> None:
    assert verify_pass(text, programme="grocer", secret=SECRET) is None


@given(seconds=st.integers(0, 10**9), later=st.floats(0, 59.999))
@property_settings(200)
def test_digits_are_valid_for_a_minute(seconds: int, later: float) -> None:
    shown_at = NOW + timedelta(seconds=seconds)
    typed = digits(shown_at)
    assert len(typed) == 6
    assert typed.isdecimal()
    assert says(typed, shown_at + timedelta(seconds=later)) is not None
    over = shown_at + timedelta(seconds=60 + TIME_STEP_SECONDS)
    # Another span may have the same digits, by chance; this one is over.
    assert says(typed, over) != time_step_of(shown_at)


def test_digits_are_of_one_member_and_programme_and_read_as_people_type_them() -> None:
    typed = digits(NOW)
    assert says(f" {typed[:3]} {typed[3:]} ", NOW) == time_step_of(NOW)
    assert says(typed, NOW, member="b2") is None
    assert says(typed, NOW, programme="coffee") is None
    assert says("", NOW) is None
    assert says("é" * 6, NOW) is None
