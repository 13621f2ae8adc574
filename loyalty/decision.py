"""What a decision is: everything that is to be committed together, or not at all."""

from dataclasses import dataclass

from loyalty.event import CountedEvent
from loyalty.ledger import Record
from loyalty.member import Member


@dataclass(frozen=True, slots=True)
class Decision:
    """The member's next version with its record.

    `counted` is the event to keep, `amended` the purchase whose returned shares a refund changed.
    """

    member: Member
    record: Record
    counted: CountedEvent | None = None
    amended: CountedEvent | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing was due: no version is made."""
