"""Counters, code pools, orders, audience lists, events and receipts in memory, as MongoDB stores them."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from loyalty.commands.decide import needs
from loyalty.commands.registry import Command, Members, kind_of
from loyalty.model.decision import Decision
from loyalty.model.event import ClaimState, ReceiptKey, RecordedEvent
from loyalty.model.facts import Facts
from loyalty.model.member import Member
from loyalty.model.offer import purchase_reference
from loyalty.model.order import Order
from loyalty.model.programme import Programme
from loyalty.model.supply import CodeState, CounterKey


@dataclass
class InMemorySupply:
    """Reads the facts that a command needs, and applies what a decision changed after checking it."""

    taken: Counter[CounterKey] = field(default_factory=Counter)
    codes: dict[tuple[str, str], CodeState] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    events: dict[str, RecordedEvent] = field(default_factory=dict)
    receipts: dict[ReceiptKey, str] = field(default_factory=dict)

    def load(self, pool: str, *codes: str) -> None:
        """Add codes to a pool."""
        self.codes |= {(pool, code): CodeState.FREE for code in codes}

    def free(self, pool: str) -> list[str]:
        """Return the free codes of a pool."""
        return [code for (name, code), state in self.codes.items() if (name, state) == (pool, CodeState.FREE)]

    def facts(
        self,
        command: Command,
        member: Member | None,
        programme: Programme,
        *,
        others: Members = (),
        now: datetime | None = None,
    ) -> Facts:
        """Return the facts that a transaction would read for a command."""
        refers_to = kind_of(type(command)).refers_to
        purchase = self.events.get((refers_to(command) if refers_to is not None else None) or "")
        need = needs(command, member, programme, others=others, purchase=purchase, now=now)
        members = [one.id for one in (member, *others) if one is not None]
        return Facts(
            {counter: self.taken[counter] for counter in need.counters},
            {pool: self.free(pool)[:most] for pool, most in need.codes.items()},
            {order: self.orders[order] for order in need.orders if order in self.orders},
            {id_: self.lists.get(id_, frozenset()) for id_ in members} if need.lists else {},
            purchase,
            receipts={receipt: self.events.get(self.receipts.get(receipt, "")) for receipt in need.receipts},
            open_claims={id_: self._open_claims(id_) for id_ in members} if need.claims else {},
        )

    def _open_claims(self, member: str) -> int:
        claims = [one.claim for one in self.events.values() if one.member == member]
        return sum(claim is not None and claim.state is ClaimState.OPEN for claim in claims)

    def adopt(self, decision: Decision) -> None:
        """Apply a decision's changes."""
        for counted in (decision.recorded_event, decision.amended_purchase):
            if counted is not None:
                self.events[purchase_reference(counted.event.sender, counted.event.key)] = counted
        if decision.receipt is not None and decision.recorded_event is not None:
            event = decision.recorded_event.event
            self.receipts[decision.receipt] = purchase_reference(event.sender, event.key)
        if decision.settled_claim is not None:
            reference, state = decision.settled_claim
            claimed = self.events[reference]
            assert claimed.claim is not None
            self.events[reference] = replace(claimed, claim=replace(claimed.claim, state=state))
        for counter, pieces in decision.counter_changes.items():
            self.taken[counter] += pieces
            assert self.taken[counter] >= 0, (counter, "more was restored than taken")
        for move in decision.code_moves:
            assert self.codes[move.pool, move.code] is move.state_before, move
            self.codes[move.pool, move.code] = move.state_after
        for order in decision.orders:
            assert order.version == decision.member.version
            self.orders[order.id] = order
