"""Refunds: how many points of a purchase are reversed, by line, in proportion to the money returned.

The points reversed on a line so far are always `floor(points x share returned so far)`. So partial refunds never
reverse more than the line gave, and together they reverse exactly that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Purchase, PurchaseLine, RecordedEvent

WHOLE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Reversal:
    """The points that a refund reverses by rule, how many of them qualified, and each line's share returned so far."""

    by_rule: dict[str, int]
    qualifying: int
    shares_returned: tuple[Fraction, ...]

    @property
    def points(self) -> int:
        """The points reversed in total."""
        return sum(self.by_rule.values())


def _refused(reason: str, *path: str, **params: str | int) -> Refusal:
    return Refusal(RefusalCode.INVALID, reason, path, params)


def _by_total(recorded: RecordedEvent, total: Decimal) -> tuple[Fraction, ...] | Refusal:
    """Return each line's share returned after a refund of `total` that names no lines."""
    purchase = recorded.event.purchase
    paid = Fraction(purchase.total) if purchase else Fraction(0)
    weights = [Fraction(line.amount) for line in purchase.lines] if purchase else []
    weights = weights or [paid]
    weights_total = sum(weights, Fraction(0))
    if not weights_total:
        left = WHOLE - min(recorded.shares_returned)
    else:
        left = (
            sum((w * (1 - r) for w, r in zip(weights, recorded.shares_returned, strict=True)), Fraction(0))
            / weights_total
        )
    refundable = paid * left
    if total > refundable:
        return _refused("refund_exceeds", "purchase", "total", left=f"{float(refundable):.2f}")
    share = WHOLE if total == refundable else Fraction(total) / refundable
    return tuple(r + (1 - r) * share for r in recorded.shares_returned)


def _by_lines(recorded: RecordedEvent, lines: Sequence[PurchaseLine]) -> tuple[Fraction, ...] | Refusal:
    """Return each line's share returned after a refund of `lines`.

    Lines are matched by sku. If several lines have the sku, those with the same sign as the refund match. The share is
    measured in money, or in quantity if the lines cost nothing.
    """
    purchase = recorded.event.purchase
    sold = purchase.lines if purchase else ()
    returned = list(recorded.shares_returned)
    for number, back in enumerate(lines):
        places = [i for i, line in enumerate(sold) if line.sku == back.sku]
        if not places:
            return _refused("refund_unknown_line", "purchase", "lines", str(number), "sku", sku=back.sku)
        by_money = any(sold[place].amount for place in places)
        rest = Fraction(back.amount if by_money else back.quantity)
        wholes = {place: Fraction(sold[place].amount if by_money else sold[place].quantity) for place in places}
        if rest and all(whole * rest < 0 for whole in wholes.values()):
            return _refused("refund_sign", "purchase", "lines", str(number), "amount", sku=back.sku)
        for place, whole in wholes.items():
            if whole * rest < 0:
                continue  # a discount line and the line that it reduces share a sku
            share = min(rest / whole, 1 - returned[place]) if whole else 1 - returned[place]
            returned[place] += share
            rest -= whole * share
        if rest:
            return _refused("refund_exceeds_line", "purchase", "lines", str(number), "amount", sku=back.sku)
    return tuple(returned)


def shares_returned(recorded: RecordedEvent, refund: Purchase | None) -> tuple[Fraction, ...] | Refusal:
    """Return each line's share returned after `refund`, 0 to 1; without `refund`, 1 for every line.

    Refused (INVALID) if nothing is left to refund, or `refund` does not fit what is left of the purchase.
    """
    if all(share == WHOLE for share in recorded.shares_returned):
        return _refused("refund_done", "refundOf")
    if refund is None:
        return tuple(WHOLE for _ in recorded.shares_returned)
    if refund.lines:
        return _by_lines(recorded, refund.lines)
    return _by_total(recorded, refund.total)


def reverse_purchase(purchase: RecordedEvent, refund: Purchase | None) -> Reversal | Refusal:
    """Return the points that refunding `purchase` reverses, or the refusal of `shares_returned()`."""
    returned = shares_returned(purchase, refund)
    if isinstance(returned, Refusal):
        return returned
    by_rule: dict[str, int] = {}
    qualifying = 0
    for grant in purchase.grants:
        points = sum(
            int(part * after) - int(part * before)
            for part, before, after in zip(grant.by_line, purchase.shares_returned, returned, strict=True)
        )
        by_rule[grant.rule] = points
        qualifying += points if grant.qualifying else 0
    return Reversal(by_rule, qualifying, returned)
