"""Real baskets for the demonstration's till: some that no import brings in first, each small enough to be read."""

from decimal import Decimal
from typing import Any

from models.loading.complete_journey import Basket, CompleteJourney

HOUSEHOLDS = 12
OF_EACH_MAX = 3
LINES_MIN, LINES_MAX = 2, 12
QUANTITY_MAX = 20
"""Fuel is counted in thousandths: a basket of it reads oddly."""


def real_baskets(currency: str) -> list[dict[str, Any]]:
    """Return the same few dozen baskets each time, as JSON has them; reads the data set, which takes a second.

    An import takes the households with the lowest numbers first; these are of the highest.

    Raises:
        DataMissing: the data set is not installed.
    """
    data = CompleteJourney()
    households = data.households()[-HOUSEHOLDS:]
    names = {str(product): kind.capitalize() for product, kind in data.product_types().items()}
    found: dict[int, list[Basket]] = {household: [] for household in households}
    for basket in data.baskets(households):
        if len(found[basket.household]) < OF_EACH_MAX and _is_readable(basket, names):
            found[basket.household].append(basket)
    # One of each household, then a second of each: who scans a few has met several households.
    chosen = [of_one[nth] for nth in range(OF_EACH_MAX) for of_one in found.values() if nth < len(of_one)]
    return [_told(basket, names, currency) for basket in chosen]


def _is_readable(basket: Basket, names: dict[str, str]) -> bool:
    return LINES_MIN <= len(basket.lines) <= LINES_MAX and all(
        line.amount > 0 and 1 <= line.quantity <= QUANTITY_MAX and line.sku in names and line.category and line.brand
        for line in basket.lines
    )


def _told(basket: Basket, names: dict[str, str], currency: str) -> dict[str, Any]:
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
