"""What happened: an engaging event of a member, and what is kept of it once counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from loyalty.kernel.channel import Channel
from loyalty.kernel.fast_dataclass import quick

PURCHASE = "purchase"
REFUND = "refund"
ENROLMENT = "enrolment"
ACTIVATION = "activation"
REDEMPTION = "redemption"
# What the programme itself makes happen: nobody sends these, and rules may reward them.
OWN_EVENT_TYPES = (ENROLMENT, ACTIVATION, REDEMPTION)
BUILT_IN_EVENT_TYPES = (PURCHASE, REFUND, "visit", "review")
# A till's clock may be ahead of ours by this much.
CLOCK_SKEW_MAX = timedelta(minutes=5)


@quick
@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One line of a receipt; `amount` is what was paid for all of its `quantity`."""

    sku: str
    quantity: Decimal
    amount: Decimal
    category: str | None = None
    brand: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Purchase:
    """A receipt. `total` is what was paid; lines may be missing, or differ from it by a basket discount."""

    total: Decimal
    currency: str
    lines: tuple[PurchaseLine, ...] = ()


@quick
@dataclass(frozen=True, slots=True)
class Event:
    """One engaging event as a sender told it. `key` is unique per sender."""

    key: str
    sender: str
    type: str
    occurred_at: datetime
    channel: Channel
    store: str | None = None
    partner: str | None = None
    purchase: Purchase | None = None
    refund_of: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@quick
@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule gave for one event, spread over its lines (one part where it has none).

    `day` is the day, in the brand's zone, whose caps and qualification it counted for.
    """

    rule: str
    by_line: tuple[int, ...]
    qualifying: bool

    @property
    def points(self) -> int:
        """All that the rule gave for the event."""
        return sum(self.by_line)


# What has come back of a line that nothing has come back of.
NOTHING = Fraction(0)


@quick
@dataclass(frozen=True, slots=True)
class CountedEvent:
    """An event that was counted, as far as a later refund needs it.

    `returned` tells for each line (one part where there are none) which share of it was taken back already, 0 to 1,
    exactly. `earned_on` and `expires_on` name the lot that its points went into. `offers` are those that were used for
    it, with what each one cost its budget.
    """

    event: Event
    member: str
    version: int
    grants: tuple[Grant, ...]
    earned_on: date
    expires_on: date | None
    returned: tuple[Fraction, ...]
    offers: tuple[tuple[str, int], ...] = ()
