"""Audits one member's orders, holds and codes, and with consequences.py what followed from its purchases."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from loyalty.commands.decision_builder import ORDER_SPANS_KEPT
from loyalty.commands.redeem_voucher import RedeemVoucher
from loyalty.commands.registry import kind_of
from loyalty.model.ledger import Account, Cause
from loyalty.model.member import Member
from loyalty.model.order import (
    FINAL_STATES,
    Order,
    OrderState,
    id_from_seed,
    idempotency_seed,
    order_number,
    points_to_return,
)
from loyalty.model.supply import CodeState
from models.mongo.order import order_of
from resolvers.audit.consequences import Consequences
from resolvers.audit.decode import Unreadable, decode

OFFER_HOLDER = "offer/"
_REDEMPTION = kind_of(RedeemVoucher).operation


@dataclass(slots=True)
class _SeenOrder:
    """An order that was read: what is still to be compared with events and the member."""

    number: str
    version: int
    origin: str
    pool: str | None
    limit: tuple[str, str] | None
    has_unreturned: bool
    is_used: bool
    has_creator: bool = False
    uses: int = 0
    last_event_version: int = 0


@dataclass(frozen=True, slots=True)
class _CodeUse:
    """A code that an order, a hold or an offer has. `pool` is None if its owner does not store it."""

    owner: str
    state: CodeState
    pool: str | None


class OrdersAndCodes:
    """Collects one member's orders and codes. All orders must be added before the events."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.orders = 0
        self.found: list[str] = []
        self._redeemed = 0
        self._seen: dict[str, _SeenOrder] = {}
        self._uses: dict[tuple[str, str], _CodeUse] = {}
        self._codes: dict[tuple[str, str], dict[str, Any]] = {}
        self._held: set[str] = set()
        self.consequences = Consequences()

    @property
    def is_empty(self) -> bool:
        """Whether the member has neither orders nor codes."""
        return not (self.orders or self._codes)

    def add_order(self, document: dict[str, Any]) -> None:
        """Add an order, and check it on its own."""
        self.orders += 1
        order = decode(order_of, document)
        if isinstance(order, Unreadable):
            self.found.append(f"order {document.get('number', document['_id'])} cannot be read: {order.reason}")
            return
        self.found += _faults_within(order)
        self.consequences.add_order(order.id, order.number, order.state)
        self._redeemed += order.points - order.points_returned
        has_unreturned = order.returned < order.quantity
        limit = (order.limit_key, order.limit_span) if order.limit_span else None
        self._seen[order.id] = _SeenOrder(
            order.number,
            order.version,
            order.origin or "",
            order.pool,
            limit,
            has_unreturned,
            order.voucher_use is not None,
        )
        if order.code is not None:
            state = CodeState.ISSUED if has_unreturned else CodeState.VOID
            self._uses[f"order/{order.id}", order.code] = _CodeUse(f"order {order.number}", state, order.pool)

    def add_event(self, event: dict[str, Any], programme: str) -> None:
        """Compare the orders and the hold of an event with the member's."""
        self.consequences.add_event(event)
        cause = Cause(**event["cause"])
        for id_ in event.get("orders", ()):
            order = self._seen.get(id_)
            if order is None:
                self.found.append(f"event {cause.key!r} names order {id_}, which the member does not have")
                continue
            order.last_event_version = max(order.last_event_version, event["version"])
            order.uses += cause.operation == _REDEMPTION
            for name in ("", order.origin):
                seed = idempotency_seed(programme, cause, name)
                order.has_creator = order.has_creator or (
                    id_from_seed(seed) == id_ and order_number(seed) == order.number
                )
        if "hold" in event and event["hold"]["id"] == id_from_seed(idempotency_seed(programme, cause)):
            self._held.add(event["hold"]["id"])

    def add_code(self, document: dict[str, Any]) -> None:
        """Add a code whose document names the member."""
        holder, code = str(document.get("holder", "")), document["code"]
        before = self._codes.get((holder, code))
        if before is not None:
            self.found.append(f"code {code!r} of {holder} is in pools {before['pool']!r} and {document['pool']!r}")
        self._codes[holder, code] = document

    def offers_with_codes(self) -> Iterable[str]:
        """Yield the keys of the offers that gave the member a code."""
        for holder, _ in self._codes:
            if holder.startswith(OFFER_HOLDER):
                yield holder.removeprefix(OFFER_HOLDER)

    def faults(self, member: Member, forgotten: frozenset[str]) -> list[str]:
        """Return the faults between a member and its orders, holds and codes.

        `forgotten` are offers whose use the member no longer stores: their codes stay given.
        """
        found = [*self.found, *self._balance_faults(member), *self._hold_faults(member)]
        for order in self._seen.values():
            if not order.has_creator:
                found.append(f"no recorded event created order {order.number}")
            if order.version != order.last_event_version:
                found.append(
                    f"order {order.number} is at version {order.version}, its last event at {order.last_event_version}"
                )
            if order.uses != order.is_used:
                says = "used" if order.is_used else "not used"
                found.append(f"the voucher of order {order.number} is {says}, {order.uses} recorded events used it")
            if order.version > member.version:
                found.append(f"order {order.number} is at version {order.version}, its member at {member.version}")
        found += self.consequences.faults(member, forgotten)
        return found + self._limit_faults(member) + self._code_faults(member, forgotten)

    def _balance_faults(self, member: Member) -> Iterable[str]:
        sum_of_holds, held = sum(hold.points for hold in member.holds), member.balance(Account.HELD)
        if sum_of_holds != held:
            yield f"held: the snapshot has {held}, its holds sum to {sum_of_holds}"
        if self._redeemed != member.balance(Account.REDEEMED):
            yield f"redeemed: the snapshot has {member.balance(Account.REDEEMED)}, its orders sum to {self._redeemed}"

    def _hold_faults(self, member: Member) -> Iterable[str]:
        for hold in member.holds:
            if sum(points for _, points in hold.lots) != hold.points:
                yield f"hold {hold.id} has {hold.points} points, its lots have a different sum"
            if hold.id not in self._held:
                yield f"no recorded event created hold {hold.id}"
        if len({hold.id for hold in member.holds}) != len(member.holds):
            yield "a hold occurs twice"

    def _limit_faults(self, member: Member) -> list[str]:
        """Return limits that count fewer orders than are unreturned. Members store only the newest spans of a limit."""
        unreturned: dict[str, dict[str, int]] = {}
        for order in self._seen.values():
            if order.limit is not None:
                key, span = order.limit
                spans = unreturned.setdefault(key, {})
                spans[span] = spans.get(span, 0) + order.has_unreturned
        return [
            f"limit {key!r} counts {member.order_counts.get(key, {}).get(span, 0)} orders in {span!r}, not {orders}"
            for key, spans in unreturned.items()
            if len(spans) <= ORDER_SPANS_KEPT
            for span, orders in spans.items()
            if orders > member.order_counts.get(key, {}).get(span, 0)
        ]

    def _code_faults(self, member: Member, forgotten: frozenset[str]) -> list[str]:
        uses = dict(self._uses)
        for hold in member.holds:
            if hold.code is not None:
                uses[f"hold/{hold.id}", hold.code] = _CodeUse(f"hold {hold.id}", CodeState.HELD, hold.pool)
        for key, use in member.offer_uses.items():
            if use.code is not None:
                uses[f"{OFFER_HOLDER}{key}", use.code] = _CodeUse(f"offer {key!r}", CodeState.ISSUED, None)
        found: list[str] = []
        for (holder, code), document in self._codes.items():
            owned = uses.pop((holder, code), None)
            pool, state = document["pool"], document["state"]
            if owned is None:
                if holder.removeprefix(OFFER_HOLDER) not in forgotten or state != CodeState.ISSUED:
                    found.append(f"code {code!r} of pool {pool!r} is {state} for {holder}, which does not have it")
            elif owned.pool not in {None, pool}:
                found.append(f"code {code!r} of {owned.owner} is in pool {pool!r}, not in {owned.pool!r}")
            elif owned.state != state:
                found.append(f"code {code!r} of {owned.owner} is {state}, not {owned.state}")
        found += [f"code {code!r} of {owned.owner} is not assigned to it" for (_, code), owned in uses.items()]
        return found


