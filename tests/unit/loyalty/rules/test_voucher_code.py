from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.model.order import CODE_ALPHABET, NUMBER_LENGTH, grouped, order_number
from loyalty.rules.voucher_code import canonical_code, number_of_voucher, voucher_code

SECRET = b"a secret"
NUMBER = order_number("grocer/place-order/member/1")
numbers = st.text(CODE_ALPHABET, min_size=NUMBER_LENGTH, max_size=NUMBER_LENGTH).map(grouped)


@given(numbers, st.binary(min_size=1, max_size=32))
@property_settings(200)
def test_a_code_leads_to_its_order_and_to_no_other(number: str, secret: bytes) -> None:
    code = voucher_code(number, programme="grocer", secret=secret)
    assert canonical_code(code) == code
    assert number_of_voucher(code, programme="grocer", secret=secret) == number
    # And the other way round: every code is that of one number, so no two orders have one code.
    assert voucher_code(number_of_voucher(number, programme="grocer", secret=secret), programme="grocer", secret=secret)


@given(st.sets(numbers, min_size=2, max_size=20))
@property_settings(50)
def test_no_two_orders_have_one_code(found: set[str]) -> None:
    assert len({voucher_code(number, programme="grocer", secret=SECRET) for number in found}) == len(found)


@pytest.mark.parametrize("other", [{"programme": "coffee"}, {"secret": b"another"}])
def test_a_code_is_of_one_programme_and_secret(other: dict[str, object]) -> None:
    about: dict[str, object] = {"programme": "grocer", "secret": SECRET}
    code = voucher_code(NUMBER, **about)  # type: ignore[arg-type]
    assert number_of_voucher(code, **{**about, **other}) != NUMBER  # type: ignore[arg-type]


def test_neighbouring_numbers_have_unlike_codes() -> None:
    codes = [voucher_code(grouped(f"{n:012d}"), programme="grocer", secret=SECRET) for n in range(200)]
    same = [sum(a == b for a, b in zip(one, two, strict=True)) for one, two in pairwise(codes)]
    # Two dashes, and of twelve characters one in 32 by chance.
    assert sum(same) / len(same) < 2 + 12 / 32 + 0.5


@pytest.mark.parametrize(
    "typed",
    [
        "7k2m-0qzt-4h9d",
        " 7K2M 0QZT 4H9D ",
        "7K2M0QZT4H9D",
        "7K2M\u20130QZT\u20144H9D",
        "7K2M\u2011OQZT\u22124H9D",
        "7k2m\u00a0oqzt\u202f4h9d\n",
        "\u200f7K2M\u200b-0QZT-\ufeff4H9D",
        "".join(chr(0xFEE0 + ord(one)) for one in "7K2M-0QZT-4H9D"),
        "\u0667K\u0662M-\u0660QZT-\u0664H\u0669D",
        "7K2M-\t0QZT-4H9D\r\n",
    ],
)
def test_case_spaces_dashes_and_look_alikes_are_ignored(typed: str) -> None:
    assert canonical_code(typed) == "7K2M-0QZT-4H9D"


@pytest.mark.parametrize("typed", ["iiii-llll-oooo", "IlIl-iLiL-0O0o"])
def test_letters_are_read_as_the_digits_that_they_look_like(typed: str) -> None:
    assert canonical_code(typed) == "1111-1111-0000"


@pytest.mark.parametrize(
    "typed", ["", "-", "7K2M-0QZT-4H9", "7K2M-0QZT-4H9D1", "7K2M-0QZT-4H9U", "7K2M-0QZT-4H9!", "7" * 101, "\0"]
)
def test_other_text_is_no_code(typed: str) -> None:
    assert canonical_code(typed) is None


@given(st.text(max_size=120))
@property_settings(200)
def test_the_canonical_form_of_any_text_is_stable(typed: str) -> None:
    code = canonical_code(typed)
    assert code is None or canonical_code(code) == code
    assert code is None or set(code) <= {*CODE_ALPHABET, "-"}
