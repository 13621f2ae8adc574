"""What the audit proves of one member's orders, holds and codes, beside the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from loyalty.commands.decision_builder import ORDER_SPANS_KEPT
from loyalty.model.ledger import Account, Cause
from loyalty.model.member import Member
from loyalty.model.order import OVER, Order, OrderState, derived_id, order_number, points_for, seed_of
from loyalty.model.supply import CodeState
from models.mongo.order import order_of
from resolvers.audit.decode import Unreadable, read

OFFER_HOLDER = "offer/"


@dataclass(slots=True)
class _Seen:
    """An order that was read: what is still to be held against events and the member."""

    number: str
    version: int
    origin: str
    pool: str | None
    limit: tuple[str, str] | None
    is_out: bool
    made: bool = False
    named_at: int = 0


@dataclass(frozen=True, slots=True)
class _CodeUse:
    """A code that an order, a hold or an offer says it has. `pool` is None where its owner does not say."""

    owner: str
    state: CodeState
    pool: str | None


class Shopping:
    """The orders, holds and codes of one member as the audit streams by. Orders come before events."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.orders = 0
        self.found: list[str] = []
        self._redeemed = 0
        self._seen: dict[str, _Seen] = {}
        self._uses: dict[tuple[str, str], _CodeUse] = {}
        self._codes: dict[tuple[str, str], dict[str, Any]] = {}
        self._held: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was found of the member."""
        return not (self.orders or self._codes)

    def add_order(self, document: dict[str, Any]) -> None:
        """Add an order, and prove what it says by itself."""
        self.orders += 1
        order = read(order_of, document)
        if isinstance(order, Unreadable):
            self.found.append(f"order {document.get('number', document['_id'])} cannot be read: {order.reason}")
            return
        self.found += _own_faults(order)
        self._redeemed += order.points - order.points_returned
        is_out = order.returned < order.quantity
        limit = (order.limit_key, order.limit_span) if order.limit_span else None
        self._seen[order.id] = _Seen(order.number, order.version, order.origin or "", order.pool, limit, is_out)
        if order.code is not None:
            state = CodeState.GIVEN if is_out else CodeState.VOID
            self._uses[f"order/{order.id}", order.code] = _CodeUse(f"order {order.number}", state, order.pool)

    def add_event(self, event: dict[str, Any], programme: str) -> None:
        """Hold the orders and the hold that a counted key names against those that are there."""
        cause = Cause(event["operation"], "", event["sender"], event["key"])
        for id_ in event.get("orders", ()):
            order = self._seen.get(id_)
            if order is None:
                self.found.append(f"event {event['key']!r} names order {id_}, which the member does not have")
                continue
            order.named_at = max(order.named_at, event["version"])
            for name in ("", order.origin):
                seed = seed_of(programme, cause, name)
                order.made = order.made or (derived_id(seed) == id_ and order_number(seed) == order.number)
        if "hold" in event and event["hold"]["id"] == derived_id(seed_of(programme, cause)):
            self._held.add(event["hold"]["id"])

    def add_code(self, document: dict[str, Any]) -> None:
        """Add a code that is marked as the member's."""
        holder, code = str(document.get("holder", "")), document["code"]
        before = self._codes.get((holder, code))
        if before is not None:
            self.found.append(f"code {code!r} of {holder} is in pools {before['pool']!r} and {document['pool']!r}")
        self._codes[holder, code] = document

    def offers_with_codes(self) -> Iterable[str]:
        """Tell the offers that gave the member a code."""
        for holder, _ in self._codes:
            if holder.startswith(OFFER_HOLDER):
                yield holder.removeprefix(OFFER_HOLDER)

    def faults(self, member: Member, forgotten: frozenset[str]) -> list[str]:
        """Return what does not hold between a member and its orders, holds and codes; nothing where all holds.

        `forgotten` are the offers that a member keeps nothing of any more: their codes stay given.
        """
        found = [*self.found, *self._point_faults(member), *self._hold_faults(member)]
        for order in self._seen.values():
            if not order.made:
                found.append(f"order {order.number} is not what any counted event made")
            if order.version != order.named_at:
                found.append(f"order {order.number} is at version {order.version}, its last event at {order.named_at}")
            if order.version > member.version:
                found.append(f"order {order.number} is at version {order.version}, its member at {member.version}")
        return found + self._limit_faults(member) + self._code_faults(member, forgotten)

    def _point_faults(self, member: Member) -> Iterable[str]:
        kept, held = sum(hold.points for hold in member.holds), member.balance(Account.HELD)
        if kept != held:
            yield f"held: the snapshot says {held}, its holds keep {kept}"
        if self._redeemed != member.balance(Account.REDEEMED):
            yield f"redeemed: the snapshot says {member.balance(Account.REDEEMED)}, its orders {self._redeemed}"

    def _hold_faults(self, member: Member) -> Iterable[str]:
        for hold in member.holds:
            if sum(points for _, points in hold.lots) != hold.points:
                yield f"hold {hold.id} keeps {hold.points} points, its lots do not sum to them"
            if hold.id not in self._held:
                yield f"hold {hold.id} is not what any counted event made"
        if len({hold.id for hold in member.holds}) != len(member.holds):
            yield "a hold is kept twice"

    def _limit_faults(self, member: Member) -> list[str]:
        """Return limits that count fewer orders than are out. Of a limit with many spans the oldest are forgotten."""
        out: dict[str, dict[str, int]] = {}
        for order in self._seen.values():
            if order.limit is not None:
                key, span = order.limit
                spans = out.setdefault(key, {})
                spans[span] = spans.get(span, 0) + order.is_out
        return [
            f"limit {key!r} counts {member.ordered.get(key, {}).get(span, 0)} orders in {span!r}, {orders} are out"
            for key, spans in out.items()
            if len(spans) <= ORDER_SPANS_KEPT
            for span, orders in spans.items()
            if orders > member.ordered.get(key, {}).get(span, 0)
        ]

    def _code_faults(self, member: Member, forgotten: frozenset[str]) -> list[str]:
        uses = dict(self._uses)
        for hold in member.holds:
            if hold.code is not None:
                uses[f"hold/{hold.id}", hold.code] = _CodeUse(f"hold {hold.id}", CodeState.HELD, hold.pool)
        for key, use in member.offers.items():
            if use.code is not None:
                uses[f"{OFFER_HOLDER}{key}", use.code] = _CodeUse(f"offer {key!r}", CodeState.GIVEN, None)
        found: list[str] = []
        for (holder, code), document in self._codes.items():
            said = uses.pop((holder, code), None)
            pool, state = document["pool"], document["state"]
            if said is None:
                if holder.removeprefix(OFFER_HOLDER) not in forgotten or state != CodeState.GIVEN:
                    found.append(f"code {code!r} of pool {pool!r} is {state} for {holder}, which does not have it")
            elif said.pool not in {None, pool}:
                found.append(f"code {code!r} of {said.owner} is in pool {pool!r}, not in {said.pool!r}")
            elif said.state != state:
                found.append(f"code {code!r} of {said.owner} is {state}, not {said.state}")
        found += [f"code {code!r} of {said.owner} is not marked as given to it" for (_, code), said in uses.items()]
        return found


