"""What mutations answer: the object, or the refusals that the caller can act on."""

from datetime import datetime
from typing import Self

import strawberry

from loyalty.kernel.refusal import Refusal
from loyalty.model import catalogue as domain_catalogue
from loyalty.model import offer as domain_offer
from loyalty.model import reward as domain_reward
from models.commits.request import Committed, Outcome
from models.mongo.snapshot import entry_views
from models.programmes.catalogue_store import Stored
from models.tablets.device_store import Device as StoredDevice
from resolvers.core.context import Context
from resolvers.core.member import may_see
from resolvers.tablets.device import device_token
from resolvers.tablets.session import Opened
from schema.access import REACHED, field, resolver
from schema.content import Content
from schema.device import Device
from schema.error import UserError, as_refusal
from schema.kiosk_session import KioskSession
from schema.member import Explanation, Info, LedgerEntry, Member, explanations
from schema.offer import MemberOffer, Offer
from schema.order import Hold, Order
from schema.reward import Reward
from schema.text import locale_of


def _committed(outcome: Outcome) -> Committed | Refusal:
    if isinstance(outcome, Committed | Refusal):
        return outcome
    raise TypeError("a caller's command is committed or refused")


def _entries(outcome: Committed, context: Context) -> list[LedgerEntry]:
    programme, locale = context.programme(), locale_of(context, outcome.snapshot.member)
    return [LedgerEntry(view, programme, locale) for view in entry_views(outcome.record)]


@strawberry.type
class _MemberPayload:
    """A member as it is after a change of itself."""

    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return the answer to a change."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            return cls(member=None, replayed=False, user_errors=[UserError.of(result)])
        return cls(member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])


@strawberry.type
class EnrolPayload(_MemberPayload):
    """The new member."""


@strawberry.type
class PreferencesPayload(_MemberPayload):
    """The member with what it likes."""


@strawberry.type
class ConsentsPayload(_MemberPayload):
    """The member with what it agreed to."""


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
        return _entries(self.committed, info.context)

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
        result = as_refusal(outcome) if isinstance(outcome, Exception) else _committed(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result, *place)]
            return cls(orders=[], member=None, replayed=False, user_errors=errors, committed=None)
        is_seen = may_see(context.require_actor(), result.snapshot.member.id)
        return cls(
            orders=_orders(result, context),
            member=Member.of(result.snapshot) if is_seen else None,
            replayed=result.replayed,
            user_errors=[],
            committed=result,
        )


def _orders(outcome: Committed, context: Context) -> list[Order]:
    if not outcome.orders:
        return []
    locale = locale_of(context, outcome.snapshot.member)
    return [Order.of(order, context, locale) for order in outcome.orders]


