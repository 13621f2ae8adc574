"""Splits whole numbers, such as points or cents, in proportion to weights."""

from collections.abc import Sequence
from decimal import Decimal


def whole_numbers(weights: Sequence[Decimal]) -> list[int]:
    """Return weights as integers in the same proportion, negative ones as 0."""
    digits: list[tuple[str, str]] = []
    decimals = 0
    for weight in weights:
        # As text, because a quotient of decimals would lose digits beyond the precision of the context.
        text = str(weight) if weight > 0 else "0"
        whole, _, part = (text if "E" not in text else format(weight, "f")).partition(".")
        decimals = max(decimals, len(part))
        digits.append((whole, part))
    return [int(whole + part.ljust(decimals, "0")) for whole, part in digits]


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