def _own_faults(order: Order) -> list[str]:
    """Return what does not hold within one order."""
    found: list[str] = []
    name, out = f"order {order.number}", order.quantity - order.returned
    if not 0 <= order.returned <= order.quantity:
        return [f"{name} has {order.returned} of {order.quantity} pieces back"]
    if sum(points for _, points in order.lots) != order.points - order.points_returned:
        found.append(f"{name} costs {order.points - order.points_returned} points, its lots do not sum to them")
    if order.points_returned != points_for(order, order.returned):
        worth = points_for(order, order.returned)
        found.append(f"{name} gave {order.points_returned} points back, the pieces that came back are worth {worth}")
    if (order.state in OVER) != (out == 0):
        found.append(f"{name} is {order.state}, and {out} of its {order.quantity} pieces are out")
    steps = [step.state for step in order.history]
    # Where only some pieces came back, the order stays in the state that it was in before.
    stays = order.returned > 0 and out > 0 and steps[-1:] == [OrderState.RETURNED] and order.state in steps[:-1]
    if steps[-1:] != [order.state] and not stays:
        found.append(f"{name} is {order.state}, its history ends with {steps[-1] if steps else 'nothing'}")
    if any(pieces != out for _, pieces in order.took):
        found.append(f"{name} takes other pieces than the {out} that are out")
    if order.pool is not None and order.code is None and out:
        found.append(f"{name} has no code")
    return found
