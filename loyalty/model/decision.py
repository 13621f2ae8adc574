"""Decisions: everything that one command changes, committed in one transaction or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.kernel.fast_dataclass import fast_init
from loyalty.model.event import ClaimState, Consequence, ReceiptKey, RecordedEvent
from loyalty.model.hold import Hold
from loyalty.model.ledger import Record
from loyalty.model.member import Member
from loyalty.model.order import Order
from loyalty.model.references.waiting import RefusedWaiting, WaitingEvent
from loyalty.model.supply import CodeTransition, CounterKey


@fast_init
@dataclass(frozen=True, slots=True)
class Decision:
    """The member's next version with its ledger record.

    `recorded_event` is the event to store, `amended_purchase` the purchase that a refund or an offer changed. `orders`
    are the orders placed or changed, `counter_changes` the change of each shared counter (negative: returned),
    `code_moves` the state changes of pool codes, `hold` the hold that was created or released. `others` are the
    decisions on the command's other members, in its order. `consequences` are stored with the key of a redemption: the
    use of an offer without a purchase, or nothing; None for other commands, and those of an event are with it.
    `waiting_event` is the event to store until its purchase arrives, `refused_waiting` those that will not be counted.
    `receipt` belongs to the recorded event from now on; `settled_claim` is the claim that it replaces, as
    `purchase_reference()` names it, with its new state.
    """

    member: Member
    record: Record
    recorded_event: RecordedEvent | None = None
    amended_purchase: RecordedEvent | None = None
    orders: tuple[Order, ...] = ()
    counter_changes: Mapping[CounterKey, int] = field(default_factory=dict)
    code_moves: tuple[CodeTransition, ...] = ()
    hold: Hold | None = None
    others: tuple["Decision", ...] = ()
    consequences: tuple[Consequence, ...] | None = None
    waiting_event: WaitingEvent | None = None
    refused_waiting: tuple[RefusedWaiting, ...] = ()
    receipt: ReceiptKey | None = None
    settled_claim: tuple[str, ClaimState] | None = None

    @property
    def waits(self) -> bool:
        """Whether its event does not count yet: it waits for its purchase, or is one that has to be confirmed."""
        recorded = self.recorded_event
        return self.waiting_event is not None or (recorded is not None and not recorded.is_counted)


@dataclass(frozen=True, slots=True)
class NothingToSettle:
    """Nothing was overdue, so no version is written."""
