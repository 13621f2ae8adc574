"""Refunds: how many points of a purchase are reversed, by the goods and by the money that come back.

A refund states a total, lines, or both. Of a line it returns the share that its quantity says, if the amount is the
price of that quantity, rounded; else the share that the amount says. Money that belongs to no line returns the same
share of every part that is left. Both measures are stored apart, so the order of the refunds does not matter:
`points x share returned`, rounded down, is reversed so far, and all of it once all goods or all money are back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from loyalty.kernel.currency import decimals_of, minor_unit
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.event import Grant, MoneyReturned, Purchase, PurchaseLine, RecordedEvent
from loyalty.rules.money_paid import paid_by_part

NOTHING = Fraction(0)
WHOLE = Fraction(1)
NO_PURCHASE = Purchase(Decimal(0), "")


@dataclass(frozen=True, slots=True)
class PointsReversed:
    """Points that are reversed by rule, and how many of them qualified."""

    by_rule: dict[str, int]
    qualifying: int

    @property
    def points(self) -> int:
        """The points reversed in total."""
        return sum(self.by_rule.values())


@dataclass(frozen=True, slots=True)
class Reversal(PointsReversed):
    """What a refund reverses, and the purchase as it is after it."""

    purchase: RecordedEvent

    @property
    def shares_returned(self) -> tuple[Fraction, ...]:
        """The share of each part that was returned so far."""
        return self.purchase.shares_returned

    @property
    def whole(self) -> bool:
        """Whether the whole purchase is returned now: all its goods, or all its money."""
        return self.purchase.is_returned

    @property
    def share(self) -> Fraction:
        """The share of the purchase's money that was returned so far."""
        return share_returned(self.purchase)


def share_returned(recorded: RecordedEvent) -> Fraction:
    """Return the share of a purchase's money that was returned so far; of its parts, if nothing was paid."""
    shares = recorded.shares_returned
    paid = [Fraction(money) for money in paid_by_part(recorded.event.purchase, len(shares))]
    weights = paid if any(paid) else [WHOLE] * len(shares)
    return _product(weights, shares) / sum(weights)


def points_returned(by_part: Sequence[int], shares: Sequence[Fraction], *, by_earlier_release: bool) -> int:
    """Return how many points of a grant are reversed once these shares of its parts are returned.

    Earlier releases rounded the points of each part down, and not their sum.
    """
    if by_earlier_release:
        return sum(int(part * share) for part, share in zip(by_part, shares, strict=True))
    return int(_product(by_part, shares))


def points_reversed(recorded: RecordedEvent, grant: Grant) -> int:
    """Return how many points of a grant are reversed, after all refunds of its purchase so far."""
    return points_returned(grant.by_line, recorded.shares_returned, by_earlier_release=recorded.returned is None)


def reverse_purchase(purchase: RecordedEvent, refund: Purchase | None) -> Reversal | Refusal:
    """Return what refunding `purchase` reverses; without `refund`, all that is left.

    Refused (INVALID) if nothing is left to refund, or `refund` does not fit what is left.
    """
    if purchase.is_returned:
        return _refused("refund_done", "refundOf")
    rest = _Rest(purchase)
    if refund is None:
        rest.return_all()
    else:
        refusal = rest.return_lines(refund) if refund.lines else rest.return_total(refund.total)
        if refusal is not None:
            return refusal
    after = rest.purchase()
    by_rule: dict[str, int] = {}
    qualifying = 0
    for grant in purchase.grants:
        points = points_reversed(after, grant) - points_reversed(purchase, grant)
        by_rule[grant.rule] = by_rule.get(grant.rule, 0) + points
        qualifying += points if grant.qualifying else 0
    return Reversal(by_rule, qualifying, after)


def _product(weights: Sequence[int | Fraction], shares: Sequence[Fraction]) -> Fraction:
    return sum((weight * share for weight, share in zip(weights, shares, strict=True)), NOTHING)


def _refused(reason: str, *path: str, **params: str | int) -> Refusal:
    return Refusal(RefusalCode.INVALID, reason, path, params)


