"""Places, cancels and advances orders; creates and releases holds for a checkout."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from loyalty.commands.advance_order import AdvanceOrder, CancelOrder
from loyalty.commands.hold import HoldPoints, ReleaseHold
from loyalty.commands.place_order import PlaceOrder
from loyalty.kernel.channel import Channel
from loyalty.kernel.refusal import Refusal, RefusalCode
from loyalty.model.order import Delivery, Order, OrderState, Recipient
from loyalty.model.programme import Programme
from models.commits.request import Outcome
from resolvers.core.command import NOT_FOUND as NO_SUCH_MEMBER
from resolvers.core.command import cause_of, member_to_act_for, run_command, text_refusal
from resolvers.core.context import Context
from resolvers.core.idempotency_key import email_content, phone_content
from resolvers.core.member import MemberKey, may_see
from resolvers.core.profile_fields import read_fields
from resolvers.core.reading import read_or_unavailable

NOTE_LENGTH_MAX = 500
FIELD_LENGTH_MAX = 200
COUNTRY_LENGTH = 2
MESSAGE_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class OrderInput:
    """The input of an order, as sent; `reward` is a key, `hold` an id."""

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


def _recipient_of(request: Recipient | None, programme: Programme) -> Recipient | Refusal | None:
    """Return a recipient in normal form, or a refusal of the first invalid field."""
    if request is None:
        return None
    name = request.name.strip()
    if not name:
        return _invalid("recipient_name", "recipient", "name")
    refusal = text_refusal(name, FIELD_LENGTH_MAX, "recipient", "name") or text_refusal(
        request.message, MESSAGE_LENGTH_MAX, "recipient", "message"
    )
    if refusal is not None:
        return refusal
    contact = read_fields({"email": request.email, "phone": request.phone}, programme)
    if isinstance(contact, Refusal):
        return replace(contact, path=("recipient", *contact.path))
    return Recipient(name, contact["email"], contact["phone"], request.message)


def _recipient_content(recipient: Recipient | None) -> dict[str, object] | None:
    if recipient is None:
        return None
    email, phone = recipient.email, recipient.phone
    forms = {"email": email_content(email) if email else None, "phone": phone_content(phone) if phone else None}
    return {**asdict(recipient), **forms}


def _delivery_refusal(request: Delivery | None) -> Refusal | None:
    if request is None:
        return None
    fields = {"name": request.name, "line1": request.line1, "postalCode": request.postal_code, "city": request.city}
    # A reward that is collected in a store needs no address: its fields may be empty.
    if not (request.store or "").strip():
        for name, text in fields.items():
            if not text.strip():
                return _invalid("delivery_field", "delivery", name)
    is_empty = not request.country and bool(request.store)
    if not is_empty and (len(request.country) != COUNTRY_LENGTH or not request.country.isalpha()):
        return _invalid("country_invalid", "delivery", "country")
    texts = {**fields, "line2": request.line2, "store": request.store}
    refusals = (text_refusal(text, FIELD_LENGTH_MAX, "delivery", name) for name, text in texts.items())
    return next((refusal for refusal in refusals if refusal is not None), None)


async def place(context: Context, request: OrderInput) -> Outcome:
    """Order a reward. Points, stock, code and appointment are taken together or not at all."""
    recipient = _recipient_of(request.recipient, context.programme())
    if isinstance(recipient, Refusal):
        return recipient
    refusal = _delivery_refusal(request.delivery)
    if refusal is not None:
        return refusal
    member = await member_to_act_for(context, request.member)
    if isinstance(member, Refusal):
        return member
    command = PlaceOrder(
        reward=request.reward,
        quantity=request.quantity,
        channel=request.channel,
        cause=cause_of(context, PlaceOrder, request.key),
        hold=request.hold,
        recipient=recipient,
        appointment=request.appointment,
        delivery=request.delivery,
    )
    content: dict[str, object] = {
        "reward": request.reward,
        "quantity": request.quantity,
        "hold": request.hold,
        "recipient": _recipient_content(recipient),
        "appointment": request.appointment,
        "delivery": asdict(request.delivery) if request.delivery is not None else None,
        "channel": request.channel,
    }
    return await run_command(context, command, member, content)


async def find(context: Context, order: str) -> Order | None:
    """Return an order that the actor has access to, or None."""
    found = await read_or_unavailable(context.services.reader.order(context.require_actor().programme, order))
    return found if found is not None and may_see(context.require_actor(), found.member) else None


def _order_not_found() -> Refusal:
    return Refusal(RefusalCode.NOT_FOUND, "order_not_found", ("order",))


async def cancel(context: Context, *, key: str, order: str, reason: str | None) -> Outcome:
    """Cancel an order that was not sent yet; all that it took is returned."""
    refusal = text_refusal(reason, NOTE_LENGTH_MAX, "reason")
    if refusal is not None:
        return refusal
    found = await find(context, order)
    if found is None:
        return _order_not_found()
    command = CancelOrder(order, cause_of(context, CancelOrder, key, reason))
    return await run_command(context, command, found.member, {"order": order, "reason": reason})


@dataclass(frozen=True, slots=True)
class OrderStepInput:
    """The input of an order's next step, as sent; `exchange_for` is a reward's key."""

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


async def advance(context: Context, request: OrderStepInput) -> Outcome:
    """Move an order to its next state, if the actor's role is allowed to."""
    refusal = text_refusal(request.note, NOTE_LENGTH_MAX, "note") or text_refusal(
        request.tracking_url, NOTE_LENGTH_MAX, "trackingUrl"
    )
    if refusal is not None:
        return refusal
    if request.tracking_url is not None and not _is_web_address(request.tracking_url):
        return _invalid("tracking_url_invalid", "trackingUrl")
    found = await find(context, request.order)
    if found is None:
        return _order_not_found()
    same_reward = found.reward.key if request.state is OrderState.EXCHANGED else None
    command = AdvanceOrder(
        order=request.order,
        state=request.state,
        cause=cause_of(context, AdvanceOrder, request.key),
        note=request.note,
        tracking_url=request.tracking_url,
        quantity=request.quantity,
        exchange_for=request.exchange_for if request.exchange_for is not None else same_reward,
    )
    content: dict[str, object] = {
        "order": request.order,
        "state": request.state,
        "note": request.note,
        "tracking_url": request.tracking_url,
        "quantity": request.quantity,
        "exchange_for": request.exchange_for,
    }
    return await run_command(context, command, found.member, content)


