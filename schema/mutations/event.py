"""Mutations of events: inputs, payloads, rights and fields."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import strawberry
from strawberry.scalars import JSON

from loyalty.kernel.refusal import Refusal
from loyalty.model import event as domain
from models.commits.request import Committed, Outcome
from models.mongo.snapshot import entry_views
from resolvers import event
from resolvers.core.context import Context
from resolvers.core.member import may_see
from resolvers.event import Told
from schema.mutations.enrol import ENROLLERS
from schema.mutations.payload import committed_or_refused, entries_of, orders_of
from schema.types.ledger import Explanation, LedgerEntry, explanations
from schema.types.member import Member
from schema.types.member_key import MemberKey, given
from schema.types.order import Order
from schema.wire.access import REACHED, field, mutation, resolver
from schema.wire.enums import Channel
from schema.wire.error import UserError, as_refusal
from schema.wire.info import Info
from schema.wire.text import locale_of


@strawberry.input
class PurchaseLineInput:
    """One line of a receipt; `amount` is what was paid for all of its quantity."""

    sku: str
    amount: Decimal
    quantity: Decimal = Decimal(1)
    category: str | None = strawberry.UNSET
    brand: str | None = strawberry.UNSET


@strawberry.input
class PurchaseInput:
    """A receipt."""

    total: Decimal
    currency: str
    lines: list[PurchaseLineInput] = strawberry.field(default_factory=list)

    def to_purchase(self) -> domain.Purchase:
        """Return the domain's receipt."""
        lines = tuple(
            domain.PurchaseLine(line.sku, line.quantity, line.amount, given(line.category), given(line.brand))
            for line in self.lines
        )
        return domain.Purchase(self.total, self.currency, lines)


@strawberry.input
class RecordEventInput:
    """One engaging event."""

    key: str = strawberry.field(description="Chosen by the sender, unique per sender: a receipt number, an order id.")
    type: str = strawberry.field(description="purchase, refund, visit, review, or any type the programme declares.")
    member: MemberKey
    occurred_at: datetime
    channel: Channel
    store: str | None = strawberry.UNSET
    partner: str | None = strawberry.UNSET
    purchase: PurchaseInput | None = strawberry.UNSET
    refund_of: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="For type refund: the key of the purchase, from the same sender, that this takes back; without "
        "`purchase`, all of it.",
    )
    attributes: JSON | None = strawberry.UNSET

    def to_told(self) -> Told:
        """Return the event and whose it is; the sender is the actor's."""
        purchase, attributes = given(self.purchase), given(self.attributes)
        event = domain.Event(
            key=self.key,
            sender="",
            type=self.type,
            occurred_at=self.occurred_at,
            channel=self.channel,
            store=given(self.store),
            partner=given(self.partner),
            purchase=purchase.to_purchase() if purchase is not None else None,
            refund_of=given(self.refund_of),
            attributes=attributes if attributes is not None else {},
        )
        return Told(event, self.member.to_key())


RECORDERS = ENROLLERS


@strawberry.type
class RecordEventPayload:
    """What an event gave. A till sends a hundred at once, and asks of each what it needs: no more is made."""

    orders: list[Order] = field(REACHED, description="The instant rewards that the purchase was given.")
    member: Member | None = field(REACHED)
    replayed: bool = field(
        REACHED,
        description="True when this key had been counted before: the answer is the first one's, and nothing changed.",
    )
    user_errors: list[UserError] = field(REACHED)
    committed: strawberry.Private[Committed | None]

    @resolver(REACHED)
    def entries(self, info: Info) -> list[LedgerEntry]:
        """Return what the ledger holds of it."""
        # A tablet that nobody is known at counts what is bought there, and is told no balance.
        if self.committed is None or self.member is None:
            return []
        return entries_of(self.committed, info.context)

    @resolver(REACHED)
    def why(self, info: Info) -> list[Explanation]:
        """Return what each rule gave, and why others gave nothing."""
        if self.committed is None:
            return []
        context, member = info.context, self.committed.snapshot.member
        return explanations(entry_views(self.committed.record), context.programme(), locale_of(context, member))

    @classmethod
    def of(cls, outcome: Outcome | Exception, context: Context, *place: str) -> Self:
        """Return the answer to an event; `place` is its place within a batch."""
        result = as_refusal(outcome) if isinstance(outcome, Exception) else committed_or_refused(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result, *place)]
            return cls(orders=[], member=None, replayed=False, user_errors=errors, committed=None)
        is_seen = may_see(context.require_actor(), result.snapshot.member.id)
        return cls(
            orders=orders_of(result, context),
            member=Member.of(result.snapshot) if is_seen else None,
            replayed=result.replayed,
            user_errors=[],
            committed=result,
        )


@strawberry.type
class EventMutation:
    """The mutations of events."""

    @mutation(
        RECORDERS,
        description="One engaging event from a till, a site, an app or a partner. The same key counts once, for ever.",
    )
    async def record_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Count an event."""
        return RecordEventPayload.of(await event.record(info.context, input.to_told()), info.context)

    @mutation(
        RECORDERS,
        description="Up to 500 events; each is counted or refused on its own, in the order given for each member.",
    )
    async def record_events(
        self,
        info: Info,
        input: Annotated[list[RecordEventInput], strawberry.argument()],  # noqa: A002 - Relay's name
    ) -> list[RecordEventPayload]:
        """Count a batch of events."""
        context = info.context
        outcomes = await event.record_many(context, [told.to_told() for told in input])
        return [RecordEventPayload.of(outcome, context, str(n)) for n, outcome in enumerate(outcomes)]

    @mutation(RECORDERS, description="What the event would give, with nothing written.")
    async def preview_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Show what an event would give."""
        return RecordEventPayload.of(await event.preview(info.context, input.to_told()), info.context)
