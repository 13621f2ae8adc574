"""Membership numbers: short, typed at a till, with a check digit that catches a mistyped or swapped digit."""

NUMBER_LENGTH = 10


def check_digit(body: str) -> str:
    """Return the Luhn check digit (ISO/IEC 7812-1, annex B) of a string of ASCII digits."""
    total = 0
    for place, character in enumerate(reversed(body)):
        digit = int(character)
        if place % 2 == 0:
            digit = digit * 2 - 9 if digit > 4 else digit * 2  # noqa: PLR2004 - Luhn: two digits are summed
        total += digit
    return str(-total % 10)


def number_from(body: int) -> str:
    """Return the membership number whose first nine digits are `body`, 0 to 999,999,999."""
    digits = f"{body:0{NUMBER_LENGTH - 1}d}"
    if body < 0 or len(digits) != NUMBER_LENGTH - 1:
        raise ValueError(f"a membership number has {NUMBER_LENGTH - 1} digits and a check digit, got {body}")
    return digits + check_digit(digits)


def is_number(text: str) -> bool:
    """Say whether `text` is ten ASCII digits of which the last is the right check digit."""
    if len(text) != NUMBER_LENGTH or not (text.isascii() and text.isdigit()):
        return False
    return check_digit(text[:-1]) == text[-1]