async def hold(
    context: Context, *, key: str, member: MemberKey | None, reward: str | None, points: int | None, ttl_seconds: int
) -> Outcome:
    """Hold points, or all that a reward takes, for a checkout; the hold expires after `ttl_seconds`."""
    found = await member_to_act_for(context, member)
    if isinstance(found, Refusal):
        return found
    channel = context.channel or Channel.SYSTEM
    command = HoldPoints(reward, points, ttl_seconds, channel, cause_of(context, HoldPoints, key))
    return await run_command(context, command, found, {"reward": reward, "points": points, "ttl_seconds": ttl_seconds})


async def release(context: Context, *, key: str, member: str, hold: str) -> Outcome:
    """Release a hold of a member."""
    not_found = Refusal(RefusalCode.NOT_FOUND, "hold_not_found", ("hold",))
    if not may_see(context.require_actor(), member):
        return not_found
    command = ReleaseHold(hold, cause_of(context, ReleaseHold, key))
    outcome = await run_command(context, command, member, {"hold": hold})
    # The caller did not name the member (the hold's id contains it), so refuse the hold.
    return not_found if outcome == NO_SUCH_MEMBER else outcome


async def page(
    context: Context, member: str, *, first: int, after: tuple[datetime, str] | None
) -> tuple[list[Order], bool]:
    """Return the `first` newest orders of a member older than `after` (placed_at, id), and whether there are more."""
    programme = context.require_actor().programme
    return await read_or_unavailable(context.services.reader.orders(programme, member, first=first, after=after))
