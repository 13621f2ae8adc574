"""What many members share: stock, uses and budgets of offers, appointments, pools of codes.

Each is a counter of what was taken so far, net of what came back; how much there is stands in the programme. So a
changed figure in the programme needs no migration, and the audit can prove each counter from orders, holds and offers.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from loyalty.order import Order


class Supply(StrEnum):
    """The kinds of counters."""

    STOCK = "stock"
    SLOT = "slot"
    USES = "uses"
    BUDGET = "budget"


class CounterKey(NamedTuple):
    """Which counter: pieces of a reward, places at one appointment, uses of an offer, or what it has cost.

    `key` is the reward's or the offer's; `at` is the moment of an appointment. A budget counts points, or hundredths
    of the currency's unit. A tuple, for it is looked up dozens of times for a page, and a dataclass hashes in Python.
    """

    kind: Supply
    key: str
    at: datetime | None = None


class CodeState(StrEnum):
    """Where a code of a pool stands. A code that somebody has seen is never free again."""

    FREE = "free"
    HELD = "held"
    GIVEN = "given"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class CodeMove:
    """A code of a pool changes hands: from one state to the next, for a member or for nobody.

    `holder` names what it is for: `order/ID`, `hold/ID` or `offer/KEY`.
    """

    pool: str
    code: str
    before: CodeState
    after: CodeState
    holder: str | None


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
    orders: Mapping[str, "Order"] = field(default_factory=dict)
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