class _Part:
    """One part of a purchase, and what is left of it. `paid` is its money, `price` that before a basket discount."""

    __slots__ = ("is_discount", "left", "paid", "price", "quantity", "sku")

    def __init__(self, line: PurchaseLine | None, paid: Decimal, left: Fraction) -> None:
        self.sku = line.sku if line is not None else None
        self.is_discount = line is not None and line.amount < 0
        self.price = Fraction(abs(line.amount)) if line is not None else Fraction(paid)
        # A discount line has a price, to compare refunds with, and returns no money: it lowered the other lines.
        self.paid = NOTHING if self.is_discount else Fraction(paid)
        self.quantity = Fraction(line.quantity) if line is not None else NOTHING
        self.left = left

    def costs(self, quantity: Fraction, unit: Fraction, *, at_price: bool) -> tuple[Fraction, Fraction, Fraction]:
        """Return what a quantity costs at least, exactly and at most: each piece or their sum is rounded to `unit`."""
        piece = (self.price if at_price or self.is_discount else self.paid) / self.quantity
        cost = quantity * piece
        lowest = min(quantity * _down(piece, unit), _down(cost, unit))
        return lowest, cost, max(quantity * _up(piece, unit), _up(cost, unit))


class _Returning:
    """A line of a refund: what it returns of the parts with its sku. `unit` is the currency's minor unit."""

    def __init__(self, back: PurchaseLine, parts: Sequence[_Part], unit: Fraction, *, at_price: bool) -> None:
        self._amount, self._quantity = Fraction(abs(back.amount)), Fraction(back.quantity)
        self._parts, self._unit, self._at_price = parts, unit, at_price

    def by_quantity(self) -> bool:
        """Return what the quantity says, if the amount is its price; else return nothing."""
        pieces = [(part, part.quantity * part.left) for part in self._parts if part.quantity]
        if 0 < self._quantity == sum(quantity for _, quantity in pieces) and self._differs_by(pieces) is not None:
            for part in self._parts:
                part.left = NOTHING
            return True
        found = [
            (differs, part)
            for part, left in pieces
            if 0 < self._quantity <= left and (differs := self._differs_by([(part, self._quantity)])) is not None
        ]
        if not found:
            return False
        _, part = min(found, key=lambda one: one[0])
        part.left -= self._quantity / part.quantity
        return True

    def by_money(self) -> bool:
        """Return what the amount says, from the first part to the last; False if it is more than what is left."""
        at_most = sum((part.price * part.left for part in self._parts), NOTHING)
        if not any(part.price for part in self._parts):
            return not self._amount and not self._quantity  # what costs nothing has only its quantity
        rest = self._amount
        for part in self._parts:
            whole = part.price if self._at_price or not part.paid else part.paid
            share = min(rest / whole, part.left) if whole else NOTHING
            part.left -= share
            rest -= whole * share
        return self._amount <= max(_up(self._amount - rest, self._unit), _up(at_most, self._unit))

    def _differs_by(self, pieces: Sequence[tuple[_Part, Fraction]]) -> tuple[Fraction, bool, Fraction] | None:
        """Return how far the amount is from what some quantities of parts cost; None if it is not their price.

        After the difference: whether it is from their price where the refund states what was paid, or the reverse; and
        the sum of the differences from both.
        """
        found: list[tuple[Fraction, bool]] = []
        both = NOTHING
        for at_price in (False, True):
            costs = [part.costs(quantity, self._unit, at_price=at_price) for part, quantity in pieces]
            low, exact, high = (sum(column, NOTHING) for column in zip(*costs, strict=True))
            both += abs(self._amount - exact)
            if low <= self._amount <= high:
                found.append((abs(self._amount - exact), at_price is not self._at_price))
        return (*min(found), both) if found else None


