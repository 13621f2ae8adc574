"""Mutations of events: inputs, payloads, rights and fields."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Self

import strawberry
from strawberry.scalars import JSON

from loyalty.kernel.refusal import Refusal
from loyalty.model import event as domain
from loyalty.model.references.waiting import explain_waiting
from models.commits.request import Committed, Outcome
from resolvers import event
from resolvers.core.context import Context
from resolvers.core.member import may_see
from resolvers.event import EventOfMember
from schema.mutations.enrol import ENROLLERS
from schema.mutations.payload import REPLAYED, USER_ERRORS, committed_or_refused, entries_of, orders_of
from schema.types.ledger import Explanation, LedgerEntry, explanations
from schema.types.member import Member
from schema.types.member_key import MemberKey, given
from schema.types.order import Order
from schema.wire.access import REACHED, field, mutation, resolver
from schema.wire.enums import Channel
from schema.wire.error import UserError, as_refusal
from schema.wire.ids import key_of
from schema.wire.info import Info
from schema.wire.input_field import optional, required
from schema.wire.text import locale_of


@strawberry.input
class PurchaseLineInput:
    """One line of a receipt."""

    sku: str = required("Article number, 1 to 200 characters; a refund refers to it.")
    amount: Decimal = required(
        "Price of the whole quantity, in the purchase's currency, below 0 for a discount; up to 6 decimals. "
        "In a refund the price, or what was paid after the discounts."
    )
    quantity: Decimal = strawberry.field(
        default=Decimal(1),
        description="Number of pieces, or weight; 0 or more. It measures a refund if `amount` is its price.",
    )
    category: str | None = optional("Category of the article, which rules, offers and preferences refer to.")
    brand: str | None = optional("Brand of the article, which rules, offers and preferences refer to.")


@strawberry.input
class DiscountInput:
    """Money that was taken off a purchase."""

    amount: Decimal = required("Money taken off, 0 or more, in the purchase's currency; up to 6 decimals.")
    offer: strawberry.ID | None = optional("The offer that it was for.")
    code: str | None = optional("The code that it was for, as typed or scanned, up to 200 characters.")

    def to_discount(self, programme: str) -> domain.Discount:
        """Return the domain's discount."""
        offer = given(self.offer)
        return domain.Discount(
            self.amount, key_of("Offer", offer, programme) if offer is not None else None, given(self.code)
        )


@strawberry.input
class PurchaseInput:
    """The receipt of a purchase, or of the part that a refund returns."""

    total: Decimal = required(
        "Money paid in all, 0 or more, or returned by a refund. A total below the sum of the lines is a discount on "
        "all of them; a total above it is something without a line, such as delivery."
    )
    currency: str = required("ISO 4217 code; a purchase is in the programme's currency.")
    lines: list[PurchaseLineInput] = strawberry.field(
        default_factory=list, description="Up to 1000 lines. Without lines, rules see the total only."
    )

    discounts: list[DiscountInput] = strawberry.field(
        default_factory=list,
        description="Up to 100 discounts that `total` is after, so that budgets of offers count their real cost.",
    )
    receipt: str | None = optional(
        "The number printed on the receipt, up to 200 characters. With the store and the day in the brand's zone it "
        "counts once, for ever: case, spaces, dashes and zeros in front make no difference. A purchase that is typed "
        "at a tablet waits for the till's purchase with the same receipt."
    )

    def to_purchase(self, programme: str) -> domain.Purchase:
        """Return the domain's receipt."""
        lines = tuple(
            domain.PurchaseLine(line.sku, line.quantity, line.amount, given(line.category), given(line.brand))
            for line in self.lines
        )
        discounts = tuple(one.to_discount(programme) for one in self.discounts)
        return domain.Purchase(self.total, self.currency, lines, discounts, given(self.receipt))


@strawberry.input
class RecordEventInput:
    """Something that a member did and that rules may reward: a purchase, a refund, a visit, a review."""

    key: str = required(
        "Idempotency key that the sender chooses, such as a receipt number or an order id: 1 to 200 characters, unique "
        "for ever per sender. The same key and content counts once; other content is refused with `KEY_REUSED`."
    )
    type: str = required("`purchase`, `refund`, `visit`, `review`, or another type that the programme declares.")
    member: MemberKey = required("The member who did it.")
    occurred_at: datetime = required("When it happened. At most 5 minutes in the future, for clocks that are ahead.")
    channel: Channel = required("Where it happened.")
    store: str | None = optional("Key of the store, up to 200 characters.")
    partner: str | None = optional("Key of the partner, up to 200 characters.")
    purchase: PurchaseInput | None = optional(
        "The receipt: required for type `purchase`, optional for `refund`, refused for other types."
    )
    refund_of: str | None = optional(
        "For type `refund`: key of the purchase that it reverses: all of it without `purchase`. The purchase is of "
        "this sender, or of another that it may refer to. A refund that arrives first waits for its purchase."
    )
    ref: str | None = optional(
        "Key of the event that this one refers to: the general name of `refundOf`. Send one of them, or the same key "
        "in both."
    )
    ref_sender: str | None = optional(
        "Sender of the event that this one refers to, if it is another one, or if several have used the key; up to 200 "
        "characters."
    )
    attributes: JSON | None = optional(
        "Further data as an object of up to 16384 bytes, which the programme's rules for this type can use."
    )

    def to_event_of_member(self, programme: str) -> EventOfMember:
        """Return the event and its member; the sender is filled in from the actor."""
        purchase, attributes = given(self.purchase), given(self.attributes)
        event = domain.Event(
            key=self.key,
            sender="",
            type=self.type,
            occurred_at=self.occurred_at,
            channel=self.channel,
            store=given(self.store),
            partner=given(self.partner),
            purchase=purchase.to_purchase(programme) if purchase is not None else None,
            refund_of=given(self.refund_of),
            attributes=attributes if attributes is not None else {},
            ref_sender=given(self.ref_sender),
        )
        return EventOfMember(event, self.member.to_key(), given(self.ref))


