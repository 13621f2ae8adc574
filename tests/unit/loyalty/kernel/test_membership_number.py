import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.property_settings import property_settings

from loyalty.kernel.membership_number import check_digit, is_number, number_from


@pytest.mark.parametrize(
    ("body", "digit"), [("7992739871", "3"), ("000000000", "0"), ("123456789", "7"), ("999999999", "9"), ("0", "0")]
)
def test_check_digit_is_that_of_the_standard(body: str, digit: str) -> None:
    assert check_digit(body) == digit


def test_number_keeps_leading_zeros() -> None:
    assert number_from(0) == "0000000000"
    assert number_from(42) == "0000000422"
    assert number_from(123456789) == "1234567897"


@pytest.mark.parametrize("body", [-1, -123456789, 1_000_000_000])
def test_number_out_of_range_is_refused(body: int) -> None:
    with pytest.raises(ValueError, match="9 digits and a check digit"):
        number_from(body)


@pytest.mark.parametrize(
    "text", ["", "123456789", "12345678970", "123456789x", " 234567897", "1234567897 ", "١٢٣٤٥٦٧٨٩٧", "12345678²7"]
)
def test_what_is_not_ten_ascii_digits_is_no_number(text: str) -> None:
    assert not is_number(text)


@given(body=st.integers(0, 999_999_999), place=st.integers(0, 9), digit=st.integers(0, 9))
@property_settings(200)
def test_a_mistyped_digit_is_always_caught(body: int, place: int, digit: int) -> None:
    number = number_from(body)
    assert is_number(number)
    mistyped = number[:place] + str(digit) + number[place + 1 :]
    assert is_number(mistyped) == (mistyped == number)


@given(body=st.integers(0, 999_999_999), place=st.integers(0, 8))
@property_settings(200)
def test_swapped_neighbours_are_caught_but_for_0_and_9(body: int, place: int) -> None:
    number = number_from(body)
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    alike = {number[place], number[place + 1]} == {"0", "9"}
    assert is_number(swapped) == (swapped == number or alike)
