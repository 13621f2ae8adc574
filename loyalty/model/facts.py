"""Needs and facts: what a command depends on besides its member, and what the transaction read of it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.model.order import Order
from loyalty.model.supply import CounterKey


class NotRead(LookupError):  # noqa: N818 - caught by whoever decides on what was read
    """A decision needs something shared that its transaction has not read; it is decided again from a fresh read."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a command may depend on besides its member; `codes` is how many of each pool."""

    counters: frozenset[CounterKey] = frozenset()
    codes: Mapping[str, int] = field(default_factory=dict)
    orders: frozenset[str] = frozenset()
    lists: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What a transaction has read of what is shared: counters, free codes, the member's orders and mailing lists."""

    taken: Mapping[CounterKey, int] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    lists: frozenset[str] | None = None

    def taken_of(self, counter: CounterKey) -> int:
        """Return what a counter stands at."""
        if counter not in self.taken:
            raise NotRead(str(counter))
        return self.taken[counter]

    def free_code(self, pool: str, *, but: Collection[str] = ()) -> str | None:
        """Return a code that nobody has and that is none of `but`; None where the pool is empty."""
        if pool not in self.codes:
            raise NotRead(pool)
        return next((code for code in self.codes[pool] if code not in but), None)

    def member_lists(self) -> frozenset[str]:
        """Return the lists that the member is on."""
        if self.lists is None:
            raise NotRead("lists")
        return self.lists


NO_NEEDS = Needs()
NO_FACTS = Facts()


def joined(needs: Sequence[Needs]) -> Needs:
    """Return all that several commands need."""
    codes: Counter[str] = Counter()
    for need in needs:
        codes.update(need.codes)
    return Needs(
        frozenset().union(*(need.counters for need in needs)),
        codes,
        frozenset().union(*(need.orders for need in needs)),
        any(need.lists for need in needs),
    )