RECORDERS = ENROLLERS


@strawberry.type
class RecordEventPayload:
    """Result of an event: what it gave, and why."""

    orders: list[Order] = field(
        REACHED, "Orders of the instant rewards that the purchase gave; empty whenever `member` is null."
    )
    member: Member | None = field(
        REACHED,
        "The member after the event. Null if the event was refused, and for a tablet without this member's session.",
    )
    replayed: bool = field(REACHED, REPLAYED)
    waiting: bool = field(
        REACHED,
        "True while the event does not count yet: a refund until the purchase that it refers to counts, for at most 30 "
        "days; a purchase that was typed at a tablet until it is confirmed, for at most 7 days.",
    )
    user_errors: list[UserError] = field(REACHED, USER_ERRORS)
    committed: strawberry.Private[Committed | None]

    @resolver(REACHED)
    def entries(self, info: Info) -> list[LedgerEntry]:
        """Ledger entries of the event; empty if it moved no points, and whenever `member` is null."""
        # A tablet may record events of members that it may not see.
        if self.committed is None or self.member is None:
            return []
        return entries_of(self.committed, info.context)

    @resolver(REACHED)
    def why(self, info: Info) -> list[Explanation]:
        """Which rules gave how many points, or what the event waits for; empty whenever `member` is null."""
        if self.committed is None or self.member is None:
            return []
        context, record, member = info.context, self.committed.record, self.committed.snapshot.member
        sender, key = record.cause.subject, record.cause.key
        waits = [explain_waiting(one) for one in member.waiting if self.waiting and one.is_event(sender, key)]
        return explanations(waits or record.explanations, context.programme(), locale_of(context, member))

    @classmethod
    def of(cls, outcome: Outcome | Exception, context: Context, *place: str) -> Self:
        """Return the payload of an event; `place` is its index within a batch."""
        result = as_refusal(outcome) if isinstance(outcome, Exception) else committed_or_refused(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result, *place)]
            return cls(orders=[], member=None, replayed=False, waiting=False, user_errors=errors, committed=None)
        is_seen = may_see(context.require_actor(), result.snapshot.member.id)
        return cls(
            orders=orders_of(result, context) if is_seen else [],
            member=Member.of(result.snapshot) if is_seen else None,
            replayed=result.replayed,
            waiting=result.waiting,
            user_errors=[],
            committed=result,
        )


@strawberry.type
class EventMutation:
    """The mutations of events."""

    @mutation(RECORDERS)
    async def record_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Record one event from a till, a site, an app or a partner. The same `key` counts once, for ever.

        A purchase that role kiosk records is typed by somebody: it gives nothing until a till records a purchase of the
        same member with the same receipt, or staff accept it with `decidePending`. After 7 days it lapses.
        """
        return RecordEventPayload.of(
            await event.record(info.context, input.to_event_of_member(info.context.programme().key)), info.context
        )

    @mutation(RECORDERS)
    async def record_events(
        self,
        info: Info,
        input: Annotated[  # noqa: A002 - Relay's name
            list[RecordEventInput],
            strawberry.argument(
                description="The events, up to 500, unless the gateway's setting CARILLON_LIMIT_BATCH says otherwise; "
                "more fails with `LIMIT_EXCEEDED`."
            ),
        ],
    ) -> list[RecordEventPayload]:
        """Record many events. Each is counted or refused on its own; those of a member count in the order sent."""
        context = info.context
        programme = context.programme().key
        outcomes = await event.record_many(context, [item.to_event_of_member(programme) for item in input])
        return [RecordEventPayload.of(outcome, context, str(n)) for n, outcome in enumerate(outcomes)]

    @mutation(RECORDERS)
    async def preview_event(self, info: Info, input: RecordEventInput) -> RecordEventPayload:  # noqa: A002
        """Return what the event would give, and write nothing. For a recorded `key`, the result of the first call.

        A tablet previews the events of its session's member only.
        """
        return RecordEventPayload.of(
            await event.preview(info.context, input.to_event_of_member(info.context.programme().key)), info.context
        )
