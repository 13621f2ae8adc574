"""Splits whole numbers, such as points or cents, in proportion to weights."""

from collections.abc import Sequence
from decimal import Decimal


def in_units(amounts: Sequence[Decimal]) -> tuple[list[int], int]:
    """Return amounts, negative ones as 0, in whole units, and how many units make one: 1050 and 100 for 10.50."""
    digits: list[tuple[str, str]] = []
    decimals = 0
    for amount in amounts:
        # As text, because a quotient of decimals would lose digits beyond the precision of the context.
        text = str(amount) if amount > 0 else "0"
        whole, _, part = (text if "E" not in text else format(amount, "f")).partition(".")
        decimals = max(decimals, len(part))
        digits.append((whole, part))
    return [int(whole + part.ljust(decimals, "0")) for whole, part in digits], 10**decimals


def whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """Return weights as integers in the same proportion, negative ones as 0."""
    return in_units(weights)[0]


def allocate_proportionally(points: int, weights: Sequence[Decimal]) -> tuple[int, ...]:
    """Split `points` in proportion to `weights` into whole parts that sum to `points` (largest remainder method)."""
    return spread(points, whole_numbers(weights))


def spread(points: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Do the same for weights that are whole numbers, 0 or more; equal parts if all are 0."""
    whole = sum(weights)
    if not whole:
        weights, whole = [1] * len(weights), len(weights)
    parts = [points * weight // whole for weight in weights]
    rest = points - sum(parts)
    if rest:
        # sorted() is stable: of equal remainders the first comes first.
        remainders = [points * weight % whole for weight in weights]
        for index in sorted(range(len(parts)), key=remainders.__getitem__, reverse=True)[:rest]:
            parts[index] += 1
    return tuple(parts)
