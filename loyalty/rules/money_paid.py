"""What was paid for each part of a purchase: its lines after all discounts, and what the total has beyond them.

A discount line lowers the lines with its sku, else those with its category and brand, else all. A total below the sum
of the lines is a discount on all of them. A total above it has something without a line, such as delivery: a part of
its own, after the lines. The parts sum to the total.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from loyalty.kernel.currency import decimals_of
from loyalty.kernel.proportion import spread, whole_numbers
from loyalty.model.event import Event, Purchase, PurchaseLine


def paid_by_part(purchase: Purchase | None, parts: int | None = None) -> tuple[Decimal, ...]:
    """Return what was paid for each part, 0 or more: a part without lines, else each line and what is beyond them.

    `parts` is the number of parts that the purchase was recorded with. Earlier releases had no part beyond the lines:
    then that money is spread over the lines.
    """
    if purchase is None:
        return (Decimal(0),)
    lines, total = purchase.lines, purchase.total
    if not lines:
        return (total,)
    amounts = tuple(line.amount for line in lines)
    whole = sum(amounts, Decimal(0))
    if whole == total and min(amounts) >= 0:
        return amounts
    beyond = total - max(whole, Decimal(0))
    if beyond > 0 and parts == len(lines):
        return _in_proportion(total, amounts, purchase.currency)
    paid = _after_discounts(lines, min(total, max(whole, Decimal(0))), purchase.currency)
    return (*paid, beyond) if beyond > 0 else paid


def weights_of(purchase: Purchase | None, paid: Sequence[Decimal]) -> list[int]:
    """Return the weights by which points are spread over the parts of a purchase, of which at least one is above 0."""
    return weights_in_units(purchase, whole_numbers(paid))


def weights_in_units(purchase: Purchase | None, paid: list[int]) -> list[int]:
    """Do the same for money in whole units.

    If nothing was paid, every line that is not a discount has the same weight.
    """
    if any(paid):
        return paid
    lines = purchase.lines if purchase is not None else ()
    return [int(line.amount >= 0) for line in lines] if any(line.amount >= 0 for line in lines) else [1] * len(paid)


def as_paid(event: Event, paid: Sequence[Decimal]) -> Event:
    """Return an event whose lines have the amounts that were paid for them, as rules see them."""
    purchase = event.purchase
    if purchase is None or not purchase.lines or paid[0] is purchase.lines[0].amount:
        return event  # the amounts themselves, because most purchases have no discounts
    lines = tuple(replace(line, amount=money) for line, money in zip(purchase.lines, paid, strict=False))
    return replace(event, purchase=replace(purchase, lines=lines))


def _after_discounts(lines: Sequence[PurchaseLine], total: Decimal, currency: str) -> tuple[Decimal, ...]:
    """Return what was paid for each line, which sums to `total`; 0 for a discount line."""
    unit = _unit([line.amount for line in lines] + [total], currency)
    left = [max(0, int(line.amount / unit)) for line in lines]
    for line in lines:
        if line.amount < 0:
            lowered = _lowered_by(line, lines, left)
            _take(min(int(-line.amount / unit), sum(left[place] for place in lowered)), lowered, left)
    _take(sum(left) - int(total / unit), range(len(lines)), left)
    return tuple(units * unit for units in left)


def _lowered_by(discount: PurchaseLine, lines: Sequence[PurchaseLine], left: Sequence[int]) -> Sequence[int]:
    """Return the places of the lines that a discount line lowers."""
    priced = [place for place, units in enumerate(left) if units]
    same = [place for place in priced if lines[place].sku == discount.sku]
    if same or (discount.category is None and discount.brand is None):
        return same or priced
    alike = [
        place
        for place in priced
        if discount.category in {None, lines[place].category} and discount.brand in {None, lines[place].brand}
    ]
    return alike or priced


def _take(units: int, places: Sequence[int], left: list[int]) -> None:
    """Take a discount from the lines at some places, in proportion to what is left of them."""
    for place, taken in zip(places, spread(units, [left[place] for place in places]), strict=True):
        left[place] -= taken


def _in_proportion(total: Decimal, amounts: Sequence[Decimal], currency: str) -> tuple[Decimal, ...]:
    unit = _unit([*amounts, total], currency)
    return tuple(units * unit for units in spread(int(total / unit), whole_numbers(amounts)))


def _unit(amounts: Sequence[Decimal], currency: str) -> Decimal:
    """Return the finest unit of some amounts, at most the currency's minor unit."""
    decimals = max(-int(amount.as_tuple().exponent) for amount in amounts)
    return Decimal(1).scaleb(-max(decimals, decimals_of(currency)))