def _faults_within(order: Order) -> list[str]:
    """Return the faults within one order."""
    found: list[str] = []
    name, out = f"order {order.number}", order.quantity - order.returned
    if not 0 <= order.returned <= order.quantity:
        return [f"{name} has {order.returned} of {order.quantity} pieces returned"]
    if sum(points for _, points in order.lots) != order.points - order.points_returned:
        found.append(f"{name} costs {order.points - order.points_returned} points, its lots have a different sum")
    if order.points_returned != points_to_return(order, order.returned):
        worth = points_to_return(order, order.returned)
        found.append(f"{name} returned {order.points_returned} points, its returned pieces are worth {worth}")
    if (order.state in FINAL_STATES) != (out == 0):
        found.append(f"{name} is {order.state}, and {out} of its {order.quantity} pieces are not returned")
    steps = [step.state for step in order.history]
    # After a partial return, the order stays in its former state.
    stays = order.returned > 0 and out > 0 and steps[-1:] == [OrderState.RETURNED] and order.state in steps[:-1]
    if steps[-1:] != [order.state] and not stays:
        found.append(f"{name} is {order.state}, its history ends with {steps[-1] if steps else 'nothing'}")
    if any(pieces != out for _, pieces in order.took):
        found.append(f"{name} has a counter that does not count its {out} unreturned pieces")
    if order.pool is not None and order.code is None and out:
        found.append(f"{name} has no code")
    return [*found, *_voucher_faults(order)]


def _voucher_faults(order: Order) -> Iterable[str]:
    if order.voucher_use is None:
        return
    if not order.has_voucher:
        yield f"order {order.number} has a used voucher, and is neither collected nor used in a store"
    if all(step.state is not OrderState.FULFILLED for step in order.history):
        yield f"order {order.number} has a used voucher, its history no {OrderState.FULFILLED}"
    if order.state is OrderState.CANCELLED:
        yield f"order {order.number} is {order.state}, and its voucher was used"