class _Rest:
    """What is left of a purchase: of each part by the lines of refunds, and how much money is `spread` over all."""

    def __init__(self, recorded: RecordedEvent) -> None:
        self._recorded = recorded
        purchase, shares = recorded.event.purchase or NO_PURCHASE, recorded.shares_returned
        paid, lines = paid_by_part(purchase, len(shares)), purchase.lines
        self._beyond = len(lines) if 0 < len(lines) < len(shares) else None
        spread = recorded.returned.spread if recorded.returned is not None else NOTHING
        self._parts = [
            _Part(lines[place] if place < len(lines) else None, money, (1 - share) / (1 - spread))
            for place, (money, share) in enumerate(zip(paid, shares, strict=True))
        ]
        self._total = sum((part.paid for part in self._parts), NOTHING)
        self._spread = self._worth() * spread
        self._stated = recorded.returned.total if recorded.returned is not None else self._total - self._worth()
        self._purchase = purchase
        self._unit = minor_unit(purchase.currency)

    def purchase(self) -> RecordedEvent:
        """Return the purchase after the refund."""
        worth = self._worth()
        spread = self._spread / worth if worth else NOTHING
        shares = tuple(1 - part.left * (1 - spread) for part in self._parts)
        return replace(self._recorded, shares_returned=shares, returned=MoneyReturned(self._stated, spread))

    def return_all(self) -> None:
        """Return all that is left."""
        self._stated = max(self._stated, self._total)
        self._spread = NOTHING
        for part in self._parts:
            part.left = NOTHING

    def return_total(self, total: Decimal) -> Refusal | None:
        """Return money that belongs to no line; exactly what is left beyond the lines is that."""
        money = Fraction(total)
        left = self._money_left()
        if money > left:
            return _too_much(left, self._purchase.currency)
        self._stated += money
        beyond = self._parts[self._beyond] if self._beyond is not None else None
        if beyond is not None and money == beyond.paid * beyond.left > 0:
            beyond.left = NOTHING
        else:
            self._spread += money
        self._finish(is_all_money=self._stated >= self._total and (money > 0 or not self._total))
        return None

    def return_lines(self, refund: Purchase) -> Refusal | None:
        """Return lines, and the money that the total has beyond them.

        With discount lines, or a total below the lines, their amounts are prices before discounts, as in a purchase.
        """
        total = Fraction(refund.total)
        of_lines = sum((Fraction(line.amount) for line in refund.lines), NOTHING)
        at_price = total < of_lines or any(line.amount < 0 for line in refund.lines)
        before, money_left = self._worth(), self._money_left()
        only_by_quantity = True
        for number, line in enumerate(refund.lines):
            path = ("purchase", "lines", str(number))
            parts = [part for part in self._parts if part.sku == line.sku]
            if not parts:
                return _refused("refund_unknown_line", *path, "sku", sku=line.sku)
            signed = [part for part in parts if part.is_discount == (line.amount < 0)]
            if line.amount and not signed:
                return _refused("refund_sign", *path, "amount", sku=line.sku)
            returning = _Returning(line, signed or parts, Fraction(self._unit), at_price=at_price)
            if returning.by_quantity():
                continue
            only_by_quantity = False
            if not returning.by_money():
                return _refused("refund_exceeds_line", *path, "amount", sku=line.sku)
        beyond, came_back = max(NOTHING, total - of_lines), before - self._worth()
        if min(total, came_back + beyond) > money_left:
            return _too_much(money_left, self._purchase.currency)
        self._stated += total
        self._spread = self._spread_after(before, unpaid=min(came_back, of_lines) - total, lines=refund.lines) + beyond
        # Prices of pieces may be rounded up: their sum reaches the total before the last piece is back.
        self._finish(is_all_money=self._stated >= self._total > 0 and not only_by_quantity)
        return None

    def _spread_after(self, before: Fraction, *, unpaid: Fraction, lines: Sequence[PurchaseLine]) -> Fraction:
        """Return the money spread over the parts that are left, after some of the worth `before` came back.

        What lay on the returned parts moves to the others, as far as the refund pays for them, but for rounding.
        """
        rounding = sum((max(Fraction(line.quantity), WHOLE) for line in lines), NOTHING) * Fraction(self._unit)
        if unpaid <= rounding:
            return self._spread
        at_least = self._spread * self._worth() / before if before else NOTHING
        return max(self._spread - unpaid, at_least)

    def _worth(self) -> Fraction:
        """Return the money of the parts that refunds with lines have left."""
        return sum((part.paid * part.left for part in self._parts), NOTHING)

    def _money_left(self) -> Fraction:
        """Return the most that a refund can return: the money that no refund has stated, or that did not come back."""
        unit = min(self._unit, Decimal(1).scaleb(int(self._purchase.total.as_tuple().exponent)))
        return max(self._total - self._stated, _up(self._worth(), Fraction(unit)) - self._spread)

    def _finish(self, *, is_all_money: bool) -> None:
        """Return the rest if all money or all goods are back. A discount line is no goods."""
        goods_left = any(part.left for part in self._parts if not part.is_discount)
        if is_all_money or not goods_left or self._spread >= self._worth() > 0 or (self._total and not self._worth()):
            self.return_all()


def _down(money: Fraction, unit: Fraction) -> Fraction:
    """Return money rounded down to whole units."""
    return money // unit * unit


def _up(money: Fraction, unit: Fraction) -> Fraction:
    """Return money rounded up to whole units."""
    return -(-money // unit) * unit


def _too_much(left: Fraction, currency: str) -> Refusal:
    return _refused("refund_exceeds", "purchase", "total", left=f"{float(left):.{decimals_of(currency)}f}")
