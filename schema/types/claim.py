"""Claims: purchases that were typed at a tablet and wait for their receipt or for staff."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.model.event import RecordedEvent
from schema.types.programme import Money
from schema.wire.access import REACHED, field
from schema.wire.ids import entry_id


@strawberry.type
class PurchaseClaim:
    """A purchase that was typed at a tablet. It gives its points once a till reports its receipt or staff accept it."""

    entry: strawberry.ID = field(REACHED, "Global id of its ledger entry, for `decidePending`.")
    receipt: str | None = field(REACHED, "The receipt's number, as it was typed; null if none was.")
    store: str | None = field(REACHED, "Key of the store; null if it is not known.")
    total: Money = field(REACHED, "What was paid, as it was typed.")
    occurred_at: datetime = field(REACHED, "When the purchase happened, in UTC.")
    until: datetime = field(REACHED, "When the claim lapses if nobody confirms it, in UTC.")

    @classmethod
    def of(cls, claimed: RecordedEvent) -> Self:
        """Return the claim of a recorded purchase."""
        event, claim = claimed.event, claimed.claim
        if event.purchase is None or claim is None:
            raise TypeError("only a claimed purchase is a claim")
        return cls(
            entry=strawberry.ID(entry_id(claimed.member, claimed.version, claim.entry)),
            receipt=event.purchase.receipt,
            store=event.store,
            total=Money(amount=event.purchase.total, currency=event.purchase.currency),
            occurred_at=event.occurred_at,
            until=claim.until,
        )
