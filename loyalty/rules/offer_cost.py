"""What the use of an offer costs its budget: the discounts that its purchase states for it, else worked back.

Costs are in the programme's `BudgetUnit`.
"""

from collections.abc import Iterable
from decimal import Decimal

from loyalty.kernel import canonical
from loyalty.kernel.currency import BudgetUnit
from loyalty.model.event import Discount, Purchase
from loyalty.model.member import Member
from loyalty.model.offer import CodeKind, Offer, OfferKind
from loyalty.rules.affinity import BRAND_PREFIX, CATEGORY_PREFIX
from loyalty.rules.member_code import split_code
from loyalty.rules.money_paid import paid_by_part

WHOLE_PERCENT = Decimal(100)
# Their budgets are in money.
MONEY_KINDS = frozenset({OfferKind.AMOUNT_OFF, OfferKind.PERCENT_OFF})


def cost_of(offer: Offer, purchase: Purchase, member: Member, unit: BudgetUnit) -> int | None:
    """Return what an offer cost on a recorded purchase; None if the purchase does not say, and the offer neither."""
    if offer.kind not in MONEY_KINDS:
        return 0
    stated = stated_cost(offer, purchase, member, unit)
    if stated is not None:
        return stated
    if offer.kind is OfferKind.AMOUNT_OFF or offer.percent is None:
        return cost_at_most(offer, unit)
    off = _taken_off(offer, offer.percent, purchase)
    most = unit.count(offer.amount_max) if offer.amount_max is not None else None
    if off is None:
        return most
    cost = unit.count(off)
    return cost if most is None else min(cost, most)


def stated_cost(offer: Offer, purchase: Purchase, member: Member, unit: BudgetUnit) -> int | None:
    """Return the sum of the discounts that a purchase states for an offer; None if it states none."""
    stated = [one.amount for one in purchase.discounts if _is_stated_for(offer, one, member)]
    return unit.count(sum(stated, Decimal(0))) if stated else None


def cost_at_most(offer: Offer, unit: BudgetUnit) -> int:
    """Return the most that an offer costs on a purchase that is still to come; 0 if nothing bounds it."""
    most = offer.amount if offer.kind is OfferKind.AMOUNT_OFF else offer.amount_max
    return unit.count(most) if most is not None else 0


def _is_stated_for(offer: Offer, discount: Discount, member: Member) -> bool:
    """Return whether a discount names an offer, by its key or by the code of the offer or of the member."""
    if discount.code is None or offer.code is None:
        return discount.offer == offer.key
    code = canonical.code(discount.code)
    match offer.code.kind:
        case CodeKind.MEMBER:
            # Whoever recorded the purchase has checked the proof in the code, and named the offer.
            parts = split_code(code)
            return discount.offer == offer.key and (parts is None or parts[1] == member.number)
        case CodeKind.SHARED:
            return discount.offer == offer.key or code == canonical.code(offer.code.text)
        case CodeKind.POOL:
            own = member.offer_use(offer.key).code
            return discount.offer == offer.key or (own is not None and code == canonical.code(own))


def _taken_off(offer: Offer, percent: Decimal, purchase: Purchase) -> Decimal | None:
    """Return what a percentage took off the price; None if nothing says it.

    Discounts that name no offer bound it, if none names one; they are all that is known of 100 %.
    """
    unnamed: Decimal | None = None
    if purchase.discounts and all(one.offer is None and one.code is None for one in purchase.discounts):
        unnamed = sum((one.amount for one in purchase.discounts), Decimal(0))
    places = [*_places_of(offer, purchase)]
    if not places and purchase.lines:
        return Decimal(0)  # no line is in the offer's categories
    is_all = len(places) == len(purchase.lines)
    off = _off_all(percent, purchase) if is_all else _off_lines(percent, purchase, places)
    if unnamed is None:
        return off
    return unnamed if off is None or percent == WHOLE_PERCENT else min(off, unnamed)


def _places_of(offer: Offer, purchase: Purchase) -> Iterable[int]:
    """Yield the places of the lines that an offer is for: in its categories, if it names any, and of its brands.

    Receipts on which no line has a category say nothing about categories, and likewise for brands.
    """
    lines = purchase.lines
    named = [
        prefix for prefix in (CATEGORY_PREFIX, BRAND_PREFIX) if any(one.startswith(prefix) for one in offer.topics)
    ]
    by_category = CATEGORY_PREFIX in named and any(line.category for line in lines)
    by_brand = BRAND_PREFIX in named and any(line.brand for line in lines)
    for place, line in enumerate(lines):
        if by_category and f"{CATEGORY_PREFIX}{line.category}" not in offer.topics:
            continue
        if not by_brand or f"{BRAND_PREFIX}{line.brand}" in offer.topics:
            yield place


def _off_all(percent: Decimal, purchase: Purchase) -> Decimal | None:
    """Return what a percentage took off a whole purchase, from what was paid after it."""
    if percent < WHOLE_PERCENT:
        return max(purchase.total, Decimal(0)) * percent / (WHOLE_PERCENT - percent)
    # Nothing was paid for it: the prices of the lines, less what was paid for others.
    prices = sum((line.amount for line in purchase.lines if line.amount > 0), Decimal(0))
    return max(prices - purchase.total, Decimal(0)) or None


def _off_lines(percent: Decimal, purchase: Purchase, places: Iterable[int]) -> Decimal | None:
    """Return what a percentage took off some lines of a purchase.

    If the total is below the sum of the lines, they have their prices, and the difference bounds it; else they have
    what was paid for them after it.
    """
    lines, paid = purchase.lines, paid_by_part(purchase)
    prices = sum((lines[place].amount for place in places if lines[place].amount > 0), Decimal(0))
    of_basket = sum((line.amount for line in lines), Decimal(0)) - purchase.total
    if of_basket > 0:
        return min(prices * percent / WHOLE_PERCENT, of_basket)
    after = sum((paid[place] for place in places), Decimal(0))
    if percent < WHOLE_PERCENT:
        return after * percent / (WHOLE_PERCENT - percent)
    return prices - after or None
