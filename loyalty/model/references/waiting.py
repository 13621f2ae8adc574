"""Events that wait for the purchase that they refer to, because they arrived before it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.kernel.fast_dataclass import fast_init
from loyalty.kernel.refusal import Refusal
from loyalty.model.event import REFUND, Event
from loyalty.model.explanation import Explanation, RuleOutcome
from loyalty.model.ledger import Cause
from loyalty.model.references.senders import split_reference

# What waits longer is refused: its sender knows that it waits, and the ledger notes that it was not counted.
WAITING_MAX = timedelta(days=30)
WAITING_PER_MEMBER_MAX = 20
WAITING_PER_SENDER_MAX = 1_000
WAITING_PER_PROGRAMME_MAX = 10_000


@fast_init
@dataclass(frozen=True, slots=True)
class Waiting:
    """One event of a member that waits: its sender and key, the purchase that it refers to, and until when it waits.

    `reference` is open or not, see `loyalty/model/references/senders.py`.
    """

    sender: str
    key: str
    reference: str
    until: datetime

    def is_event(self, sender: str, key: str) -> bool:
        """Return whether it is the event that a sender sent with a key."""
        return (self.sender, self.key) == (sender, key)


def explain_waiting(waiting: Waiting) -> Explanation:
    """Return why an event has given and reversed nothing yet."""
    _, purchase = split_reference(waiting.reference)
    return Explanation(REFUND, 0, applied=False, reason=RuleOutcome.WAITING, params={"purchase": purchase})


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event to be stored until its purchase arrives, with the cause under which it will be counted."""

    event: Event
    cause: Cause
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class RefusedWaiting:
    """An event that waited and will not be counted; `refusal` answers the next use of its key."""

    waiting: Waiting
    refusal: Refusal