@strawberry.type
class OfferPayload:
    """The offer as it stands for the member now."""

    member_offer: MemberOffer | None = field(REACHED)
    entries: list[LedgerEntry] = field(REACHED, description="The points that it gave at once.")
    orders: list[Order] = field(REACHED, description="The gift that it gave.")
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an activation, a redemption or a note."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result)]
            return cls(member_offer=None, entries=[], orders=[], member=None, replayed=False, user_errors=errors)
        programme, member = context.programme(), result.snapshot.member
        keys = (str(notice.params["offer"]) for notice in result.record.notices if "offer" in notice.params)
        offer = programme.catalogue.offers.get(next(keys, ""))
        locale = locale_of(context, member)
        entries = _entries(result, context)
        return cls(
            member_offer=MemberOffer.after_use(offer, member, context, locale) if offer is not None else None,
            entries=entries,
            orders=_orders(result, context),
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class OrderPayload:
    """The order as it stands now."""

    order: Order | None = field(REACHED)
    replacement: Order | None = field(REACHED, description="With EXCHANGED: the order placed in its stead.")
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an order, or to a step of one."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            errors = [UserError.of(result)]
            return cls(order=None, replacement=None, member=None, replayed=False, user_errors=errors)
        told = _orders(result, context)
        exchanged = {order.exchanged_for for order in result.orders}
        replacements = [order for order, known in zip(told, result.orders, strict=True) if known.id in exchanged]
        own = [order for order in told if order not in replacements]
        return cls(
            order=own[0] if own else None,
            replacement=replacements[0] if replacements else None,
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class HoldPayload:
    """The hold that was made, or let go."""

    hold: Hold | None = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to a hold or its release."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            return cls(hold=None, member=None, replayed=False, user_errors=[UserError.of(result)])
        member = result.snapshot.member
        locale = locale_of(context, member)
        return cls(
            hold=Hold.of(result.hold, member.id, context, locale) if result.hold is not None else None,
            member=Member.of(result.snapshot),
            replayed=result.replayed,
            user_errors=[],
        )


@strawberry.type
class CatalogueItemPayload:
    """What was stored, in its new version; none of the three for what was retired."""

    offer: Offer | None = field(REACHED)
    reward: Reward | None = field(REACHED)
    content: Content | None = field(REACHED)
    version: int | None = field(REACHED, description="Counts the changes of this offer, reward or content.")
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, stored: Stored | Refusal, context: Context) -> Self:
        """Return the answer to a change of the catalogue."""
        if isinstance(stored, Refusal):
            errors = [UserError.of(stored)]
            return cls(offer=None, reward=None, content=None, version=None, replayed=False, user_errors=errors)
        programme, locale, channel = context.programme(), locale_of(context), context.channel
        item = stored.item if not stored.retired else None
        return cls(
            offer=Offer.of(item, programme, locale, channel) if isinstance(item, domain_offer.Offer) else None,
            reward=Reward.of(item, programme, locale, channel, context.now())
            if isinstance(item, domain_reward.Reward)
            else None,
            content=Content.of(item, programme, locale, channel)
            if isinstance(item, domain_catalogue.Content)
            else None,
            version=stored.version,
            replayed=stored.replayed,
            user_errors=[],
        )


@strawberry.type
class AdjustPointsPayload:
    """The adjustment in the ledger."""

    entries: list[LedgerEntry] = field(REACHED)
    member: Member | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Outcome, context: Context) -> Self:
        """Return the answer to an adjustment."""
        result = _committed(outcome)
        if isinstance(result, Refusal):
            return cls(entries=[], member=None, replayed=False, user_errors=[UserError.of(result)])
        entries = _entries(result, context)
        return cls(entries=entries, member=Member.of(result.snapshot), replayed=result.replayed, user_errors=[])


@strawberry.type
class DevicePayload:
    """The tablet as it stands now."""

    device: Device | None = field(REACHED)
    code: str | None = field(
        REACHED, description="The short code of an invitation, to be typed at the tablet: once, within 15 minutes."
    )
    code_expires_at: datetime | None = field(REACHED)
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, code: str | None = None) -> Self:
        """Return the answer to an invitation, which has a code, or to its end."""
        if isinstance(outcome, Refusal):
            errors = [UserError.of(outcome)]
            return cls(device=None, code=None, code_expires_at=None, replayed=False, user_errors=errors)
        device, replayed = outcome
        return cls(
            device=Device.of(device),
            code=code,
            code_expires_at=device.code_expires_at if code is not None else None,
            replayed=replayed,
            user_errors=[],
        )


@strawberry.type
class EnrolDevicePayload:
    """The tablet with its token."""

    device: Device | None = field(REACHED)
    token: str | None = field(
        REACHED, description="The bearer token of the tablet: kept by it alone, valid until it is revoked."
    )
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: tuple[StoredDevice, bool] | Refusal, context: Context) -> Self:
        """Return the answer to a short code."""
        if isinstance(outcome, Refusal):
            return cls(device=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        device, replayed = outcome
        return cls(device=Device.of(device), token=device_token(context, device), replayed=replayed, user_errors=[])


@strawberry.type
class SessionPayload:
    """The session as it stands now."""

    session: KioskSession | None = field(REACHED)
    token: str | None = field(
        REACHED,
        description="With openSession: the bearer token for all that the shopper sees and does here.",
    )
    replayed: bool = field(REACHED)
    user_errors: list[UserError] = field(REACHED)

    @classmethod
    def of(cls, outcome: Opened | Refusal) -> Self:
        """Return the answer to a change of a session."""
        if isinstance(outcome, Refusal):
            return cls(session=None, token=None, replayed=False, user_errors=[UserError.of(outcome)])
        session = KioskSession.of(outcome)
        return cls(session=session, token=outcome.token, replayed=outcome.replayed, user_errors=[])
