"""Membership numbers: short, typed at a till, with a check digit that catches a mistyped or swapped digit."""

NUMBER_LENGTH = 10
_DOUBLED = str.maketrans("0123456789", "0246813579")


def check_digit(body: str) -> str:
    """Return the Luhn check digit (ISO/IEC 7812-1, annex B) of a string of ASCII digits."""
    # From the last digit, every second one is doubled and its digits are summed.
    return str(-sum(map(int, body[-1::-2].translate(_DOUBLED) + body[-2::-2])) % 10)


def number_from(body: int) -> str:
    """Return the membership number whose first nine digits are `body`.

    Raises:
        ValueError: `body` is not from 0 to 999,999,999.
    """
    digits = f"{body:0{NUMBER_LENGTH - 1}d}"
    if body < 0 or len(digits) != NUMBER_LENGTH - 1:
        raise ValueError(f"a membership number has {NUMBER_LENGTH - 1} digits and a check digit, got {body}")
    return digits + check_digit(digits)


def is_number(text: str) -> bool:
    """Return whether `text` is ten ASCII digits with a valid check digit."""
    if len(text) != NUMBER_LENGTH or not (text.isascii() and text.isdigit()):
        return False
    return check_digit(text[:-1]) == text[-1]
