"""What members share, kept in memory as MongoDB keeps it: counters, codes of pools, orders, lists."""

from collections import Counter
from dataclasses import dataclass, field

from loyalty.model.decision import Decision
from loyalty.model.facts import Facts, Needs
from loyalty.model.order import Order
from loyalty.model.supply import CodeState, CounterKey


@dataclass
class Shared:
    """Tells a decision what it needs and nothing more, and holds what it took against what there was."""

    taken: Counter[CounterKey] = field(default_factory=Counter)
    codes: dict[tuple[str, str], CodeState] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)

    def load(self, pool: str, *codes: str) -> None:
        """Add codes to a pool."""
        self.codes |= {(pool, code): CodeState.FREE for code in codes}

    def free(self, pool: str) -> list[str]:
        """Return the codes of a pool that nobody has."""
        return [code for (name, code), state in self.codes.items() if (name, state) == (pool, CodeState.FREE)]

    def facts(self, needs: Needs, member: str) -> Facts:
        """Return what a transaction would have read."""
        return Facts(
            {counter: self.taken[counter] for counter in needs.counters},
            {pool: self.free(pool)[:most] for pool, most in needs.codes.items()},
            {order: self.orders[order] for order in needs.orders if order in self.orders},
            self.lists.get(member, frozenset()) if needs.lists else None,
        )

    def adopt(self, decision: Decision) -> None:
        """Write what a decision changed."""
        for counter, pieces in decision.taken.items():
            self.taken[counter] += pieces
            assert self.taken[counter] >= 0, (counter, "more came back than was taken")
        for move in decision.codes:
            assert self.codes[move.pool, move.code] is move.before, move
            self.codes[move.pool, move.code] = move.after
        for order in decision.orders:
            assert order.version == decision.member.version
            self.orders[order.id] = order
