"""Real baskets for the demonstration's till: from households imported last, small enough to read."""

from decimal import Decimal
from typing import Any

from models.loading.complete_journey import Basket, CompleteJourney

HOUSEHOLDS = 12
BASKETS_PER_HOUSEHOLD_MAX = 3
LINES_MIN, LINES_MAX = 2, 12
QUANTITY_MAX = 20
"""Excludes fuel, whose quantity is in thousandths and would read oddly."""


def real_baskets(currency: str) -> list[dict[str, Any]]:
    """Return the same few dozen baskets each time, ready for JSON; reads the data set, which takes a second.

    An import starts with the lowest household numbers; these baskets come from the highest.

    Raises:
        DataMissing: the data set is not installed.
    """
    data = CompleteJourney()
    households = data.households()[-HOUSEHOLDS:]
    names = {str(product): kind.capitalize() for product, kind in data.product_types().items()}
    found: dict[int, list[Basket]] = {household: [] for household in households}
    for basket in data.baskets(households):
        if len(found[basket.household]) < BASKETS_PER_HOUSEHOLD_MAX and _is_readable(basket, names):
            found[basket.household].append(basket)
    # One basket of each household, then a second of each, so that the first few come from several households.
    chosen = [
        baskets[nth] for nth in range(BASKETS_PER_HOUSEHOLD_MAX) for baskets in found.values() if nth < len(baskets)
    ]
    return [_json(basket, names, currency) for basket in chosen]


def _is_readable(basket: Basket, names: dict[str, str]) -> bool:
    return LINES_MIN <= len(basket.lines) <= LINES_MAX and all(
        line.amount > 0 and 1 <= line.quantity <= QUANTITY_MAX and line.sku in names and line.category and line.brand
        for line in basket.lines
    )


def _json(basket: Basket, names: dict[str, str], currency: str) -> dict[str, Any]:
    lines = [
        {
            "sku": line.sku,
            "name": names[line.sku],
            "category": line.category,
            "brand": line.brand,
            "quantity": str(line.quantity),
            "amount": _money(line.amount),
        }
        for line in basket.lines
    ]
    return {"lines": lines, "total": _money(basket.total), "currency": currency}


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
