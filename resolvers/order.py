"""Orders and holds: placed, cancelled, moved on, kept for a checkout and let go."""

from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urlsplit

from loyalty.commands.advance_order import AdvanceOrder, CancelOrder
from loyalty.commands.hold import HoldPoints, ReleaseHold
from loyalty.commands.place_order import PlaceOrder
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.order import Delivery, Order, OrderState, Recipient
from models.commits.request import Outcome
from resolvers.core.command import NOT_FOUND as NO_SUCH_MEMBER
from resolvers.core.command import act, cause_of, subject, text_refusal
from resolvers.core.context import Context
from resolvers.core.member import MemberKey, answered, may_see
from resolvers.core.personal_data import normal_email, normal_phone

PLACE, CANCEL, ADVANCE, HOLD, RELEASE = "place-order", "cancel-order", "advance-order", "hold", "release-hold"
NOTE_LENGTH_MAX = 500
FIELD_LENGTH_MAX = 200
COUNTRY_LENGTH = 2
MESSAGE_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order as it was sent; `reward` and `hold` are keys."""

    key: str
    reward: str
    channel: Channel
    quantity: int = 1
    member: MemberKey | None = None
    hold: str | None = None
    recipient: Recipient | None = None
    appointment: datetime | None = None
    delivery: Delivery | None = None


def _invalid(reason: str, *path: str) -> Refusal:
    return Refusal(RefusalCode.INVALID, reason, path)


def _recipient_of(told: Recipient | None) -> Recipient | Refusal | None:
    """Return a recipient in normal form, or what is wrong with it."""
    if told is None:
        return None
    name = told.name.strip()
    if not name:
        return _invalid("recipient_name", "recipient", "name")
    refusal = text_refusal(name, FIELD_LENGTH_MAX, "recipient", "name") or text_refusal(
        told.message, MESSAGE_LENGTH_MAX, "recipient", "message"
    )
    if refusal is not None:
        return refusal
    email = normal_email(told.email) if told.email is not None else None
    if told.email is not None and email is None:
        return _invalid("email_invalid", "recipient", "email")
    phone = normal_phone(told.phone) if told.phone is not None else None
    if told.phone is not None and phone is None:
        return _invalid("phone_invalid", "recipient", "phone")
    return Recipient(name, email, phone, told.message)


def _delivery_refusal(told: Delivery | None) -> Refusal | None:
    if told is None:
        return None
    fields = {"name": told.name, "line1": told.line1, "postalCode": told.postal_code, "city": told.city}
    for name, text in fields.items():
        if not text.strip():
            return _invalid("delivery_field", "delivery", name)
    if len(told.country) != COUNTRY_LENGTH or not told.country.isalpha():
        return _invalid("country_invalid", "delivery", "country")
    texts = {**fields, "line2": told.line2, "store": told.store}
    refusals = (text_refusal(text, FIELD_LENGTH_MAX, "delivery", name) for name, text in texts.items())
    return next((refusal for refusal in refusals if refusal is not None), None)


async def place(context: Context, told: Checkout) -> Outcome:
    """Order a reward: points, piece, code and appointment together, or nothing at all."""
    recipient = _recipient_of(told.recipient)
    if isinstance(recipient, Refusal):
        return recipient
    refusal = _delivery_refusal(told.delivery)
    if refusal is not None:
        return refusal
    member = await subject(context, told.member)
    if isinstance(member, Refusal):
        return member
    command = PlaceOrder(
        reward=told.reward,
        quantity=told.quantity,
        channel=told.channel,
        cause=cause_of(context, PLACE, told.key),
        hold=told.hold,
        recipient=recipient,
        appointment=told.appointment,
        delivery=told.delivery,
    )
    content: dict[str, object] = {
        "reward": told.reward,
        "quantity": told.quantity,
        "hold": told.hold,
        "recipient": asdict(recipient) if recipient is not None else None,
        "appointment": told.appointment,
        "delivery": asdict(told.delivery) if told.delivery is not None else None,
        "channel": told.channel,
    }
    return await act(context, command, member, content)


async def find(context: Context, order: str) -> Order | None:
    """Return an order that the actor may look at, or None."""
    found = await answered(context.services.reader.order(context.require_actor().programme, order))
    return found if found is not None and may_see(context.require_actor(), found.member) else None


def _order_not_found() -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "order_not_found", ("order",))


async def cancel(context: Context, *, key: str, order: str, reason: str | None) -> Outcome:
    """Cancel an order that is not on its way: what it took goes back."""
    refusal = text_refusal(reason, NOTE_LENGTH_MAX, "reason")
    if refusal is not None:
        return refusal
    found = await find(context, order)
    if found is None:
        return _order_not_found()
    command = CancelOrder(order, cause_of(context, CANCEL, key, reason))
    return await act(context, command, found.member, {"order": order, "reason": reason})


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of an order as it was sent; `exchange_for` is a reward's key."""

    key: str
    order: str
    state: OrderState
    note: str | None = None
    tracking_url: str | None = None
    quantity: int | None = None
    exchange_for: str | None = None


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


async def advance(context: Context, told: Step) -> Outcome:
    """Move an order to its next state, as far as the actor's role may."""
    refusal = text_refusal(told.note, NOTE_LENGTH_MAX, "note") or text_refusal(
        told.tracking_url, NOTE_LENGTH_MAX, "trackingUrl"
    )
    if refusal is not None:
        return refusal
    if told.tracking_url is not None and not _is_web_address(told.tracking_url):
        return _invalid("tracking_url_invalid", "trackingUrl")
    found = await find(context, told.order)
    if found is None:
        return _order_not_found()
    again = found.reward.key if told.state is OrderState.EXCHANGED else None
    command = AdvanceOrder(
        order=told.order,
        state=told.state,
        cause=cause_of(context, ADVANCE, told.key),
        note=told.note,
        tracking_url=told.tracking_url,
        quantity=told.quantity,
        exchange_for=told.exchange_for if told.exchange_for is not None else again,
    )
    content: dict[str, object] = {
        "order": told.order,
        "state": told.state,
        "note": told.note,
        "tracking_url": told.tracking_url,
        "quantity": told.quantity,
        "exchange_for": told.exchange_for,
    }
    return await act(context, command, found.member, content)


async def hold(
    context: Context, *, key: str, member: MemberKey | None, reward: str | None, points: int | None, ttl_seconds: int
) -> Outcome:
    """Keep points, or all that a reward takes, for a checkout; it lets go by itself."""
    found = await subject(context, member)
    if isinstance(found, Refusal):
        return found
    channel = context.channel or Channel.SYSTEM
    command = HoldPoints(reward, points, ttl_seconds, channel, cause_of(context, HOLD, key))
    return await act(context, command, found, {"reward": reward, "points": points, "ttl_seconds": ttl_seconds})


async def release(context: Context, *, key: str, member: str, hold: str) -> Outcome:
    """Let a hold of a member go."""
    not_found = Refusal(RefusalCode.NOT_FOUND, "hold_not_found", ("hold",))
    if not may_see(context.require_actor(), member):
        return not_found
    command = ReleaseHold(hold, cause_of(context, RELEASE, key))
    outcome = await act(context, command, member, {"hold": hold})
    # Nobody said which member: the id of the hold did.
    return not_found if outcome == NO_SUCH_MEMBER else outcome


async def page(
    context: Context, member: str, *, first: int, after: tuple[datetime, str] | None
) -> tuple[list[Order], bool]:
    """Return a member's orders, newest first, and whether there are more."""
    programme = context.require_actor().programme
    return await answered(context.services.reader.orders(programme, member, first=first, after=after))
