"""Voucher codes such as `7K2M-0QZT-4H9D`: an order's number, encrypted with the installation's secret.

The encryption maps the 2**60 numbers one to one, so codes are as unique as order numbers, and the code of an order of
any release exists without being stored. To find an order by its code, decrypt it and read the order by its number.
A Feistel network (Luby and Rackoff, 1988) makes such a cipher out of an HMAC.
"""

import hmac
from hashlib import sha256
from unicodedata import category, decimal, normalize

from loyalty.model.order import CODE_ALPHABET, NUMBER_LENGTH, grouped

ROUNDS = 10
_HALF_BITS = 30
_HALF_MASK = (1 << _HALF_BITS) - 1
_TYPED_LENGTH_MAX = 100
_VALUES = {character: value for value, character in enumerate(CODE_ALPHABET)}
# What people type for the digits that these letters look like, as Crockford's base 32 reads them.
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1"})
# Spaces, dashes, control characters and invisible ones such as a zero-width space.
_SEPARATORS = frozenset({"Zs", "Zl", "Zp", "Pd", "Cc", "Cf"})
_MINUS = "\N{MINUS SIGN}"


def canonical_code(typed: str) -> str | None:
    """Return the canonical form of an order number or voucher code as typed, pasted or scanned; None for other text.

    Letter case, spaces, dashes and invisible characters are ignored; O is read as 0, I and L as 1, and digits of other
    scripts as ASCII digits.
    """
    if len(typed) > _TYPED_LENGTH_MAX:
        return None
    kept = [
        str(decimal(character)) if character.isdecimal() else character
        for character in normalize("NFKC", typed).upper()
        if category(character) not in _SEPARATORS and character != _MINUS
    ]
    code = "".join(kept).translate(_MISREAD)
    return grouped(code) if len(code) == NUMBER_LENGTH and _VALUES.keys() >= set(code) else None


def voucher_code(number: str, *, programme: str, secret: bytes) -> str:
    """Return the voucher code of the order with a number."""
    value = _value(number)
    left, right = value >> _HALF_BITS, value & _HALF_MASK
    for turn in range(ROUNDS):
        left, right = right, left ^ _mixed(programme, turn, right, secret)
    return _text(left << _HALF_BITS | right)


def number_of_voucher(code: str, *, programme: str, secret: bytes) -> str:
    """Return the order number of a voucher code in canonical form; no order has the number of a code never given."""
    value = _value(code)
    left, right = value >> _HALF_BITS, value & _HALF_MASK
    for turn in reversed(range(ROUNDS)):
        left, right = right ^ _mixed(programme, turn, left, secret), left
    return _text(left << _HALF_BITS | right)


def _mixed(programme: str, turn: int, half: int, secret: bytes) -> int:
    digest = hmac.digest(secret, f"voucher\0{programme}\0{turn}\0{half}".encode(), sha256)
    return int.from_bytes(digest[:4]) & _HALF_MASK


def _value(code: str) -> int:
    value = 0
    for character in code.replace("-", ""):
        value = value << 5 | _VALUES[character]
    return value


def _text(value: int) -> str:
    return grouped("".join(CODE_ALPHABET[value >> 5 * place & 31] for place in reversed(range(NUMBER_LENGTH))))
