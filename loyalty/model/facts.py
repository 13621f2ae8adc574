"""Needs and facts: the shared data that a command depends on, and the values that its transaction read."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.model.event import ReceiptKey, RecordedEvent
from loyalty.model.order import Order
from loyalty.model.references.senders import ReferenceFault
from loyalty.model.supply import CounterKey


class FactNotRead(LookupError):  # noqa: N818 - a request to read again, not an error
    """A decision needs a shared value that its transaction did not read; the caller reads it and decides again."""


@dataclass(frozen=True, slots=True)
class Needs:
    """The shared data that a command may depend on, besides its members.

    `codes` is the number of free codes needed from each pool; `lists` says whether its members' lists are needed,
    `claims` whether the number of its members' open claims is.
    """

    counters: frozenset[CounterKey] = frozenset()
    codes: Mapping[str, int] = field(default_factory=dict)
    orders: frozenset[str] = frozenset()
    lists: bool = False
    receipts: frozenset[ReceiptKey] = frozenset()
    claims: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Values read in the transaction.

    Counters, free codes by pool, the members' orders, the lists that each member (by id) is on, and the purchase that
    the command refers to (None: it refers to none, or to one that is not recorded; `reference_fault` says if no
    purchase can be meant). `sender_waiting` and `programme_waiting` are the numbers of events that wait already.
    `receipts` is the purchase that each receipt belongs to (None: to none yet), `open_claims` the number of open claims
    by member.
    """

    counters: Mapping[CounterKey, int] = field(default_factory=dict)
    codes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    orders: Mapping[str, Order] = field(default_factory=dict)
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    purchase: RecordedEvent | None = None
    reference_fault: ReferenceFault | None = None
    sender_waiting: int = 0
    programme_waiting: int = 0
    receipts: Mapping[ReceiptKey, RecordedEvent | None] = field(default_factory=dict)
    open_claims: Mapping[str, int] = field(default_factory=dict)

    def counter(self, counter: CounterKey) -> int:
        """Return the value of a counter.

        Raises:
            FactNotRead: the transaction did not read it.
        """
        if counter not in self.counters:
            raise FactNotRead(str(counter))
        return self.counters[counter]

    def free_code(self, pool: str, *, excluding: Collection[str] = ()) -> str | None:
        """Return a free code that is not in `excluding`; None if there is none left.

        Raises:
            FactNotRead: the transaction did not read the pool.
        """
        if pool not in self.codes:
            raise FactNotRead(pool)
        return next((code for code in self.codes[pool] if code not in excluding), None)

    def lists_of(self, member: str) -> frozenset[str]:
        """Return the lists that a member is on.

        Raises:
            FactNotRead: the transaction did not read them.
        """
        if member not in self.lists:
            raise FactNotRead("lists")
        return self.lists[member]

    def holder_of(self, receipt: ReceiptKey) -> RecordedEvent | None:
        """Return the purchase that a receipt belongs to; None if it is new.

        Raises:
            FactNotRead: the transaction did not read it.
        """
        if receipt not in self.receipts:
            raise FactNotRead(receipt)
        return self.receipts[receipt]

    def open_claims_of(self, member: str) -> int:
        """Return how many claims of a member wait.

        Raises:
            FactNotRead: the transaction did not count them.
        """
        if member not in self.open_claims:
            raise FactNotRead("claims")
        return self.open_claims[member]


NO_NEEDS = Needs()
NO_FACTS = Facts()


def combined(needs: Sequence[Needs]) -> Needs:
    """Return the needs of several commands as one."""
    codes: Counter[str] = Counter()
    for need in needs:
        codes.update(need.codes)
    return Needs(
        frozenset().union(*(need.counters for need in needs)),
        codes,
        frozenset().union(*(need.orders for need in needs)),
        any(need.lists for need in needs),
        frozenset().union(*(need.receipts for need in needs)),
        any(need.claims for need in needs),
    )
