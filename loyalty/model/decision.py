"""What a decision is: everything that is to be committed together, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.kernel.fast_dataclass import quick
from loyalty.model.event import CountedEvent
from loyalty.model.hold import Hold
from loyalty.model.ledger import Record
from loyalty.model.member import Member
from loyalty.model.order import Order
from loyalty.model.supply import CodeMove, CounterKey


@quick
@dataclass(frozen=True, slots=True)
class Decision:
    """The member's next version with its record.

    `counted` is the event to keep, `amended` the purchase that a refund or an offer changed. `orders` are all that were
    made or changed, `taken` what is taken of (or given back to) each shared counter, `codes` those that change hands,
    `hold` the one that was made or let go.
    """

    member: Member
    record: Record
    counted: CountedEvent | None = None
    amended: CountedEvent | None = None
    orders: tuple[Order, ...] = ()
    taken: Mapping[CounterKey, int] = field(default_factory=dict)
    codes: tuple[CodeMove, ...] = ()
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing was due: no version is made."""
